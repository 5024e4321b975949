"""A process that grows a tree and dies before one of its steps."""

import asyncio
import os
import signal
from pathlib import Path

from service import db
from service.audit.growing import GrowTree
from service.audit.log_keys import LogKeys
from service.audit.published import PublishedFiles
from service.audit.tree_store import SqlGrowingLog, growing
from service.given import utc_now
from service.kernel import TenantId

NAME = "log.example"
BATCH = 20


class Steps:
    """Counts them, and kills this process before the last."""

    def __init__(self, number: int) -> None:
        self._left = number

    def next(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Dying(PublishedFiles):
    def __init__(self, folder: Path, steps: Steps) -> None:
        super().__init__(folder)
        self._steps = steps

    async def keep(self, tenant: TenantId, note: str) -> None:
        self._steps.next()
        await super().keep(tenant, note)


def grow(url: str, folder: Path, tenant: TenantId, step: int) -> None:
    steps = Steps(step)
    run = SqlGrowingLog._run

    async def counted(self, statement, **values):
        steps.next()
        return await run(self, statement, **values)

    SqlGrowingLog._run = counted
    asyncio.run(_grow(url, folder, tenant, steps))


async def _grow(url: str, folder: Path, tenant: TenantId, steps: Steps) -> None:
    keys = LogKeys.open(folder / "log.keys", make=True)
    async with db.pool(url) as pool:
        grow = GrowTree(NAME, growing(pool), keys.signer, Dying(folder / "checkpoints", steps), utc_now, batch=BATCH)
        while await grow(tenant):
            pass
