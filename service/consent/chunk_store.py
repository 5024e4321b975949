"""How far imports have got, and the trees over what they brought, in PostgreSQL."""

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
    INSERT INTO record_import AS import (tenant, id, began_at, done, seen, at)
    VALUES (:tenant, :id, :began_at, :done, :seen, :at)
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


class SqlImportStore:
    """Never commits: the transaction that built the store does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def progress(self, import_id: UUID) -> tuple[int, bytes, datetime | None]:
        row = record_import.c
        wanted = select(row.done, row.seen, row.began_at).where(row.tenant == self._tenant, row.id == import_id)
        found = (await self._connection.execute(wanted)).one_or_none()
        return (0, b"", None) if found is None else (found.done, found.seen, found.began_at)

    async def advance(
        self, import_id: UUID, before: int, done: int, seen: bytes, began_at: datetime, at: datetime
    ) -> bool:
        there = {"id": import_id, "before": before, "done": done, "seen": seen, "began_at": began_at, "at": at}
        return (await self._connection.execute(_ADVANCE, {"tenant": self._tenant, **there})).first() is not None

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
