"""A process that writes an export and dies before one of its steps."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

from service import extents, operations
from service.audit.store import SqlTree
from service.export_parts import files_of
from service.exporter import Writer
from service.exports.running import RunExports
from service.exports.store import SqlExportStore
from service.given import new_id
from service.kernel import TenantId
from service.postgres import DatabaseUrls
from service.settings import Settings
from tests.integration.exporting_clock import at, keep


def write(settings: Settings, urls: DatabaseUrls, tenant: TenantId, step: int, seconds: float) -> None:
    left = step

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return counted

    extents.BATCH = 50
    for owner, name in (
        (SqlTree, "entries"),
        (SqlTree, "tiles"),
        (SqlExportStore, "_set"),
        (os, "link"),
        (os, "fsync"),
    ):
        setattr(owner, name, dying(getattr(owner, name)))
    asyncio.run(_write(settings, urls, tenant, seconds))


async def _write(settings: Settings, urls: DatabaseUrls, tenant: TenantId, seconds: float) -> None:
    files = files_of(settings)
    async with operations.transactions(urls.app) as begin:
        run = RunExports(begin, Writer(settings, urls, files), files, lambda: at(seconds), new_id, keep=keep)
        while await run(tenant):
            pass
