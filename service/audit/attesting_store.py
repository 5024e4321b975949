from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg_pool import AsyncConnectionPool

from service.audit.attesting_ports import Due
from service.audit.tiles import Tile
from service.audit.tree_store import held_tiles
from service.db import lease
from service.kernel import TenantId

_UNSEEN: Final = """
    SELECT head.tenant, coalesce(seen.size, 0)
    FROM audit_head AS head LEFT JOIN LATERAL (
        SELECT size FROM audit_cosignature
        WHERE tenant = head.tenant AND key = %(key)s ORDER BY size DESC LIMIT 1
    ) AS seen ON true
    WHERE head.halted IS NULL AND head.size > coalesce(seen.size, 0) ORDER BY head.tenant
"""
_UNSTAMPED: Final = """
    SELECT head.tenant, coalesce(seen.size, 0)
    FROM audit_head AS head LEFT JOIN LATERAL (
        SELECT size, at FROM audit_timestamp WHERE tenant = head.tenant ORDER BY size DESC LIMIT 1
    ) AS seen ON true
    WHERE head.halted IS NULL AND head.size > coalesce(seen.size, 0) AND coalesce(seen.at < %(before)s, true)
    ORDER BY head.tenant
"""
_NEWEST: Final = "SELECT note FROM audit_checkpoint WHERE tenant = %(tenant)s ORDER BY size DESC LIMIT 1"
_COSIGNED: Final = """
    INSERT INTO audit_cosignature (tenant, size, key, line, at)
    VALUES (%(tenant)s, %(size)s, %(key)s, %(line)s, %(at)s) ON CONFLICT DO NOTHING
"""
_STAMPED: Final = """
    INSERT INTO audit_timestamp (tenant, size, token, at)
    VALUES (%(tenant)s, %(size)s, %(token)s, %(at)s) ON CONFLICT DO NOTHING
"""


class SqlLogs:
    """Every tenant's log, as the worker. Nothing here waits for the sequencer, nor it for this."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    def of(self, tenant: TenantId) -> "SqlSignedLog":
        return SqlSignedLog(self._pool, tenant)

    async def unseen(self, key: str) -> Sequence[Due]:
        return [Due(TenantId(tenant), seen) for tenant, seen in await _run(self._pool, _UNSEEN, key=key)]

    async def unstamped(self, before: datetime) -> Sequence[Due]:
        return [Due(TenantId(tenant), seen) for tenant, seen in await _run(self._pool, _UNSTAMPED, before=before)]


class SqlSignedLog:
    """Each statement commits by itself: what others said stands alone."""

    def __init__(self, pool: AsyncConnectionPool, tenant: TenantId) -> None:
        self._pool = pool
        self._tenant = tenant

    async def newest(self) -> str | None:
        rows = await _run(self._pool, _NEWEST, tenant=self._tenant)
        return rows[0][0] if rows else None

    async def tiles(self, wanted: Sequence[Tile]) -> Mapping[Tile, bytes]:
        async with lease(self._pool) as connection:
            return await held_tiles(connection, self._tenant, wanted)

    async def cosigned(self, size: int, key: str, line: str, at: datetime) -> None:
        await _run(self._pool, _COSIGNED, tenant=self._tenant, size=size, key=key, line=line, at=at)

    async def stamped(self, size: int, token: bytes, at: datetime) -> None:
        await _run(self._pool, _STAMPED, tenant=self._tenant, size=size, token=token, at=at)


async def _run(pool: AsyncConnectionPool, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    async with lease(pool) as connection:
        cursor = await connection.execute(statement, values)
        return await cursor.fetchall() if cursor.description else []
