"""When a request is due: the arithmetic of RULES section 10.

Pure. The law is in the periods; here is only how days, months and pauses are counted.
Every date is a local date at the place of the controller or business.
"""

from calendar import monthrange
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from service.kernel import DomainError, Instant
from service.requests.periods import Need, Period, Rounding, Unit

YEARS: Final = range(1900, 2200)
"""Years in which a request, or what becomes of it, can happen."""

IsHoliday = Callable[[date], bool]
"""Whether a day is a public holiday where it matters."""

_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5
_SUNDAY: Final = 6


class ReceiptOutOfRange(DomainError):
    """The request, or an event of it, is of a year in which calendars and time zones mean nothing."""

    code = "receipt_out_of_range"


class UnknownPlace(DomainError):
    """No calendar is known of the place. None is guessed: that could set a date too late."""

    code = "unknown_place"


class NotInForce(DomainError):
    """The law gives that period only for requests received later."""

    code = "law_not_in_force"


class NotExtendable(DomainError):
    """The law knows no extension of that period, or none of a fixed length."""

    code = "not_extendable"


class Step(StrEnum):
    """What can happen to a request while its clock runs."""

    IDENTITY_REQUESTED = "identity_requested"
    IDENTITY_RECEIVED = "identity_received"
    CLARIFICATION_REQUESTED = "clarification_requested"
    CLARIFICATION_RECEIVED = "clarification_received"
    FEE_REQUESTED = "fee_requested"
    FEE_PAID = "fee_paid"


ASKS: Final = {
    Step.IDENTITY_REQUESTED: Need.IDENTITY,
    Step.CLARIFICATION_REQUESTED: Need.CLARIFICATION,
    Step.FEE_REQUESTED: Need.FEE,
}
ANSWERS: Final = {
    Step.IDENTITY_RECEIVED: Need.IDENTITY,
    Step.CLARIFICATION_RECEIVED: Need.CLARIFICATION,
    Step.FEE_PAID: Need.FEE,
}


