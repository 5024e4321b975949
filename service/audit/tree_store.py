from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection, AsyncCursor
from psycopg_pool import AsyncConnectionPool

from service.audit.domain import AuditEvent, Entry, canonical
from service.audit.tiles import HASH, Tile
from service.audit.tree_ports import GrowingLog, Head, KeyPurpose, Leaf, LogHalted, Placed, StoredLog
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
_KEYS: Final = "SELECT public FROM log_key WHERE purpose = %s ORDER BY since, public"
_ADD_KEY: Final = "INSERT INTO log_key (public, purpose, since) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
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
        held = await held_tiles(self._connection, self._tenant, wanted)
        for tile in wanted:
            if len(held.get(tile, b"")) < tile.width * HASH:
                raise LogHalted(f"the database lacks {tile.path} of the tree")
        return held

    async def place(self, first: int, leaves: Sequence[Leaf], tiles: Mapping[Tile, bytes]) -> None:
        await self._run(_PLACE, first=first, entries=",".join(leaf.entry.hex for leaf in leaves))
        rows = [{"level": tile.level, "number": tile.number, "hashes": held.hex()} for tile, held in tiles.items()]
        await self._run(_GROW, tiles=msgspec.json.encode(rows).decode())

    async def sign(self, size: int, note: str, at: datetime) -> None:
        await self._run(_SIGN, size=size, note=note, at=at)
        await self._run(_ADVANCE, size=size)

    async def halt(self, why: str) -> None:
        await self._run(_HALT, why=why)

    async def go_on(self) -> None:
        await self._run(_HALT, why=None)

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


async def public_keys(pool: AsyncConnectionPool, purpose: KeyPurpose = KeyPurpose.LOG) -> Sequence[bytes]:
    """Return the public half of every key by which the log, or receipts, were ever signed."""
    async with lease(pool) as connection:
        return [public for (public,) in await (await connection.execute(_KEYS, (purpose.value,))).fetchall()]


async def add_public_key(
    pool: AsyncConnectionPool, public: bytes, at: datetime, purpose: KeyPurpose = KeyPurpose.LOG
) -> None:
    async with lease(pool) as connection:
        await connection.execute(_ADD_KEY, (public, purpose.value, at))


async def _tenants(pool: AsyncConnectionPool, query: str) -> Sequence[TenantId]:
    async with lease(pool) as connection:
        return [TenantId(tenant) for (tenant,) in await (await connection.execute(query)).fetchall()]


_PLACED: Final = """
    SELECT leaf.index, leaf.entry, entry.canonical,
        entry.tenant, entry.id, entry.at, entry.event, entry.object_id, entry.subject, entry.actor, entry.request,
        entry.commitment
    FROM audit_leaf AS leaf LEFT JOIN audit_entry AS entry ON entry.tenant = leaf.tenant AND entry.id = leaf.entry
    WHERE leaf.tenant = %(tenant)s ORDER BY leaf.index
"""
_LEFT_OUT: Final = """
    SELECT
        (SELECT count(*) FROM audit_pending WHERE tenant = %(tenant)s),
        (SELECT count(*) FROM audit_entry AS entry WHERE tenant = %(tenant)s
            AND NOT EXISTS (SELECT FROM audit_leaf WHERE tenant = entry.tenant AND entry = entry.id)
            AND NOT EXISTS (SELECT FROM audit_pending WHERE tenant = entry.tenant AND id = entry.id))
"""
_AT_A_TIME: Final = 20_000


class SqlStoredLog:
    """Reads all of one tenant's log in one snapshot, as the worker."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def head(self) -> Head | None:
        cursor = await self._run("SELECT size, halted FROM audit_head WHERE tenant = %(tenant)s")
        found = await cursor.fetchone()
        return None if found is None else Head(size=found[0], halted=found[1])

    async def placed(self) -> AsyncIterator[Sequence[Placed]]:
        async with self._connection.cursor(name="placed") as cursor:
            await cursor.execute(_PLACED, {"tenant": self._tenant})
            while rows := await cursor.fetchmany(_AT_A_TIME):
                yield [Placed(index, entry, canonical, _shown(row)) for index, entry, canonical, *row in rows]

    async def checkpoints(self) -> Sequence[str]:
        cursor = await self._run("SELECT note FROM audit_checkpoint WHERE tenant = %(tenant)s ORDER BY size")
        return [note for (note,) in await cursor.fetchall()]

    async def cosignatures(self) -> Sequence[tuple[int, str, str]]:
        cursor = await self._run(
            "SELECT size, key, line FROM audit_cosignature WHERE tenant = %(tenant)s ORDER BY size, key"
        )
        return [(size, key, line) for size, key, line in await cursor.fetchall()]

    async def timestamps(self) -> Sequence[tuple[int, bytes]]:
        cursor = await self._run("SELECT size, token FROM audit_timestamp WHERE tenant = %(tenant)s ORDER BY size")
        return [(size, token) for size, token in await cursor.fetchall()]

    async def held(self, wanted: Sequence[Tile]) -> Mapping[Tile, bytes]:
        return await held_tiles(self._connection, self._tenant, wanted)

    async def counted(self) -> tuple[int, int]:
        [(waiting, left_out)] = await (await self._run(_LEFT_OUT)).fetchall()
        return waiting, left_out

    async def _run(self, statement: str) -> AsyncCursor[Any]:
        return await self._connection.execute(statement, {"tenant": self._tenant})


def _shown(row: Sequence[Any]) -> bytes | None:
    """Return the bytes of an entry by its columns, from which the log is searched and shown."""
    tenant, id_, at, event, object_id, subject, actor, request, commitment = row
    try:
        entry = Entry(
            tenant=tenant,
            id=id_,
            at=at,
            event=AuditEvent(event),
            object_id=object_id,
            subject=subject,
            actor=actor,
            request=request,
            commitment=commitment,
        )
        return canonical(entry)
    except ValueError:
        return None


async def held_tiles(connection: AsyncConnection, tenant: TenantId, wanted: Sequence[Tile]) -> Mapping[Tile, bytes]:
    if not wanted:
        return {}
    asked = msgspec.json.encode([{"level": tile.level, "number": tile.number} for tile in wanted]).decode()
    cursor = await connection.execute(_TILES, {"tenant": tenant, "tiles": asked})
    named = {(tile.level, tile.number): tile for tile in wanted}
    return {named[level, number]: hashes for level, number, hashes in await cursor.fetchall()}


def reading(pool: AsyncConnectionPool) -> Callable[[TenantId], AbstractAsyncContextManager[StoredLog]]:
    """Return what opens a log to be examined. Whatever is added meanwhile isn't seen."""

    @asynccontextmanager
    async def begin(tenant: TenantId) -> AsyncIterator[StoredLog]:
        async with lease(pool) as connection, connection.transaction():
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield SqlStoredLog(connection, tenant)

    return begin
