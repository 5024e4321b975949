"""A process that removes content past its period and stops around each commit, so that it can be killed there."""

import asyncio
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection

from service import db
from service.app import new_id, utc_now
from service.audit import expiring
from service.retention import ExpireAll
from service.transaction import opener

BATCH = 4


def expire(url: str, tenant: str, pipe: Connection) -> None:
    asyncio.run(_expire(url, tenant, pipe))


async def _expire(url: str, tenant: str, pipe: Connection) -> None:
    async def stop(where: str) -> None:
        pipe.send(where)
        await asyncio.to_thread(pipe.recv)

    expiring.BATCH = BATCH
    engine = db.engine(url)
    whole = opener(engine, utc_now, new_id)

    @asynccontextmanager
    async def begin(tenant):
        async with whole(tenant) as tx:
            yield tx
            await stop("before a commit")
        await stop("after a commit")

    await ExpireAll(begin, "worker", lambda *_: None, dry=False)(tenant)
    await engine.dispose()
    pipe.send("done")
