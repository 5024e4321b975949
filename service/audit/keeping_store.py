from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.audit.keeping import Content, Hold, Step, Trace
from service.audit.tables import audit_hold
from service.kernel import Caller, Contended, Handle, TenantId
from service.trips import Trips

_STEP: Final = """
    SELECT removed, held, last
    FROM {}(:tenant, :ended_by, :limit, :dry, :after, :entry, CAST(:request AS uuid), :actor)
"""
_STEPS: Final = {
    Content.DECISION: text(_STEP.format("expire_decisions")),
    Content.BATCH: text(_STEP.format("expire_batches")),
    Content.FACTS: text(_STEP.format("expire_facts")),
    Content.SUBJECT: text(_STEP.format("expire_versions")),
    Content.REQUEST: text(_STEP.format("expire_requests")),
    Content.EVENT: text(_STEP.format("expire_events")),
}
_TRACES: Final = """
    SELECT trace.* FROM string_to_table(%(ids)s, ',') AS asked (id)
    CROSS JOIN LATERAL (
        SELECT id, handle, at FROM expired
        WHERE tenant = %(tenant)s AND kind = %(kind)s AND id = asked.id::uuid OFFSET 0
    ) AS trace
"""
_WENT: Final = """
    SELECT true FROM expired
    WHERE tenant = %(tenant)s AND kind = %(kind)s AND handle = %(handle)s
        AND at >= %(since)s::timestamptz AND at <= %(until)s
    LIMIT 1
"""


class SqlContentStore:
    """Removes content by the functions that may, as the worker's role.

    Never commits: the transaction that built the store does.
    """

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def tenants(self) -> Sequence[TenantId]:
        found = await self._connection.scalars(text("SELECT * FROM tenants_with_content()"))
        return [TenantId(tenant) for tenant in found]

    async def expire(
        self, content: Content, ended_by: datetime, *, after: str, limit: int, dry: bool, entry: UUID, by: Caller
    ) -> Step:
        told = {"limit": limit, "dry": dry, "after": after, "entry": entry, "request": by.request, "actor": by.actor}
        found = await self._connection.execute(_STEPS[content], {"tenant": self._tenant, "ended_by": ended_by, **told})
        removed, held, last = found.one()
        return Step(removed=removed, held=held, last=last or "")


class SqlTraces:
    """Reads what is left of content that went."""

    def __init__(self, ask: Trips, tenant: TenantId) -> None:
        self._ask = ask
        self._tenant = tenant

    async def of(self, content: Content, ids: Collection[UUID]) -> Mapping[UUID, Trace]:
        wanted = {"tenant": self._tenant, "kind": content.value, "ids": ",".join(map(str, ids))}
        return {
            id_: Trace(id=id_, handle=None if handle is None else Handle(handle), at=at)
            for id_, handle, at in await self._ask(_TRACES, wanted)
        }

    async def of_person(self, content: Content, handle: Handle, until: datetime, since: datetime | None = None) -> bool:
        when = {"since": since or "-infinity", "until": until}
        wanted = {"tenant": self._tenant, "kind": content.value, "handle": handle, **when}
        return bool(await self._ask(_WENT, wanted))


class SqlHoldStore:
    """Keeps holds. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def lock(self, name: str) -> Hold | None:
        row = audit_hold.c
        wanted = select(audit_hold).where(row.tenant == self._tenant, row.name == name)
        found = (await self._connection.execute(wanted.with_for_update())).one_or_none()
        return None if found is None else _hold(found)

    async def put(self, hold: Hold) -> None:
        values = {**msgspec.structs.asdict(hold), "reason": hold.reason.value, "tenant": self._tenant}
        row = audit_hold.c
        stored = await self._connection.execute(
            insert(audit_hold)
            .values(values)
            .on_conflict_do_update(
                index_elements=["tenant", "name"],
                set_={name: value for name, value in values.items() if name not in ("tenant", "name")},
                where=row.lifted_at.is_not(None) if hold.lifted_at is None else None,
            )
            .returning(row.name)
        )
        if stored.first() is None:
            raise Contended("somebody placed a hold of this name at the same moment")

    async def over(self, handles: Collection[Handle]) -> Sequence[Hold]:
        row = audit_hold.c
        wanted = select(audit_hold).where(
            row.tenant == self._tenant, row.lifted_at.is_(None), or_(row.handle.is_(None), row.handle.in_(handles))
        )
        return [_hold(each) for each in await self._connection.execute(wanted.order_by(row.name))]

    async def page(self, *, after: str | None, limit: int) -> Sequence[Hold]:
        row = audit_hold.c
        wanted = select(audit_hold).where(row.tenant == self._tenant)
        if after is not None:
            wanted = wanted.where(row.name > after)
        return [_hold(each) for each in await self._connection.execute(wanted.order_by(row.name).limit(limit))]


def _hold(row: Row[*tuple[object, ...]]) -> Hold:
    return msgspec.convert(row, Hold, from_attributes=True)
