"""Brings tasks to systems, as the worker: at least once, for three days, and then somebody has to look.

A task is counted as an attempt, and due again, before anything is sent. So of a worker that dies, a database that is
lost or a system that is down nothing remains undone: the task is due again.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

from service.audit import AuditEvent
from service.downstreams.answering import settle, silence
from service.downstreams.assigning import PEOPLE
from service.downstreams.domain import (
    LEASE,
    SETTLED,
    Answer,
    Downstream,
    Fault,
    GroundNotKnown,
    Grounds,
    Person,
    SignatureRefused,
    SystemKind,
    Task,
    TaskState,
    next_attempt,
)
from service.downstreams.messages import body_of, said_in
from service.downstreams.opendsr import Stands, callback_url, outer, request_of, signed_as, stands, took
from service.downstreams.ports import (
    Begin,
    Chance,
    DownstreamTransaction,
    NotReached,
    Reply,
    Sealed,
    Send,
    Together,
    Verifies,
    Work,
)
from service.downstreams.signatures import Keys, signed, v1, v1a
from service.downstreams.usecases import Secrets
from service.kernel import Caller, Clock, NewId, TenantId
from service.vault import BoxPlace, KeyAccess, OpenBox, Unreadable

AT_ONCE: Final = 16
"""Tasks that are brought to one system at the same time."""
POLL: Final = timedelta(days=1)
"""How often a processor that took a request is asked how far it is, should its callback not come."""
ACTOR: Final = "worker"
_GONE: Final = 410
_CREATED: Final = 201
_TOOK: Final = Answer(outcome=TaskState.OPEN)
_FINAL: Final = (Fault.GONE, Fault.CANCELLED, Fault.NO_LONGER_REGISTERED, Fault.UNREADABLE)
"""What no further attempt changes."""


class BringTasks:
    """Goes on with the tasks of one system."""

    def __init__(
        self,
        begin: Begin,
        keys: KeyAccess,
        unseal: OpenBox,
        secrets: Secrets,
        grounds: Grounds,
        send: Send,
        verify: Verifies,
        clock: Clock,
        chance: Chance,
        together: Together,
        new_id: NewId,
        *,
        public_url: str | None,
    ) -> None:
        """`public_url` is where processors of OpenDSR call back, if they can."""
        self._begin = begin
        self._keys = keys
        self._unseal = unseal
        self._secrets = secrets
        self._grounds = grounds
        self._send = send
        self._verify = verify
        self._clock = clock
        self._chance = chance
        self._together = together
        self._new_id = new_id
        self._public_url = public_url

    async def __call__(self, work: Work) -> Sequence[str]:
        """Bring what is due, and call silent who is over time; return what came of each attempt.

        Raises:
            Unavailable: what was sent counts as not sent, and is sent again.
        """
        by = Caller(tenant=work.tenant, actor=ACTOR, request=str(self._new_id()))
        key = await self._keys.box_key(work.tenant)
        now = self._clock()
        async with self._begin(work.tenant) as tx:
            for late in await tx.downstreams.overdue(work.system, now, most=AT_ONCE):
                await silence(tx, late, None, self._clock, by)
            system = await tx.downstreams.find(work.system)
            stored = await tx.downstreams.secrets(work.system, now)
            due = await tx.downstreams.claim(work.system, now, now + LEASE, most=AT_ONCE)
        if not due:
            return []

        async def asked(each: Sealed) -> Answer | Fault:
            try:
                secrets = self._secrets.opened(key, stored)
                plain = self._unseal(key, BoxPlace(kind=PEOPLE, id=each.task.id), each.sealed)
                person = msgspec.json.decode(plain, type=Person)
                return await self._asked(work.tenant, system, secrets, each.task, person)
            except Unreadable:
                return Fault.UNREADABLE
            except NotReached as error:
                return error.fault

        said: Sequence[Answer | Fault] = await self._together(*(asked(each) for each in due))
        async with self._begin(work.tenant) as tx:
            return [await self._stored(tx, each.task, system, what, by) for each, what in zip(due, said, strict=True)]

    async def _stored(
        self, tx: DownstreamTransaction, task: Task, system: Downstream | None, said: Answer | Fault, by: Caller
    ) -> str:
        """Store what came of an attempt, unless an answer came meanwhile; return the word for it."""
        known = await tx.downstreams.task(task.id, hold=True)
        if known is None or known.state in SETTLED or known.round != task.round:
            return "overtaken"
        if isinstance(said, Fault):
            await self._store_failure(tx, known, said, by)
            return said.value
        if said.outcome is not TaskState.OPEN:
            await settle(tx, known, said.outcome, said.ground, self._clock, by)
            return said.outcome.value
        now = self._clock()
        polled = system is not None and system.kind is SystemKind.OPENDSR
        await tx.downstreams.told(task.id, now, now + POLL if polled else None)
        if known.told_at is None:
            await tx.audit.append(event=AuditEvent.DOWNSTREAM_TOLD, object_id=str(task.id), subject=task.handle, by=by)
        return "told"

    async def _store_failure(self, tx: DownstreamTransaction, task: Task, fault: Fault, by: Caller) -> None:
        again_at = None if fault in _FINAL else next_attempt(task.attempts, self._clock(), self._chance())
        if again_at is not None:
            await tx.downstreams.failed(task.id, fault, again_at)
        elif task.state is TaskState.OPEN:
            await silence(tx, task, fault, self._clock, by)

    async def _asked(
        self, tenant: TenantId, system: Downstream | None, secrets: Sequence[Keys], task: Task, person: Person
    ) -> Answer:
        """Return what the system said. Raises NotReached."""
        if system is None or system.url is None:
            raise NotReached(Fault.NO_LONGER_REGISTERED)
        if system.kind is SystemKind.OPENDSR:
            return await self._processor(tenant, system, system.url, task, person)
        body = body_of(task, person)
        headers = {"content-type": "application/json", **self._signed(task.message, body, secrets)}
        reply = _success(await self._send("POST", system.url, headers, body))
        answer = said_in(reply.body, task)
        return _TOOK if answer is None or not self._known(task, answer) else answer

    def _signed(self, message: str, body: bytes, secrets: Sequence[Keys]) -> dict[str, str]:
        """Return the headers that sign a message, under each secret that is good."""
        seconds = int(self._clock().timestamp())
        content = signed(message, seconds, body)
        by_secret = [v1(each.shared, content) for each in secrets]
        by_key = [v1a(self._secrets.signature(each, content)) for each in secrets]
        return {
            "webhook-id": message,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join([*by_secret, *by_key]),
        }

    def _known(self, task: Task, answer: Answer) -> bool:
        try:
            return answer.ground is None or bool(self._grounds.refusal(task.kind, answer.ground))
        except GroundNotKnown:
            return False

    async def _processor(self, tenant: TenantId, system: Downstream, url: str, task: Task, person: Person) -> Answer:
        """Hand a request to a processor, or ask how far it is with it."""
        requests = f"{url.rstrip('/')}/requests"
        if task.told_at is not None:
            reply = _success(await self._send("GET", f"{requests}/{outer(task.id)}", {}, b""))
            self._check(system, reply)
            said = stands(reply.body)
            if said is None or said.subject_request_id != outer(task.id):
                raise NotReached(Fault.UNSIGNED)
            return answer_of(said)
        callback = None if self._public_url is None else callback_url(self._public_url, tenant, system.name)
        body = request_of(task, person, callback)
        reply = _success(await self._send("POST", requests, {"content-type": "application/json"}, body))
        self._check(system, reply)
        if reply.status != _CREATED or not took(reply.body, task, body):
            raise NotReached(Fault.UNSIGNED)
        return _TOOK

    def _check(self, system: Downstream, reply: Reply) -> None:
        domain, signature = signed_as(reply.headers)
        try:
            if domain != system.domain:
                raise SignatureRefused("another domain")
            self._verify(system.certificate or "", domain, signature, reply.body, self._clock())
        except SignatureRefused:
            raise NotReached(Fault.UNSIGNED) from None


def answer_of(said: Stands) -> Answer:
    """Return what a processor says about a task. Raises NotReached: that it was cancelled."""
    if said.request_status == "cancelled":
        raise NotReached(Fault.CANCELLED)
    return Answer(outcome=TaskState.CONFIRMED) if said.request_status == "completed" else _TOOK


def _success(reply: Reply) -> Reply:
    """Return a reply that is a success. Raises NotReached."""
    if reply.status == _GONE:
        raise NotReached(Fault.GONE)
    if not 200 <= reply.status < 300:
        raise NotReached(Fault.REFUSED)
    return reply
