"""Composition root of what tells senders how far their requests are: a part of `volens work`, beside the courier."""

import asyncio
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from service import db, given, operations
from service.connecting import guard
from service.doors.telling import TellStatus
from service.downstreams.outgoing import outgoing
from service.kernel import TenantId, Unavailable
from service.porch import telling
from service.postgres import DatabaseUrls
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.settings import Settings
from service.stopping import LOST, pause, waiting_for
from service.telemetry import Telemetry, described
from service.tenants import NOBODY
from service.transaction import Begin, opener

PAUSE: Final = 2.0
"""Seconds between two looks for something to tell."""


async def tell_by_itself(settings: Settings, urls: DatabaseUrls, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Tell senders until `stop` is set. A lost database, or a lost key ring, is waited for."""
    engine = db.engine(urls.app, size=settings.pool_size)
    try:
        await waiting_for("replies_wait", lambda: _tell(settings, urls, engine, telemetry, stop), telemetry, stop)
    finally:
        await engine.dispose()


async def _tell(
    settings: Settings, urls: DatabaseUrls, engine: AsyncEngine, telemetry: Telemetry, stop: asyncio.Event
) -> None:
    begin = opener(engine, given.utc_now, given.new_id)
    async with (
        operations.transactions(urls.worker) as look,
        guarded_root_keys(settings, root_uses(begin), make=False) as root,
        outgoing(guard(settings)) as send,
    ):
        keys = vault_keys(settings, root, engine)
        tell = telling(settings, begin, keys, send, given.utc_now, given.new_id)
        while not stop.is_set():
            await asyncio.gather(*(_one(tell, tenant, telemetry) for tenant in await due(look)))
            await pause(PAUSE, stop)


async def due(look: Begin) -> list[TenantId]:
    """Return the tenants that have something to tell."""
    async with look(NOBODY) as tx:
        return list(await tx.doors.due(given.utc_now()))


async def _one(tell: TellStatus, tenant: TenantId, telemetry: Telemetry) -> None:
    """Go on with one tenant: a slow receiver, a lost key or a fault of one holds up no other for longer than itself."""
    try:
        for outcome in await tell(tenant):
            telemetry.told(outcome)
    except Unavailable as error:
        telemetry.log.warning("replies_wait", tenant=tenant, **described(error))
        await asyncio.sleep(LOST)
    except Exception as error:  # noqa: BLE001 -- one tenant's fault is not to stop the others
        telemetry.bug(error, "")
        await asyncio.sleep(LOST)
