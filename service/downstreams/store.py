from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.downstreams.domain import (
    OWED,
    Downstream,
    Fault,
    IdentityType,
    StoredSecret,
    SystemKind,
    Task,
    TaskKind,
    TaskState,
)
from service.downstreams.ports import Sealed, Work
from service.downstreams.tables import downstream, downstream_message, downstream_secret, downstream_task
from service.kernel import Handle, TenantId

_WITH_WORK: Final = text("SELECT tenant, system FROM downstream_due(:now)")
_OF_SYSTEM: Final = [downstream.c[name] for name in Downstream.__struct_fields__]
_OF_SECRET: Final = [downstream_secret.c[name] for name in StoredSecret.__struct_fields__]
_OF_TASK: Final = [downstream_task.c[name] for name in Task.__struct_fields__]


class SqlDownstreamStore:
    """Keeps systems and their tasks. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def put(self, said: Downstream, *, at: datetime, actor: str) -> Downstream | None:
        row = {
            **msgspec.structs.asdict(said),
            "takes": list(said.takes),
            "identities": list(said.identities),
            "stored_at": at,
            "actor": actor,
        }
        new = upsert(downstream).values(tenant=self._tenant, **row).on_conflict_do_nothing()
        if (await self._connection.execute(new.returning(downstream.c.name))).first() is not None:
            return None
        before = await self.find(said.name, hold=True)
        mine = (downstream.c.tenant == self._tenant, downstream.c.name == row.pop("name"))
        await self._connection.execute(update(downstream).where(*mine).values(**row))
        return before

    async def find(self, name: str, *, hold: bool = False) -> Downstream | None:
        wanted = select(*_OF_SYSTEM).where(downstream.c.tenant == self._tenant, downstream.c.name == name)
        found = await self._connection.execute(wanted.with_for_update() if hold else wanted)
        known = found.one_or_none()
        return None if known is None else _to_system(known)

    async def page(self, *, after: str | None, limit: int) -> Sequence[Downstream]:
        wanted = select(*_OF_SYSTEM).where(downstream.c.tenant == self._tenant)
        if after is not None:
            wanted = wanted.where(downstream.c.name > after)
        found = await self._connection.execute(wanted.order_by(downstream.c.name).limit(limit))
        return [_to_system(known) for known in found]

    async def taking(self, kind: TaskKind) -> Sequence[Downstream]:
        wanted = select(*_OF_SYSTEM).where(downstream.c.tenant == self._tenant, downstream.c.takes.contains([kind]))
        found = await self._connection.execute(wanted.order_by(downstream.c.name).with_for_update(read=True))
        return [_to_system(known) for known in found]

    async def drop(self, name: str) -> None:
        for table, column in (
            (downstream_secret, downstream_secret.c.downstream),
            (downstream_message, downstream_message.c.downstream),
            (downstream, downstream.c.name),
        ):
            await self._connection.execute(delete(table).where(table.c.tenant == self._tenant, column == name))

    async def add_secret(self, name: str, secret: StoredSecret, *, ends_at: datetime) -> None:
        row = downstream_secret.c
        mine = (row.tenant == self._tenant, row.downstream == name)
        await self._connection.execute(delete(downstream_secret).where(*mine, row.ends_at.is_not(None)))
        await self._connection.execute(update(downstream_secret).where(*mine).values(ends_at=ends_at))
        await self._connection.execute(
            insert(downstream_secret).values(tenant=self._tenant, downstream=name, **msgspec.structs.asdict(secret))
        )

    async def secrets(self, name: str, now: datetime) -> Sequence[StoredSecret]:
        row = downstream_secret.c
        wanted = select(*_OF_SECRET).where(
            row.tenant == self._tenant, row.downstream == name, or_(row.ends_at.is_(None), row.ends_at > now)
        )
        found = await self._connection.execute(wanted.order_by(row.ends_at.desc().nulls_first()))
        return [StoredSecret(**known) for known in found.mappings()]

    async def add_tasks(self, tasks: Sequence[Sealed]) -> Sequence[UUID]:
        if not tasks:
            return []
        row = downstream_task.c
        given = [
            {
                **msgspec.structs.asdict(new.task),
                "tenant": self._tenant,
                "sealed": new.sealed,
                "next_at": new.next_at,
            }
            for new in tasks
        ]
        key = [row.tenant, row.request, row.system, row.kind]
        added = upsert(downstream_task).values(given).on_conflict_do_nothing(index_elements=key)
        return list(await self._connection.scalars(added.returning(row.id)))

    async def task(self, task: UUID, *, hold: bool = False) -> Task | None:
        row = downstream_task.c
        wanted = select(*_OF_TASK).where(row.tenant == self._tenant, row.id == task)
        known = (await self._connection.execute(wanted.with_for_update() if hold else wanted)).one_or_none()
        return None if known is None else _to_task(known)

    async def tasks(
        self,
        *,
        states: Collection[TaskState] = (),
        system: str | None = None,
        request: UUID | None = None,
        handles: Collection[Handle] = (),
        after: UUID | None = None,
        limit: int,
    ) -> Sequence[Task]:
        row = downstream_task.c
        wanted = select(*_OF_TASK).where(row.tenant == self._tenant)
        if states:
            wanted = wanted.where(row.state.in_([state.value for state in states]))
        if handles:
            wanted = wanted.where(row.handle.in_(handles))
        for column, value in ((row.system, system), (row.request, request)):
            if value is not None:
                wanted = wanted.where(column == value)
        if after is not None:
            wanted = wanted.where(row.id > after)
        # ids begin with the time
        return [_to_task(known) for known in await self._connection.execute(wanted.order_by(row.id).limit(limit))]

    async def unsettled(self, name: str) -> bool:
        row = downstream_task.c
        owed = (
            select(row.id)
            .where(row.tenant == self._tenant, row.system == name, row.state.in_([state.value for state in OWED]))
            .limit(1)
        )
        return await self._connection.scalar(owed) is not None

    async def sealed(self, tasks: Sequence[UUID]) -> Mapping[UUID, bytes]:
        row = downstream_task.c
        wanted = select(row.id, row.sealed).where(
            row.tenant == self._tenant, row.id.in_(tasks), row.sealed.is_not(None)
        )
        return {known.id: known.sealed for known in await self._connection.execute(wanted)}

    async def settle(self, task: UUID, state: TaskState, ground: str | None, at: datetime) -> None:
        await self._set(task, state=state.value, ground=ground, settled_at=at, next_at=None, sealed=None)

    async def silence(self, task: UUID, fault: Fault | None) -> None:
        values: dict[str, Any] = {"state": TaskState.SILENT.value, "next_at": None}
        await self._set(task, **values, **({} if fault is None else {"fault": fault.value}))

    async def begin_again(self, task: UUID, next_at: datetime | None, silent_at: datetime) -> None:
        again = {"next_at": next_at, "silent_at": silent_at, "attempts": 0, "round": downstream_task.c.round + 1}
        await self._set(task, state=TaskState.OPEN.value, told_at=None, fault=None, **again)

    async def overdue(self, system: str, now: datetime, *, most: int) -> Sequence[Task]:
        row = downstream_task.c
        wanted = select(*_OF_TASK).where(
            row.tenant == self._tenant,
            row.system == system,
            row.state == TaskState.OPEN.value,
            row.silent_at <= now,
        )
        found = await self._connection.execute(
            wanted.order_by(row.silent_at).limit(most).with_for_update(skip_locked=True)
        )
        return [_to_task(known) for known in found]

    async def claim(self, system: str, now: datetime, again_at: datetime, *, most: int) -> Sequence[Sealed]:
        row = downstream_task.c
        due = select(row.id).where(row.tenant == self._tenant, row.system == system, row.next_at <= now)
        mine = due.order_by(row.next_at, row.id).limit(most).with_for_update(skip_locked=True)
        ids = list(await self._connection.scalars(mine))
        taken = (
            update(downstream_task)
            .where(row.tenant == self._tenant, row.id.in_(ids))
            .values(attempts=row.attempts + 1, next_at=again_at)
            .returning(*_OF_TASK, row.sealed, row.next_at)
        )
        found = (await self._connection.execute(taken)).all()
        return [Sealed(task=_to_task(known), sealed=known.sealed, next_at=known.next_at) for known in found]

    async def told(self, task: UUID, at: datetime, again_at: datetime | None) -> None:
        told_at = func.coalesce(downstream_task.c.told_at, at)
        await self._set(task, told_at=told_at, next_at=again_at, attempts=0, fault=None)

    async def failed(self, task: UUID, fault: Fault, again_at: datetime) -> None:
        await self._set(task, fault=fault.value, next_at=again_at)

    async def burn(self, name: str, message: bytes, at: datetime) -> bool:
        kept = upsert(downstream_message).values(tenant=self._tenant, downstream=name, digest=message, at=at)
        new = await self._connection.execute(kept.on_conflict_do_nothing().returning(downstream_message.c.at))
        return new.first() is not None

    async def forget_messages(self, before: datetime) -> None:
        row = downstream_message.c
        await self._connection.execute(delete(downstream_message).where(row.tenant == self._tenant, row.at < before))

    async def with_work(self, now: datetime) -> Sequence[Work]:
        found = await self._connection.execute(_WITH_WORK, {"now": now})
        return [Work(TenantId(tenant), system) for tenant, system in found]

    async def _set(self, task: UUID, **values: Any) -> None:
        """Change what moves, of a task that isn't settled yet."""
        row = downstream_task.c
        owed = (row.tenant == self._tenant, row.id == task, row.settled_at.is_(None))
        await self._connection.execute(update(downstream_task).where(*owed).values(**values))


def _to_system(known: Any) -> Downstream:
    row = {name: getattr(known, name) for name in Downstream.__struct_fields__}
    takes = tuple(TaskKind(kind) for kind in known.takes)
    identities = tuple(IdentityType(each) for each in known.identities)
    return Downstream(**{**row, "kind": SystemKind(known.kind), "takes": takes, "identities": identities})


def _to_task(known: Any) -> Task:
    row = {name: getattr(known, name) for name in Task.__struct_fields__}
    return Task(
        **{**row, "handle": Handle(row["handle"]), "kind": TaskKind(row["kind"]), "state": TaskState(row["state"])}
    )
