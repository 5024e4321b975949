"""The records and what they amount to, in PostgreSQL. Batches travel as one JSON parameter, one statement a table."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.audit import NOBODYS
from service.consent.domain import (
    Notice,
    NoticeContent,
    OwnPurpose,
    Position,
    State,
    Statement,
    StateUnreadable,
    StoredRecord,
)
from service.consent.fold import EMPTY, FORMAT, decode, encode
from service.consent.tables import consent_state, notice, purpose, record
from service.kernel import Clock, Handle, TenantId

_APPEND: Final = text(
    """
    INSERT INTO record (tenant, id, handle, ts, received_at, statement)
    SELECT :tenant, id, handle, ts, received_at, convert_to(statement, 'UTF8')
    FROM json_to_recordset(CAST(:rows AS json)) AS new (
        id uuid, handle uuid, ts timestamptz, received_at timestamptz, statement text
    )
    ORDER BY id
    ON CONFLICT (tenant, id) DO NOTHING
    RETURNING id
    """
)
_FIND: Final = text(
    """
    SELECT id, handle, received_at, statement FROM record
    WHERE tenant = :tenant AND id = ANY(CAST(string_to_array(:ids, ',') AS uuid[]))
    """
)
_HANDLES: Final = text(
    """
    (SELECT DISTINCT handle FROM record WHERE tenant = :tenant AND handle > :after ORDER BY handle LIMIT :limit)
    UNION
    (SELECT handle FROM consent_state WHERE tenant = :tenant AND handle > :after ORDER BY handle LIMIT :limit)
    ORDER BY handle LIMIT :limit
    """
)
_HISTORIES: Final = text(
    """
    SELECT id, handle, received_at, statement FROM record
    WHERE tenant = :tenant AND handle = ANY(CAST(string_to_array(:handles, ',') AS uuid[]))
    ORDER BY handle, ts, id
    """
)
_STATES: Final = text(
    """
    SELECT handle, version, state FROM consent_state
    WHERE tenant = :tenant AND handle = ANY(CAST(string_to_array(:handles, ',') AS uuid[]))
    """
)
_FIRST: Final = text(
    """
    INSERT INTO consent_state (tenant, handle, version, state, updated_at)
    SELECT :tenant, handle, :version, :state, :at
    FROM unnest(CAST(string_to_array(:handles, ',') AS uuid[])) AS handle
    ORDER BY handle
    ON CONFLICT (tenant, handle) DO NOTHING
    """
)
_LOCK: Final = text(
    """
    SELECT handle, version, state FROM consent_state
    WHERE tenant = :tenant AND handle = ANY(CAST(string_to_array(:handles, ',') AS uuid[]))
    ORDER BY handle
    FOR UPDATE
    """
)
_WRITE: Final = text(
    """
    UPDATE consent_state AS old
    SET version = :version, state = convert_to(new.state, 'UTF8'), updated_at = :at
    FROM json_to_recordset(CAST(:rows AS json)) AS new (handle uuid, state text)
    WHERE old.tenant = :tenant AND old.handle = new.handle
    """
)
_encoder: Final = msgspec.json.Encoder()
_statement: Final = msgspec.json.Decoder(Statement)


class SqlRecordStore:
    """Appends and reads `StoredRecord`; rows never leave this class.

    Never commits: the transaction that built the store does.
    """

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def find(self, ids: Collection[UUID]) -> Mapping[UUID, StoredRecord]:
        rows = await self._connection.execute(_FIND, {"tenant": self._tenant, "ids": _joined(ids)})
        return {row.id: _to_record(row) for row in rows}

    async def append(self, records: Sequence[StoredRecord]) -> frozenset[UUID]:
        rows = [
            {
                "id": record.id,
                "handle": record.handle,
                "ts": record.statement.ts,
                "received_at": record.received_at,
                "statement": _encoder.encode(record.statement).decode(),
            }
            for record in records
        ]
        added = await self._connection.execute(
            _APPEND, {"tenant": self._tenant, "rows": _encoder.encode(rows).decode()}
        )
        return frozenset(added.scalars())

    async def history(self, handle: Handle, *, as_of: datetime | None = None) -> Sequence[StoredRecord]:
        wanted = self._of(handle)
        if as_of is not None:
            wanted = wanted.where(record.c.received_at <= as_of)
        return [_to_record(row) for row in await self._connection.execute(wanted)]

    async def page(self, handle: Handle, *, after: Position | None, limit: int) -> Sequence[StoredRecord]:
        wanted = self._of(handle).limit(limit)
        if after is not None:
            wanted = wanted.where(tuple_(record.c.ts, record.c.id) > tuple_(after.ts, after.id))
        return [_to_record(row) for row in await self._connection.execute(wanted)]

    def _of(self, handle: Handle) -> Any:
        return (
            select(record.c.id, record.c.handle, record.c.received_at, record.c.statement)
            .where(record.c.tenant == self._tenant, record.c.handle == handle)
            .order_by(record.c.ts, record.c.id)
        )

    async def handles(self, *, after: Handle | None, limit: int) -> Sequence[Handle]:
        rows = await self._connection.execute(
            _HANDLES, {"tenant": self._tenant, "after": after or NOBODYS, "limit": limit}
        )
        return [Handle(handle) for handle in rows.scalars()]

    async def histories(self, handles: Collection[Handle]) -> Mapping[Handle, Sequence[StoredRecord]]:
        rows = await self._connection.execute(_HISTORIES, {"tenant": self._tenant, "handles": _joined(handles)})
        found: dict[Handle, list[StoredRecord]] = {}
        for row in rows:
            found.setdefault(Handle(row.handle), []).append(_to_record(row))
        return found


class SqlStateStore:
    """Keeps one `State` a subject, in the bytes of the fold."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId, clock: Clock) -> None:
        self._connection = connection
        self._tenant = tenant
        self._clock = clock

    async def read(self, handle: Handle) -> State:
        found = await self._connection.execute(
            select(consent_state.c.version, consent_state.c.state).where(
                consent_state.c.tenant == self._tenant, consent_state.c.handle == handle
            )
        )
        row = found.one_or_none()
        return EMPTY if row is None else decode(row.state, version=row.version)

    async def several(self, handles: Collection[Handle]) -> Mapping[Handle, State | None]:
        rows = await self._connection.execute(_STATES, {"tenant": self._tenant, "handles": _joined(handles)})
        return {Handle(row.handle): _readable(row) for row in rows}

    async def lock(self, handles: Collection[Handle]) -> Mapping[Handle, State | None]:
        wanted = {"tenant": self._tenant, "handles": _joined(handles)}
        first = {"version": FORMAT, "state": encode(EMPTY), "at": self._clock()}
        await self._connection.execute(_FIRST, {**wanted, **first})
        rows = await self._connection.execute(_LOCK, wanted)
        return {Handle(row.handle): _readable(row) for row in rows}

    async def write(self, states: Mapping[Handle, State]) -> None:
        rows = [{"handle": handle, "state": encode(state).decode()} for handle, state in states.items()]
        await self._connection.execute(
            _WRITE,
            {
                "tenant": self._tenant,
                "version": FORMAT,
                "at": self._clock(),
                "rows": _encoder.encode(rows).decode(),
            },
        )


