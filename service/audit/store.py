from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import ScalarSelect, false, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from service.audit.domain import NOBODYS, AuditEvent, Draft, Entry, Position, Query, Secret, canonical
from service.audit.tables import (
    audit_checkpoint,
    audit_cosignature,
    audit_entry,
    audit_leaf,
    audit_tile,
    audit_timestamp,
    log_key,
)
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

_SECRETS: Final = """
    SELECT hidden.* FROM string_to_table(%(handles)s, ',') AS asked (handle)
    CROSS JOIN LATERAL (
        SELECT handle, secret FROM commitment_secret
        WHERE tenant = %(tenant)s AND handle = asked.handle::uuid OFFSET 0
    ) AS hidden
"""
_DESTROY_SECRETS: Final = """
    DELETE FROM commitment_secret
    WHERE tenant = %(tenant)s AND (handle = %(handle)s OR handle IN (
        SELECT CASE one WHEN %(handle)s THEN other ELSE one END FROM subject_pair
        WHERE tenant = %(tenant)s AND same AND %(handle)s IN (one, other)
    ))
    RETURNING handle
"""
_ENTRIES: Final = """
    SELECT entry.canonical
    FROM audit_leaf AS leaf JOIN audit_entry AS entry ON entry.tenant = leaf.tenant AND entry.id = leaf.entry
    WHERE leaf.tenant = %(tenant)s AND leaf.index >= %(first)s AND leaf.index < %(after)s
    ORDER BY leaf.index
"""
_ENTRIES_AT: Final = """
    SELECT entry.canonical
    FROM audit_leaf AS leaf JOIN audit_entry AS entry ON entry.tenant = leaf.tenant AND entry.id = leaf.entry
    WHERE leaf.tenant = %(tenant)s AND leaf.index = ANY(%(places)s)
    ORDER BY leaf.index
"""
_ABOUT: Final = """
    SELECT found.* FROM unnest(string_to_array(%(handles)s, ',')::uuid[]) AS whose (handle) CROSS JOIN LATERAL (
        SELECT tenant, id, at, event, object_id, subject, actor, request, commitment
        FROM audit_entry
        WHERE tenant = %(tenant)s AND subject = whose.handle AND at >= %(since)s::timestamptz
            AND at < %(until)s::timestamptz AND {place} AND event = ANY(string_to_array(%(events)s, ','))
        ORDER BY {order} LIMIT %(limit)s
    ) AS found ORDER BY {order} LIMIT %(limit)s
"""
_OLDEST_FIRST: Final = _ABOUT.format(place="(at, id) > (%(at)s::timestamptz, %(id)s)", order="at, id")
_NEWEST_FIRST: Final = _ABOUT.format(place="(at, id) < (%(at)s::timestamptz, %(id)s)", order="at DESC, id DESC")
"""Of each handle a page by the index (tenant, subject, at, id), which are then one page."""
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

    def __init__(self, ask: Trips, tenant: TenantId, clock: Clock, new_id: NewId) -> None:
        self._ask = ask
        self._tenant = tenant
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

    async def append_each(
        self, drafts: Sequence[tuple[Caller, Draft]], *, secrets: Mapping[Handle, Secret] | None = None
    ) -> None:
        if not drafts:
            return
        now = self._clock()
        if secrets is None:
            whose = {draft.subject or NOBODYS for _, draft in drafts if draft.payload is not None}
            secrets = await self.secrets(whose) if whose else {}
        entries = [
            Entry.of(draft, by=by, entry_id=self._new_id(), at=now, secret=secrets.get(draft.subject or NOBODYS))
            for by, draft in drafts
        ]
        await self._ask(*statement(entries))

    async def secrets(self, handles: Collection[Handle]) -> Mapping[Handle, Secret]:
        wanted = {"tenant": self._tenant, "handles": ",".join(handle.hex for handle in handles)}
        return {Handle(handle): Secret(secret) for handle, secret in await self._ask(_SECRETS, wanted)}

    async def destroy_secrets(self, handle: Handle) -> AbstractSet[Handle]:
        gone = await self._ask(_DESTROY_SECRETS, {"tenant": self._tenant, "handle": handle})
        return {Handle(each) for (each,) in gone}


class SqlAuditTrail(SqlAuditAppender):
    """Appends and reads `Entry`."""

    def __init__(self, connection: AsyncConnection, ask: Trips, tenant: TenantId, clock: Clock, new_id: NewId) -> None:
        super().__init__(ask, tenant, clock, new_id)
        self._connection = connection

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


