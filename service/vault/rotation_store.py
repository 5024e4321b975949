from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Handle, TenantId
from service.vault.domain import KeyContext, KeyPurpose, RootUse, StoredSubjectKey, Wrapped
from service.vault.fields import Name
from service.vault.rotation import KeyVersion, RootWrapped
from service.vault.values import Place

_ROOT_USES: Final = text("SELECT ring, version, keys FROM vault_root_versions() ORDER BY ring, version")
_ROOT_SAMPLES: Final = text("SELECT * FROM vault_root_samples() WITH ORDINALITY ORDER BY ordinality")

_KEYS: Final = f"""
    SELECT '{KeyPurpose.TENANT}' AS kind, '' AS field, version, ring, ring_version, wrapped, created_at
    FROM vault_tenant_key WHERE tenant = :tenant
    UNION ALL
    SELECT kind, field, version, ring, ring_version, wrapped, created_at
    FROM vault_secret_key WHERE tenant = :tenant
"""  # noqa: S608, a constant
_UNDER_ROOT: Final = text(f"{_KEYS} ORDER BY kind, field, version")
_VERSIONS: Final = text(
    f"""
    SELECT kind, field, version, ring_version, created_at, CASE kind
        WHEN '{KeyPurpose.TENANT}' THEN (
            SELECT count(*) FROM vault_subject_key WHERE tenant = :tenant AND tenant_key_version = key.version
        )
        WHEN '{KeyPurpose.INDEX}' THEN (
            SELECT count(*) FROM vault_index
            WHERE tenant = :tenant AND field = key.field AND index_version = key.version
        ) END
    FROM ({_KEYS}) AS key
    WHERE (CAST(:kind AS text) IS NULL OR kind = :kind) AND (CAST(:field AS text) IS NULL OR field = :field)
    ORDER BY kind DESC, field, version DESC
    """  # noqa: S608, constants
)
_PUT: Final = "ring = :ring, ring_version = :version, wrapped = :body"
_AS_IT_WAS: Final = "tenant = :tenant AND version = :number AND ring_version = :before AND wrapped = :was"
_PUT_TENANT_KEY: Final = text(f"UPDATE vault_tenant_key SET {_PUT} WHERE {_AS_IT_WAS}")  # noqa: S608, constants
_PUT_SECRET_KEY: Final = text(
    f"UPDATE vault_secret_key SET {_PUT} WHERE {_AS_IT_WAS} AND kind = :kind AND field = :field"  # noqa: S608
)

_BEFORE: Final = "tenant = :tenant AND tenant_key_version BETWEEN 1 AND :version - 1"
"""Version 0 is that of destroyed ones."""
_COUNT_BEFORE: Final = text(f"SELECT count(*) FROM vault_subject_key WHERE {_BEFORE}")  # noqa: S608, constants
_NEXT: Final = text(
    f"""
    SELECT handle, key_id, tenant_key_version, wrapped FROM vault_subject_key
    WHERE {_BEFORE} AND handle > :after ORDER BY handle LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
    """  # noqa: S608, constants
)
_FIRST: Final = Handle(UUID(int=0))
_PUT_SUBJECT_KEYS: Final = text(
    """
    UPDATE vault_subject_key AS kept SET tenant_key_version = new.version, wrapped = decode(new.wrapped, 'hex')
    FROM json_to_recordset(CAST(:rows AS json)) AS new (handle uuid, version integer, wrapped text)
    WHERE kept.tenant = :tenant AND kept.handle = new.handle
    """
)
_HELD_TENANT_KEYS: Final = text(
    "SELECT version FROM vault_tenant_key WHERE tenant = :tenant AND version = ANY(:versions) FOR UPDATE"
)
_REMOVE_TENANT_KEYS: Final = text(
    """
    DELETE FROM vault_tenant_key AS key WHERE tenant = :tenant AND version = ANY(:versions) AND NOT EXISTS (
        SELECT FROM vault_subject_key WHERE tenant = :tenant AND tenant_key_version = key.version
    ) RETURNING version
    """
)
_REMOVE_SECRET_KEYS: Final = text(
    """
    DELETE FROM vault_secret_key WHERE tenant = :tenant AND kind = :kind AND field = :field AND version = ANY(:versions)
    RETURNING version
    """
)

