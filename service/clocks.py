"""The clocks of requests, as the worker watches them: what is half over, nearly over and over is told, once each."""

from datetime import datetime
from typing import Final

import psycopg

from service import given
from service.telemetry import Telemetry

BATCH: Final = 1_000
"""Requests that one statement marks and announces."""


async def watch(url: str, telemetry: Telemetry) -> None:
    """Tell what has become late, and publish how much there is."""
    now = given.utc_now()
    await tell(url, now)
    await publish(url, telemetry, now)


async def tell(url: str, now: datetime, *, most: int = BATCH) -> int:
    """Announce each share of a period that is over by `now`, and what nobody confirmed in time, if it was not.

    Return how many announcements that was, of requests together.

    One statement each marks and announces: who is killed between two of them has told no half of anything, and the
    next one goes on. A clock that was ahead for a while has told too early, but nothing twice.
    """
    done = 0
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for telling in ("SELECT request_tell(%s, %s)", "SELECT request_tell_unconfirmed(%s, %s)"):
            told = 1
            while told:
                found = await connection.execute(telling, (now, most))
                row = await found.fetchone()
                told = 0 if row is None else row[0]
                done += told
    return done


async def publish(url: str, telemetry: Telemetry, now: datetime) -> tuple[int, int]:
    """Publish how many requests nobody has answered, and how many of them are overdue; return both."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        found = await connection.execute("SELECT running, overdue FROM request_counts(%s)", (now,))
        row = await found.fetchone()
    running, overdue = (0, 0) if row is None else row
    telemetry.requests(running, overdue)
    return running, overdue
