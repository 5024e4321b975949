"""Tells whoever asked to be told how far requests are, as the worker: at least once, for three days after each change.

An address is counted as an attempt, and due again, before anything is sent. So of a worker that dies or a receiver
that is down nothing remains untold.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from service.audit import AuditEvent
from service.doors.domain import CALLBACK, Door, Status, Tables
from service.doors.ports import Begin, Callback, DoorTransaction
from service.doors.usecases import shown, stage_of
from service.downstreams import LEASE, Chance, Fault, NotReached, Send, Together, next_attempt
from service.kernel import Caller, Clock, NewId, TenantId
from service.vault import BoxKey, BoxPlace, KeyAccess, OpenBox, Unreadable

AT_ONCE: Final = 16
ACTOR: Final = "worker"
SAME: Final = "same"
"""Nothing changed that the protocol has a word for."""

Message = tuple[Mapping[str, str], bytes]
Tell = Callable[[Status, TenantId, str], Message]
"""Returns the headers and the body that tell an address how far a request is."""


class _Due:
    """An address, and what it is to be told, as of a version of the case."""

    def __init__(self, callback: Callback, version: int, status: Status, url: str) -> None:
        self.callback = callback
        self.version = version
        self.status = status
        self.url = url


class TellStatus:
    """Goes on with what one tenant's senders are to be told."""

    def __init__(
        self,
        begin: Begin,
        keys: KeyAccess,
        unseal: OpenBox,
        tables: Tables,
        tells: Mapping[Door, Tell],
        send: Send,
        clock: Clock,
        chance: Chance,
        together: Together,
        new_id: NewId,
    ) -> None:
        """`tells` has no door that the operator closed since: what came through it is told nobody."""
        self._begin = begin
        self._keys = keys
        self._unseal = unseal
        self._tables = tables
        self._tells = tells
        self._send = send
        self._clock = clock
        self._chance = chance
        self._together = together
        self._new_id = new_id

    async def __call__(self, tenant: TenantId) -> Sequence[str]:
        """Tell what is due; return what came of each.

        Raises:
            Unavailable: what was sent counts as not sent, and is sent again.
        """
        by = Caller(tenant=tenant, actor=ACTOR, request=str(self._new_id()))
        key = await self._keys.box_key(tenant)
        now = self._clock()
        async with self._begin(tenant) as tx:
            due = list[_Due]()
            for callback in await tx.doors.claim(now, now + LEASE, most=AT_ONCE):
                version = (await stage_of(tx, callback.request)).version
                try:
                    due.append(await self._due(tx, key, callback, version))
                except Unreadable:
                    await tx.doors.lost(callback.id, Fault.UNREADABLE, version)
        faults: Sequence[Fault | None] = await self._together(*(self._sent(tenant, each) for each in due))
        async with self._begin(tenant) as tx:
            return [await self._stored(tx, each, fault, by) for each, fault in zip(due, faults, strict=True)]

    async def _due(self, tx: DoorTransaction, key: BoxKey, callback: Callback, version: int) -> _Due:
        taken = await tx.doors.read(callback.request)
        if taken is None:
            raise Unreadable("the request of an address is gone")
        status = await shown(tx, key, self._unseal, taken, self._tables)
        url = self._unseal(key, BoxPlace(kind=CALLBACK, id=callback.id), callback.sealed).decode()
        return _Due(callback, version, status, url)

    async def _sent(self, tenant: TenantId, due: _Due) -> Fault | None:
        """Return why an address was not told; nothing if it was, or there is nothing to tell."""
        tell = self._tells.get(due.status.taken.door)
        if due.status.said == due.callback.said:
            return None
        if tell is None:
            return Fault.NO_LONGER_REGISTERED
        headers, body = tell(due.status, tenant, due.url)
        try:
            reply = await self._send("POST", due.url, headers, body)
        except NotReached as error:
            return error.fault
        return None if 200 <= reply.status < 300 else Fault.REFUSED

    async def _stored(self, tx: DoorTransaction, due: _Due, fault: Fault | None, by: Caller) -> str:
        callback, said = due.callback, due.status.said
        if fault is None:
            await tx.doors.told(callback.id, due.version, said, final=due.status.final)
            if said == callback.said:
                return SAME
            await self._noted(tx, AuditEvent.DOOR_TOLD, due, by)
            return "told"
        again_at = None
        if fault is not Fault.NO_LONGER_REGISTERED:
            again_at = next_attempt(callback.attempts, self._clock(), self._chance())
        if again_at is not None:
            await tx.doors.failed(callback.id, fault, again_at)
        else:
            await tx.doors.lost(callback.id, fault, due.version)
            await self._noted(tx, AuditEvent.DOOR_NOT_TOLD, due, by)
        return fault.value

    async def _noted(self, tx: DoorTransaction, event: AuditEvent, due: _Due, by: Caller) -> None:
        stored = await tx.requests.find(due.callback.request)
        handle = None if stored is None else stored[0].handle
        await tx.audit.append(event=event, object_id=str(due.callback.request), subject=handle, by=by)
