from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from service.audit.growing import GrowingLog, Head, Leaf, LogHalted
from service.audit.tiles import HASH, Tile
from service.db import lease
from service.kernel import TenantId

_HOLD: Final = """
    INSERT INTO audit_head (tenant, size) VALUES (%(tenant)s, 0) ON CONFLICT DO NOTHING
"""
_HEAD: Final = "SELECT size, halted FROM audit_head WHERE tenant = %(tenant)s FOR UPDATE"
_WAITING: Final = """
    WITH taken AS (
        DELETE FROM audit_pending
        WHERE tenant = %(tenant)s
            AND id IN (SELECT id FROM audit_pending WHERE tenant = %(tenant)s ORDER BY id LIMIT %(most)s)
        RETURNING id, leaf
    )
    SELECT id, leaf FROM taken ORDER BY id
"""
_TILES: Final = """
    SELECT level, number, hashes FROM audit_tile
    WHERE tenant = %(tenant)s AND (level, number) IN (
        SELECT level, number FROM json_to_recordset(%(tiles)s::json) AS wanted (level smallint, number bigint))
"""
_PLACE: Final = """
    INSERT INTO audit_leaf (tenant, index, entry)
    SELECT %(tenant)s, %(first)s + place - 1, entry::uuid
    FROM unnest(string_to_array(%(entries)s, ',')) WITH ORDINALITY AS leaf (entry, place)
"""
_GROW: Final = """
    INSERT INTO audit_tile (tenant, level, number, hashes)
    SELECT %(tenant)s, level, number, decode(hashes, 'hex')
    FROM json_to_recordset(%(tiles)s::json) AS tile (level smallint, number bigint, hashes text)
    ON CONFLICT (tenant, level, number) DO UPDATE SET hashes = excluded.hashes
"""
_SIGN: Final = """
    INSERT INTO audit_checkpoint (tenant, size, note, at) VALUES (%(tenant)s, %(size)s, %(note)s, %(at)s)
"""
_ADVANCE: Final = "UPDATE audit_head SET size = %(size)s WHERE tenant = %(tenant)s"
_HALT: Final = "UPDATE audit_head SET halted = %(why)s WHERE tenant = %(tenant)s"
_NEXT_WAITING: Final = """
    WITH RECURSIVE waiting AS (
        (SELECT tenant FROM audit_pending ORDER BY tenant LIMIT 1)
        UNION ALL
        SELECT (SELECT tenant FROM audit_pending WHERE tenant > waiting.tenant ORDER BY tenant LIMIT 1)
        FROM waiting WHERE tenant IS NOT NULL
    )
    SELECT tenant FROM waiting WHERE tenant IS NOT NULL
"""
"""One look into an index for each tenant, however much waits."""
_BEGUN: Final = "SELECT tenant FROM audit_head ORDER BY tenant"


class SqlGrowingLog:
    """Never commits: whoever opened the connection's transaction does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def hold(self) -> Head:
        await self._run(_HOLD)
        [(size, halted)] = await self._run(_HEAD)
        return Head(size=size, halted=halted)

    async def waiting(self, most: int) -> Sequence[Leaf]:
        return [Leaf(entry, leaf) for entry, leaf in await self._run(_WAITING, most=most)]

    async def tiles(self, wanted: Sequence[Tile]) -> Mapping[Tile, bytes]:
        asked = msgspec.json.encode([{"level": tile.level, "number": tile.number} for tile in wanted]).decode()
        rows = await self._run(_TILES, tiles=asked) if wanted else []
        held = {(level, number): hashes for level, number, hashes in rows}
        found = {tile: held.get((tile.level, tile.number), b"") for tile in wanted}
        for tile, hashes in found.items():
            if len(hashes) < tile.width * HASH:
                raise LogHalted(f"the database lacks {tile.path} of the tree")
        return found

    async def place(self, first: int, leaves: Sequence[Leaf], tiles: Mapping[Tile, bytes]) -> None:
        await self._run(_PLACE, first=first, entries=",".join(leaf.entry.hex for leaf in leaves))
        rows = [{"level": tile.level, "number": tile.number, "hashes": held.hex()} for tile, held in tiles.items()]
        await self._run(_GROW, tiles=msgspec.json.encode(rows).decode())

    async def sign(self, size: int, note: str, at: datetime) -> None:
        await self._run(_SIGN, size=size, note=note, at=at)
        await self._run(_ADVANCE, size=size)

    async def halt(self, why: str) -> None:
        await self._run(_HALT, why=why)

    async def _run(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        cursor = await self._connection.execute(statement, {"tenant": self._tenant, **values})
        return await cursor.fetchall() if cursor.description else []


def growing(pool: AsyncConnectionPool) -> Callable[[TenantId], AbstractAsyncContextManager[GrowingLog]]:
    """Return what opens transactions of the worker, one for each batch."""

    @asynccontextmanager
    async def begin(tenant: TenantId) -> AsyncIterator[GrowingLog]:
        async with lease(pool) as connection, connection.transaction():
            yield SqlGrowingLog(connection, tenant)

    return begin


async def with_waiting(pool: AsyncConnectionPool) -> Sequence[TenantId]:
    """Return the tenants whose entries wait for a place."""
    return await _tenants(pool, _NEXT_WAITING)


async def with_tree(pool: AsyncConnectionPool) -> Sequence[TenantId]:
    """Return the tenants whose log has begun."""
    return await _tenants(pool, _BEGUN)


async def _tenants(pool: AsyncConnectionPool, query: str) -> Sequence[TenantId]:
    async with lease(pool) as connection:
        return [TenantId(tenant) for (tenant,) in await (await connection.execute(query)).fetchall()]
