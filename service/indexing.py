"""The index by person over the chunks of batches, as the worker builds it behind them."""

from typing import Final

import psycopg

from service.telemetry import Telemetry

ENOUGH: Final = 100_000
"""Decisions that are worth a run of the index. So many are looked through in some milliseconds."""
MANY: Final = 500
"""Chunks that are, however small."""
MOST: Final = 1_000_000
"""Decisions of one run, which takes two seconds."""


async def index_batches(
    url: str, telemetry: Telemetry, *, enough: int = ENOUGH, many: int = MANY, most: int = MOST
) -> None:
    """Index what is worth it, and publish how many chunks are in no index.

    One statement makes a run: who is killed leaves none of it behind, and its chunks wait as before.
    """
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        indexed = 1
        while indexed:
            found = await connection.execute("SELECT * FROM index_batches(%s, %s, %s)", (enough, many, most))
            [[indexed, unindexed]] = await found.fetchall()
            telemetry.batches_unindexed(unindexed)
