"""A request of a data subject, and when the law wants it answered."""

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from service.kernel import DomainError, Handle, Instant, SubjectId
from service.requests.domain import Deadlines, Event, IsHoliday, Receipt, Step, deadlines
from service.requests.lifecycle import FULL, OPEN, Happened, Move, Needs, Progress, State
from service.requests.periods import Period, Whose
from service.requests.rights import Entitlement, Mark, Marking, Right, Verification

SKEW: Final = timedelta(minutes=5)
"""How far the clock of whoever received a request may run ahead of ours."""

NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Where a request stands in the queue whose clock waits for the person."""


class RequestUnknown(DomainError):
    """There is no such request, or it is not the caller's."""

    code = "request_unknown"


class RequestIdReused(DomainError):
    """Another request has this id."""

    code = "request_id_reused"


class RequestMoved(DomainError):
    """The request has moved on since the caller looked."""

    code = "request_moved"


class RequestFromTheFuture(DomainError):
    """It can't have been received later than now."""

    code = "request_from_the_future"


class PlaceNeeded(DomainError):
    """Nobody has said where the controller is, so no day can be counted."""

    code = "place_needed"


class ForStaff(DomainError):
    """That is for the controller's staff to say, not for the person who asks."""

    code = "for_staff"


class ExtensionTooLate(DomainError):
    """The last day for the reasoned notice is over."""

    code = "extension_too_late"


class Via(StrEnum):
    """How a request came."""

    PORTAL = "portal"
    EMAIL = "email"
    PHONE = "phone"
    POST = "post"
    AGENT = "agent"
    """From somebody who asks for another."""
    SIGNAL = "signal"
    """From a browser or a device."""
    SYSTEM = "system"
    """Handed on by another system of the controller's, which may only claim who asked."""
    DROP = "drop"
    """By the lists of California's register for data brokers."""


class Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the sender of a request said about it, beside whose it is and which right."""

    via: Via
    law: str | None = None
    received_at: Instant | None = None
    place: str | None = None
    """Of the controller, as `time_zone` is."""
    time_zone: str | None = None


class Wish(Struct, frozen=True, kw_only=True):
    """A request on its way in."""

    id: UUID
    subject: SubjectId
    right: Right
    said: Said
    authority: str | None = None
    """What an agent showed who asks for another."""
    alone: bool = False
    """Whether it joins no open one: to a stranger that would tell who is known."""


class Request(Struct, frozen=True, kw_only=True):
    """What was asked, as it was received. Never changed."""

    id: UUID
    handle: Handle
    right: Right
    law: str
    assumed: bool
    """Nobody knew which law governs, so this one is taken."""
    said: Said
    joins: UUID | None
    """The open request for the same, which answers this one as well."""
    place: str
    time_zone: str
    received_at: Instant
    entered_at: Instant


class Standing(Struct, frozen=True, kw_only=True):
    """Where a request stands: what follows from its receipt and its moves."""

    state: State
    version: int
    open: bool
    mark: Mark | None
    """What it says about its subject now."""
    due_on: date | None
    due_at: Instant
    """The first instant that is too late."""
    acknowledge_at: Instant | None = None
    """The first instant that is too late to confirm that it came; none where nobody has to, or somebody did."""


class Excess(Struct, frozen=True, kw_only=True):
    """How often a person asked, and what the law makes possible where that is too much. Nothing follows by itself."""

    counted: int
    """Requests for the same, with this one, in the months up to its receipt."""
    months: int
    free: int | None
    """So many the law has answered for nothing; null where it names no number."""
    exceeds: bool | None
    """Whether those were more; null where no number says it, and the controller has to show it."""
    refusals: tuple[str, ...]
    fees: tuple[str, ...]
    """Grounds, for `refuse` and for `ask-fee`."""
    article: str


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a request was refused, and what is open to whoever made it (GDPR Art. 12(4))."""

    reason: str
    article: str
    remedy: str


class Seen(Struct, frozen=True, kw_only=True):
    """A request as it is shown."""

    request: Request
    subject: SubjectId | None
    """Nobody has the handle any more who was erased."""
    odd: str | None = None
    """Why the law's tables of today don't say what follows, as the code of a refusal: then this is what was noted."""
    excess: Excess | None = None
    """What may be charged or refused because of how often it is asked; to be judged by staff."""
    standing: Standing
    elapsed: int | None
    """The share of its period that is over, in percent: 0, 50, 80 or 100; none where nobody owes an answer."""
    progress: Progress
    dates: Deadlines
    history: Sequence[Happened]
    entitlement: Entitlement | None
    """None if it is `odd`."""
    moves: frozenset[Move]
    """What somebody can do next."""
    refusal: Refusal | None

    @property
    def overdue(self) -> bool:
        return self.elapsed == FULL


