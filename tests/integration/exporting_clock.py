"""The clock of exports, which child processes and tests read alike."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
keep = timedelta(hours=72)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)
