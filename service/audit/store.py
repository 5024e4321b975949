from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import false, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from service.audit.domain import AuditEvent, Draft, Entry, Position, Query, canonical
from service.audit.tables import audit_checkpoint, audit_entry, audit_leaf, audit_tile, log_key
from service.audit.tiles import Tile
from service.audit.tree_ports import KeyPurpose, PublicKey
from service.kernel import Caller, Clock, Handle, NewId, TenantId
from service.trips import Trips

_APPEND: Final = """
    WITH draft AS MATERIALIZED (
        SELECT convert_to(written::text, 'UTF8') AS canonical, said.*
        FROM json_array_elements(%(entries)s::json) AS written, json_to_record(written) AS said (
            tenant text, id uuid, at timestamptz, event text, object text, subject uuid, actor text, request text,
            commitment text
        )
    ), entry AS (
        INSERT INTO audit_entry (tenant, id, at, event, object_id, subject, actor, request, commitment, canonical)
        SELECT tenant, id, at, event, object, subject, actor, request, decode(commitment, 'hex'), canonical
        FROM draft
    )
    INSERT INTO audit_pending (tenant, id, leaf)
    SELECT tenant, id, sha256('\\x00' || canonical) FROM draft
"""
"""PostgreSQL keeps `json` as it was written, so the canonical bytes are all that has to travel."""

_ENTRIES: Final = """
    SELECT entry.canonical
    FROM audit_leaf AS leaf JOIN audit_entry AS entry ON entry.tenant = leaf.tenant AND entry.id = leaf.entry
    WHERE leaf.tenant = %(tenant)s AND leaf.index >= %(first)s AND leaf.index < %(after)s
    ORDER BY leaf.index
"""
_AROUND: Final = """
    SELECT min(leaf.index) AS first, max(leaf.index) AS last
    FROM audit_entry AS entry JOIN audit_leaf AS leaf ON leaf.tenant = entry.tenant AND leaf.entry = entry.id
    WHERE entry.tenant = %(tenant)s AND entry.at >= %(since)s AND entry.at < %(until)s AND leaf.index < %(size)s
"""


def statement(entries: Sequence[Entry]) -> tuple[str, dict[str, Any]]:
    """Return the one statement, and its parameters, that adds `entries` and the leaves from which the tree will grow.

    For those who write past `SqlAuditTrail`, in a pipeline of their own.
    """
    return _APPEND, {"entries": (b"[%b]" % b",".join(map(canonical, entries))).decode()}


class SqlAuditAppender:
    """Appends `Entry`: entry and leaf in one statement, without a lock on the log's head.

    Never commits: whoever built it does.
    """

    def __init__(self, ask: Trips, clock: Clock, new_id: NewId) -> None:
        self._ask = ask
        self._clock = clock
        self._new_id = new_id

    async def append(
        self,
        *,
        event: AuditEvent,
        object_id: str,
        by: Caller,
        subject: Handle | None = None,
        commitment: bytes | None = None,
    ) -> None:
        draft = Draft(event=event, object_id=object_id, subject=subject, commitment=commitment)
        await self.append_many([draft], by=by)

    async def append_many(self, drafts: Sequence[Draft], *, by: Caller) -> None:
        await self.append_each([(by, draft) for draft in drafts])

    async def append_each(self, drafts: Sequence[tuple[Caller, Draft]]) -> None:
        if not drafts:
            return
        now = self._clock()
        entries = [Entry.of(draft, by=by, entry_id=self._new_id(), at=now) for by, draft in drafts]
        await self._ask(*statement(entries))


class SqlAuditTrail(SqlAuditAppender):
    """Appends and reads `Entry`."""

    def __init__(self, connection: AsyncConnection, ask: Trips, tenant: TenantId, clock: Clock, new_id: NewId) -> None:
        super().__init__(ask, clock, new_id)
        self._connection = connection
        self._tenant = tenant

    async def find(
        self, query: Query, *, subject: Handle | None, after: Position | None, limit: int
    ) -> Sequence[Entry]:
        table = audit_entry.c
        wanted = select(audit_entry).where(table.tenant == self._tenant)
        if query.since is not None:
            wanted = wanted.where(table.at >= query.since)
        if query.until is not None:
            wanted = wanted.where(table.at < query.until)
        if query.subject is not None:
            wanted = wanted.where(false() if subject is None else table.subject == subject)
        if query.event is not None:
            wanted = wanted.where(table.event == query.event.value)
        if query.actor is not None:
            wanted = wanted.where(table.actor == query.actor)
        if after is not None:
            wanted = wanted.where(tuple_(table.at, table.id) > tuple_(after.at, after.id))
        rows = await self._connection.execute(wanted.order_by(table.at, table.id).limit(limit))
        return [msgspec.convert(row, Entry, from_attributes=True) for row in rows]


class SqlTree:
    """Reads one tenant's tree, as the application."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def place(self, entry: UUID) -> int | None:
        table = audit_leaf.c
        found = select(table.index).where(table.tenant == self._tenant, table.entry == entry)
        return await self._connection.scalar(found)

    async def canonical(self, entry: UUID) -> bytes | None:
        table = audit_entry.c
        found = select(table.canonical).where(table.tenant == self._tenant, table.id == entry)
        return await self._connection.scalar(found)

    async def telling_of(self, event: AuditEvent, object_id: str, since: datetime, until: datetime) -> UUID | None:
        table = audit_entry.c
        found = select(table.id).where(
            table.tenant == self._tenant,
            table.event == event.value,
            table.at.between(since, until),
            table.object_id == object_id,
        )
        return await self._connection.scalar(found.order_by(table.at, table.id).limit(1))

    async def checkpoint(self, size: int | None) -> str | None:
        table = audit_checkpoint.c
        signed = select(table.note).where(table.tenant == self._tenant)
        if size is not None:
            signed = signed.where(table.size == size)
        return await self._connection.scalar(signed.order_by(table.size.desc()).limit(1))

    async def tiles(self, wanted: Sequence[Tile]) -> Mapping[Tile, bytes]:
        table = audit_tile.c
        names = {(tile.level, tile.number): tile for tile in wanted}
        rows = await self._connection.execute(
            select(table.level, table.number, table.hashes).where(
                table.tenant == self._tenant, tuple_(table.level, table.number).in_(list(names))
            )
        )
        return {names[level, number]: hashes for level, number, hashes in rows}

    async def entries(self, first: int, after: int) -> Sequence[bytes]:
        within = {"tenant": self._tenant, "first": first, "after": after}
        return [canonical for (canonical,) in await self._connection.exec_driver_sql(_ENTRIES, within)]

    async def around(self, since: datetime, until: datetime, size: int) -> tuple[int, int] | None:
        within = {"tenant": self._tenant, "since": since, "until": until, "size": size}
        found = (await self._connection.exec_driver_sql(_AROUND, within)).mappings().one()
        return None if found["first"] is None else (found["first"], found["last"] + 1)


class SqlLogKeys:
    """Reads the public keys, which belong to no tenant, and states the first one of receipts."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def public(self) -> Sequence[PublicKey]:
        table = log_key.c
        rows = await self._connection.execute(
            select(table.public, table.purpose, table.since).order_by(table.since, table.public)
        )
        return [PublicKey(public, KeyPurpose(purpose), since) for public, purpose, since in rows]

    async def state_first_of_receipts(self, public: bytes) -> None:
        await self._connection.execute(select(func.state_first_receipt_key(public)))
