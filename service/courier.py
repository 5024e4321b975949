"""Composition root of what brings tasks to connected systems: a part of `volens work`, beside the exporter."""

import asyncio
from typing import Final

import psycopg
from sqlalchemy.ext.asyncio import AsyncEngine

from service import db, given, operations
from service.connecting import bringing, guard
from service.downstreams.bringing import AT_ONCE, BringTasks
from service.downstreams.outgoing import outgoing
from service.downstreams.ports import Work
from service.kernel import Clock, Unavailable
from service.postgres import DatabaseUrls
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.settings import Settings
from service.stopping import LOST, pause, waiting_for
from service.telemetry import Telemetry, described
from service.teller import Teller, telling
from service.tenants import NOBODY
from service.transaction import Begin, opener

PAUSE: Final = 1.0
"""Seconds between two looks for tasks that are due."""


class Courier:
    """Brings tasks to each system by itself: one that is slow or down holds up none of the others."""

    def __init__(
        self, look: Begin, bring: BringTasks, telemetry: Telemetry, clock: Clock, *, lost: float = LOST
    ) -> None:
        self._look = look
        self._bring = bring
        self._telemetry = telemetry
        self._clock = clock
        self._under_way: dict[Work, asyncio.Task[None]] = {}

    async def look(self) -> None:
        """Begin with every system that has a task due and isn't being brought any. Raises Unavailable."""
        async with self._look(NOBODY) as tx:
            found = await tx.downstreams.with_work(self._clock())
        for work in found:
            if work not in self._under_way:
                self._under_way[work] = asyncio.create_task(self._go_on(work))

    async def rest(self) -> None:
        """Return when all that is under way is done."""
        await asyncio.gather(*self._under_way.values())

    async def stop(self) -> None:
        """Break off what is under way. What was not stored is brought again."""
        under_way = list(self._under_way.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _go_on(self, work: Work) -> None:
        try:
            outcomes = await self._bring(work)
            while outcomes:
                for outcome in outcomes:
                    self._telemetry.brought(outcome)
                outcomes = await self._bring(work) if len(outcomes) == AT_ONCE else []
        except Unavailable as error:
            self._telemetry.log.warning("courier_waits", tenant=work.tenant, **described(error))
            await asyncio.sleep(LOST)
        except Exception as error:  # noqa: BLE001 -- one system's fault is not to stop the others
            self._telemetry.bug(error, "")
            await asyncio.sleep(LOST)
        finally:
            del self._under_way[work]


async def bring_by_itself(settings: Settings, urls: DatabaseUrls, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Bring tasks until `stop` is set. A lost database, or a lost key ring, is waited for."""
    engine = db.engine(urls.app, size=settings.pool_size)
    try:
        await waiting_for("courier_waits", lambda: _bring(settings, urls, engine, telemetry, stop), telemetry, stop)
    finally:
        await engine.dispose()


async def _bring(
    settings: Settings, urls: DatabaseUrls, engine: AsyncEngine, telemetry: Telemetry, stop: asyncio.Event
) -> None:
    begin = opener(engine, given.utc_now, given.new_id)
    async with (
        operations.transactions(urls.worker) as look,
        guarded_root_keys(settings, root_uses(begin), make=False) as root,
        outgoing(guard(settings)) as send,
        db.pool(urls.app, size=1) as pool,
    ):
        keys = vault_keys(settings, root, engine)
        tell = Teller(look, telling(settings, begin, keys, pool, given.utc_now, given.new_id), telemetry)
        courier = Courier(
            look, bringing(settings, begin, keys, send, given.utc_now, given.new_id), telemetry, given.utc_now
        )
        try:
            while not stop.is_set():
                await tell()
                await courier.look()
                await pause(PAUSE, stop)
        finally:
            await courier.stop()


async def publish(url: str, telemetry: Telemetry) -> None:
    """Publish how many answers connected systems owe."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        found = await connection.execute("SELECT state, tasks FROM downstream_counts()")
        counted: dict[str, int] = dict(await found.fetchall())
    telemetry.downstream_tasks(counted.get("open", 0), counted.get("silent", 0))
