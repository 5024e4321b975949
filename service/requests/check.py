"""Play vectors of the law's deadlines, and say where they differ."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET, Struct, UnsetType

from service.decisions import CheckResult, Failure
from service.kernel import DomainError, Instant, exactly
from service.requests.domain import Deadlines, Event, IsHoliday, Receipt, deadlines
from service.requests.periods import Periods, Whose

Calendar = Callable[[str], IsHoliday]
"""The public holidays of a country (`DE`) or of a part of one (`DE-BY`). Refuses a place that it doesn't know."""

ABOUT: Final = ("id", "expect", "cite", "why", "disputed")
"""What a line says about its vector. The rest is the vector."""

Name = Annotated[str, exactly("[A-Za-z][A-Za-z0-9_]{0,62}")]
_Date = date | UnsetType | None


class UnknownZone(DomainError):
    """There is no such time zone."""

    code = "unknown_zone_of_receipt"


class Vector(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request and its calendar."""

    law: Name
    request: Name
    received_at: Instant
    time_zone: Annotated[str, exactly("[A-Za-z][A-Za-z0-9_+/-]{0,62}")]
    extended: bool = False
    place: Annotated[str, exactly("[A-Z]{2}(-[A-Z0-9]{1,3})?")] | None = None
    """Of the controller (ISO 3166): its public holidays count. Without it only `holidays` do."""
    holidays: frozenset[date] = frozenset()
    """All there are, or with a `place` those that the controller adds."""
    events: tuple[Event, ...] = ()


class Expected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The dates that are compared; null says that there is none."""

    due_on: _Date = UNSET
    acknowledge_by: _Date = UNSET
    acknowledge_by_cautious: _Date = UNSET
    extension_notice_by: _Date = UNSET
    extended_due_on: _Date = UNSET
    stop_on: _Date = UNSET
    earliest_reask_on: _Date = UNSET
    keep_until: _Date = UNSET
    no_contact_until: _Date = UNSET
    next_access_by: _Date = UNSET
    suspended: bool | UnsetType = UNSET


def check_deadlines(lines: Iterable[str], periods: Periods, calendar: Calendar) -> CheckResult:
    """Play each line, a vector in JSON with what is `expect`ed of it."""
    passed, failures = 0, list[Failure]()
    for number, line in enumerate(lines, 1):
        name = f"line {number}"
        try:
            vector = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            found = [str(error)]
        else:
            name = str(vector.get("id", name))
            found = play(vector, periods, calendar)
        if found:
            failures.append(Failure(case=name, differences=tuple(found)))
        else:
            passed += 1
    return CheckResult(passed=passed, failures=tuple(failures))


def play(vector: Mapping[str, Any], periods: Periods, calendar: Calendar) -> list[str]:
    """Return how the deadlines of `vector` differ from what it expects."""
    asked = {name: value for name, value in vector.items() if name not in ABOUT}
    if not vector.get("expect"):
        return ['expect: a vector says which dates must come out, such as {"due_on": "2026-07-01"}']
    try:
        expected = msgspec.structs.asdict(msgspec.convert(vector["expect"], Expected))
        computed = computed_deadlines(msgspec.convert(asked, Vector), periods, calendar)
    except (msgspec.ValidationError, DomainError) as error:
        return [str(error)]
    return [
        f"{name}: expected {value}, got {getattr(computed, name)}"
        for name, value in expected.items()
        if value is not UNSET and getattr(computed, name) != value
    ]


def computed_deadlines(vector: Vector, periods: Periods, calendar: Calendar) -> Deadlines:
    """Return the deadlines of a vector.

    Raises:
        UnknownLaw, UnknownRequest: the table has no period for it.
        UnknownZone, UnknownPlace: there is no such time zone, or no calendar of the place.
        NotInForce, NotExtendable, ReceiptOutOfRange: the law sets no date for it.
    """
    period = periods.of(vector.law, vector.request)
    try:
        zone = ZoneInfo(vector.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZone(f"there is no time zone {vector.time_zone}") from None
    receipt = Receipt(received_at=vector.received_at, zone=zone, extended=vector.extended, events=vector.events)
    if vector.place is None:
        return deadlines(period, receipt, vector.holidays.__contains__)
    public = calendar(vector.place if period.holidays is Whose.PLACE else vector.place[:2])
    return deadlines(period, receipt, lambda day: day in vector.holidays or public(day))
