"""One instant, as facts are asked about it."""

from datetime import UTC, date, datetime

from service.decisions.bands import Ladder
from service.decisions.clocks import Zones, midnight


class Now:
    """One instant, which remembers the nearest later one that anybody asked it about."""

    def __init__(self, at: datetime, zones: Zones) -> None:
        self.at = at
        self.today = at.astimezone(zones.of_dates).date()
        self._zone = zones.of_dates
        self._waiting = zones.of_waits
        self._day: date | None = None
        self._instant: datetime | None = None

    def rung(self, ladder: Ladder) -> int:
        number, day = ladder.on(self.today)
        self._later_day(day)
        return number

    def waited(self, ladder: Ladder) -> int:
        """Return the rung of a wait or an age: on no account a higher one than is true where the person lives."""
        number, day = ladder.on(self.at.astimezone(self._waiting).date())
        if day is not None:
            self.later(midnight(day, self._waiting))
        return number

    def reached(self, day: date) -> bool:
        if self.today >= day:
            return True
        self._later_day(day)
        return False

    def passed(self, instant: datetime) -> bool:
        """Whether `instant` has come; the instant itself is already past it."""
        if self.at >= instant:
            return True
        self.later(instant)
        return False

    def later(self, instant: datetime) -> None:
        if self._instant is None or instant < self._instant:
            self._instant = instant

    def _later_day(self, day: date | None) -> None:
        if day is not None and (self._day is None or day < self._day):
            self._day = day

    def changes(self) -> datetime | None:
        if self._day is not None:
            self.later(midnight(self._day, self._zone))
        return None if self._instant is None else self._instant.astimezone(UTC)
