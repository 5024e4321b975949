from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import Meta, Struct

from service.consent import Channel, Purpose
from service.decisions import Context, DecisionView
from service.kernel import SubjectId, SubjectRef, exactly
from service.reveals.domain import Shown, Wish
from service.vault import OFFICER_PURPOSES, ValueName

_KNOWN: Final = "|".join(sorted({*Purpose, *OFFICER_PURPOSES}))
RevealPurpose = Annotated[str, exactly(f"({_KNOWN}|x-[a-z0-9-]{{1,60}})")]
"""What can be asked for: a purpose of a contact or a use, the tenant's own, or one of officers."""

Names = Annotated[tuple[ValueName, ...], Meta(min_length=1, max_length=20)]


class RevealCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be read of one person, and what for."""

    subject: SubjectRef
    fields: Names
    """Fields, or `field#label` where a person has several values of one."""
    purpose: RevealPurpose
    channel: Channel | None = None
    """Where the person is to be contacted, or their data used. Purposes of officers need none."""
    context: Context | None = None
    """What you declare about the message, the sender and the use, as when you ask for a decision."""
    version: Annotated[int, Meta(ge=1, le=2_147_483_647)] | None = None
    """An older version of the values. For officers."""

    def wish(self) -> Wish:
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
    """What is left of values whose fields don't allow the purpose."""
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
