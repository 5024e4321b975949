from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.doors.domain import Door, Taken
from service.doors.ports import Agent, Callback
from service.doors.tables import door_agent, door_callback, door_request
from service.downstreams import Fault
from service.kernel import TenantId

_DUE: Final = text("SELECT tenant FROM door_due(:now)")
_CLAIM: Final = text(
    """
    SELECT callback.id FROM door_callback AS callback
    JOIN request ON request.tenant = callback.tenant AND request.id = callback.request
    WHERE callback.tenant = :tenant AND NOT callback.ended AND request.version > callback.told
        AND (callback.next_at IS NULL OR callback.next_at <= :now)
    ORDER BY callback.next_at NULLS FIRST, callback.id LIMIT :most FOR UPDATE OF callback SKIP LOCKED
    """
)
_OF_REQUEST: Final = [door_request.c[name] for name in Taken.__struct_fields__]
_OF_AGENT: Final = [door_agent.c[name] for name in Agent.__struct_fields__]
_OF_CALLBACK: Final = [door_callback.c[name] for name in Callback.__struct_fields__]


class SqlDoorStore:
    """Keeps what came through doors. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def find(self, door: Door, sender: str, reference: bytes) -> Taken | None:
        row = door_request.c
        return await self._one(row.door == door.value, row.sender == sender, row.reference == reference)

    async def read(self, request: UUID) -> Taken | None:
        return await self._one(door_request.c.id == request)

    async def add(self, taken: Taken, callbacks: Sequence[Callback]) -> bool:
        members = {name: getattr(taken, name) for name in Taken.__struct_fields__}
        stored = await self._connection.execute(
            upsert(door_request)
            .values(**{**members, "door": taken.door.value}, tenant=self._tenant)
            .on_conflict_do_nothing()
            .returning(door_request.c.id)
        )
        if stored.first() is None:
            return False
        if callbacks:
            rows = [{name: getattr(each, name) for name in Callback.__struct_fields__} for each in callbacks]
            await self._connection.execute(insert(door_callback), [{**row, "tenant": self._tenant} for row in rows])
        return True

    async def revoke(self, request: UUID, message: bytes) -> bool:
        row, other = door_request.c, door_request.alias().c
        same = select(other.id).where(
            other.tenant == self._tenant, other.sender == row.sender, other.revoked_by == message, other.id != request
        )
        noted = await self._connection.execute(
            update(door_request)
            .where(row.tenant == self._tenant, row.id == request, ~same.exists())
            .values(revoked_by=message)
            .returning(row.id)
        )
        return noted.first() is not None

    async def due(self, now: datetime) -> Sequence[TenantId]:
        return [TenantId(tenant) for tenant in await self._connection.scalars(_DUE, {"now": now})]

    async def claim(self, now: datetime, again_at: datetime, *, most: int) -> Sequence[Callback]:
        row = door_callback.c
        ids = list(await self._connection.scalars(_CLAIM, {"tenant": self._tenant, "now": now, "most": most}))
        taken = (
            update(door_callback)
            .where(row.tenant == self._tenant, row.id.in_(ids))
            .values(attempts=row.attempts + 1, next_at=again_at)
            .returning(*_OF_CALLBACK)
        )
        return [_callback(known) for known in await self._connection.execute(taken)]

    async def told(self, callback: UUID, version: int, said: str, *, final: bool) -> None:
        await self._set(callback, told=version, said=said, attempts=0, next_at=None, fault=None, ended=final)

    async def failed(self, callback: UUID, fault: Fault, again_at: datetime) -> None:
        await self._set(callback, fault=fault.value, next_at=again_at)

    async def lost(self, callback: UUID, fault: Fault, version: int) -> None:
        await self._set(callback, told=version, fault=fault.value, attempts=0, next_at=None)

    async def put_agent(self, agent: Agent) -> bool:
        values = {"token": agent.token, "issued_at": agent.issued_at, "made_at": agent.made_at}
        row = door_agent.c
        stored = await self._connection.execute(
            upsert(door_agent)
            .values(tenant=self._tenant, agent=agent.agent, **values)
            .on_conflict_do_update(
                index_elements=[row.tenant, row.agent], set_=values, where=row.issued_at < agent.issued_at
            )
            .returning(row.agent)
        )
        return stored.first() is not None

    async def agent_with(self, token: bytes) -> Agent | None:
        row = door_agent.c
        wanted = select(*_OF_AGENT).where(row.tenant == self._tenant, row.token == token)
        found = (await self._connection.execute(wanted)).one_or_none()
        return None if found is None else Agent(**{name: getattr(found, name) for name in Agent.__struct_fields__})

    async def _one(self, *conditions: Any) -> Taken | None:
        wanted = select(*_OF_REQUEST).where(door_request.c.tenant == self._tenant, *conditions)
        found = (await self._connection.execute(wanted)).one_or_none()
        if found is None:
            return None
        members = {name: getattr(found, name) for name in Taken.__struct_fields__}
        return Taken(**{**members, "door": Door(found.door)})

    async def _set(self, callback: UUID, **values: Any) -> None:
        row = door_callback.c
        mine = (row.tenant == self._tenant, row.id == callback)
        await self._connection.execute(update(door_callback).where(*mine).values(**values))


def _callback(known: Any) -> Callback:
    return Callback(**{name: getattr(known, name) for name in Callback.__struct_fields__})