class SqlNoticeStore:
    """Appends and reads versions of notices."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId, clock: Clock) -> None:
        self._connection = connection
        self._tenant = tenant
        self._clock = clock

    async def add(self, content: NoticeContent) -> bool:
        added = await self._connection.execute(
            upsert(notice)
            .values(
                tenant=self._tenant,
                notice=content.notice,
                version=content.version,
                content=content.canonical(),
                sha256=content.sha256(),
                created_at=self._clock(),
            )
            .on_conflict_do_nothing()
            .returning(notice.c.version)
        )
        return added.scalar_one_or_none() is not None

    async def find(self, notice_: str, version: str) -> Notice | None:
        found = await self._connection.execute(self._of(version).where(notice.c.notice == notice_))
        row = found.one_or_none()
        return None if row is None else _to_notice(row)

    async def of_version(self, version: str) -> Sequence[Notice]:
        found = await self._connection.execute(self._of(version).order_by(notice.c.notice))
        return [_to_notice(row) for row in found]

    async def page(self, *, after: tuple[str, str] | None, limit: int) -> Sequence[Notice]:
        wanted = self._of_tenant()
        if after is not None:
            wanted = wanted.where(tuple_(notice.c.notice, notice.c.version) > tuple_(*after))
        rows = await self._connection.execute(wanted.order_by(notice.c.notice, notice.c.version).limit(limit))
        return [_to_notice(row) for row in rows]

    def _of(self, version: str) -> Any:
        return self._of_tenant().where(notice.c.version == version)

    def _of_tenant(self) -> Any:
        return select(notice.c.content, notice.c.sha256, notice.c.created_at).where(notice.c.tenant == self._tenant)


class SqlPurposeStore:
    """Appends and reads a tenant's own purposes."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId, clock: Clock) -> None:
        self._connection = connection
        self._tenant = tenant
        self._clock = clock

    async def add(self, own: OwnPurpose) -> bool:
        added = await self._connection.execute(
            upsert(purpose)
            .values(tenant=self._tenant, **msgspec.structs.asdict(own), created_at=self._clock())
            .on_conflict_do_nothing()
            .returning(purpose.c.purpose)
        )
        return added.scalar_one_or_none() is not None

    async def find(self, purposes: Collection[str]) -> Mapping[str, OwnPurpose]:
        rows = await self._connection.execute(self._of_tenant().where(purpose.c.purpose.in_(purposes)))
        return {row.purpose: _to_purpose(row) for row in rows}

    async def page(self, *, after: str | None, limit: int) -> Sequence[OwnPurpose]:
        wanted = self._of_tenant().order_by(purpose.c.purpose).limit(limit)
        if after is not None:
            wanted = wanted.where(purpose.c.purpose > after)
        return [_to_purpose(row) for row in await self._connection.execute(wanted)]

    def _of_tenant(self) -> Any:
        return select(purpose.c.purpose, purpose.c.maps_to, purpose.c.title).where(purpose.c.tenant == self._tenant)


def _joined(ids: Collection[UUID]) -> str:
    """One string for a list of ids: psycopg writes a list element by element."""
    return ",".join(map(str, ids))


def _to_record(row: Row[Any, Any, Any]) -> StoredRecord:
    return StoredRecord(
        id=row.id,
        handle=Handle(row.handle),
        received_at=row.received_at.astimezone(UTC),
        statement=_statement.decode(row.statement),
    )


def _readable(row: Row[Any, Any, Any]) -> State | None:
    try:
        return decode(row.state, version=row.version)
    except StateUnreadable:
        return None


def _to_notice(row: Row[Any, Any, Any]) -> Notice:
    content = msgspec.json.decode(row.content, type=NoticeContent)
    return Notice(content=content, sha256=row.sha256, created_at=row.created_at)


def _to_purpose(row: Row[Any, Any, Any]) -> OwnPurpose:
    return msgspec.convert(row, OwnPurpose, from_attributes=True)
