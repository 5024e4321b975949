from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Handle, TenantId
from service.trips import Trips
from service.vault.fields import BUILT_IN, Field, Name
from service.vault.tables import vault_field, vault_import, vault_value
from service.vault.values import Digest, Head, Mark, Place, Sealed, Standing

_FIELDS: Final = """
    SELECT DISTINCT ON (name) name, body FROM vault_field WHERE tenant = %(tenant)s ORDER BY name, version DESC
"""
_LATEST: Final = """
    SELECT want.handle, want.field, want.label, found.version, found.sealed, found.at, NULL AS until
    FROM json_to_recordset(%(wanted)s::json) AS want (handle uuid, field text, label text)
    CROSS JOIN LATERAL (
        SELECT version, sealed, at, deleted_at FROM vault_value
        WHERE tenant = %(tenant)s AND handle = want.handle AND field = want.field AND label = want.label
        ORDER BY version DESC LIMIT 1
    ) AS found
    WHERE found.deleted_at IS NULL
"""
_VERSION: Final = """
    SELECT want.handle, want.field, want.label, this.version, this.sealed, this.at,
        least(this.deleted_at, next.at) AS until
    FROM json_to_recordset(%(wanted)s::json) AS want (handle uuid, field text, label text)
    CROSS JOIN LATERAL (
        SELECT version, sealed, at, deleted_at FROM vault_value
        WHERE tenant = %(tenant)s AND handle = want.handle AND field = want.field AND label = want.label
            AND version = %(version)s AND sealed <> ''
        LIMIT 1
    ) AS this
    LEFT JOIN LATERAL (
        SELECT at FROM vault_value
        WHERE tenant = %(tenant)s AND handle = want.handle AND field = want.field AND label = want.label
            AND version > %(version)s
        ORDER BY version LIMIT 1
    ) AS next ON true
"""
"""The next version that is left: those between may be past their retention."""
_OF: Final = text(
    """
    SELECT DISTINCT ON (field, label) field, label, version, sealed, at, deleted_at FROM vault_value
    WHERE tenant = :tenant AND handle = :handle
    ORDER BY field, label, version DESC
    """
)
_HEADS: Final = """
    SELECT coalesce(head.version, 0), coalesce(head.live, false), coalesce(kept.there, false)
    FROM json_to_recordset(%(places)s::json) AS want (
        place integer, handle uuid, field text, label text, kind text, mark text
    )
    LEFT JOIN LATERAL (
        SELECT version, deleted_at IS NULL AS live FROM vault_value
        WHERE tenant = %(tenant)s AND handle = want.handle AND field = want.field AND label = want.label
        ORDER BY version DESC LIMIT 1
    ) AS head ON true
    LEFT JOIN LATERAL (
        SELECT true AS there FROM vault_suppression
        WHERE tenant = %(tenant)s AND kind = want.kind AND digest = decode(want.mark, 'hex')
        LIMIT 1
    ) AS kept ON true
    ORDER BY want.place
"""
_ADD: Final = """
    INSERT INTO vault_value (tenant, handle, field, label, version, sealed, at, actor, deleted_at)
    SELECT %(tenant)s, handle, field, label, version, decode(sealed, 'hex'), at, actor, deleted_at
    FROM json_to_recordset(%(rows)s::json) AS new (
        handle uuid, field text, label text, version integer, sealed text, at timestamptz, actor text,
        deleted_at timestamptz
    )
    ORDER BY handle, field COLLATE "C", label COLLATE "C", version
    ON CONFLICT DO NOTHING
    RETURNING version
"""
"""In one order everywhere: two groups with the same places wait for each other and don't deadlock."""
_UNINDEX: Final = """
    DELETE FROM vault_index AS gone
    USING json_to_recordset(%(places)s::json) AS old (tenant text, handle uuid, field text, label text)
    WHERE gone.tenant = %(tenant)s AND old.tenant = %(tenant)s
        AND gone.handle = old.handle AND gone.field = old.field AND gone.label = old.label
"""
"""The places say whose they are, so that PostgreSQL thinks that there are few of them and looks each up.

It would rather read whatever the tenant has while it knows little about the table.
"""
_INDEX: Final = """
    WITH held AS MATERIALIZED (
        SELECT FROM vault_secret_key
        WHERE tenant = %(tenant)s AND kind = 'index_key' AND field = ANY(string_to_array(%(fields)s, ','))
        ORDER BY field, version FOR NO KEY UPDATE
    )
    INSERT INTO vault_index (tenant, field, index_version, digest, handle, label)
    SELECT %(tenant)s, field, version, decode(digest, 'hex'), handle, label
    FROM json_to_recordset(%(rows)s::json) AS new (
        field text, version integer, digest text, handle uuid, label text
    )
    WHERE (SELECT count(*) FROM held) IS NOT NULL
    ORDER BY field COLLATE "C", version, digest
    ON CONFLICT DO NOTHING
"""
"""Holds the field's index keys first, all versions, whichever of them this process knows.

So of two who store the same value at one moment the second waits for the first to end, and finds it when it looks.
"""
_HOLDERS: Final = """
    SELECT want.place, held.handle
    FROM json_to_recordset(%(rows)s::json) AS want (place integer, field text, version integer, digest text)
    CROSS JOIN LATERAL (
        SELECT handle FROM vault_index
        WHERE tenant = %(tenant)s AND field = want.field AND index_version = want.version
            AND digest = decode(want.digest, 'hex')
        OFFSET 0
    ) AS held
"""
"""`OFFSET 0` has each looked up by itself: joined, PostgreSQL would rather read whatever the tenant has."""
_SUPPRESS: Final = text(
    """
    INSERT INTO vault_suppression (tenant, kind, digest, at)
    SELECT :tenant, kind, decode(digest, 'hex'), :at
    FROM json_to_recordset(CAST(:rows AS json)) AS new (kind text, digest text)
    ORDER BY kind COLLATE "C", digest
    ON CONFLICT DO NOTHING
    """
)
_ADVANCE: Final = """
    INSERT INTO vault_import AS import (tenant, id, done, seen, at)
    VALUES (%(tenant)s, %(id)s, %(done)s, %(seen)s, %(at)s)
    ON CONFLICT (tenant, id) DO UPDATE SET done = excluded.done, seen = excluded.seen, at = excluded.at
        WHERE import.done = %(before)s
    RETURNING done
"""
_field: Final = msgspec.json.Decoder(Field)


