"""The records and what they amount to, in PostgreSQL. Batches travel as one JSON parameter, one statement a table."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, select, tuple_
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
from service.consent.tables import notice
from service.kernel import Clock, Handle, TenantId
from service.trips import Trips

_APPEND: Final = """
    INSERT INTO record (tenant, id, handle, ts, received_at, statement)
    SELECT %(tenant)s, id, handle, ts, received_at, convert_to(statement, 'UTF8')
    FROM json_to_recordset(%(rows)s::json) AS new (
        id uuid, handle uuid, ts timestamptz, received_at timestamptz, statement text
    )
    ORDER BY id
    ON CONFLICT (tenant, id) DO NOTHING
    RETURNING id
"""
_RECORDS: Final = "SELECT id, handle, received_at, statement FROM record WHERE tenant = %(tenant)s"
_FIND: Final = f"""
    SELECT found.* FROM string_to_table(%(ids)s, ',') AS asked (id)
    CROSS JOIN LATERAL ({_RECORDS} AND id = asked.id::uuid OFFSET 0) AS found
"""  # noqa: S608, a constant
_HISTORY: Final = f"""
    {_RECORDS} AND handle = %(handle)s AND received_at <= %(as_of)s::timestamptz ORDER BY ts, id
"""
_PAGE: Final = f"""
    {_RECORDS} AND handle = %(handle)s AND (ts, id) > (%(ts)s::timestamptz, %(id)s) ORDER BY ts, id LIMIT %(limit)s
"""
_HISTORIES: Final = f"""
    SELECT theirs.* FROM string_to_table(%(handles)s, ',') AS asked (handle)
    CROSS JOIN LATERAL ({_RECORDS} AND handle = asked.handle::uuid ORDER BY ts, id) AS theirs
"""  # noqa: S608, a constant
_HANDLES: Final = """
    (SELECT DISTINCT handle FROM record
        WHERE tenant = %(tenant)s AND handle > %(after)s ORDER BY handle LIMIT %(limit)s)
    UNION
    (SELECT handle FROM consent_state
        WHERE tenant = %(tenant)s AND handle > %(after)s ORDER BY handle LIMIT %(limit)s)
    ORDER BY handle LIMIT %(limit)s
"""
_STATES: Final = """
    SELECT will.* FROM string_to_table(%(handles)s, ',') AS asked (handle)
    CROSS JOIN LATERAL (
        SELECT handle, version, state FROM consent_state
        WHERE tenant = %(tenant)s AND handle = asked.handle::uuid OFFSET 0
    ) AS will
"""
_FIRST: Final = """
    INSERT INTO consent_state (tenant, handle, version, state, updated_at)
    SELECT %(tenant)s, handle, %(version)s, %(state)s, %(at)s
    FROM unnest(string_to_array(%(handles)s, ',')::uuid[]) AS handle
    ORDER BY handle
    ON CONFLICT (tenant, handle) DO NOTHING
"""
_LOCK: Final = """
    SELECT held.handle, held.version, held.state
    FROM (
        SELECT id::uuid AS handle FROM string_to_table(%(handles)s, ',') AS id ORDER BY handle
    ) AS asked
    CROSS JOIN LATERAL (
        SELECT handle, version, state FROM consent_state
        WHERE tenant = %(tenant)s AND handle = asked.handle FOR UPDATE
    ) AS held
"""
_WRITE: Final = """
    INSERT INTO consent_state AS old (tenant, handle, version, state, updated_at)
    SELECT %(tenant)s, handle, %(version)s, convert_to(state, 'UTF8'), %(at)s
    FROM json_to_recordset(%(rows)s::json) AS new (handle uuid, state text)
    ON CONFLICT (tenant, handle) DO UPDATE
    SET version = excluded.version, state = excluded.state, updated_at = excluded.updated_at
"""
"""Of rows that are held, or of whom nobody else knows. Here and above each is looked up by itself (ADR 0030)."""
_REGISTER: Final = """
    INSERT INTO purpose (tenant, purpose, maps_to, title, created_at)
    VALUES (%(tenant)s, %(purpose)s, %(maps_to)s, %(title)s, %(at)s)
    ON CONFLICT DO NOTHING
    RETURNING purpose
