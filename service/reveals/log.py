"""The log of reveals on PostgreSQL, written in groups.

All reveals of one event-loop turn and tenant, and their audit entries, become one transaction: the statements travel
in one pipeline with the tenant's setting, which PostgreSQL treats as one.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import starmap
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg_pool import AsyncConnectionPool

from service.audit import AuditEvent, Draft, Entry
from service.db import TENANT_SETTING, Coalescer, lease
from service.kernel import Caller, NewId, TenantId
from service.reveals.domain import Revealed, commitment
from service.wire import exchange

AuditStatement = Callable[[Sequence[Entry]], tuple[str, Mapping[str, Any]]]
"""The SQL, and its named parameters, that adds one tenant's entries to the audit log."""

_ENTER: Final = f"SELECT set_config('{TENANT_SETTING}', %(tenant)s, true)"
_REVEALS: Final = """
    INSERT INTO reveal (tenant, id, handle, fields, masked, purpose, channel, decision, approval, at, actor, nonce)
    SELECT %(tenant)s, id, handle, fields, masked, purpose, channel, decision, approval, at, actor, decode(nonce, 'hex')
    FROM json_to_recordset(%(rows)s::json) AS row (
        id uuid, handle uuid, fields jsonb, masked jsonb, purpose text, channel text, decision uuid, approval uuid,
        at timestamptz, actor text, nonce text)
"""


class _Told(Struct, frozen=True, kw_only=True, eq=False):
    reveals: Sequence[Revealed]
    by: Caller


class SqlRevealLog:
    """Appends reveals, durable before `append` returns. Those who wait while others are stored go together."""

    def __init__(self, pool: AsyncConnectionPool, audit: AuditStatement, new_id: NewId) -> None:
        self._pool = pool
        self._audit = audit
        self._new_id = new_id
        self._coalesced: Coalescer[_Told, BaseException] = Coalescer(self._flush)

    async def append(self, reveals: Sequence[Revealed], *, by: Caller) -> None:
        if not reveals:
            return
        if (failure := await self._coalesced(_Told(reveals=reveals, by=by))) is not None:
            raise failure

    async def _flush(self, group: Sequence[_Told]) -> Mapping[_Told, BaseException]:
        """Store each tenant's reveals by themselves: a tenant doesn't fail with another."""
        tenants: dict[TenantId, list[_Told]] = {}
        for told in group:
            tenants.setdefault(told.by.tenant, []).append(told)
        failures = await asyncio.gather(*starmap(self._store, tenants.items()), return_exceptions=True)
        return {
            told: failure
            for each, failure in zip(tenants.values(), failures, strict=True)
            if failure is not None
            for told in each
        }

    async def _store(self, tenant: TenantId, group: Sequence[_Told]) -> None:
        audit, entries = self._audit([self._entry(reveal, told.by) for told in group for reveal in told.reveals])
        rows = _json(_row(reveal) for told in group for reveal in told.reveals)
        about = {"tenant": tenant, "rows": rows}
        async with lease(self._pool) as connection:
            await exchange(connection, [(_ENTER, about), (_REVEALS, about), (audit, entries)])

    def _entry(self, reveal: Revealed, by: Caller) -> Entry:
        draft = Draft(
            event=AuditEvent.VAULT_REVEALED,
            object_id=str(reveal.id),
            subject=reveal.handle,
            commitment=commitment(reveal, by.tenant),
        )
        return Entry.of(draft, by=by, entry_id=self._new_id(), at=reveal.at)


def _json(rows: Iterable[dict[str, Any]]) -> str:
    return msgspec.json.encode(list(rows)).decode()


def _row(reveal: Revealed) -> dict[str, Any]:
    return {**msgspec.structs.asdict(reveal), "nonce": reveal.nonce.hex()}