class SqlHolders:
    """Looks in the blind index of a tenant."""

    def __init__(self, ask: Trips, tenant: TenantId) -> None:
        self._ask = ask
        self._tenant = tenant

    async def holders(self, digests: Collection[Digest]) -> Mapping[Digest, AbstractSet[Handle]]:
        wanted = list(digests)
        held: dict[Digest, set[Handle]] = {digest: set() for digest in wanted}
        if wanted:
            rows = [{"place": number, **_digest(digest)} for number, digest in enumerate(wanted)]
            found = await self._ask(_HOLDERS, {"tenant": self._tenant, "rows": _json(rows)})
            for number, handle in found:
                held[wanted[number]].add(Handle(handle))
        return held


class SqlHotValues(SqlHolders):
    """Keeps sealed values; rows never leave this class.

    Never commits: the transaction that built it does.
    """

    async def fields(self) -> Mapping[str, Field]:
        found = await self._ask(_FIELDS, {"tenant": self._tenant})
        return {**BUILT_IN, **{name: _field.decode(body) for name, body in found}}

    async def find(self, wanted: Mapping[Handle, Collection[Name]], *, version: int | None = None) -> Sequence[Sealed]:
        rows = [_place(Place(handle, name)) for handle, names in wanted.items() for name in names]
        if not rows:
            return []
        query = _LATEST if version is None else _VERSION
        found = await self._ask(query, {"tenant": self._tenant, "wanted": _json(rows), "version": version})
        return [
            Sealed(handle=Handle(handle), name=Name(field, label), version=each, sealed=sealed, at=at, until=until)
            for handle, field, label, each, sealed, at, until in found
        ]

    async def heads(self, places: Sequence[tuple[Place, Mark | None]]) -> Sequence[Head]:
        rows = [
            {
                "place": number,
                **_place(place),
                "kind": None if mark is None else mark.kind,
                "mark": None if mark is None else mark.digest.hex(),
            }
            for number, (place, mark) in enumerate(places)
        ]
        found = await self._ask(_HEADS, {"tenant": self._tenant, "places": _json(rows)})
        return [Head(version=version, live=live, suppressed=suppressed) for version, live, suppressed in found]

    async def add(self, values: Sequence[tuple[Sealed, str]]) -> bool:
        rows = [
            {
                **_place(value.place),
                "version": value.version,
                "sealed": value.sealed.hex(),
                "at": value.at,
                "actor": actor,
                "deleted_at": None if value.sealed else value.at,
            }
            for value, actor in values
        ]
        added = await self._ask(_ADD, {"tenant": self._tenant, "rows": _json(rows)})
        return len(added) == len(rows)

    async def index(self, digests: Mapping[Place, Sequence[Digest]], replaced: Collection[Place]) -> None:
        statements = []
        if replaced:
            places = [{"tenant": self._tenant, **_place(place)} for place in replaced]
            statements.append((_UNINDEX, {"tenant": self._tenant, "places": _json(places)}))
        rows = [
            {**_digest(digest), "handle": place.handle, "label": place.name.label}
            for place, each in digests.items()
            for digest in each
        ]
        if rows:
            fields = ",".join(sorted({digest.field for each in digests.values() for digest in each}))
            statements.append((_INDEX, {"tenant": self._tenant, "fields": fields, "rows": _json(rows)}))
        if statements:
            await self._ask.all(*statements)

    async def advance_import(self, import_id: UUID, before: int, done: int, seen: bytes, at: datetime) -> bool:
        there = {"id": import_id, "before": before, "done": done, "seen": seen, "at": at}
        return bool(await self._ask(_ADVANCE, {"tenant": self._tenant, **there}))


class SqlValueStore(SqlHotValues):
    """Keeps sealed values and the registry of fields; rows never leave this class.

    Never commits: the transaction that built the store does.
    """

    def __init__(self, connection: AsyncConnection, ask: Trips, tenant: TenantId) -> None:
        super().__init__(ask, tenant)
        self._connection = connection

    async def add_field(self, field: Field, at: datetime, actor: str) -> bool:
        table = vault_field.c
        latest = await self._connection.scalar(
            select(table.version)
            .where(table.tenant == self._tenant, table.name == field.name)
            .order_by(table.version.desc())
            .limit(1)
        )
        body = msgspec.json.encode(field)
        added = await self._connection.execute(
            insert(vault_field)
            .values(tenant=self._tenant, name=field.name, version=(latest or 0) + 1, body=body, at=at, actor=actor)
            .on_conflict_do_nothing()
            .returning(table.version)
        )
        return added.first() is not None

    async def of(self, handle: Handle) -> Sequence[Sealed]:
        found = await self._connection.execute(_OF, {"tenant": self._tenant, "handle": handle})
        return [
            Sealed(handle=handle, name=Name(field, label), version=version, sealed=sealed, at=at)
            for field, label, version, sealed, at, deleted_at in found
            if deleted_at is None
        ]

    async def versions(self, handle: Handle) -> Sequence[Standing]:
        table = vault_value.c
        found = await self._connection.execute(
            select(table.field, table.label, table.version, table.at, table.deleted_at, table.actor)
            .where(table.tenant == self._tenant, table.handle == handle)
            .order_by(table.field, table.label, table.version.desc())
        )
        versions: list[Standing] = []
        for field, label, version, at, deleted_at, actor in found:
            name = Name(field, label)
            until = versions[-1].at if versions and versions[-1].name == name else None
            versions.append(
                Standing(name=name, version=version, at=at, until=until, deleted=deleted_at is not None, actor=actor)
            )
        return versions

    async def suppress(self, marks: Collection[Mark], at: datetime) -> None:
        if marks:
            rows = [{"kind": mark.kind, "digest": mark.digest.hex()} for mark in marks]
            await self._connection.execute(_SUPPRESS, {"tenant": self._tenant, "at": at, "rows": _json(rows)})

    async def import_done(self, import_id: UUID) -> tuple[int, bytes]:
        wanted = select(vault_import.c.done, vault_import.c.seen).where(
            vault_import.c.tenant == self._tenant, vault_import.c.id == import_id
        )
        found = (await self._connection.execute(wanted)).one_or_none()
        return (0, b"") if found is None else (found.done, found.seen or b"")


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()


def _place(place: Place) -> dict[str, Any]:
    return {"handle": place.handle, "field": place.name.field, "label": place.name.label}


def _digest(digest: Digest) -> dict[str, Any]:
    return {"field": digest.field, "version": digest.version, "digest": digest.digest.hex()}