class SqlSubjectLog:
    """Reads what the log says about people."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def about(
        self,
        handles: Collection[Handle],
        events: Collection[AuditEvent],
        *,
        since: datetime | None,
        until: datetime | None,
        after: Position | None,
        newest_first: bool,
        limit: int,
    ) -> Sequence[Entry]:
        wanted: dict[str, Any] = {
            "tenant": self._tenant,
            "handles": ",".join(map(str, handles)),
            "events": ",".join(events),
            "since": since or "-infinity",
            "until": until or "infinity",
            "at": after.at if after else "infinity" if newest_first else "-infinity",
            "id": after.id if after else UUID(int=0),
            "limit": limit,
        }
        rows = await self._connection.exec_driver_sql(_NEWEST_FIRST if newest_first else _OLDEST_FIRST, wanted)
        return [msgspec.convert(dict(row), Entry) for row in rows.mappings()]

    async def of_batches(self, batches: Mapping[UUID, datetime]) -> Mapping[UUID, UUID]:
        row = audit_entry.c
        found = await self._connection.execute(
            select(row.object_id, row.id).where(
                row.tenant == self._tenant,
                row.event == AuditEvent.BATCH_DECIDED.value,
                row.at.in_(batches.values()),
                row.object_id.in_(map(str, batches)),
            )
        )
        return {UUID(name): entry for name, entry in found}


class SqlTree:
    """Reads one tenant's tree, as the application."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def place(self, entry: UUID) -> int | None:
        table = audit_leaf.c
        found = select(table.index).where(table.tenant == self._tenant, table.entry == entry)
        return await self._connection.scalar(found)

    async def places(self, entries: Collection[UUID]) -> Mapping[UUID, int]:
        table = audit_leaf.c
        found = select(table.entry, table.index).where(table.tenant == self._tenant, table.entry.in_(entries))
        return {row[0]: row[1] for row in await self._connection.execute(found)}

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

    async def checkpoint(self, size: int | None, cosigners: int = 0) -> str | None:
        table = audit_checkpoint.c
        signed = select(table.size, table.note).where(table.tenant == self._tenant)
        if size is not None:
            signed = signed.where(table.size == size)
        if cosigners:
            signed = signed.where(table.size == _cosigned(self._tenant, size, cosigners))
        found = (await self._connection.execute(signed.order_by(table.size.desc()).limit(1))).one_or_none()
        if found is None:
            return None
        said = audit_cosignature.c
        lines = select(said.line).where(said.tenant == self._tenant, said.size == found.size).order_by(said.key)
        return "".join([found.note, *await self._connection.scalars(lines)])

    async def timestamp(self, size: int | None) -> tuple[str, bytes] | None:
        table, note = audit_timestamp.c, audit_checkpoint.c
        stamped = select(note.note, table.token).where(
            table.tenant == self._tenant, note.tenant == table.tenant, note.size == table.size
        )
        if size is None:
            stamped = stamped.order_by(table.size.desc())
        else:
            stamped = stamped.where(table.size >= size).order_by(table.size)
        found = (await self._connection.execute(stamped.limit(1))).one_or_none()
        return None if found is None else (found.note, found.token)

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

    async def entries_at(self, places: Sequence[int]) -> Sequence[bytes]:
        wanted = {"tenant": self._tenant, "places": list(places)}
        return [canonical for (canonical,) in await self._connection.exec_driver_sql(_ENTRIES_AT, wanted)]

    async def around(self, since: datetime, until: datetime, size: int) -> tuple[int, int] | None:
        within = {"tenant": self._tenant, "since": since, "until": until, "size": size}
        found = (await self._connection.exec_driver_sql(_AROUND, within)).mappings().one()
        return None if found["first"] is None else (found["first"], found["last"] + 1)


def _cosigned(tenant: TenantId, size: int | None, cosigners: int) -> ScalarSelect[int]:
    """Return the largest size, or this one, at which so many witnesses signed. Who has two keys counts once."""
    said = audit_cosignature.c
    witnesses = func.count(func.distinct(func.split_part(said.key, "+", 1)))
    sizes = select(said.size).where(said.tenant == tenant).group_by(said.size).having(witnesses >= cosigners)
    if size is not None:
        sizes = sizes.where(said.size == size)
    return sizes.order_by(said.size.desc()).limit(1).scalar_subquery()


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
