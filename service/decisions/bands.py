"""Bands: the coarse steps in which days and numbers enter the facts (docs/facts.md).

A rule that compares with 24 months needs to know on which side of 24 months we
are, and no more. So facts repeat, and a verdict can be remembered by its facts.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import lru_cache

from msgspec import Struct

from service.decisions.clocks import after_months, birthday, waited_months

_DAY = timedelta(days=1)


class Ladder(Struct, frozen=True):
    """A number that rises on named days: `rungs[i]` from the day `days[i]` on, nought before the first."""

    days: tuple[date, ...]
    rungs: tuple[int, ...]

    def on(self, today: date) -> tuple[int, date | None]:
        """Return the number of `today`, and the day on which it will next be another."""
        passed = bisect_right(self.days, today)
        return (self.rungs[passed - 1] if passed else 0), (self.days[passed] if passed < len(self.days) else None)


@lru_cache(maxsize=16_384)
def months_past(day: date, edges: tuple[int, ...]) -> Ladder:
    """The same-numbered day is still inside, so each edge is passed on the day after it."""
    return _ladder(edges, lambda months: after_months(day, months) + _DAY)


@lru_cache(maxsize=4_096)
def months_waited(day: date, edges: tuple[int, ...]) -> Ladder:
    """A wait is over on its last day."""
    return _ladder(edges, lambda months: waited_months(day, months))


@lru_cache(maxsize=16_384)
def ages(born: date, edges: tuple[int, ...]) -> Ladder:
    return _ladder(edges, lambda age: birthday(born, age))


@lru_cache(maxsize=4_096)
def declared_ages(age: int, declared: date, edges: tuple[int, ...]) -> Ladder:
    """Who was `age` on the day `declared` grows older on its anniversaries.

    Before that day the age is smaller by the *whole* years between (RULES D1).
    """

    def reached(edge: int) -> date:
        if edge > age:
            return birthday(declared, edge - age)
        years = age - edge + 1
        return _years_before(declared, years) + _DAY

    return _ladder(edges, reached)


def _years_before(day: date, years: int) -> date:
    """Return the last day that lies `years` whole years before `day`."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return date(day.year - years, 2, 28)


def _ladder(edges: Iterable[int], day_of: Callable[[int], date]) -> Ladder:
    """Build the ladder; an edge beyond the end of the calendar is never reached."""
    steps: list[tuple[date, int]] = []
    for edge in edges:
        try:
            steps.append((day_of(edge), edge))
        except (ValueError, OverflowError):
            break
    return Ladder(tuple(day for day, _ in steps), tuple(edge for _, edge in steps))


def law_day(today: date, edges: tuple[date, ...]) -> str:
    """Return the largest edge that `today` has reached; the first day of all below it."""
    reached = bisect_right(edges, today)
    return (edges[reached - 1] if reached else date.min).isoformat()


def floor(edges: tuple[int, ...], number: int) -> int:
    """Return the largest edge that is at most `number`; nought below the first."""
    passed = bisect_right(edges, number)
    return edges[passed - 1] if passed else 0
