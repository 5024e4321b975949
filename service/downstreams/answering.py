"""What becomes of a task: the system confirms or refuses, stays silent, or an officer says why the case goes on."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from service.audit import AuditEvent
from service.downstreams.assigning import MOST_TASKS
from service.downstreams.domain import (
    CASE_ENDED,
    OWED,
    SETTLED,
    Answer,
    Fault,
    Grounds,
    SignatureRefused,
    SystemKind,
    Task,
    TaskKind,
    TaskNotSilent,
    TaskSettled,
    TaskState,
    TaskUnknown,
)
from service.downstreams.opendsr import Stands, callback_url, inner, stands
from service.downstreams.ports import Begin, DownstreamTransaction, Verifies
from service.downstreams.signatures import Message
from service.downstreams.speaking import Speaking
from service.events import Event
from service.kernel import Caller, Clock, Handle, TenantId

_ENTRIES = {
    TaskState.CONFIRMED: AuditEvent.DOWNSTREAM_CONFIRMED,
    TaskState.REFUSED: AuditEvent.DOWNSTREAM_REFUSED,
    TaskState.SILENT: AuditEvent.DOWNSTREAM_SILENT,
    TaskState.EXCUSED: AuditEvent.DOWNSTREAM_EXCUSED,
}


class AnswerTask:
    """Take a system's answer to its task, from whoever speaks for it. The same answer again changes nothing."""

    def __init__(self, begin: Begin, speaking: Speaking, grounds: Grounds, clock: Clock) -> None:
        self._begin = begin
        self._speaking = speaking
        self._grounds = grounds
        self._clock = clock

    async def by_token(self, system: str, task: UUID, answer: Answer, *, by: Caller) -> Task:
        """Take what the system's own client says.

        Raises:
            TaskUnknown: also to who speaks for another system.
            TaskSettled, GroundNotKnown
        """
        async with self._begin(by.tenant) as tx:
            await self._speaking.check_client(tx, system, by)
            return await self._take(tx, system, task, answer, by)

    async def by_signature(
        self, tenant: TenantId, system: str, task: UUID, answer: Answer, message: Message, *, request: str
    ) -> Task:
        """Take what a message says that the system signed: once, and only about now.

        Raises:
            SignatureRefused: also where there is no such tenant or system.
            TaskUnknown, TaskSettled, GroundNotKnown
        """
        await self._speaking.check_message(tenant, system, message)
        by = Caller(tenant=tenant, actor=f"downstream:{system}", request=request)
        async with self._begin(tenant) as tx:
            await self._speaking.use_up(tx, system, message)
            return await self._take(tx, system, task, answer, by)

    async def _take(self, tx: DownstreamTransaction, system: str, task: UUID, answer: Answer, by: Caller) -> Task:
        known = await tx.downstreams.task(task, hold=True)
        if known is None or known.system != system:
            raise TaskUnknown("the system has no such task")
        ground = None if answer.ground is None else self._grounds.refusal(known.kind, answer.ground)
        if known.state in SETTLED:
            if (known.state, known.ground) != (answer.outcome, ground):
                raise TaskSettled(f"the task is {known.state} already", state=known.state)
            return known
        await settle(tx, known, answer.outcome, ground, self._clock, by)
        return await found(tx, task)


class TakeStatus:
    """Take what a processor of OpenDSR says about a request, signed by its certificate. Again it changes nothing."""

    def __init__(self, begin: Begin, verify: Verifies, clock: Clock, *, public_url: str | None) -> None:
        """`public_url` is where it calls back."""
        self._begin = begin
        self._verify = verify
        self._clock = clock
        self._public_url = public_url

    async def __call__(
        self, tenant: TenantId, system: str, domain: str, signature: str, body: bytes, *, request: str
    ) -> None:
        """Raises: SignatureRefused, TaskUnknown"""
        by = Caller(tenant=tenant, actor=f"downstream:{system}", request=request)
        async with self._begin(tenant) as tx:
            known = await tx.downstreams.find(system)
            if known is None or known.certificate is None or known.domain != domain:
                raise SignatureRefused("the message is not signed by this system's certificate")
            self._verify(known.certificate, domain, signature, body, self._clock())
            said = stands(body)
            if said is None or not self._for_us(said, tenant, system):
                raise TaskUnknown("the message is about no request of ours")
            task = await found(tx, inner(said.subject_request_id), hold=True)
            if task.system != system:
                raise TaskUnknown("the system has no such task")
            if said.request_status == "completed" and task.state not in SETTLED:
                await settle(tx, task, TaskState.CONFIRMED, None, self._clock, by)
            if said.request_status == "cancelled" and task.state is TaskState.OPEN:
                await silence(tx, task, Fault.CANCELLED, self._clock, by)

    def _for_us(self, said: Stands, tenant: TenantId, system: str) -> bool:
        """Return whether it was called back where we said: a message to another controller counts for nothing here."""
        if said.status_callback_url is None or self._public_url is None:
            return said.status_callback_url is None
        return said.status_callback_url == callback_url(self._public_url, tenant, system)


