"""What systems bring when they are asked for a copy: files, sealed under the person's key as they come in."""

from datetime import datetime
from uuid import UUID

from service.audit import AuditEvent
from service.downstreams.domain import SETTLED, Task, TaskKind, TaskSettled, TaskUnknown
from service.downstreams.files import (
    LARGEST,
    MOST,
    Brought,
    File,
    FileIdReused,
    FileNotAsked,
    FileTooLarge,
    TooManyFiles,
)
from service.downstreams.ports import BeginTaking, FileSafe, TakingTransaction
from service.downstreams.signatures import Message
from service.downstreams.speaking import Speaking
from service.events import Event
from service.kernel import Caller, Clock, TenantId
from service.vault import SubjectErased, TenantKey


class TakeFile:
    """Take a file that a system brings for its task, from whoever speaks for it, or nothing of it."""

    def __init__(self, begin: BeginTaking, speaking: Speaking, safe: FileSafe, clock: Clock) -> None:
        self._begin = begin
        self._speaking = speaking
        self._safe = safe
        self._clock = clock

    async def by_token(self, system: str, task: UUID, file_id: UUID, file: File, *, by: Caller) -> bool:
        """Return whether the file is new. The same again changes nothing.

        Raises:
            TaskUnknown: also to who speaks for another system.
            TaskSettled, FileNotAsked, FileTooLarge, FileIdReused, TooManyFiles, SubjectErased, RingUnavailable
        """
        _check_size(file)
        key = await self._safe.tenant_key(by.tenant)
        async with self._begin(by.tenant) as tx:
            await self._speaking.check_client(tx, system, by)
            return await self._take(tx, key, system, task, file_id, file, by)

    async def by_signature(
        self, tenant: TenantId, system: str, task: UUID, file_id: UUID, file: File, message: Message, *, request: str
    ) -> bool:
        """The same for what a message says that the system signed: once, and only about now.

        Raises:
            SignatureRefused: also where there is no such tenant or system.
            DomainError: as `by_token` does.
        """
        await self._speaking.check_message(tenant, system, message)
        _check_size(file)
        by = Caller(tenant=tenant, actor=f"downstream:{system}", request=request)
        key = await self._safe.tenant_key(tenant)
        async with self._begin(tenant) as tx:
            await self._speaking.use_up(tx, system, message)
            return await self._take(tx, key, system, task, file_id, file, by)

    async def _take(
        self,
        tx: TakingTransaction,
        key: TenantKey,
        system: str,
        task_id: UUID,
        file_id: UUID,
        file: File,
        by: Caller,
    ) -> bool:
        task = await self._open_task(tx, system, task_id)
        handle = await tx.subjects.current(task.handle)
        if handle is None:
            raise SubjectErased("this person was forgotten, and nothing can be kept of them any more")
        known = await tx.brought.find(file_id)
        if known is not None:
            if known.task != task_id or await self._safe.opened(tx, key, known) != file:
                raise FileIdReused("another file has this id", parameters=["file_id"])
            return False
        if await tx.brought.count(task_id) >= MOST:
            raise TooManyFiles(f"{MOST} files are as many as a task may have")
        brought = Brought(
            id=file_id,
            task=task_id,
            request=task.request,
            system=system,
            handle=handle,
            size=len(file.content),
            at=self._clock(),
        )
        about, sealed = await self._safe.sealed(tx, key, brought, file)
        if not await tx.brought.add(brought, about, sealed):
            raise FileIdReused("another file has this id", parameters=["file_id"])
        await _noted(tx, AuditEvent.DOWNSTREAM_BROUGHT, brought, brought.at, by)
        return True

    async def _open_task(self, tx: TakingTransaction, system: str, task_id: UUID) -> Task:
        """Return the task, which nobody settles until the transaction ends."""
        task = await tx.downstreams.task(task_id, hold=True)
        if task is None or task.system != system:
            raise TaskUnknown("the system has no such task")
        if task.kind is not TaskKind.ACCESS:
            raise FileNotAsked(f"the task is to {task.kind}, and no copy was asked for")
        if task.state in SETTLED:
            raise TaskSettled(f"the task is {task.state} already", state=task.state)
        return task


async def drop_brought(tx: TakingTransaction, now: datetime, *, by: Caller) -> None:
    """Remove the files of packages and cases that are over, each with its entry."""
    for brought in await tx.brought.drop_over():
        await _noted(tx, AuditEvent.DOWNSTREAM_DROPPED, brought, now, by)


async def _noted(tx: TakingTransaction, event: AuditEvent, brought: Brought, at: datetime, by: Caller) -> None:
    await tx.audit.append(event=event, object_id=str(brought.id), subject=brought.handle, by=by)
    await tx.outbox.add([Event(type=event.value, object_id=str(brought.id), subject=brought.handle, at=at)])


def _check_size(file: File) -> None:
    if len(file.content) > LARGEST:
        raise FileTooLarge(f"a file has {LARGEST} bytes at most", pointers=["/content"])