"""
_OWN: Final = "SELECT purpose, maps_to, title FROM purpose WHERE tenant = %(tenant)s"
_PURPOSES: Final = f"{_OWN} AND purpose = ANY(string_to_array(%(purposes)s, ','))"
_PURPOSES_AFTER: Final = f"{_OWN} AND purpose > %(after)s ORDER BY purpose LIMIT %(limit)s"
_encoder: Final = msgspec.json.Encoder()
_statement: Final = msgspec.json.Decoder(Statement)


class SqlRecordStore:
    """Appends and reads `StoredRecord`; rows never leave this class.

    Never commits: the transaction that built the store does.
    """

    def __init__(self, ask: Trips, tenant: TenantId) -> None:
        self._ask = ask
        self._tenant = tenant

    async def find(self, ids: Collection[UUID]) -> Mapping[UUID, StoredRecord]:
        rows = await self._ask(_FIND, {"tenant": self._tenant, "ids": _joined(ids)})
        return {record.id: record for record in map(_to_record, rows)}

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
        added = await self._ask(_APPEND, {"tenant": self._tenant, "rows": _encoder.encode(rows).decode()})
        return frozenset(id_ for (id_,) in added)

    async def history(self, handle: Handle, *, as_of: datetime | None = None) -> Sequence[StoredRecord]:
        wanted = {"tenant": self._tenant, "handle": handle, "as_of": as_of or "infinity"}
        return [_to_record(row) for row in await self._ask(_HISTORY, wanted)]

    async def page(self, handle: Handle, *, after: Position | None, limit: int) -> Sequence[StoredRecord]:
        place = {"ts": "-infinity", "id": NOBODYS} if after is None else {"ts": after.ts, "id": after.id}
        rows = await self._ask(_PAGE, {"tenant": self._tenant, "handle": handle, **place, "limit": limit})
        return [_to_record(row) for row in rows]

    async def handles(self, *, after: Handle | None, limit: int) -> Sequence[Handle]:
        rows = await self._ask(_HANDLES, {"tenant": self._tenant, "after": after or NOBODYS, "limit": limit})
        return [Handle(handle) for (handle,) in rows]

    async def histories(self, handles: Collection[Handle]) -> Mapping[Handle, Sequence[StoredRecord]]:
        found: dict[Handle, list[StoredRecord]] = {}
        for row in await self._ask(_HISTORIES, {"tenant": self._tenant, "handles": _joined({*handles})}):
            record = _to_record(row)
            found.setdefault(record.handle, []).append(record)
        return found


class SqlStateStore:
    """Keeps one `State` a subject, in the bytes of the fold."""

    def __init__(self, ask: Trips, tenant: TenantId, clock: Clock) -> None:
        self._ask = ask
        self._tenant = tenant
        self._clock = clock

    async def read(self, handle: Handle) -> State:
        for _, version, state in await self._ask(_STATES, self._of([handle])):
            return decode(state, version=version)
        return EMPTY

    async def several(self, handles: Collection[Handle]) -> Mapping[Handle, State | None]:
        return _readable(await self._ask(_STATES, self._of(handles)))

    async def lock(
        self, handles: Collection[Handle], *, fresh: AbstractSet[Handle] = frozenset()
    ) -> Mapping[Handle, State | None]:
        new = dict.fromkeys(fresh & set(handles), EMPTY)
        if not (known := [handle for handle in handles if handle not in new]):
            return new
        wanted = self._of(known)
        first = {"version": FORMAT, "state": encode(EMPTY), "at": self._clock()}
        _, held = await self._ask.all((_FIRST, {**wanted, **first}), (_LOCK, wanted))
        return {**new, **_readable(held)}

    async def write(self, states: Mapping[Handle, State]) -> None:
        rows = [{"handle": handle, "state": encode(state).decode()} for handle, state in states.items()]
        new = {"version": FORMAT, "at": self._clock(), "rows": _encoder.encode(rows).decode()}
        await self._ask(_WRITE, {"tenant": self._tenant, **new})

    def _of(self, handles: Collection[Handle]) -> dict[str, Any]:
        return {"tenant": self._tenant, "handles": _joined(handles)}


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

    def __init__(self, ask: Trips, tenant: TenantId, clock: Clock) -> None:
        self._ask = ask
        self._tenant = tenant
        self._clock = clock

    async def add(self, own: OwnPurpose) -> bool:
        new = {**msgspec.structs.asdict(own), "at": self._clock()}
        return bool(await self._ask(_REGISTER, {"tenant": self._tenant, **new}))

    async def find(self, purposes: Collection[str]) -> Mapping[str, OwnPurpose]:
        # No name of a purpose has a comma in it.
        rows = await self._ask(_PURPOSES, {"tenant": self._tenant, "purposes": ",".join(purposes)})
        return {own.purpose: own for own in map(_to_purpose, rows)}

    async def page(self, *, after: str | None, limit: int) -> Sequence[OwnPurpose]:
        rows = await self._ask(_PURPOSES_AFTER, {"tenant": self._tenant, "after": after or "", "limit": limit})
        return [_to_purpose(row) for row in rows]


def _joined(ids: Collection[UUID]) -> str:
    """One string for a list of ids: psycopg writes a list element by element."""
    return ",".join(map(str, ids))


def _to_record(row: tuple[Any, ...]) -> StoredRecord:
    id_, handle, received_at, statement = row
    return StoredRecord(
        id=id_, handle=Handle(handle), received_at=received_at.astimezone(UTC), statement=_statement.decode(statement)
    )


def _readable(rows: Iterable[tuple[Any, ...]]) -> dict[Handle, State | None]:
    """Return the states; ``None`` for one that can't be read."""
    found: dict[Handle, State | None] = {}
    for handle, version, state in rows:
        try:
            found[Handle(handle)] = decode(state, version=version)
        except StateUnreadable:
            found[Handle(handle)] = None
    return found


def _to_notice(row: Row[Any, Any, Any]) -> Notice:
    content = msgspec.json.decode(row.content, type=NoticeContent)
    return Notice(content=content, sha256=row.sha256, created_at=row.created_at)


def _to_purpose(row: tuple[Any, ...]) -> OwnPurpose:
    purpose, maps_to, title = row
    return OwnPurpose(purpose=purpose, maps_to=maps_to, title=title)
