"""A system that can't be reached asks for its tasks itself."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from service.audit import AuditEvent, Draft
from service.downstreams.assigning import PEOPLE
from service.downstreams.domain import DownstreamUnknown, Person, Task, TaskState
from service.downstreams.ports import Begin
from service.kernel import Caller, Clock
from service.vault import BoxPlace, KeyAccess, OpenBox


class OwnTask(Struct, frozen=True, kw_only=True):
    """A task, and whom it is about."""

    task: Task
    person: Person


class PullTasks:
    """Hand a system the tasks to which it owes an answer. That it has them is an entry, the first time."""

    def __init__(self, begin: Begin, keys: KeyAccess, unseal: OpenBox, clock: Clock) -> None:
        self._begin = begin
        self._keys = keys
        self._unseal = unseal
        self._clock = clock

    async def __call__(
        self, system: str, *, after: UUID | None, limit: int, by: Caller
    ) -> tuple[Sequence[OwnTask], UUID | None]:
        """Return tasks, the oldest first, and where to go on.

        Raises:
            DownstreamUnknown: also to who speaks for another system.
        """
        key, now = await self._keys.box_key(by.tenant), self._clock()
        async with self._begin(by.tenant) as tx:
            known = await tx.downstreams.find(system)
            if known is None or known.client != by.actor:
                raise DownstreamUnknown("this client speaks for no system of this name")
            owed = (TaskState.OPEN, TaskState.SILENT)
            tasks = await tx.downstreams.tasks(states=owed, system=system, after=after, limit=limit + 1)
            sealed = await tx.downstreams.sealed([task.id for task in tasks[:limit]])
            handed = [task for task in tasks[:limit] if task.id in sealed]  # the others were settled meanwhile
            new = [task for task in handed if task.told_at is None]
            for task in new:
                await tx.downstreams.told(task.id, now, None)
            await tx.audit.append_many(
                [Draft(event=AuditEvent.DOWNSTREAM_TOLD, object_id=str(task.id), subject=task.handle) for task in new],
                by=by,
            )
        shown = [
            OwnTask(
                task=task,
                person=msgspec.json.decode(
                    self._unseal(key, BoxPlace(kind=PEOPLE, id=task.id), sealed[task.id]), type=Person
                ),
            )
            for task in handed
        ]
        return shown, tasks[limit - 1].id if len(tasks) > limit else None
