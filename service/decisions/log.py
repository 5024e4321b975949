"""The decision log on PostgreSQL, written in groups.

All decisions of one event-loop turn and tenant become one transaction: the facts
and verdicts that this process hasn't stored yet, the decisions, and their audit
entries. The statements travel in one pipeline with the tenant's setting, which
PostgreSQL treats as one transaction: a statement that fails undoes them all.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import starmap
from typing import Any, Final

import msgspec
from psycopg_pool import AsyncConnectionPool

from service.audit import NOBODYS, AuditEvent, Draft, Entry, Secret
from service.db import TENANT_SETTING, Coalescer, lease
from service.decisions.domain import Stored
from service.decisions.offered import Offered
from service.decisions.permits import Permit
from service.decisions.ports import Logged
from service.kernel import NewId, TenantId
from service.wire import Statement, exchange

AuditStatement = Callable[[Sequence[Entry]], tuple[str, Mapping[str, Any]]]
"""The SQL, and its named parameters, that adds one tenant's entries to the audit log."""

_ENTER: Final = f"SELECT set_config('{TENANT_SETTING}', %(tenant)s, true)"
_OWN: Final = "SELECT secret FROM commitment_secret WHERE tenant = %(tenant)s AND handle = %(handle)s"
_FACTS: Final = """
    INSERT INTO facts (tenant, hash, body)
    SELECT %(tenant)s, decode(hash, 'hex'), body FROM json_to_recordset(%(rows)s::json) AS row (hash text, body text)
    ORDER BY hash
    ON CONFLICT DO NOTHING
"""
_VERDICTS: Final = """
    INSERT INTO verdict (tenant, revision, facts_hash, body)
    SELECT %(tenant)s, revision, decode(hash, 'hex'), body
    FROM json_to_recordset(%(rows)s::json) AS row (revision text, hash text, body text)
    ORDER BY revision, hash
    ON CONFLICT DO NOTHING
"""
_DECISIONS: Final = """
    INSERT INTO decision (tenant, id, handle, channel, purpose, at, decided_at, permit, revision, overlay_version,
                          facts_hash, verdict_hash, records, retry_after, valid_until, actor, request)
    SELECT %(tenant)s, id, handle, channel, purpose, at, decided_at, permit, revision, overlay_version,
           decode(facts_hash, 'hex'), decode(verdict_hash, 'hex'), records, retry_after, valid_until, actor, request
    FROM json_to_recordset(%(rows)s::json) AS row (
        id uuid, handle uuid, channel text, purpose text, at timestamptz, decided_at timestamptz, permit boolean,
        revision text, overlay_version integer, facts_hash text, verdict_hash text, records uuid[],
        retry_after text, valid_until timestamptz, actor text, request text)
"""
_PERMITS: Final = """
    INSERT INTO permit (tenant, jti, handle, decision, stamp, kid, issued_at, expires_at)
    SELECT %(tenant)s, jti, handle, decision, decode(stamp, 'hex'), kid, issued_at, expires_at
    FROM json_to_recordset(%(rows)s::json) AS row (
        jti uuid, handle uuid, decision uuid, stamp text, kid text, issued_at timestamptz, expires_at timestamptz)
"""


