"""A process that carries one erasure out and stops around each commit, so that it can be killed there."""

import asyncio
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

from service.given import new_id, utc_now
from service.kernel import TenantId
from tests.erasing import running
from tests.integration.expiring_child import stopping


def erase(removing: str, ring: Path, request: UUID, url: str, tenant: TenantId, pipe: Connection) -> None:
    asyncio.run(_erase(removing, ring, request, url, tenant, pipe))


async def _erase(removing: str, ring: Path, request: UUID, url: str, tenant: TenantId, pipe: Connection) -> None:
    async with stopping(url, pipe) as begin, stopping(removing, pipe) as begin_removing:
        await running(begin, begin_removing, ring, utc_now, new_id)(tenant, request)
    pipe.send(("done", ()))
