"""How many people a worker erases in a minute: from `execute` to the certificate, with real keys, rows and log entries.

Each has two versions of an address, a name, facts and three records. The worker is the real one, in this process;
PostgreSQL runs beside it.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.results import Figure, keep
from service import db, given, operations
from service.eraser import Rounds, eraser
from service.kernel import Caller, TenantId
from service.migrating import apply_migrations
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.settings import Settings
from service.telemetry import Telemetry
from service.transaction import opener
from tests.erasing import People

PEOPLE = int(os.environ.get("BENCH_ERASED", "500"))
TENANT = TenantId("acme")
TARGET = 1_000
"""Erasures a minute, on two cores."""


async def fill(urls: DatabaseUrls, ring: Path) -> None:
    """Make everybody, and have each erasure accepted and begun by an officer."""
    engine = db.engine(urls.app)
    begin = opener(engine, given.utc_now, given.new_id)
    by = Caller(tenant=TENANT, actor="bench", request="bench")
    people = People(begin, begin, ring, given.utc_now, given.new_id, by)
    for number in range(PEOPLE):
        await people.whole(f"s{number}")
        await people.ask(f"s{number}")
    await engine.dispose()


async def erased(settings: Settings, urls: DatabaseUrls) -> tuple[int, float, float]:
    """Return how many were erased, the seconds that took, and those of a processor that the worker took."""
    rounds = Rounds(Telemetry(given.utc_now, level="error"))
    async with operations.transactions(urls.worker) as look:
        due = await rounds.due(look)
        began, busy = time.monotonic(), time.process_time()
        async with eraser(settings, urls) as tools:
            await rounds.go_on(tools.run, due)
        took, worked = time.monotonic() - began, time.process_time() - busy
        return len(due) - len(await rounds.due(look)), took, worked


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as urls:
        apply_migrations(urls)
        operations.store_tenant(urls, TENANT)
        settings = Settings(data_dir=folder)
        asyncio.run(fill(urls, Path(folder) / "root.keys"))
        done, took, worked = asyncio.run(erased(settings, urls))
    a_minute = done / took * 60
    table = Table("erasures", "seconds", "ms of a processor each", "a minute", "target")
    table.add_row(str(done), f"{took:.1f}", f"{worked / done * 1000:.0f}", f"{a_minute:,.0f}", f"{TARGET:,}")
    Console().print(table)
    keep("erasures", [Figure(name="people erased", figure=a_minute, unit="a minute", least=TARGET)])


if __name__ == "__main__":
    main()
