from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.exports.domain import (
    AGREE_WITHIN,
    ATTEMPTS,
    LEASE,
    UNDER_WAY,
    Claimed,
    Export,
    Filter,
    Made,
    Order,
    State,
    Wanted,
)
from service.exports.tables import audit_export, audit_filter
from service.kernel import TenantId

_WORN_OUT: Final = "whoever wrote this export was ended by it"
_BUSY: Final = (State.WAITING.value, State.RUNNING.value)
_MEMBERS: Final = [name for name in Export.__struct_fields__ if name not in {"order", "made", "state"}]
_order: Final = msgspec.json.Decoder(Order)
_made: Final = msgspec.json.Decoder(Made)
_wanted: Final = msgspec.json.Decoder(Wanted)


class SqlExportStore:
    """Keeps exports and saved filters. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def add(self, export: UUID, order: Order, state: State, *, at: datetime, actor: str, request: str) -> None:
        row = {"id": export, "plan": msgspec.json.encode(order), "created_at": at, "actor": actor, "request": request}
        await self._connection.execute(insert(audit_export).values(tenant=self._tenant, state=state.value, **row))

    async def unfinished(self, since: datetime) -> int:
        row = audit_export.c
        fresh = and_(row.state == State.UNAPPROVED.value, row.created_at > since)
        wanted = select(func.count()).where(row.tenant == self._tenant, or_(row.state.in_(_BUSY), fresh))
        return int(await self._connection.scalar(wanted) or 0)

    async def find(self, export: UUID, *, hold: bool = False) -> Export | None:
        row = audit_export.c
        wanted = select(audit_export).where(row.tenant == self._tenant, row.id == export)
        found = await self._connection.execute(wanted.with_for_update() if hold else wanted)
        known = found.mappings().one_or_none()
        return None if known is None else _export(known)

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Export]:
        row = audit_export.c
        wanted = select(audit_export).where(row.tenant == self._tenant)
        if before is not None:
            wanted = wanted.where(row.id < before)
        # ids begin with the time
        found = await self._connection.execute(wanted.order_by(row.id.desc()).limit(limit))
        return [_export(known) for known in found.mappings()]

    async def approve(self, export: UUID, *, actor: str, at: datetime) -> None:
        await self._set(export, state=State.WAITING.value, approved_by=actor, approved_at=at)

    async def settle(self, export: UUID, state: State, *, at: datetime) -> None:
        await self._set(export, state=state.value, runner=None, beat_at=at, link_hash=None)

    async def claim(self, runner: UUID, now: datetime) -> Claimed | None:
        row = audit_export.c
        forgotten = and_(row.state == State.RUNNING.value, row.beat_at < now - LEASE)
        while True:
            found = await self._connection.execute(
                select(row.id, row.plan, row.actor, row.request, row.attempts)
                .where(row.tenant == self._tenant, or_(row.state == State.WAITING.value, forgotten))
                .order_by(row.created_at, row.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            known = found.one_or_none()
            if known is None:
                return None
            if known.attempts < ATTEMPTS:
                break
            await self._set(known.id, state=State.FAILED.value, fault=_WORN_OUT, runner=None, beat_at=now)
        began = {"runner": runner, "beat_at": now, "attempts": known.attempts + 1, "done": 0, "total": None}
        await self._set(known.id, state=State.RUNNING.value, **began)
        return Claimed(
            id=known.id, runner=runner, order=_order.decode(known.plan), actor=known.actor, request=known.request
        )

    async def advance(self, export: UUID, runner: UUID, *, done: int, total: int | None, now: datetime) -> bool:
        return await self._set(export, runner, done=done, total=total, beat_at=now)

    async def end(self, export: UUID, runner: UUID, made: Made, *, now: datetime, expires_at: datetime) -> bool:
        counted = {"done": made.entries, "total": made.entries, "made": msgspec.json.encode(made)}
        return await self._set(export, runner, state=State.DONE.value, beat_at=now, expires_at=expires_at, **counted)

    async def fail(self, export: UUID, runner: UUID, fault: str, now: datetime) -> None:
        await self._set(export, runner, state=State.FAILED.value, fault=fault, beat_at=now)

    async def release(self, export: UUID, runner: UUID) -> None:
        row = audit_export.c
        await self._set(export, runner, state=State.WAITING.value, runner=None, attempts=row.attempts - 1)

    async def over(self, now: datetime) -> Sequence[UUID]:
        row = audit_export.c
        late = and_(row.state == State.DONE.value, row.expires_at <= now)
        forgotten = and_(row.state == State.UNAPPROVED.value, row.created_at <= now - AGREE_WITHIN)
        wanted = select(row.id).where(row.tenant == self._tenant, or_(late, forgotten))
        return list(await self._connection.scalars(wanted.with_for_update(skip_locked=True)))

    async def with_work(self, now: datetime) -> Sequence[TenantId]:
        row = audit_export.c
        late = and_(row.state == State.DONE.value, row.expires_at <= now)
        wanted = select(row.tenant).where(or_(row.state.in_([state.value for state in UNDER_WAY]), late)).distinct()
        return [TenantId(tenant) for tenant in await self._connection.scalars(wanted.order_by(row.tenant))]

    async def link(self, export: UUID, digest: bytes, *, actor: str, expires_at: datetime) -> None:
        await self._set(export, link_hash=digest, link_by=actor, link_expires_at=expires_at)

    async def linked(self, export: UUID, digest: bytes) -> tuple[str, datetime] | None:
        row = audit_export.c
        found = await self._connection.execute(
            select(row.link_by, row.link_expires_at).where(
                row.tenant == self._tenant, row.id == export, row.link_hash == digest
            )
        )
        known = found.one_or_none()
        return None if known is None else (known.link_by, known.link_expires_at)

    async def put_filter(self, kept: Filter) -> bool:
        row = audit_filter.c
        wanted = {"wanted": msgspec.json.encode(kept.wanted), "stored_at": kept.stored_at, "actor": kept.actor}
        new = await self._connection.scalar(
            select(func.count()).where(row.tenant == self._tenant, row.name == kept.name)
        )
        stored = upsert(audit_filter).values(tenant=self._tenant, name=kept.name, **wanted)
        await self._connection.execute(stored.on_conflict_do_update(index_elements=[row.tenant, row.name], set_=wanted))
        return not new

    async def filters(self, *, after: str | None = None, limit: int = 1, name: str | None = None) -> Sequence[Filter]:
        row = audit_filter.c
        wanted = select(row.name, row.wanted, row.stored_at, row.actor).where(row.tenant == self._tenant)
        if after is not None:
            wanted = wanted.where(row.name > after)
        if name is not None:
            wanted = wanted.where(row.name == name)
        found = await self._connection.execute(wanted.order_by(row.name).limit(limit))
        return [
            Filter(name=known.name, wanted=_wanted.decode(known.wanted), stored_at=known.stored_at, actor=known.actor)
            for known in found
        ]

    async def drop_filter(self, name: str) -> bool:
        row = audit_filter.c
        gone = delete(audit_filter).where(row.tenant == self._tenant, row.name == name).returning(row.name)
        return (await self._connection.execute(gone)).first() is not None

    async def _set(self, export: UUID, holder: UUID | None = None, /, **values: Any) -> bool:
        """Change what moves, of an export in the hands of `holder`; return whether it still is."""
        row = audit_export.c
        changed = update(audit_export).where(row.tenant == self._tenant, row.id == export)
        if holder is not None:
            changed = changed.where(row.runner == holder, row.state == State.RUNNING.value)
        found = await self._connection.execute(changed.values(**values).returning(row.id))
        return found.first() is not None


def _export(known: Mapping[Any, Any]) -> Export:
    members = {name: known[name] for name in _MEMBERS}
    made = None if known["made"] is None else _made.decode(known["made"])
    return Export(**members, state=State(known["state"]), order=_order.decode(known["plan"]), made=made)
