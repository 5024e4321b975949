"""Composition root of `volens work`: the background process.

Jobs are rows in the schema `jobs`, put there by the transaction that causes them.
"""

import asyncio
from contextlib import suppress
from typing import Final

import procrastinate
import psycopg
from psycopg.conninfo import conninfo_to_dict

from service import clocks, courier, indexing, retention
from service.telemetry import Telemetry, described

PATIENCE: Final = 5.0
"""Seconds for a connection, and at the end for a job that runs."""
PAUSE: Final = 2.0
"""Seconds before a lost database is looked for again."""

BACKLOG = """
    SELECT 'outbox', count(*) FROM outbox
    UNION ALL SELECT 'audit_pending', count(*) FROM audit_pending
"""


def build(url: str, telemetry: Telemetry) -> procrastinate.App:
    """Return the job runner on the database `url`, opened as the worker role."""
    options = f"{conninfo_to_dict(url).get('options', '')} -c search_path=jobs".strip()  # beside a role of its own
    connector = procrastinate.PsycopgConnector(
        conninfo=url, min_size=1, timeout=PATIENCE, kwargs={"options": options, "connect_timeout": int(PATIENCE)}
    )
    app = procrastinate.App(connector=connector)

    @app.periodic(cron="* * * * *")
    @app.task(name="measure_backlog", queue="upkeep", pass_context=False)
    async def measure_backlog(timestamp: int) -> None:
        """Publish how much is kept to be told to others, and how much has no place in the log yet."""
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            for name, waiting in await (await connection.execute(BACKLOG)).fetchall():
                telemetry.backlog(name, waiting)

    # No lock: a worker that was killed would hold it. Two at once share the work.
    @app.periodic(cron="23 */6 * * *")
    @app.task(name="expire_versions", queue="upkeep", queueing_lock="expire_versions", pass_context=False)
    async def expire_versions(timestamp: int) -> None:
        """Remove versions of values whose retention has ended. What a killed one leaves is left for the next."""
        await retention.expire_by_itself(url, telemetry)

    @app.periodic(cron="41 2 * * *")
    @app.task(name="expire_content", queue="upkeep", queueing_lock="expire_content", pass_context=False)
    async def expire_content(timestamp: int) -> None:
        """Remove content whose period of retention has ended. What a killed one leaves is left for the next."""
        await retention.expire_content_by_itself(url, telemetry)

    # After content went, which may have emptied a month.
    @app.periodic(cron="7 4 * * *")
    @app.task(name="keep_months", queue="upkeep", queueing_lock="keep_months", pass_context=False)
    async def keep_months(timestamp: int) -> None:
        """Have partitions of the decision log made ahead, and empty ones of the past dropped."""
        await retention.keep_months(url, telemetry)

    @app.periodic(cron="*/10 * * * *")
    @app.task(name="expire_permits", queue="upkeep", queueing_lock="expire_permits", pass_context=False)
    async def expire_permits(timestamp: int) -> None:
        """Remove permits that are over. What a killed one leaves is left for the next."""
        await retention.expire_permits_by_itself(url)

    @app.periodic(cron="* * * * *")
    @app.task(name="index_batches", queue="upkeep", queueing_lock="index_batches", pass_context=False)
    async def index_batches(timestamp: int) -> None:
        """Index by person what batches decided. What a killed one leaves is left for the next."""
        await indexing.index_batches(url, telemetry)

    @app.periodic(cron="* * * * *")
    @app.task(name="watch_clocks", queue="upkeep", pass_context=False)
    async def watch_clocks(timestamp: int) -> None:
        """Tell which requests are half over, nearly over and overdue. What a killed one leaves is left for the next."""
        await clocks.watch(url, telemetry)

    @app.periodic(cron="* * * * *")
    @app.task(name="watch_downstreams", queue="upkeep", pass_context=False)
    async def watch_downstreams(timestamp: int) -> None:
        """Publish how many answers connected systems owe, and how many of them are late."""
        await courier.publish(url, telemetry)

    return app


async def work(url: str, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Run jobs until `stop` is set, then finish those that have begun. A lost database is waited for."""
    telemetry.log.info("worker_started")
    while not stop.is_set():
        try:
            await _run_jobs(url, telemetry, stop)
        except (procrastinate.exceptions.ConnectorException, psycopg.OperationalError) as error:
            telemetry.log.warning("worker_waits", **described(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PAUSE)
    telemetry.log.info("worker_stopped")


async def _run_jobs(url: str, telemetry: Telemetry, stop: asyncio.Event) -> None:
    app = build(url, telemetry)
    async with app.open_async():
        running = asyncio.create_task(
            app.run_worker_async(
                install_signal_handlers=False, shutdown_graceful_timeout=PATIENCE, delete_jobs="successful"
            )
        )
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            running.cancel()
            stopped.cancel()
            outcome, _ = await asyncio.gather(running, stopped, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome
