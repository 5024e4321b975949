"""How long content is kept, what is held beyond that, and what is left of what went.

The log itself is never shortened: entries stay, and their proofs hold, when what they tell of is gone.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct

from service.kernel import DomainError, Handle, Instant, SubjectId, TenantId, exactly

FLOOR: Final = timedelta(days=30)
"""Nothing goes that is younger. The database holds to the same, by its own clock."""
AHEAD: Final = timedelta(hours=1)
"""How far our clock may be ahead of the database's: a period is longer than the floor by as much."""

HoldName = Annotated[str, exactly("[a-z0-9][a-z0-9._-]{0,62}")]
Reference = Annotated[str, exactly("[A-Za-z0-9][A-Za-z0-9./_-]{0,63}")]


class Content(StrEnum):
    """What entries tell of, as far as it ends some day."""

    DECISION = "decision"
    BATCH = "batch"
    """Chunks of the decisions of a batch, each as a whole."""
    FACTS = "facts"
    """Facts and verdicts that no decision points to."""
    RECORD = "record"
    """Consents that were withdrawn and records that were replaced, never a refusal."""
    SUBJECT = "subject"
    """Versions of the facts about a person that were replaced."""
    REQUEST = "request"
    """What people asked for by law, and what was written about it, once that is over."""
    EVENT = "event"
    """What waits in the outbox."""


class Period(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long content of one kind is kept, and which law says so."""

    content: Content
    unit: Literal["years", "days"]
    length: Annotated[int, Meta(ge=1, le=36_500)]
    begins: Annotated[str, Meta(min_length=1)]
    """From when it counts, in words."""
    source: Annotated[str, Meta(min_length=1)]

    def ended_by(self, now: datetime) -> datetime:
        """Return the instant up to which what began then is over. A missing day is the one before."""
        if self.unit == "days":
            return now - timedelta(days=self.length)
        try:
            return now.replace(year=now.year - self.length)
        except ValueError:
            return now.replace(year=now.year - self.length, day=28)


class UnusablePeriods(Exception):
    """The table of periods lacks a kind, has one twice, or has one that is too short."""


def checked(periods: Sequence[Period], now: datetime) -> Sequence[Period]:
    """Return periods of which each kind of content has one.

    Raises:
        UnusablePeriods
    """
    if sorted(period.content for period in periods) != sorted(Content):
        raise UnusablePeriods("each kind of content has one period")
    if any(now - period.ended_by(now) < FLOOR + AHEAD for period in periods):
        raise UnusablePeriods("nothing is kept for less than thirty days and an hour")
    return periods


class Step(Struct, frozen=True, kw_only=True):
    """What was found in one step."""

    removed: int
    held: int
    last: str
    """Where to go on; empty where nothing is left to look at."""


class Outcome(Struct, frozen=True, kw_only=True):
    """How much of a kind was past its period."""

    tenant: TenantId
    content: Content
    ended_by: datetime
    removed: int
    """Or would be, where it was only asked."""
    held: int
    """Past its period, and kept: by a hold, or because the data of its person are restricted (GDPR Art. 18)."""


class Trace(Struct, frozen=True, kw_only=True):
    """What is left of content that went."""

    id: UUID
    handle: Handle | None
    at: Instant
    """When it was stored."""


class Reason(StrEnum):
    """Why content is held (GDPR Art. 17(3)(e), 18(2)), and why nobody is erased meanwhile."""

    LITIGATION = "litigation"
    INVESTIGATION = "investigation"
    AUTHORITY = "authority"
    AUDIT = "audit"
    CONTRACT = "contract"
    """An order is open, or a contract runs (Art. 17(1)(a): it is still needed)."""


class Wish(Struct, frozen=True, kw_only=True):
    """What is to be held, and why."""

    name: str
    subject: SubjectId | None
    since: Instant | None
    until: Instant | None
    reason: Reason
    reference: str | None


class Hold(Struct, frozen=True, kw_only=True):
    """An officer's word that content stays, of one person or of everybody, of a period or of any time."""

    name: str
    handle: Handle | None
    since: Instant | None
    until: Instant | None
    """The first instant of storing that is no longer held."""
    reason: Reason
    reference: str | None
    placed_at: Instant
    placed_by: str
    lifted_at: Instant | None = None


class ContentExpired(DomainError):
    """It was there, and is gone since its period of retention ended. Its audit entry, and the proof of that, stay."""

    code = "content_expired"


class HoldUnknown(DomainError):
    """The tenant has no such hold."""

    code = "hold_unknown"


class HoldRedefined(DomainError):
    """A hold of this name is in force and says something else. What is held is never narrowed in passing."""

    code = "hold_redefined"


class HoldUnclear(DomainError):
    """The period of a hold ends before it begins."""

    code = "hold_unclear"
