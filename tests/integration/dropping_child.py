"""A process that takes a list in and stops around each commit, so that it can be killed there."""

import asyncio
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from service.drop import Download, usecases
from service.dropping import tools
from service.given import new_id, utc_now
from service.kernel import Caller, TenantId
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from tests.integration.expiring_child import stopping

LINES = 2


def take_in(ring: Path, place: Path, url: str, tenant: TenantId, pipe: Connection) -> None:
    usecases.LINES = LINES
    asyncio.run(_take_in(ring, place, url, tenant, pipe))


async def _take_in(ring: Path, place: Path, url: str, tenant: TenantId, pipe: Connection) -> None:
    by = Caller(tenant=tenant, actor="operator", request="req-child")
    async with stopping(url, pipe) as begin:
        keys = Keys(FileRing.open(ring), begin, utc_now, keep=timedelta(minutes=5))
        lent = tools(begin, keys, utc_now, new_id)
        with place.open("rb") as file:
            await lent.take_in(lambda broker: Download(file, broker), lambda done, total: None, by=by)
        await lent.settle(by=by)
    pipe.send(("done", ()))