_LACKING: Final = """
    FROM vault_index AS old WHERE tenant = :tenant AND field = :field AND index_version < :version AND NOT EXISTS (
        SELECT FROM vault_index WHERE tenant = :tenant AND handle = old.handle AND field = :field
            AND label = old.label AND index_version = :version
    )
"""
_UNINDEXED: Final = text(
    f"SELECT DISTINCT handle, label {_LACKING} AND (handle, label) > (:handle, :label) ORDER BY handle, label "
    "LIMIT :limit"
)
_COUNT_UNINDEXED: Final = text(f"SELECT count(*) FROM (SELECT DISTINCT handle, label {_LACKING}) AS place")  # noqa: S608
_HOLD: Final = text(
    """
    SELECT handle FROM vault_subject_key
    WHERE tenant = :tenant AND handle = ANY(:handles) AND destroyed_at IS NULL
    ORDER BY handle FOR NO KEY UPDATE SKIP LOCKED
    """
)
_DROPPED: Final = 10_000
"""Entries that go at once."""
_DROP_ENTRIES: Final = text(
    """
    DELETE FROM vault_index WHERE tenant = :tenant AND ctid = ANY(ARRAY(
        SELECT ctid FROM vault_index
        WHERE tenant = :tenant AND field = :field AND index_version < :before LIMIT :most
    ))
    """
)
_UNINDEX: Final = text("DELETE FROM vault_index WHERE tenant = :tenant AND handle = :handle")
_FORGET_TOKENS: Final = text("DELETE FROM vault_token WHERE tenant = :tenant AND handle = :handle")