class Event(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: Step
    at: Instant


class Receipt(Struct, frozen=True, kw_only=True):
    """When a request reached any channel of the controller, and what happened since."""

    received_at: Instant
    zone: ZoneInfo
    """Of the controller's place, or the business's. The day begins and ends there."""
    extended: bool = False
    """Whether the extension is taken. That its notice went out in time is for the caller to see to."""
    events: tuple[Event, ...] = ()


class Deadlines(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is due, as local dates. What the law doesn't set is absent."""

    due_on: date | None = None
    """The last day for the answer; of an opt-out, the outer limit for systems and partners downstream."""
    acknowledge_by: date | None = None
    acknowledge_by_cautious: date | None = None
    """The same with Saturdays counted as business days: an earlier target where they may be."""
    extension_notice_by: date | None = None
    """The last day for the reasoned notice. Only when the extension is taken, like `extended_due_on`."""
    extended_due_on: date | None = None
    stop_on: date | None = None
    """The day of receipt, on which processing stops."""
    earliest_reask_on: date | None = None
    keep_until: date | None = None
    no_contact_until: date | None = None
    """The last day of the pause: contact is possible from the day after."""
    next_access_by: date | None = None
    suspended: bool = False
    """The clock stands still until the person answers, so that a date is missing."""


class _Asked(Struct, frozen=True):
    """Something asked of the person. The answer may be missing; where only it is known, so may be the question."""

    need: Need
    on: date | None
    answered_on: date | None


def deadlines(period: Period, receipt: Receipt, is_holiday: IsHoliday) -> Deadlines:
    """Return the dates that `period` sets for a request.

    Raises:
        NotInForce: the request came before the law gave this period.
        NotExtendable: an extension is taken that the law doesn't know.
        ReceiptOutOfRange: the receipt or an event is before 1900 or after 2199.
    """
    received = _local_day(receipt.received_at, receipt.zone)
    if period.in_force is not None and received < period.in_force:
        raise NotInForce(f"{period.law} applies to what is received from {period.in_force} on")
    if receipt.extended and period.extension is None:
        raise NotExtendable(f"{period.law} knows no extension here, or none of a fixed length")
    asked = _asked(receipt)
    last = _last_day(period, received, asked, period.length, is_holiday)
    dates = {deadline.value: last for deadline in period.gives}
    suspended = last is None
    if receipt.extended and period.extension is not None:
        extended = _last_day(period, received, asked, period.length + period.extension, is_holiday)
        dates |= {"extension_notice_by": last, "extended_due_on": extended}
        suspended = suspended or extended is None
    if (promised := period.acknowledgement) is not None:
        dates["acknowledge_by"] = _after(received, promised.unit, promised.length, is_holiday)
        if promised.cautious_saturdays:
            cautious = _business_days_after(received, promised.length, is_holiday, weekend=(_SUNDAY,))
            dates["acknowledge_by_cautious"] = cautious
    if period.stops:
        dates["stop_on"] = received
    return Deadlines(**dates, suspended=suspended)


def _last_day(
    period: Period, received: date, asked: Sequence[_Asked], length: int, is_holiday: IsHoliday
) -> date | None:
    """Return the last day of a period of `length`, or nothing while it can't be known."""

    def rounded(day: date) -> date:
        return _working_day(day, is_holiday) if period.rounding is Rounding.NEXT_WORKING_DAY else day

    def end(start: date) -> date:
        if period.unit is Unit.CALENDAR_YEARS:
            return date.fromisoformat(f"{start.year + length}-{period.ends_on}")
        return _after(start, period.unit, length, is_holiday, wait=period.rounding is Rounding.FIRST_OF_NEXT_MONTH)

    start = _start(received, [one for one in asked if one.need in period.waits_for], lambda day: rounded(end(day)))
    if start is None:
        return None
    paused = _paused(start, end(start), [one for one in asked if one.need in period.pauses_for], rounded)
    return None if paused is None else rounded(paused)


def _start(received: date, asked: Iterable[_Asked], last_day: Callable[[date], date]) -> date | None:
    """Return the day from which the period is counted: the latest of receipt and answers.

    What was asked when the period had ended doesn't begin it anew.
    """
    start = received
    for one in asked:
        if one.on is not None and one.on > last_day(start):
            continue
        if one.answered_on is None:
            return None
        start = max(start, one.answered_on)
    return start


def _paused(start: date, end: date, asked: Iterable[_Asked], rounded: Callable[[date], date]) -> date | None:
    """Return `end` moved by the days of asking to answering, both included, each counted once.

    Days before the period count nothing, nor does what was asked when it had ended.
    """
    uncounted = start
    for one in asked:
        if one.on is None:
            continue
        if one.on > end:
            end = rounded(end)
        if one.on > end:
            break
        if one.answered_on is None:
            return None
        first = max(one.on, uncounted)
        if one.answered_on >= first:
            end += one.answered_on - first + _DAY
            uncounted = one.answered_on + _DAY
    return end


def _asked(receipt: Receipt) -> list[_Asked]:
    """Return questions with their answers, in the order of asking; an answer without a question comes first."""
    found: list[_Asked] = []
    waiting: dict[Need, date] = {}
    for event in sorted(receipt.events, key=lambda event: (event.at, event.type in ANSWERS)):
        day = _local_day(event.at, receipt.zone)
        if event.type in ASKS:
            waiting.setdefault(ASKS[event.type], day)
        else:
            need = ANSWERS[event.type]
            found.append(_Asked(need, waiting.pop(need, None), day))
    found += [_Asked(need, day, None) for need, day in waiting.items()]
    return sorted(found, key=lambda one: one.on or date.min)


def _after(start: date, unit: Unit, length: int, is_holiday: IsHoliday, *, wait: bool = False) -> date:
    """Return the last of `length` units after `start`, which is not counted itself."""
    if unit is Unit.DAYS:
        return start + length * _DAY
    if unit is Unit.BUSINESS_DAYS:
        return _business_days_after(start, length, is_holiday, weekend=(_SATURDAY, _SUNDAY))
    index = start.year * 12 + start.month - 1 + length
    year, month = index // 12, index % 12 + 1
    days = monthrange(year, month)[1]
    if start.day > days and wait:
        return date(year, month, days) + _DAY
    return date(year, month, min(start.day, days))


def _business_days_after(start: date, length: int, is_holiday: IsHoliday, *, weekend: Sequence[int]) -> date:
    day = start
    while length:
        day += _DAY
        if day.weekday() not in weekend and not is_holiday(day):
            length -= 1
    return day


def _working_day(day: date, is_holiday: IsHoliday) -> date:
    """Return `day`, or the next that is neither Saturday nor Sunday nor holiday."""
    while day.weekday() in (_SATURDAY, _SUNDAY) or is_holiday(day):
        day += _DAY
    return day


def _local_day(instant: datetime, zone: ZoneInfo) -> date:
    if instant.year not in YEARS:
        raise ReceiptOutOfRange("a request and what happens to it are of the years 1900 to 2199")
    return instant.astimezone(zone).date()
