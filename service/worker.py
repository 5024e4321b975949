"""Composition root of `volens work`: the background process.

Jobs are rows in the schema `jobs`, put there by the transaction that causes them.
"""

import asyncio

import procrastinate
import psycopg

from service.telemetry import Telemetry

BACKLOG = """
    SELECT 'outbox', count(*) FROM outbox
    UNION ALL SELECT 'audit_pending', count(*) FROM audit_pending
"""


def build(url: str, telemetry: Telemetry) -> procrastinate.App:
    """Return the job runner on the database `url`, opened as the worker role."""
    conninfo = url.replace("postgresql+psycopg://", "postgresql://")
    connector = procrastinate.PsycopgConnector(conninfo=conninfo, kwargs={"options": "-c search_path=jobs"})
    app = procrastinate.App(connector=connector)

    @app.periodic(cron="* * * * *")
    @app.task(name="measure_backlog", queue="upkeep", pass_context=False)
    async def measure_backlog(timestamp: int) -> None:
        """Publish how much waits to be told to others and to be sequenced."""
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            for name, waiting in await (await connection.execute(BACKLOG)).fetchall():
                telemetry.backlog(name, waiting)

    return app


async def work(url: str, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Run jobs until `stop` is set, then finish those that have begun."""
    app = build(url, telemetry)
    async with app.open_async():
        running = asyncio.create_task(app.run_worker_async(install_signal_handlers=False, wait=True))
        telemetry.log.info("worker_started")
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        stopped.cancel()
        outcome = (await asyncio.gather(running, stopped, return_exceptions=True))[0]
        if isinstance(outcome, Exception):
            raise outcome
    telemetry.log.info("worker_stopped")
