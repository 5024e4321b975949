"""Processes that remove what is past its period and stop around each commit, so that they can be killed there."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection

import psycopg

from service import db
from service.audit import expiring as contents
from service.given import new_id, utc_now
from service.kernel import TenantId
from service.retention import ExpireAll
from service.transaction import Begin, Transaction, opener
from service.vault import expiring as versions
from service.vault.expiring import ExpireVersions
from tests.integration.forked import FORK

CONTENTS = 4
VERSIONS = 10
"""How much of it goes at once."""
_LEFT = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"


def expire_contents(url: str, tenant: TenantId, pipe: Connection) -> None:
    contents.BATCH = CONTENTS

    async def work(begin: Begin) -> None:
        await ExpireAll(begin, "worker", lambda *_: None, dry=False)(tenant)

    asyncio.run(_stopping(url, pipe, work))


def expire_versions(url: str, tenant: TenantId, pipe: Connection) -> None:
    versions.BATCH = VERSIONS

    async def work(begin: Begin) -> None:
        await ExpireVersions(begin, utc_now, new_id)(lambda *_: None, actor="worker", tenant=tenant)

    asyncio.run(_stopping(url, pipe, work))


async def _stopping(url: str, pipe: Connection, work: Callable[[Begin], Awaitable[None]]) -> None:
    async with stopping(url, pipe) as begin:
        await work(begin)
    pipe.send(("done", ()))


@asynccontextmanager
async def stopping(url: str, pipe: Connection) -> AsyncIterator[Begin]:
    """Lend transactions that stop before and after each commit until they are told to go on."""
    sessions: set[int] = set()
    alone = asyncio.Lock()
    """Some work commits side by side: two that read one pipe at a time would each get a part of what was sent."""

    async def stop(where: str) -> None:
        async with alone:
            pipe.send((where, sessions))
            await asyncio.to_thread(pipe.recv)

    engine = db.engine(url)
    whole = opener(engine, utc_now, new_id)

    @asynccontextmanager
    async def begin(tenant: TenantId) -> AsyncIterator[Transaction]:
        async with whole(tenant) as tx:
            [(session,)] = await tx.trips("SELECT pg_backend_pid()", {})
            sessions.add(session)
            yield tx
            await stop("before a commit")
        await stop("after a commit")

    yield begin
    await engine.dispose()


def killed(expire: Callable[[str, TenantId, Connection], None], url: str, tenant: str, steps: int) -> str:
    """Run a process up to a number of steps and kill it there; return at which kind of step that was.

    By then the database has noticed: a session whose client is gone holds its rows until it has ended.
    """
    ours, theirs = FORK.Pipe()
    child = FORK.Process(target=expire, args=(url, tenant, theirs))
    child.start()
    where, sessions = "", set[int]()
    for step in range(steps + 1):
        assert ours.poll(60), "no step for a minute"
        where, seen = ours.recv()
        sessions |= set(seen)
        if where == "done":
            break
        if step < steps:
            ours.send("go on")
    child.kill()
    child.join(60)
    ours.close()
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(600):
            if connection.execute(_LEFT, (list(sessions),)).fetchone() == (0,):
                return where
            time.sleep(0.1)
    raise AssertionError("the session of a killed process is still there after a minute")