class ReadTasks:
    """Show officers what systems were told, and what they owe."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(
        self,
        *,
        state: TaskState | None,
        system: str | None,
        request: UUID | None,
        after: UUID | None,
        limit: int,
        by: Caller,
    ) -> tuple[Sequence[Task], UUID | None]:
        """Return tasks, the oldest first, and where to go on."""
        states = () if state is None else (state,)
        async with self._begin(by.tenant) as tx:
            known = await tx.downstreams.tasks(
                states=states, system=system, request=request, after=after, limit=limit + 1
            )
        return known[:limit], known[limit - 1].id if len(known) > limit else None


class ExcuseTask:
    """Let a case go on without the answer of a system that stays silent, and say why."""

    def __init__(self, begin: Begin, grounds: Grounds, clock: Clock) -> None:
        self._begin = begin
        self._grounds = grounds
        self._clock = clock

    async def __call__(self, task: UUID, reason: str, *, by: Caller) -> Task:
        """Raises: TaskUnknown, TaskNotSilent, GroundNotKnown"""
        async with self._begin(by.tenant) as tx:
            known = await found(tx, task, hold=True)
            word = self._grounds.excuse(known.kind, reason)
            if (known.state, known.ground) == (TaskState.EXCUSED, word):
                return known
            _need_silent(known)
            await settle(tx, known, TaskState.EXCUSED, word, self._clock, by)
            return await found(tx, task)


class RepeatTask:
    """Tell a silent system once more, and wait for its answer as at first."""

    def __init__(self, begin: Begin, clock: Clock, *, patience: timedelta) -> None:
        self._begin = begin
        self._clock = clock
        self._patience = patience

    async def __call__(self, task: UUID, *, by: Caller) -> Task:
        """Raises: TaskUnknown, TaskNotSilent"""
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            known = await found(tx, task, hold=True)
            _need_silent(known)
            system = await tx.downstreams.find(known.system)
            pulls = system is not None and system.kind is SystemKind.PULL
            await tx.downstreams.begin_again(task, None if pulls else now, now + self._patience)
            await tx.audit.append(
                event=AuditEvent.DOWNSTREAM_REPEATED, object_id=str(task), subject=known.handle, by=by
            )
            return await found(tx, task)


async def call_off(
    tx: DownstreamTransaction, request: UUID, kinds: Collection[TaskKind], clock: Clock, *, by: Caller
) -> None:
    """Ask nobody any more for what a request wanted that was refused or withdrawn."""
    asked = await tx.downstreams.tasks(states=OWED, request=request, limit=MOST_TASKS)
    await _excuse([task for task in asked if task.kind in kinds], tx, clock, by)


async def call_off_copies(tx: DownstreamTransaction, handles: Collection[Handle], clock: Clock, *, by: Caller) -> None:
    """Ask nobody any more for a copy of what they hold about somebody who was forgotten: nobody could be given it."""
    asked = await tx.downstreams.tasks(states=OWED, handles=handles, limit=MOST_TASKS)
    await _excuse([task for task in asked if task.kind is TaskKind.ACCESS], tx, clock, by)


async def owed(tx: DownstreamTransaction, handles: Collection[Handle]) -> bool:
    """Return whether a system owes an answer about a person, whatever it was asked for."""
    return bool(await tx.downstreams.tasks(states=OWED, handles=handles, limit=1))


async def _excuse(tasks: Sequence[Task], tx: DownstreamTransaction, clock: Clock, by: Caller) -> None:
    for task in tasks:
        known = await found(tx, task.id, hold=True)
        if known.state in OWED:
            await settle(tx, known, TaskState.EXCUSED, CASE_ENDED, clock, by)


async def found(tx: DownstreamTransaction, task: UUID, *, hold: bool = False) -> Task:
    """Return a task. Raises TaskUnknown."""
    known = await tx.downstreams.task(task, hold=hold)
    if known is None:
        raise TaskUnknown("there is no such task")
    return known


async def settle(
    tx: DownstreamTransaction, task: Task, state: TaskState, ground: str | None, clock: Clock, by: Caller
) -> None:
    """Store the answer to a task that has none, forget whom it was about, and tell."""
    await tx.downstreams.settle(task.id, state, ground, clock())
    await _tell(tx, task, state, clock, by)


async def silence(tx: DownstreamTransaction, task: Task, fault: Fault | None, clock: Clock, by: Caller) -> None:
    """Store that no answer came to an open task, and tell: somebody has to look."""
    await tx.downstreams.silence(task.id, fault)
    await _tell(tx, task, TaskState.SILENT, clock, by)


async def _tell(tx: DownstreamTransaction, task: Task, state: TaskState, clock: Clock, by: Caller) -> None:
    await tx.audit.append(event=_ENTRIES[state], object_id=str(task.id), subject=task.handle, by=by)
    told = Event(type=f"downstream.{state}", object_id=str(task.id), subject=task.handle, at=clock())
    await tx.outbox.add([told])


def _need_silent(task: Task) -> None:
    if task.state is not TaskState.SILENT:
        raise TaskNotSilent(f"the task is {task.state}", state=task.state)