class Position(Struct, frozen=True):
    """A place in the queue: due date, then id."""

    due_at: Instant
    id: UUID


class Filter(Struct, frozen=True, kw_only=True):
    """Which requests are wanted. Every condition must hold; without a state those that nobody has answered."""

    state: State | None = None
    right: Right | None = None
    law: str | None = None
    due_before: Instant | None = None
    overdue: bool = False
    """Those alone whose last day is over."""


def months_before(instant: datetime, months: int) -> datetime:
    """Return the instant so many months earlier; the last day of the month, where it lacks the day."""
    index = instant.year * 12 + instant.month - 1 - months
    year, month = index // 12, index % 12 + 1
    return instant.replace(year=year, month=month, day=min(instant.day, monthrange(year, month)[1]))


def needs_of(entitlement: Entitlement, marking: Marking | None, via: Via) -> Needs:
    return Needs(
        sufficient=frozenset(level for level in Verification if entitlement.satisfied_by(level)),
        agent=via is Via.AGENT,
        liftable=marking is not None and marking.lifts,
    )


def steps_of(history: Iterable[Happened]) -> tuple[Event, ...]:
    """Return what the clock counts: what was asked of the person, and when the answers came.

    Identity that nobody asked for moves no date.
    """
    steps = list[Event]()
    asked = False
    for one in history:
        match one.move:
            case Move.ASK_IDENTITY:
                asked = True
                steps.append(Event(type=Step.IDENTITY_REQUESTED, at=one.at))
            case Move.VERIFY if asked:
                steps.append(Event(type=Step.IDENTITY_RECEIVED, at=one.at))
            case Move.ASK_FEE:
                steps.append(Event(type=Step.FEE_REQUESTED, at=one.at))
            case Move.FEE_PAID:
                steps.append(Event(type=Step.FEE_PAID, at=one.at))
            case Move.CLARIFY:
                steps.append(Event(type=Step.CLARIFICATION_REQUESTED, at=one.at))
            case Move.CLARIFIED:
                steps.append(Event(type=Step.CLARIFICATION_RECEIVED, at=one.at))
            case _:
                pass
    return tuple(steps)


def reckoned(
    request: Request, history: Sequence[Happened], periods: Sequence[Period], calendars: Mapping[Whose, IsHoliday]
) -> Deadlines:
    """Return every date that the law sets for a request: from its receipt and its moves alone.

    The first of `periods` is that of the answer; the others begin with the same receipt and are not extended.

    Raises:
        NotInForce, NotExtendable, ReceiptOutOfRange
    """
    receipt = Receipt(
        received_at=request.received_at,
        zone=ZoneInfo(request.time_zone),
        extended=any(one.move is Move.EXTEND for one in history),
        events=steps_of(history),
    )
    answer, *others = periods
    dates = deadlines(answer, receipt, calendars[answer.holidays])
    plain = msgspec.structs.replace(receipt, extended=False)
    for period in others:
        further = deadlines(period, plain, calendars[period.holidays])
        set_ = {name: day for name, day in msgspec.structs.asdict(further).items() if day and name != "suspended"}
        dates = msgspec.structs.replace(dates, **set_)
    return dates


def last_day(dates: Deadlines) -> date | None:
    """Return the last day for the answer; where the law sets none, for the confirmation."""
    return dates.extended_due_on or dates.due_on or dates.acknowledge_by


def standing_of(
    progress: Progress, dates: Deadlines, entitlement: Entitlement, marking: Marking | None, zone: str
) -> Standing:
    due_on = None if dates.suspended else last_day(dates)
    return Standing(
        state=progress.state,
        version=progress.version,
        open=progress.state in OPEN,
        mark=entitlement.marks if marking is not None and _marks(progress, marking) else None,
        due_on=due_on,
        due_at=NEVER if due_on is None else _end_of(due_on, zone),
        acknowledge_at=None
        if progress.acknowledged or dates.acknowledge_by is None
        else _end_of(dates.acknowledge_by, zone),
    )


def _marks(progress: Progress, marking: Marking) -> bool:
    return progress.state in marking.states and not progress.lifted


def _end_of(day: date, zone: str) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)
