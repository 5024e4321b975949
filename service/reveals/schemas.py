from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from service.consent import Channel, Purpose
from service.decisions import Context, DecisionView
from service.kernel import SubjectId, SubjectRef, exactly
from service.reveals.approval import Approval, ApprovalState
from service.reveals.domain import RevealUnclear, Shown, Wish
from service.reveals.lines import Answered, BatchQuestion, Outcome
from service.reveals.token import Recipient, TokenText
from service.vault import OFFICER_PURPOSES, ValueName

_KNOWN: Final = "|".join(sorted({*Purpose, *OFFICER_PURPOSES}))
RevealPurpose = Annotated[str, exactly(f"({_KNOWN}|x-[a-z0-9-]{{1,60}})")]
"""What can be asked for: a purpose of a contact or a use, the tenant's own, or one of officers."""

OfficerPurpose = Annotated[str, exactly(f"({'|'.join(OFFICER_PURPOSES)})")]
Names = Annotated[tuple[ValueName, ...], Meta(min_length=1, max_length=20)]


Version = Annotated[int, Meta(ge=1, le=2_147_483_647)]
Reference = Annotated[str, exactly("[A-Za-z0-9._:/-]{1,128}")]
"""A matter, by the tenant's own id. Has no room for an ``@`` or a blank."""


class RevealCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be read of one person, and what for: `subject`, `fields` and `purpose`, or a `token` for them."""

    subject: SubjectRef | None = None
    fields: Names | None = None
    """Fields, or `field#label` where a person has several values of one."""
    purpose: RevealPurpose | None = None
    token: TokenText | None = None
    """Stands for one value of one person, for one purpose."""
    channel: Channel | None = None
    """Where the person is to be contacted, or their data used. Purposes of officers need none."""
    context: Context | None = None
    """What you declare about the message, the sender and the use, as when you ask for a decision."""
    version: Version | None = None
    """An older version of the values. For officers."""

    def wish(self) -> Wish | None:
        """Return what is wished; nothing where a token says it.

        Raises:
            RevealUnclear: both are there, or too little of either.
        """
        said = {"/subject": self.subject, "/fields": self.fields, "/purpose": self.purpose}
        if self.token is not None:
            if doubled := [pointer for pointer, value in said.items() if value is not None]:
                raise RevealUnclear("the token says it already", pointers=doubled)
            return None
        if self.subject is None or self.fields is None or self.purpose is None:
            missing = [pointer for pointer, value in said.items() if value is None]
            raise RevealUnclear("name a subject, fields and a purpose, or a token", pointers=missing)
        return Wish(
            subject=SubjectId(self.subject),
            fields=tuple(dict.fromkeys(self.fields)),
            purpose=self.purpose,
            channel=self.channel,
            context=self.context or Context(),
            version=self.version,
        )


class RevealView(Struct, frozen=True, kw_only=True):
    """Values in plain, as far as they may be. Use them until `expires_at`, and for what you asked."""

    id: UUID
    """Of the reveal; the audit log has an entry about it."""
    values: dict[str, Any]
    masked: dict[str, str]
    """What is left of values whose fields don't allow the purpose, or are addresses of another channel."""
    missing: tuple[str, ...]
    """Names under which nothing is stored."""
    decision: DecisionView | None
    """The permit behind it; nothing where an officer asked."""
    expires_at: datetime

    @classmethod
    def of(cls, shown: Shown) -> "RevealView":
        return cls(
            id=shown.id,
            values=dict(shown.values),
            masked=dict(shown.masked),
            missing=shown.missing,
            decision=shown.decision,
            expires_at=shown.expires_at,
        )


class BatchCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line: what is to be read of everybody who follows, and what for."""

    fields: Names
    purpose: RevealPurpose
    channel: Channel | None = None
    context: Context | None = None
    approval: UUID | None = None
    """What a second officer agreed to. The purposes of officers need one."""

    def question(self) -> BatchQuestion:
        return BatchQuestion(
            fields=tuple(dict.fromkeys(self.fields)),
            purpose=self.purpose,
            channel=self.channel,
            context=self.context or Context(),
            approval=self.approval,
        )


class BatchLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each further line: one person."""

    subject: SubjectRef


class AnswerLine(Struct, frozen=True, kw_only=True):
    """What became of a line. Anything but `permit` means no."""

    line: int
    """Its number, from 1 for the first person."""
    outcome: Outcome
    subject: str | UnsetType = UNSET
    reveal: RevealView | UnsetType = UNSET
    """With a `permit`."""
    decision: DecisionView | UnsetType = UNSET
    """With a `deny`."""
    errors: tuple[dict[str, str], ...] | UnsetType = UNSET
    """What is wrong with an `invalid` line."""

    @classmethod
    def of(cls, answered: Answered) -> "AnswerLine":
        asked, shown, decision = answered.asked, answered.shown, answered.decision
        return cls(
            line=asked.line,
            outcome=answered.outcome,
            subject=UNSET if asked.subject is None else asked.subject,
            reveal=UNSET if shown is None else RevealView.of(shown),
            decision=UNSET if decision is None else decision,
            errors=tuple(asked.faults) or UNSET,
        )


class Summary(Struct, frozen=True, kw_only=True):
    lines: int
    outcomes: dict[Outcome, int]


class SummaryLine(Struct, frozen=True, kw_only=True):
    """The last line. Without it the answer is not whole."""

    summary: Summary


class TokenCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that is to have a stand-in, for one purpose and one recipient."""

    subject: SubjectRef
    field: ValueName
    purpose: RevealPurpose
    recipient: Recipient
    """The client that may turn it into the value, by the `client_id` of its tokens."""


class TokenView(Struct, frozen=True, kw_only=True):
    """A token. It is shown this once."""

    token: str


class TokenRevoke(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    token: TokenText


class RevokedView(Struct, frozen=True, kw_only=True):
    revoked: bool


class ApprovalCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an officer wants to read of many people at once."""

    purpose: OfficerPurpose
    fields: Names
    subjects: Annotated[int, Meta(ge=1, le=10_000_000)]
    """Of how many at most."""
    reference: Reference
    """The matter, by your own id for it."""


class ApprovalView(Struct, frozen=True, kw_only=True):
    """What an officer asked, and what became of it."""

    id: UUID
    state: ApprovalState
    purpose: str
    fields: tuple[str, ...]
    subjects: int
    reference: str
    requested_at: datetime
    requested_by: str
    expires_at: datetime
    approved_at: datetime | None
    approved_by: str | None
    used_at: datetime | None

    @classmethod
    def of(cls, approval: Approval, state: ApprovalState) -> "ApprovalView":
        return cls(state=state, **structs.asdict(approval))


class ApprovalPage(Struct, frozen=True, kw_only=True):
    """Some approvals, newest first. `Link` says where to go on."""

    approvals: list[ApprovalView]