class SqlDecisionLog:
    """Appends decisions, each durable before `append` returns."""

    def __init__(self, pool: AsyncConnectionPool, audit: AuditStatement, new_id: NewId) -> None:
        self._pool = pool
        self._audit = audit
        self._new_id = new_id
        self._stored = Offered()
        self._secrets: dict[TenantId, Secret] = {}
        """Of tenants. They are never destroyed."""
        self._coalesced: Coalescer[Logged, BaseException] = Coalescer(self._flush)

    async def append(self, logged: Logged) -> None:
        if (failure := await self._coalesced(logged)) is not None:
            raise failure

    async def _flush(self, group: Sequence[Logged]) -> Mapping[Logged, BaseException]:
        """Store each tenant's decisions by themselves: a tenant waits for no other's, and doesn't fail with them."""
        tenants: dict[TenantId, list[Logged]] = {}
        for logged in group:
            tenants.setdefault(logged.by.tenant, []).append(logged)
        failures = await asyncio.gather(*starmap(self._store, tenants.items()), return_exceptions=True)
        return {
            logged: failure
            for decisions, failure in zip(tenants.values(), failures, strict=True)
            if failure is not None
            for logged in decisions
        }

    async def _store(self, tenant: TenantId, decisions: Sequence[Logged]) -> None:
        new = {
            key: logged
            for logged in decisions
            if (key := (tenant, logged.decision.revision, logged.judged.facts_hash)) not in self._stored
        }
        own = self._secrets.get(tenant)
        if own is None and any(logged.decision.handle is None for logged in decisions):
            own = await self._own(tenant)
        permitted = [(logged, logged.permit) for logged in decisions if logged.permit is not None]
        issued = [self._issued(logged, permit) for logged, permit in permitted]
        audit, entries = self._audit([*(self._entry(logged, own) for logged in decisions), *issued])
        statements: list[Statement] = [(_ENTER, {"tenant": tenant})]
        if new:
            statements += [
                (_FACTS, {"tenant": tenant, "rows": _json(map(_facts, new.values()))}),
                (_VERDICTS, {"tenant": tenant, "rows": _json(map(_verdict, new.values()))}),
            ]
        statements += [(_DECISIONS, {"tenant": tenant, "rows": _json(map(_row, decisions))}), (audit, entries)]
        if permitted:
            statements.append((_PERMITS, {"tenant": tenant, "rows": _json(_kept(permit) for _, permit in permitted)}))
        async with lease(self._pool) as connection:
            await exchange(connection, statements)
        # Only now is it known that they are stored.
        self._stored.remember(new)

    async def _own(self, tenant: TenantId) -> Secret | None:
        """Return the tenant's secret, for decisions about people whom nobody has told us about."""
        async with lease(self._pool) as connection:
            about = {"tenant": tenant, "handle": NOBODYS}
            _, found = await exchange(connection, [(_ENTER, about), (_OWN, about)])
        for (secret,) in found:
            self._secrets[tenant] = Secret(secret)
        return self._secrets.get(tenant)

    def _entry(self, logged: Logged, own: Secret | None) -> Entry:
        decision = logged.decision
        draft = Draft(
            event=AuditEvent.DECISION_MADE,
            object_id=str(decision.id),
            subject=decision.handle,
            payload=_to_stored(logged).payload(logged.judged.facts_hash),
        )
        secret = own if decision.handle is None else logged.secret
        return Entry.of(draft, by=logged.by, entry_id=self._new_id(), at=decision.decided_at, secret=secret)

    def _issued(self, logged: Logged, permit: Permit) -> Entry:
        draft = Draft(event=AuditEvent.PERMIT_ISSUED, object_id=str(permit.jti), subject=permit.handle)
        return Entry.of(draft, by=logged.by, entry_id=self._new_id(), at=permit.issued_at)


def _json(rows: Iterable[dict[str, Any]]) -> str:
    return msgspec.json.encode(list(rows)).decode()


def _kept(permit: Permit) -> dict[str, Any]:
    return msgspec.structs.asdict(permit) | {"stamp": permit.stamp.hex()}


def _facts(logged: Logged) -> dict[str, Any]:
    return {"hash": logged.judged.facts_hash.hex(), "body": logged.facts.decode()}


def _verdict(logged: Logged) -> dict[str, Any]:
    return {
        "revision": logged.decision.revision,
        "hash": logged.judged.facts_hash.hex(),
        "body": logged.judged.body.decode(),
    }


def _to_stored(logged: Logged) -> Stored:
    """Return the decision as it will be read."""
    decision = logged.decision
    return Stored(
        id=decision.id,
        handle=decision.handle,
        channel=decision.channel,
        purpose=decision.purpose,
        at=decision.at,
        decided_at=decision.decided_at,
        permit=decision.permit,
        revision=decision.revision,
        overlay_version=decision.overlay,
        facts=logged.facts,
        verdict=logged.judged.body,
        records=decision.records,
        retry_after=None if decision.retry_after is None else decision.retry_after.isoformat(),
        valid_until=decision.valid_until,
        actor=logged.by.actor,
    )


def _row(logged: Logged) -> dict[str, Any]:
    decision = logged.decision
    return {
        "id": decision.id,
        "handle": decision.handle,
        "channel": decision.channel,
        "purpose": decision.purpose,
        "at": decision.at,
        "decided_at": decision.decided_at,
        "permit": decision.permit,
        "revision": decision.revision,
        "overlay_version": decision.overlay,
        "facts_hash": logged.judged.facts_hash.hex(),
        "verdict_hash": logged.judged.body_hash.hex(),
        "records": decision.records,
        "retry_after": None if decision.retry_after is None else decision.retry_after.isoformat(),
        "valid_until": decision.valid_until,
        "actor": logged.by.actor,
        "request": logged.by.request,
    }
