"""What a case asks of this slice: tell the systems, and say what became of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from service.audit import AuditEvent, Draft
from service.downstreams.domain import SETTLED, Person, SystemKind, Task, TaskKind, TaskOutcome, TaskState
from service.downstreams.ports import DownstreamTransaction, Sealed
from service.events import Event
from service.kernel import Caller, Clock, Handle, NewId
from service.vault import BoxKey, BoxPlace, SealBox

PEOPLE: Final = "downstream.task"
"""What boxes are called in which it says whom a task is about."""
MOST_TASKS: Final = 10_000
"""Of one request."""


class AssignTasks:
    """Give every system that takes a kind of task one, in the transaction of the case that asks for it."""

    def __init__(self, seal: SealBox, clock: Clock, new_id: NewId, *, patience: timedelta) -> None:
        """`patience` is how long a system may take until it counts as silent."""
        self._seal = seal
        self._clock = clock
        self._new_id = new_id
        self._patience = patience

    async def __call__(
        self,
        tx: DownstreamTransaction,
        key: BoxKey,
        request: UUID,
        handle: Handle,
        kind: TaskKind,
        person: Person,
        *,
        by: Caller,
    ) -> Sequence[UUID]:
        """Return the ids of all tasks of this kind for `request`, in the order of their systems.

        `key` is `KeyAccess.box_key(tenant)`: ask for it before the transaction begins. A system that has its task for
        this request keeps the one it has, so that a step of a case may be repeated. Commit, and no task is lost.
        Of the identities a system is told those that it is registered for.
        """
        now = self._clock()
        tasks = []
        for system in await tx.downstreams.taking(kind):
            id_ = self._new_id()
            task = Task(
                id=id_,
                system=system.name,
                request=request,
                handle=handle,
                kind=kind,
                state=TaskState.OPEN,
                assigned_at=now,
                silent_at=now + self._patience,
            )
            known_by = tuple(each for each in person.identities if each.type in system.identities)
            plain = msgspec.json.encode(replace(person, identities=known_by))
            sealed = self._seal(key, BoxPlace(kind=PEOPLE, id=id_), plain)
            brought = None if system.kind is SystemKind.PULL else now
            tasks.append(Sealed(task=task, sealed=sealed, next_at=brought))
        new = set(await tx.downstreams.add_tasks(tasks))
        added = [each.task for each in tasks if each.task.id in new]
        await tx.audit.append_many(
            [Draft(event=AuditEvent.DOWNSTREAM_ASSIGNED, object_id=str(task.id), subject=handle) for task in added],
            by=by,
        )
        await tx.outbox.add(
            [Event(type="downstream.assigned", object_id=str(task.id), subject=handle, at=now) for task in added]
        )
        return [outcome.task for outcome in await settled(tx, request) if outcome.kind is kind]


async def told(tx: DownstreamTransaction, kind: TaskKind) -> Sequence[str]:
    """Return the names of the systems that a task of this kind would be given to, in their order."""
    return [system.name for system in await tx.downstreams.taking(kind)]


async def settled(tx: DownstreamTransaction, request: UUID) -> Sequence[TaskOutcome]:
    """Return what became of every task of a request, in the order of their systems.

    The case goes on once each is `confirmed`, `refused` or `excused`: `is_over` says so.
    """
    tasks = await tx.downstreams.tasks(request=request, limit=MOST_TASKS)
    return [
        TaskOutcome(
            task=task.id,
            system=task.system,
            kind=task.kind,
            state=task.state,
            ground=task.ground,
            at=task.settled_at or task.assigned_at,
        )
        for task in sorted(tasks, key=lambda task: (task.system, task.kind))
    ]


def is_over(outcomes: Sequence[TaskOutcome]) -> bool:
    """Return whether no system owes an answer. It is over where there was none to tell."""
    return all(outcome.state in SETTLED for outcome in outcomes)
