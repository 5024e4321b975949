"""Carries an erasure out: step by step, each once, in a transaction that has its entry and its event."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from service.audit import AuditEvent
from service.consent import Action, RecordChannel, Statement, StoreRecords, Submission
from service.erasures.domain import Done, Erasure, Remains, Stage, Step, certificate_of
from service.erasures.planning import Planner, histories, kept_by, kept_until
from service.erasures.ports import Begin, Connected, ErasureTransaction
from service.events import Event
from service.kernel import Caller, Clock, Handle, NewId, SubjectId, TenantId
from service.requests import Request, Right, State, handles_of, standing_against
from service.subjects import Flags, flagged
from service.vault import Forget, OpenValues

WORKER: Final = "worker"
"""The actor of what is done here."""

EVENTS: Final = {
    Step.BEGUN: AuditEvent.ERASURE_BEGUN,
    Step.TOLD: AuditEvent.ERASURE_TOLD,
    Step.FORGOTTEN: AuditEvent.ERASURE_FORGOTTEN,
    Step.REPLACED: AuditEvent.ERASURE_REPLACED,
    Step.SETTLED: AuditEvent.ERASURE_SETTLED,
    Step.VERIFIED: AuditEvent.ERASURE_VERIFIED,
    Step.CERTIFIED: AuditEvent.ERASURE_CERTIFIED,
}
"""What tells of each step. Of `reduced` the database tells, which does it."""

RETURNED: Final = Flags(previously_erased=True)
"""What is known of an id that was erased."""


class RunErasure:
    """Go on with an erasure as far as it goes. Killed at any moment, the next run does the rest, and nothing twice."""

    def __init__(
        self,
        begin: Begin,
        begin_removing: Begin,
        planner: Planner,
        connected: Connected,
        forget: Forget,
        open_values: OpenValues,
        append: StoreRecords,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        """`begin_removing` opens transactions with the rights of the worker, who alone removes histories."""
        self._begin = begin
        self._begin_removing = begin_removing
        self._planner = planner
        self._connected = connected
        self._forget = forget
        self._open_values = open_values
        self._append = append
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, tenant: TenantId, request_id: UUID) -> Stage:
        """Return how far it got.

        Raises:
            RingUnavailable, Unreadable, Unavailable: the step that it was at is left as it was.
            Remains: something is still there that should have gone.
        """
        by = Caller(tenant=tenant, actor=WORKER, request=str(self._new_id()))
        async with self._begin(tenant) as tx:
            done = {one.step for one in await tx.erasures.done(request_id)}
        if Step.CERTIFIED in done:
            return await self._reduce(request_id, by)
        steps = {
            Step.BEGUN: self._begun,
            Step.TOLD: self._told,
            Step.FORGOTTEN: self._forgotten,
            Step.REPLACED: self._replaced,
            Step.REDUCED: self._reduce,
            Step.SETTLED: self._settled,
            Step.VERIFIED: self._verified,
            Step.CERTIFIED: self._certified,
        }
        for step, do in steps.items():
            if step not in done and (stage := await do(request_id, by)) is not Stage.ENDED:
                return stage
        return Stage.ENDED

    async def again(self, tenant: TenantId, request_id: UUID, handle: Handle, *, by: Caller) -> Stage:
        """Do again to the person with a handle what an erasure did that a restored database knows nothing of.

        Nobody is told once more, and nothing is certified: who has the certificate keeps it. Holds of before have no
        say, but for records, which stay until they are lifted.
        """
        async with self._begin(tenant) as tx:
            if await tx.erasures.find(request_id, hold=True) is None:
                now = self._clock()
                handles = tuple(await handles_of(tx, handle))
                plan = await self._planner.replayed(tx, request_id, handles)
                erasure = Erasure(request=request_id, handle=handle, handles=handles, plan=plan, begun_at=now)
                await tx.erasures.add(erasure)
                for step in (Step.BEGUN, Step.TOLD):
                    await self._note(tx, erasure, step, {}, now, by)
            done = {one.step for one in await tx.erasures.done(request_id)}
        if Step.FORGOTTEN not in done:
            await self._forget_all(request_id, by, again=True)
        if Step.REPLACED not in done:
            await self._replaced(request_id, by)
        if await self._reduce(request_id, by) is Stage.HELD:
            return Stage.HELD
        return Stage.ENDED if Step.VERIFIED in done else await self._verified(request_id, by)

    async def _begun(self, request_id: UUID, by: Caller) -> Stage:
        async with self._begin(by.tenant) as tx:
            request = await _executing(tx, request_id)
            if request is None:
                return Stage.HELD
            now = self._clock()
            plan = await self._planner(tx, request, now)
            if plan.against:
                return Stage.HELD
            handles = tuple(await handles_of(tx, request.handle))
            erasure = Erasure(request=request.id, handle=request.handle, handles=handles, plan=plan, begun_at=now)
            await tx.erasures.add(erasure)
            await self._note(tx, erasure, Step.BEGUN, {}, now, by)
        return Stage.ENDED

    async def _told(self, request_id: UUID, by: Caller) -> Stage:
        async with self._begin(by.tenant) as tx:
            handles = (await _held(tx, request_id)).handles
        introduced = await self._connected.introduce(by.tenant, handles, by=by)
        async with self._begin(by.tenant) as tx:
            erasure = await _held(tx, request_id)
            if await _executing(tx, request_id) is None:
                return Stage.HELD
            subjects, law = sorted(await _names(tx, erasure.handles)), erasure.plan.law
            assign = self._connected.assign
            tasks = await assign(tx, request_id, erasure.handle, subjects, introduced, law, by=by)
            await self._note(tx, erasure, Step.TOLD, {"systems": len(tasks)}, self._clock(), by)
        return Stage.ENDED

    async def _forgotten(self, request_id: UUID, by: Caller) -> Stage:
        """Destroy what opens the values. The last moment at which something can stand against it."""
        return await self._forget_all(request_id, by, again=False)

    async def _forget_all(self, request_id: UUID, by: Caller, *, again: bool) -> Stage:
        opening = await self._forget.opening(by.tenant)
        async with self._begin(by.tenant) as tx:
            erasure = await _held(tx, request_id)
            if not again and await _executing(tx, request_id) is None:
                return Stage.HELD
            erasure = await _as_merged(tx, erasure)
            if not again and await standing_against(tx, erasure.handles):
                return Stage.HELD
            counts = await tx.erasures.counts(erasure.handles)
            marks = [await self._forget.within(tx, opening, each, by=by) for each in erasure.handles]
            await self._connected.forget(tx, erasure.handles, by=by)
            gone = {what: counts[what] for what in ("index_entries", "tokens", "values")}
            await self._note(tx, erasure, Step.FORGOTTEN, gone | {"suppressed": sum(marks)}, self._clock(), by)
        return Stage.ENDED

    async def _replaced(self, request_id: UUID, by: Caller) -> Stage:
        """Let the ids of the person name handles of their own, of which all that is known is the erasure."""
        async with self._begin(by.tenant) as tx:
            erasure, now = await _held(tx, request_id), self._clock()
            subjects = await _names(tx, erasure.handles)
            await tx.subjects.hold(subjects)
            fresh = {subject: Handle(self._new_id()) for subject in sorted(subjects)}
            await tx.subjects.part(fresh, RETURNED)
            await tx.subjects.drop_pairs(erasure.handles)
            for handle in fresh.values():
                await tx.keys.destroy_subject_key(handle, now)
            if fresh:
                # Of a request of its own: the log is not to say which of them was whose.
                apart = replace(by, request=str(self._new_id()))
                await tx.audit.append_many([flagged(handle, RETURNED) for handle in fresh.values()], by=apart)
                await self._append.within(tx, [self._erased(subject, now) for subject in fresh], by=apart)
            if await tx.erasures.hides():
                for subject in fresh:
                    await tx.subjects.hide(subject, now)
            await self._note(tx, erasure, Step.REPLACED, {"subject_ids": len(fresh)}, now, by)
        return Stage.ENDED

    def _erased(self, subject: SubjectId, now: datetime) -> Submission:
        said = Statement(ts=now, channel=RecordChannel.ANY, action=Action.ERASED)
        return Submission(id=self._new_id(), subject=subject, statement=said)

    async def _reduce(self, request_id: UUID, by: Caller) -> Stage:
        """Remove records and facts; later, when its time is over, what a law had kept of them as well."""
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            erasure = await _held(tx, request_id)
            proofs, records = erasure.plan.proofs, await histories(tx, erasure.handles)
        kept = kept_by(proofs, records, now)
        async with self._begin_removing(by.tenant) as tx:
            removed = await tx.erasures.reduce(
                request_id,
                [record.id for record in kept],
                kept_until(proofs, kept, now),
                now,
                entries=[self._new_id() for _ in range(3)],
                by=by,
            )
        return Stage.ENDED if removed else Stage.HELD

    async def _settled(self, request_id: UUID, by: Caller) -> Stage:
        async with self._begin(by.tenant) as tx:
            erasure = await _held(tx, request_id)
            outcomes = await self._connected.settled(tx, request_id)
            if not all(one.settled for one in outcomes) or await self._connected.owed(tx, erasure.handles):
                return Stage.WAITING
            await self._note(tx, erasure, Step.SETTLED, {}, self._clock(), by)
        return Stage.ENDED

    async def _verified(self, request_id: UUID, by: Caller) -> Stage:
        """Search for what should have gone, and try to open what is left of the values."""
        async with self._begin(by.tenant) as tx:
            erasure, now = await _held(tx, request_id), self._clock()
            left = dict(await tx.erasures.left(erasure.handles))
            records = await histories(tx, erasure.handles)
            names = {each: {str(one.name) for one in await tx.moving.history(each)} for each in erasure.handles}
        if unkept := len(records) - len(kept_by(erasure.plan.proofs, records, erasure.begun_at)):
            left["records"] = unkept
        opening = await self._open_values(by.tenant, names)
        if opened := sum(map(len, opening.values.values())) + len(names.keys() - opening.erased):
            left["values"] = opened
        if left:
            raise Remains(", ".join(f"{count} {what}" for what, count in sorted(left.items())))
        async with self._begin(by.tenant) as tx:
            await self._note(tx, await _held(tx, request_id), Step.VERIFIED, {}, now, by)
        return Stage.ENDED

    async def _certified(self, request_id: UUID, by: Caller) -> Stage:
        async with self._begin(by.tenant) as tx:
            erasure, now = await _held(tx, request_id), self._clock()
            request = await tx.requests.find(request_id)
            received_at = erasure.begun_at if request is None else request[0].received_at
            done = await tx.erasures.done(request_id)
            content = certificate_of(erasure, received_at, done, await self._connected.settled(tx, request_id))
            await tx.erasures.certify(request_id, content, now)
            await self._note(tx, erasure, Step.CERTIFIED, {}, now, by, hashlib.sha256(content).digest())
        return Stage.ENDED

    async def _note(
        self,
        tx: ErasureTransaction,
        erasure: Erasure,
        step: Step,
        told: Mapping[str, int],
        now: datetime,
        by: Caller,
        commitment: bytes | None = None,
    ) -> None:
        await tx.erasures.note(erasure.request, Done(step=step, at=now, told=told))
        event, request, handle = EVENTS[step], str(erasure.request), erasure.handle
        await tx.audit.append(event=event, object_id=request, by=by, subject=handle, commitment=commitment)
        await tx.outbox.add([Event(type=event.value, object_id=request, subject=handle, at=now)])


async def _held(tx: ErasureTransaction, request_id: UUID) -> Erasure:
    """Return an erasure that was begun; nobody else goes on with it until this transaction ends."""
    erasure = await tx.erasures.find(request_id, hold=True)
    if erasure is None:
        raise RuntimeError("no such erasure was begun")
    return erasure


async def _executing(tx: ErasureTransaction, request_id: UUID) -> Request | None:
    """Return the request, if it is still to be carried out; nobody moves it until this transaction ends."""
    found = await tx.requests.find(request_id, hold=True)
    if found is None or found[0].right is not Right.ERASURE or found[1].state is not State.EXECUTING:
        return None
    return found[0]


async def _as_merged(tx: ErasureTransaction, erasure: Erasure) -> Erasure:
    """Return it with the handles that the person has by now, and keep everybody from merging them any more."""
    await tx.subjects.hold(await _names(tx, await handles_of(tx, erasure.handle)))
    handles = tuple(sorted({*erasure.handles, *await handles_of(tx, erasure.handle)}))
    if handles == erasure.handles:
        return erasure
    await tx.erasures.widen(erasure.request, handles)
    return replace(erasure, handles=handles)


async def _names(tx: ErasureTransaction, handles: Sequence[Handle]) -> set[SubjectId]:
    return {name for each in handles for name in await tx.subjects.aliases(each)}