class SqlRotationStore:
    """Replaces keys; rows never leave this class.

    Never commits: the transaction that built the store does.
    """

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def root_uses(self) -> Sequence[RootUse]:
        found = await self._connection.execute(_ROOT_USES)
        return [RootUse(ring=ring, version=version, keys=keys) for ring, version, keys in found]

    async def root_samples(self) -> Sequence[tuple[RootUse, RootWrapped]]:
        return [
            (
                RootUse(ring=row["ring"], version=row["version"], keys=row["keys"]),
                RootWrapped(
                    context=KeyContext(
                        tenant=TenantId(row["tenant"]),
                        purpose=KeyPurpose(row["kind"]),
                        version=row["key_version"],
                        field=row["field"],
                    ),
                    wrapped=Wrapped(ring=row["ring"], version=row["version"], body=row["wrapped"]),
                ),
            )
            for row in (await self._connection.execute(_ROOT_SAMPLES)).mappings()
        ]

    async def under_root(self) -> Sequence[RootWrapped]:
        found = await self._connection.execute(_UNDER_ROOT, {"tenant": self._tenant})
        return [
            RootWrapped(
                context=KeyContext(
                    tenant=self._tenant, purpose=KeyPurpose(row.kind), version=row.version, field=row.field
                ),
                wrapped=Wrapped(ring=row.ring, version=row.ring_version, body=row.wrapped),
            )
            for row in found
        ]

    async def put_under_root(self, key: RootWrapped, wrapped: Wrapped) -> bool:
        context = key.context
        place = {"tenant": self._tenant, "number": context.version}
        if context.purpose is not KeyPurpose.TENANT:
            place |= {"kind": context.purpose.value, "field": context.field}
        done = await self._connection.execute(
            _PUT_TENANT_KEY if context.purpose is KeyPurpose.TENANT else _PUT_SECRET_KEY,
            {
                **place,
                "ring": wrapped.ring,
                "version": wrapped.version,
                "body": wrapped.body,
                "before": key.wrapped.version,
                "was": key.wrapped.body,
            },
        )
        return done.rowcount == 1

    async def versions(self, purpose: KeyPurpose | None = None, field: str | None = None) -> Sequence[KeyVersion]:
        wanted = {"tenant": self._tenant, "kind": purpose and purpose.value, "field": field}
        return [
            KeyVersion(
                purpose=KeyPurpose(kind), field=name, version=version, root=root, created_at=created_at, uses=uses
            )
            for kind, name, version, root, created_at, uses in await self._connection.execute(_VERSIONS, wanted)
        ]

    async def subject_keys_before(
        self, version: int, *, after: Handle | None, limit: int
    ) -> Mapping[Handle, StoredSubjectKey]:
        found = await self._connection.execute(
            _NEXT, {"tenant": self._tenant, "version": version, "after": after or _FIRST, "limit": limit}
        )
        return {
            Handle(handle): StoredSubjectKey(id=key_id, tenant_key_version=under, wrapped=wrapped)
            for handle, key_id, under, wrapped in found
        }

    async def count_before(self, version: int) -> int:
        found = await self._connection.execute(_COUNT_BEFORE, {"tenant": self._tenant, "version": version})
        return int(found.scalar_one())

    async def put_subject_keys(self, keys: Mapping[Handle, StoredSubjectKey]) -> None:
        if not keys:
            return
        rows = [
            {"handle": handle, "version": key.tenant_key_version, "wrapped": key.wrapped.hex()}
            for handle, key in keys.items()
        ]
        await self._connection.execute(
            _PUT_SUBJECT_KEYS, {"tenant": self._tenant, "rows": msgspec.json.encode(rows).decode()}
        )

    async def remove(self, purpose: KeyPurpose, field: str, versions: Collection[int]) -> Sequence[int]:
        place = {"tenant": self._tenant, "versions": list(versions)}
        if purpose is KeyPurpose.TENANT:
            # Waits for those who put a subject key under one of them just now, so that the next statement sees it.
            await self._connection.execute(_HELD_TENANT_KEYS, place)
            removed = await self._connection.execute(_REMOVE_TENANT_KEYS, place)
        else:
            removed = await self._connection.execute(
                _REMOVE_SECRET_KEYS, {**place, "kind": purpose.value, "field": field}
            )
        return sorted(removed.scalars())

    async def unindexed(self, field: str, version: int, *, after: Place | None, limit: int) -> Sequence[Place]:
        wanted = {"tenant": self._tenant, "field": field, "version": version, "limit": limit}
        start = (
            {"handle": _FIRST, "label": ""} if after is None else {"handle": after.handle, "label": after.name.label}
        )
        found = await self._connection.execute(_UNINDEXED, {**wanted, **start})
        return [Place(Handle(handle), Name(field, label)) for handle, label in found]

    async def count_unindexed(self, field: str, version: int) -> int:
        found = await self._connection.execute(
            _COUNT_UNINDEXED, {"tenant": self._tenant, "field": field, "version": version}
        )
        return int(found.scalar_one())

    async def hold(self, handles: Collection[Handle]) -> AbstractSet[Handle]:
        held = await self._connection.execute(_HOLD, {"tenant": self._tenant, "handles": list(handles)})
        return {Handle(handle) for handle in held.scalars()}

    async def drop_entries(self, field: str, *, before: int) -> bool:
        dropped = await self._connection.execute(
            _DROP_ENTRIES, {"tenant": self._tenant, "field": field, "before": before, "most": _DROPPED}
        )
        return dropped.rowcount < _DROPPED

    async def unlink(self, handle: Handle) -> None:
        for forget in (_UNINDEX, _FORGET_TOKENS):
            await self._connection.execute(forget, {"tenant": self._tenant, "handle": handle})
