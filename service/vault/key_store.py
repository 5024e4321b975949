from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Table, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Handle, TenantId
from service.trips import Trips
from service.vault.domain import KeyContext, KeyPurpose, StoredKey, StoredSubjectKey, Wrapped
from service.vault.tables import vault_secret_key, vault_tenant_key

_OF_TENANT: Final = """
    SELECT version, ring, ring_version, wrapped FROM vault_tenant_key WHERE tenant = %(tenant)s ORDER BY version DESC
"""
_OF_FIELD: Final = """
    SELECT version, ring, ring_version, wrapped FROM vault_secret_key
    WHERE tenant = %(tenant)s AND kind = %(kind)s AND field = %(field)s ORDER BY version DESC
"""
_HELD: Final = """
    SELECT held.*
    FROM (
        SELECT id::uuid AS handle FROM string_to_table(%(handles)s, ',') AS id ORDER BY handle
    ) AS asked
    CROSS JOIN LATERAL (
        SELECT handle, key_id, tenant_key_version, wrapped, destroyed_at IS NOT NULL AS destroyed
        FROM vault_subject_key WHERE tenant = %(tenant)s AND handle = asked.handle FOR SHARE
    ) AS held
"""
"""FOR KEY SHARE would let destruction pass: it changes no key column. Each is looked up by itself (ADR 0030)."""
_FIND: Final = _HELD.replace("FOR SHARE", "OFFSET 0")

_ADD: Final = """
    WITH alive AS MATERIALIZED (SELECT version FROM vault_tenant_key WHERE tenant = %(tenant)s FOR KEY SHARE)
    INSERT INTO vault_subject_key (tenant, handle, key_id, tenant_key_version, wrapped, created_at)
    SELECT %(tenant)s, handle, decode(key_id, 'hex'), tenant_key_version, decode(wrapped, 'hex'), %(at)s
    FROM json_to_recordset(%(rows)s::json) AS new (
        handle uuid, key_id text, tenant_key_version integer, wrapped text
    )
    JOIN alive ON alive.version = tenant_key_version
    ORDER BY handle
    ON CONFLICT (tenant, handle) DO NOTHING
    RETURNING handle
"""
"""Holds the tenant keys: a version that nothing hangs from must not go while something is hung there."""

_DESTROY: Final = text(
    """
    INSERT INTO vault_subject_key AS kept
        (tenant, handle, key_id, tenant_key_version, wrapped, created_at, destroyed_at)
    VALUES (:tenant, :handle, '', 0, '', :at, :at)
    ON CONFLICT (tenant, handle) DO UPDATE SET wrapped = '', tenant_key_version = 0, destroyed_at = :at
        WHERE kept.destroyed_at IS NULL
    RETURNING kept.key_id <> '' AS was_there
    """
)


class SqlSubjectKeys:
    """Keeps the wrapped keys of people; rows never leave this class.

    Never commits: the transaction that built it does.
    """

    def __init__(self, ask: Trips, tenant: TenantId) -> None:
        self._ask = ask
        self._tenant = tenant

    async def wrapped(self, purpose: KeyPurpose, field: str = "") -> Sequence[StoredKey]:
        query = _OF_TENANT if purpose is KeyPurpose.TENANT else _OF_FIELD
        found = await self._ask(query, {"tenant": self._tenant, "kind": purpose.value, "field": field})
        return [
            StoredKey(version=version, wrapped=Wrapped(ring=ring, version=ring_version, body=body))
            for version, ring, ring_version, body in found
        ]

    async def subject_keys(
        self, handles: Collection[Handle], *, hold: bool = False
    ) -> Mapping[Handle, StoredSubjectKey]:
        found = await self._ask(
            _HELD if hold else _FIND,
            {"tenant": self._tenant, "handles": ",".join(handle.hex for handle in handles)},
        )
        return {
            Handle(handle): StoredSubjectKey(
                id=key_id, tenant_key_version=version, wrapped=wrapped, destroyed=destroyed
            )
            for handle, key_id, version, wrapped, destroyed in found
        }

    async def add_subject_keys(self, keys: Mapping[Handle, StoredSubjectKey], at: datetime) -> AbstractSet[Handle]:
        rows = [
            {
                "handle": handle,
                "key_id": key.id.hex(),
                "tenant_key_version": key.tenant_key_version,
                "wrapped": key.wrapped.hex(),
            }
            for handle, key in keys.items()
        ]
        added = await self._ask(_ADD, {"tenant": self._tenant, "at": at, "rows": msgspec.json.encode(rows).decode()})
        return {Handle(handle) for (handle,) in added}


class SqlKeyStore(SqlSubjectKeys):
    """Keeps all wrapped keys."""

    def __init__(self, connection: AsyncConnection, ask: Trips, tenant: TenantId) -> None:
        super().__init__(ask, tenant)
        self._connection = connection

    async def add_wrapped(self, context: KeyContext, wrapped: Wrapped, at: datetime) -> StoredKey:
        table, where = self._of(context.purpose, context.field)
        await self._connection.execute(
            insert(table)
            .values(
                **where,
                version=context.version,
                ring=wrapped.ring,
                ring_version=wrapped.version,
                wrapped=wrapped.body,
                created_at=at,
            )
            .on_conflict_do_nothing()
        )
        kept = await self.wrapped(context.purpose, context.field)
        return next(key for key in kept if key.version == context.version)

    async def destroy_subject_key(self, handle: Handle, at: datetime) -> bool:
        done = await self._connection.execute(_DESTROY, {"tenant": self._tenant, "handle": handle, "at": at})
        return bool(done.scalar_one_or_none())

    def _of(self, purpose: KeyPurpose, field: str) -> tuple[Table, dict[str, str]]:
        """Return where keys for this purpose lie, and what their rows have in common."""
        if purpose is KeyPurpose.TENANT:
            return vault_tenant_key, {"tenant": self._tenant}
        return vault_secret_key, {"tenant": self._tenant, "kind": purpose.value, "field": field}
