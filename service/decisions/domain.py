"""May we? The question, the verdict of the policy, and the decision that is logged."""

import hashlib
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from service.audit import Payload
from service.consent import Channel, Purpose
from service.decisions.context import Context
from service.kernel import DomainError, Handle, Unavailable, exactly
from service.subjects import Flags as Flags

YEARS: Final = range(1900, 2200)
"""Years that can be asked about."""

FURTHEST_AHEAD: Final = timedelta(hours=24)
"""How far ahead a stored question may look. A simulation may ask about any instant."""


class Basis(StrEnum):
    """The legal basis that a permit rests on; `none` where the law asks for none, and on denial."""

    CONSENT = "consent"
    SOFT_OPT_IN = "soft_opt_in"
    LEGITIMATE_INTEREST = "legitimate_interest"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    NONE = "none"


class Effect(StrEnum):
    PERMIT = "permit"
    DENY = "deny"
    TRIED = "tried"
    """A permission or exception whose first condition holds, and which failed."""
    NOTE = "note"


class Question(Struct, frozen=True, kw_only=True):
    """What a caller wants to do with one subject, on one channel, for one purpose, at one instant."""

    channel: Channel
    purpose: str
    """As asked: a known purpose, or the tenant's own."""
    meaning: Purpose
    """The known purpose that `purpose` is or maps onto."""
    at: datetime
    context: Context
    also: str | None = None
    """A second place of residence, where the caller names one: its law applies as well."""


class Cited(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as a verdict names it."""

    rule: str
    effect: Effect
    stage: Annotated[int, Meta(ge=0, le=15)]


class Verdict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the policy answers to facts, and nothing but that. See docs/facts.md."""

    allow: bool
    basis: Basis
    reasons: Annotated[tuple[Cited, ...], Meta(max_length=500)]
    obligations: Annotated[tuple[Annotated[str, exactly("[a-z][a-z0-9_]{0,63}")], ...], Meta(max_length=50)]
    acts: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=2000)]
    closed_hours: bool


class Reason(Struct, frozen=True, kw_only=True):
    rule: str
    effect: Effect
    title: str
    citation: str


class Decision(Struct, frozen=True, kw_only=True):
    """A verdict with its id, its time, its policy and the records that decided it."""

    id: UUID
    permit: bool
    basis: Basis
    at: datetime
    decided_at: datetime
    channel: Channel
    purpose: str
    handle: Handle | None
    """Nothing for a subject that nobody has told us about."""
    reasons: tuple[Reason, ...]
    obligations: tuple[str, ...]
    records: tuple[UUID, ...]
    retry_after: datetime | None
    """Set when only the hour or the day stands in the way. In the recipient's own offset."""
    valid_until: datetime | None
    """The next instant at which the answer could change by time alone; nothing when time alone never changes it."""
    revision: str
    overlay: int
    """The version of the tenant's overlay; 0 when there is none."""

    @property
    def policy(self) -> str:
        """What this was decided under."""
        return governed_by(self.revision, self.overlay)


def governed_by(revision: str, overlay: int) -> str:
    """Return the name of a revision of the law with a version of the tenant's own policy over it."""
    return f"{revision}+overlay.{overlay}" if overlay else revision


class Stored(Struct, frozen=True, kw_only=True):
    """A row of the log and the rows it points to."""

    id: UUID
    handle: Handle | None
    channel: str
    purpose: str
    at: datetime
    decided_at: datetime
    permit: bool
    revision: str
    overlay_version: int
    facts: bytes
    verdict: bytes
    records: tuple[UUID, ...]
    retry_after: str | None
    valid_until: datetime | None
    actor: str

    def payload(self, facts_hash: bytes | None = None) -> Payload:
        """Return what the log commits to: all of it, with a hash of the facts that isn't shown with the rest."""
        until = self.valid_until
        return Payload(
            {
                "actor": self.actor,
                "at": self.at.astimezone(UTC),
                "channel": self.channel,
                "decided_at": self.decided_at.astimezone(UTC),
                "handle": self.handle,
                "id": self.id,
                "overlay_version": self.overlay_version,
                "permit": self.permit,
                "purpose": self.purpose,
                "records": self.records,
                "retry_after": self.retry_after,
                "revision": self.revision,
                "valid_until": None if until is None else until.astimezone(UTC),
                "verdict": Raw(self.verdict),
            },
            {"facts": facts_hash or hashlib.sha256(self.facts).digest()},
        )


class Replay(Struct, frozen=True, kw_only=True):
    """The stored facts, asked again under the policy of today."""

    same: bool
    """Whether the verdict is the same to the last reason."""
    revision_then: str
    revision_now: str
    permit_then: bool
    permit_now: bool
    reasons_now: tuple[Reason, ...]


def in_range(at: datetime) -> datetime:
    """Return `at` in UTC.

    Raises:
        InstantOutOfRange: its year is none of `YEARS`.
    """
    if at.year not in YEARS:
        raise InstantOutOfRange(
            "the year of the question can't be asked about", pointers=["/at"], first=YEARS[0], last=YEARS[-1]
        )
    return at.astimezone(UTC)


class DecisionUnavailable(Unavailable):
    """Nobody can say whether it is permitted, so it is not."""

    code = "decision_unavailable"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message, decision="deny", **details)


class QuestionTooFarAhead(DomainError):
    """A stored question looks further ahead than anyone can know."""

    code = "question_too_far_ahead"


class InstantOutOfRange(DomainError):
    """The question is about a year in which calendars and time zones mean nothing."""

    code = "instant_out_of_range"


class RuleUnknown(DomainError):
    """The policy in force has no rule with this id."""

    code = "rule_unknown"


class DecisionUnknown(DomainError):
    """The tenant has no decision with this id."""

    code = "decision_unknown"


class _Counted(Struct):
    acts: list[msgspec.Raw]


_VERDICT: Final = msgspec.json.Decoder(Verdict)


def verdict_of(answer: Any, facts: bytes, rules: Collection[str]) -> Verdict:
    """Return what `answer` (built-in values, or JSON in bytes) says about `facts`, taken strictly.

    Raises:
        DecisionUnavailable: it is no verdict: a field is missing, unknown or of
            another type, a rule or an act doesn't exist, it names no rule at
            all, or it permits and denies at once.
    """
    try:
        verdict = _VERDICT.decode(answer) if isinstance(answer, bytes) else msgspec.convert(answer, Verdict)
        acts = len(msgspec.json.decode(facts, type=_Counted).acts)
    except msgspec.ValidationError as error:
        raise DecisionUnavailable("policy engine gave no verdict") from error
    except msgspec.DecodeError as error:
        raise DecisionUnavailable("policy engine gave no JSON") from error
    contradiction = verdict.allow and (
        verdict.closed_hours or any(reason.effect is Effect.DENY for reason in verdict.reasons)
    )
    if contradiction:
        raise DecisionUnavailable("policy engine contradicts itself")
    if not verdict.reasons:
        raise DecisionUnavailable("policy engine gave no reason")
    if any(reason.rule not in rules for reason in verdict.reasons):
        raise DecisionUnavailable("policy engine names a rule that doesn't exist")
    if any(act >= acts for act in verdict.acts):
        raise DecisionUnavailable("policy engine names an act that doesn't exist")
    return verdict
