"""What a page of the queue of requests takes, with many open ones: as the use case makes it, and as JSON."""

import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import msgspec
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.results import Figure, keep
from benchmarks.site import VOLENS
from service import db, given
from service.decisions.artefacts import read_policy
from service.desk import statutes
from service.kernel import Caller, TenantId
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.requests.case import Filter, Position
from service.requests.reading import ReadRequests
from service.requests.schemas import RequestView
from service.transaction import opener

OPEN = int(os.environ.get("BENCH_REQUESTS", "10000"))
PAGE = 100
TARGET = 50.0
"""Milliseconds a page."""
TENANT = TenantId("acme")
FILL = """
    WITH made AS MATERIALIZED (
        SELECT gen_random_uuid() AS id, gen_random_uuid() AS handle, 's-' || n AS subject, n,
            now() - n * interval '1 minute' AS received_at
        FROM generate_series(1, %(open)s + %(open)s * 4) AS n
    ), people AS (
        INSERT INTO subject (tenant, subject, handle, created_at, version, facts)
        SELECT 'acme', subject, handle, received_at, 0, '{}' FROM made
    ), events AS (
        INSERT INTO request_event (tenant, request, number, move, at, actor, proves)
        SELECT 'acme', id, 1, 'receive', received_at, 'bench', 'none' FROM made
    )
    INSERT INTO request (tenant, id, handle, right_name, law, assumed, via, asked, place, time_zone, received_at,
                         entered_at, state, version, open, due_on, due_at)
    SELECT 'acme', id, handle, 'access', 'GDPR', false, 'portal', '{"via": "portal"}', 'DE', 'Europe/Berlin',
        received_at, received_at, CASE WHEN n <= %(open)s THEN 'received' ELSE 'closed' END, 1, n <= %(open)s,
        (received_at + interval '1 month')::date, received_at + interval '1 month'
    FROM made
"""
"""Four that are closed for each that is open."""


async def measure(urls: DatabaseUrls) -> dict[str, list[float]]:
    """Return the milliseconds of pages: the first, and one in the middle."""
    with psycopg.connect(urls.owner) as connection:
        connection.execute(FILL, {"open": OPEN})
    with psycopg.connect(urls.owner, autocommit=True) as connection:
        connection.execute("ANALYZE subject, request, request_event")
    engine = db.engine(urls.app)
    read = ReadRequests(
        opener(engine, given.utc_now, given.new_id), given.utc_now, statutes(given.BUILD, read_policy(given.BUILD))
    )
    by = Caller(tenant=TENANT, actor="bench", request="bench")
    places: dict[str, Position | None] = {"first": None}
    at: Position | None = None
    for _ in range(OPEN // PAGE // 2):
        _, at = await read(Filter(), after=at, limit=PAGE, by=by)
    places["middle"] = at
    took: dict[str, list[float]] = {name: [] for name in places}
    for _ in range(50):
        for name, after in places.items():
            began = time.perf_counter()
            found, _ = await read(Filter(), after=after, limit=PAGE, by=by)
            msgspec.json.encode([RequestView.of(seen) for seen in found])
            took[name].append((time.perf_counter() - began) * 1000)
            assert len(found) == PAGE
    await engine.dispose()
    return took


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        env = {name: value for name, value in os.environ.items() if not name.startswith("VOLENS_")}
        env["VOLENS_DATA_DIR"] = str(data)
        with EmbeddedPostgres(data) as urls:
            for command in (["migrate"], ["tenant", "add", TENANT]):
                subprocess.run([*VOLENS, *command], env=env, check=True, stdout=subprocess.DEVNULL)
            took = asyncio.run(measure(urls))
    table = Table(title=f"a page of {PAGE} of {OPEN:,} open requests, in milliseconds")
    for column in ("page", "median", "95 %", "target"):
        table.add_column(column, justify="left" if column == "page" else "right")
    for name, times in took.items():
        table.add_row(
            name, f"{statistics.median(times):.1f}", f"{statistics.quantiles(times, n=20)[-1]:.1f}", f"≤ {TARGET:.0f}"
        )
    Console(width=100).print(table)
    pages = {name: statistics.median(times) for name, times in took.items()}
    keep("queue", [Figure(name=f"a page: {name}", figure=ms, unit="ms", most=TARGET) for name, ms in pages.items()])


if __name__ == "__main__":
    main()
