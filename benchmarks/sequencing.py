"""What giving audit entries their place takes, on a real database, and what it takes from who writes them."""

import asyncio
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Final

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.results import Figure, keep
from service import db
from service.audit import AuditEvent, Draft
from service.audit.growing import BATCH, GrowTree
from service.audit.log_keys import LogKeys
from service.audit.published import PublishedFiles
from service.audit.tree_store import growing
from service.given import new_id, utc_now
from service.kernel import Caller, TenantId
from service.migrating import apply_migrations
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.sequencer import PAUSE
from service.transaction import Begin, opener

TENANT: Final = TenantId("bench")
BY: Final = Caller(tenant=TENANT, actor="bench", request="bench")
ENTRIES: Final = 50_000
WRITERS: Final = 8
ROUNDS: Final = 6
SECONDS: Final = 1.0


async def append(begin: Begin, number: int) -> None:
    async with begin(TENANT) as tx:
        drafts = [Draft(event=AuditEvent.DECISION_MADE, object_id=str(new_id())) for _ in range(number)]
        await tx.audit.append_many(drafts, by=BY)


async def written(begin: Begin) -> int:
    """Return how many transactions of one entry the writers get done in a round."""
    until, done = time.perf_counter() + SECONDS, 0

    async def write() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await append(begin, 1)
            done += 1

    await asyncio.gather(*(write() for _ in range(WRITERS)))
    return done


async def growing_all_the_while(grow: GrowTree) -> None:
    """Do as the worker does: full batches at once, and a pause after one that isn't."""
    while True:
        if await grow(TENANT) < BATCH:
            await asyncio.sleep(PAUSE)


async def measured(urls: DatabaseUrls, folder: Path) -> tuple[float, float]:
    """Return the entries placed in a second, and what part of their transactions writers keep beside it."""
    engine = db.engine(urls.app, size=WRITERS)
    begin = opener(engine, utc_now, new_id)
    async with db.pool(urls.worker, size=2) as pool:
        keys = LogKeys.open(folder / "log.keys", make=True)
        grow = GrowTree("bench.example", growing(pool), keys.signer, PublishedFiles(folder / "checkpoints"), utc_now)
        for _ in range(ENTRIES // 1_000):
            await append(begin, 1_000)
        started, placed = time.perf_counter(), 0
        while some := await grow(TENANT):
            placed += some
        rate = placed / (time.perf_counter() - started)
        kept = [await beside(grow, begin) for _ in range(ROUNDS)]
    await engine.dispose()
    return rate, median(kept)


async def beside(grow: GrowTree, begin: Begin) -> float:
    """Return the transactions done while the tree grows, in parts of those done before and after."""
    before = await written(begin)
    task = asyncio.create_task(growing_all_the_while(grow))
    during = await written(begin)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    after = await written(begin)
    return during / ((before + after) / 2)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "data") as urls:
        apply_migrations(urls)
        rate, kept = uvloop.run(measured(urls, Path(folder)))
    table = Table(title=f"the sequencer: {ENTRIES:,} entries, then {WRITERS} writers of single ones")
    for heading in ("name", "measured", "target", "unit"):
        table.add_column(heading)
    table.add_row("entries placed and signed", f"{rate:,.0f}", "≥ 5,000", "a second")
    table.add_row("transactions kept beside it", f"{kept:.2f}", "≥ 0.90", "of those without it")
    Console().print(table)
    keep(
        "sequencing",
        [
            Figure(name="entries placed and signed", figure=rate, unit="a second", least=5000),
            Figure(
                name="transactions kept beside it",
                figure=kept,
                unit="of those without",
                least=0.90,
                why="writers, sequencer and PostgreSQL share two cores here, the first two one process",
            ),
        ],
    )


if __name__ == "__main__":
    main()
