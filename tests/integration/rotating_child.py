"""A process that rotates keys and stops before and after each of its steps, so that it can be killed there."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from service import db
from service.given import new_id, utc_now
from service.kernel import Caller
from service.transaction import opener
from service.vault import reindexing, rotating
from service.vault.envelope import new_key, rewrap_subject_key, unseal
from service.vault.keys import Keys
from service.vault.reindexing import RotateIndexKey
from service.vault.ring_file import FileRing
from service.vault.rotating import RotateRootKey, RotateTenantKey

BATCH = 10


class SlowRing:
    """A ring in a file that stops when it has a new root key."""

    def __init__(self, ring: FileRing, stop) -> None:
        self._ring = ring
        self._stop = stop

    def __getattr__(self, name: str):
        return getattr(self._ring, name)

    async def rotate(self) -> str:
        version = await self._ring.rotate()
        await self._stop("the ring has a new root key")
        return version


def rotate(kind: str, url: str, place: Path, by: list[Caller], pipe: Connection) -> None:
    asyncio.run(_rotate(kind, url, place, by, pipe))


async def _rotate(kind: str, url: str, place: Path, by: list[Caller], pipe: Connection) -> None:
    async def stop(where: str) -> None:
        pipe.send(where)
        await asyncio.to_thread(pipe.recv)

    rotating.BATCH = reindexing.BATCH = BATCH
    engine = db.engine(url)
    whole = opener(engine, utc_now, new_id)

    @asynccontextmanager
    async def begin(tenant):
        async with whole(tenant) as tx:
            yield tx
            await stop("before a commit")
        await stop("after a commit")

    ring = SlowRing(FileRing.open(place), stop)
    if kind == "index":
        keys = Keys(ring, begin, utc_now, keep=timedelta(hours=1))
        index = RotateIndexKey(begin, ring, keys, new_key, unseal, utc_now, asyncio.sleep, settle=timedelta())
        for caller in by:
            await index("email", lambda *_: None, by=caller)
    elif kind == "root":
        await RotateRootKey(begin, ring)(by, lambda *_: None)
    else:
        rotate = RotateTenantKey(begin, ring, new_key, rewrap_subject_key, utc_now, asyncio.sleep, settle=timedelta())
        for caller in by:
            await rotate(lambda *_: None, by=caller)
    await engine.dispose()
    pipe.send("done")
