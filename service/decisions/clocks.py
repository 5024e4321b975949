"""Local time: days, minutes and the instants at which they change.

Pure. Every zone is an IANA zone of the system's own table; every answer is UTC.
"""

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

IsHoliday = Callable[[str, date], bool]
"""Whether a day is a national holiday of a country (ISO 3166-1). A country that is not known has none."""

ZoneOf = Callable[[str], ZoneInfo | None]
"""The zone of an IANA name, or nothing when there is no such zone."""

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


def after_months(day: date, months: int) -> date:
    """Return the same-numbered day `months` later, or the last day of that month (RULES D7)."""
    year, month, length = _month_after(day, months)
    return date(year, month, min(day.day, length))


def waited_months(day: date, months: int) -> date:
    """Return the day on which a wait of `months` ends: a missing day becomes the 1st of the next month (RULES D7)."""
    year, month, length = _month_after(day, months)
    if day.day <= length:
        return date(year, month, day.day)
    return date(year, month, length) + _DAY


def _month_after(day: date, months: int) -> tuple[int, int, int]:
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return year, month, monthrange(year, month)[1]


def birthday(born: date, age: int) -> date:
    """Return the day on which someone turns `age`. Born on 29 February: 1 March in common years."""
    try:
        return born.replace(year=born.year + age)
    except ValueError:
        return date(born.year + age, 3, 1)


def whole_years(earlier: date, later: date) -> int:
    """Return the whole years from one day to another; nought when the second comes first."""
    years = later.year - earlier.year
    if years > 0 and later < birthday(earlier, years):
        years -= 1
    return max(years, 0)


@lru_cache(maxsize=4_096)
def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day, also where the clocks skip or repeat midnight."""
    try:
        return datetime.combine(day, time(), zone).astimezone(UTC)
    except OverflowError:
        return datetime.combine(day, time(), UTC)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """Return the local date. At the ends of the calendar, where local time runs out of it, that of UTC."""
    try:
        return instant.astimezone(zone).date()
    except OverflowError:
        return instant.astimezone(UTC).date()


def later_by(instant: datetime, span: timedelta) -> datetime:
    """Return `instant + span`, or the end of the calendar."""
    try:
        return instant + span
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def minute_of(local: datetime) -> int:
    return local.hour * 60 + local.minute


def next_minute_edge(at: datetime, zone: ZoneInfo, edges: Sequence[int]) -> datetime:
    """Return the next instant at which the local day begins anew or the local minute passes one of `edges`.

    `edges` are minutes of the day in order. Where the clocks are changed on the
    way, the change itself is an edge: it can carry the local time across several.
    """
    local = at.astimezone(zone)
    position = bisect_right(edges, minute_of(local))
    if position < len(edges):
        edge = local.replace(hour=edges[position] // 60, minute=edges[position] % 60, second=0, microsecond=0)
    else:
        edge = datetime.combine(local.date() + _DAY, time(), zone)
    instant = edge.astimezone(UTC)
    # Asked of the instant, not of the edge: an edge that the clocks skip claims the offset from before.
    if instant.astimezone(zone).utcoffset() == local.utcoffset():
        return instant
    return _clock_change(at, instant, zone)


def _clock_change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first whole second at which the zone's offset is no longer that of `before`."""
    offset = before.astimezone(zone).utcoffset()
    low, high = before.replace(microsecond=0), after
    while high - low > _SECOND:
        middle = low + ((high - low) // 2 // _SECOND) * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


class Zones(Struct, frozen=True, kw_only=True):
    """Where the recipient may be, on the map of time zones."""

    known: ZoneInfo | None = None
    plausible: tuple[ZoneInfo, ...] = ()

    @property
    def all(self) -> tuple[ZoneInfo, ...]:
        """The plausible zones in the caller's order, then the known one. The hour must be right in each."""
        extra = () if self.known is None or self.known in self.plausible else (self.known,)
        return self.plausible + extra

    @property
    def of_dates(self) -> ZoneInfo:
        """UTC when the zone is unknown: no capital is guessed."""
        return self.known or _UTC

    @property
    def of_beginnings(self) -> ZoneInfo:
        """Where a day begins first, when the zone is unknown: no wait may begin too early."""
        return self.known or _FIRST

    @property
    def of_waits(self) -> ZoneInfo:
        """Where a day begins last, when the zone is unknown: no wait may end, and no birthday come, too early."""
        return self.known or _LAST


_UTC: Final = ZoneInfo("UTC")
_FIRST: Final = ZoneInfo("Etc/GMT-14")
_LAST: Final = ZoneInfo("Etc/GMT+12")
