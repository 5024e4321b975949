"""A process that does what the worker does for packages, and dies before one of its steps."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service import operations
from service.audit.store import SqlAuditTrail
from service.kernel import TenantId
from service.packages.parcel_store import SqlParcelStore
from service.packages.sealed import SealedFolder
from service.postgres import DatabaseUrls
from service.settings import Settings
from tests.integration.exporting_clock import at
from tests.parcelled import tending


def pack(settings: Settings, urls: DatabaseUrls, tenant: TenantId, step: int, seconds: float) -> None:
    left = step

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return counted

    for owner, name in (
        (AsyncConnection, "commit"),
        (SqlParcelStore, "_set"),
        (SqlParcelStore, "put"),
        (SqlAuditTrail, "append"),
        (SealedFolder, "remove"),
        (os, "link"),
        (os, "fsync"),
    ):
        setattr(owner, name, dying(getattr(owner, name)))
    asyncio.run(_pack(settings, urls, tenant, seconds))


async def _pack(settings: Settings, urls: DatabaseUrls, tenant: TenantId, seconds: float) -> None:
    async with operations.transactions(urls.app) as begin:
        await tending(settings, urls, begin, lambda: at(seconds))(tenant)
