"""How far imports have got, and the trees over what they brought, in PostgreSQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, any_, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.consent.imported import Chunk
from service.consent.tables import record_chunk, record_import
from service.kernel import TenantId

_ADVANCE: Final = text(
    """
    INSERT INTO record_import AS import (tenant, id, done, seen, at)
    VALUES (:tenant, :id, :done, :seen, :at)
    ON CONFLICT (tenant, id) DO UPDATE SET done = excluded.done, seen = excluded.seen, at = excluded.at
        WHERE import.done = :before
    RETURNING done
    """
)
_ADD: Final = text(
    """
    INSERT INTO record_chunk (tenant, id, import, at, records, leaves)
    VALUES (:tenant, :id, :import, :at, CAST(string_to_array(:records, ',') AS uuid[]), :leaves)
    """
)
_BROUGHT: Final = text(
    """
    SELECT want.id
    FROM unnest(
        CAST(string_to_array(:ids, ',') AS uuid[]), CAST(string_to_array(:times, ',') AS timestamptz[])
    ) AS want (id, at)
    JOIN record_chunk AS chunk ON chunk.tenant = :tenant AND chunk.import = :import AND chunk.at = want.at
        AND want.id = ANY(chunk.records)
    """
)


class SqlImportStore:
    """Never commits: the transaction that built the store does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def progress(self, import_id: UUID) -> tuple[int, bytes]:
        row = record_import.c
        wanted = select(row.done, row.seen).where(row.tenant == self._tenant, row.id == import_id)
        found = (await self._connection.execute(wanted)).one_or_none()
        return (0, b"") if found is None else (found.done, found.seen)

    async def advance(self, import_id: UUID, before: int, done: int, seen: bytes, at: datetime) -> bool:
        there = {"tenant": self._tenant, "id": import_id, "before": before, "done": done, "seen": seen, "at": at}
        return (await self._connection.execute(_ADVANCE, there)).first() is not None

    async def brought(self, import_id: UUID, records: Mapping[UUID, datetime]) -> frozenset[UUID]:
        wanted = {
            "ids": ",".join(map(str, records)),
            "times": ",".join(at.isoformat() for at in records.values()),
        }
        found = await self._connection.execute(_BROUGHT, {"tenant": self._tenant, "import": import_id, **wanted})
        return frozenset(found.scalars())

    async def add(self, chunk: Chunk) -> None:
        row = {"tenant": self._tenant, "id": chunk.id, "import": chunk.import_id, "at": chunk.at}
        packed = {"records": ",".join(map(str, chunk.records)), "leaves": chunk.leaves}
        await self._connection.execute(_ADD, row | packed)

    async def chunk(self, chunk_id: UUID) -> Chunk | None:
        found = await self._connection.execute(self._chunks().where(record_chunk.c.id == chunk_id))
        row = found.one_or_none()
        return None if row is None else _to_chunk(row)

    async def chunk_of(self, record: UUID, received_at: datetime) -> Chunk | None:
        row = record_chunk.c
        found = await self._connection.execute(
            self._chunks().where(row.at == received_at, literal(record) == any_(row.records)).limit(1)
        )
        one = found.one_or_none()
        return None if one is None else _to_chunk(one)

    def _chunks(self) -> Any:
        row = record_chunk.c
        columns = (row.id, row["import"].label("import_id"), row.at, row.records, row.leaves)
        return select(*columns).where(row.tenant == self._tenant)


def _to_chunk(row: Row[Any]) -> Chunk:
    return msgspec.convert(row, Chunk, from_attributes=True)
