"""What lets people show who they are, so that nobody is told what is another's."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from service.audit import AuditEvent
from service.kernel import Caller, Clock, Handle, NewId
from service.requests.carrying import Carry
from service.requests.case import Request, RequestUnknown, Seen, Standing
from service.requests.identity import (
    DAY,
    GOOD_FOR,
    MOST_CODES,
    TRIES,
    WAITING,
    Address,
    Answer,
    Challenge,
    Code,
    CodesNotSent,
    IdentityNotShown,
    Sent,
    TooManyCodes,
)
from service.requests.identity_ports import NewCode, Post
from service.requests.lifecycle import Happened, Move, MoveNotAllowed, Progress, VerificationNeeded, advanced
from service.requests.ports import Begin, RequestTransaction
from service.requests.reading import held
from service.requests.statutes import Statutes
from service.requests.usecases import LOG_IN
from service.reveals import Nonce, Revealed, RevealLog
from service.vault import KeyAccess, MatchValues, OpenValues, code_mark

RESPONSE: Final = "dsr_response"
"""The purpose for which an address is opened."""


class _Cases:
    """Finds what may still be verified, and verifies it."""

    def __init__(self, statutes: Statutes) -> None:
        self._statutes = statutes
        self._carry = Carry(statutes)

    async def waiting(self, tx: RequestTransaction, request_id: UUID, by: Caller) -> "_Case":
        """Return a held request of which nobody has shown yet whose it is.

        Raises:
            RequestUnknown, MoveNotAllowed
            VerificationNeeded: an agent has not shown yet that they may ask.
        """
        stored = await held(tx, request_id, by)
        if stored is None:
            raise RequestUnknown("there is no such request")
        request, standing = stored
        history = (await tx.requests.histories([request.id]))[request.id]
        case = _Case(request, standing, history, self._statutes)
        if standing.state not in WAITING:
            raise MoveNotAllowed(f"it is {standing.state}", state=standing.state, moves=sorted(case.moves))
        if case.needs.agent and not case.progress.authorised:
            raise VerificationNeeded("an agent has to show their authority first", pointers=["/authority"])
        return case

    async def carry(self, tx: RequestTransaction, case: "_Case", happened: Happened, by: Caller) -> Seen:
        return await self._carry(tx, case.request, case.standing, case.history, happened, by=by)


class _Case:
    """A held request, and how far it is."""

    def __init__(self, request: Request, standing: Standing, history: Sequence[Happened], statutes: Statutes) -> None:
        seen = statutes.seen(request, history, None, request.entered_at)
        self.request = request
        self.standing = standing
        self.history = history
        self.progress: Progress = seen.progress
        self.moves = seen.moves
        self.needs = statutes.needs(request)
        self._rights = statutes.rights

    def verified(self, method: str, now: datetime, by: Caller) -> Happened:
        """Return the move that follows if somebody is verified like that.

        Raises:
            VerificationNeeded: this right needs more.
        """
        proves = self._rights.proof(method)
        happened = Happened(
            number=self.standing.version + 1, move=Move.VERIFY, at=now, actor=by.actor, reason=method, proves=proves
        )
        advanced(self.progress, happened, self.needs)
        return happened

    def challenge(self, stored: Challenge | None, handle: Handle, now: datetime) -> Challenge:
        """Return what is kept of the request; from a day ago nothing counts any more."""
        if stored is None:
            return Challenge(request=self.request.id, handle=handle, since=now)
        stored = replace(stored, handle=handle)
        return stored if now < stored.since + DAY else replace(stored, since=now, codes=0, mistakes=0)


class SendCode:
    """Send a code to an address of the person's, by which they can show who they are."""

    def __init__(
        self,
        begin: Begin,
        clock: Clock,
        new_id: NewId,
        statutes: Statutes,
        keys: KeyAccess,
        open_values: OpenValues,
        reveals: RevealLog,
        nonce: Nonce,
        new_code: NewCode,
        post: Post,
    ) -> None:
        self._begin = begin
        self._clock = clock
        self._new_id = new_id
        self._cases = _Cases(statutes)
        self._keys = keys
        self._open_values = open_values
        self._reveals = reveals
        self._nonce = nonce
        self._new_code = new_code
        self._post = post

    async def __call__(self, request_id: UUID, address: Address, *, by: Caller) -> Sent:
        """Return until when the code is good. A code that was sent before is no longer.

        The answer is the same, and takes as long, where there is no such address: whether there is one is nobody's
        business. Only one counts that the vault had when the request came.

        Raises:
            RequestUnknown, MoveNotAllowed, VerificationNeeded, CodesNotSent, TooManyCodes, RingUnavailable
        """
        if not self._post.reaches(address.channel):
            raise CodesNotSent(f"no way to send codes by {address.channel} is set up")
        key = await self._keys.suppression_key(by.tenant)
        now, code = self._clock(), self._new_code()
        sent = Sent(request=request_id, channel=address.channel, expires_at=now + GOOD_FOR)
        async with self._begin(by.tenant) as tx:
            case = await self._cases.waiting(tx, request_id, by)
            case.verified(address.method, now, by)
            handle = await tx.subjects.current(case.request.handle) or case.request.handle
            await self._refuse_too_many(tx, handle, now)
            before = case.challenge(await tx.challenges.find(request_id), handle, now)
            challenge = replace(
                before,
                codes=before.codes + 1,
                method=address.method,
                mark=code_mark(key, request_id, code),
                expires_at=sent.expires_at,
                tries=0,
            )
            await tx.challenges.put(challenge)
            await tx.audit.append(
                event=AuditEvent.REQUEST_CODE_SENT, object_id=str(request_id), by=by, subject=case.request.handle
            )
            if Move.ASK_IDENTITY in case.moves:
                number = case.standing.version + 1
                asked = Happened(number=number, move=Move.ASK_IDENTITY, at=now, actor=by.actor)
                await self._cases.carry(tx, case, asked, by)
        to = await self._address(handle, address, case.request.entered_at, now, by)
        if to is not None:
            self._post(
                Code(
                    tenant=by.tenant,
                    request=request_id,
                    channel=address.channel,
                    to=to,
                    code=code,
                    expires_at=sent.expires_at,
                )
            )
        return sent

    async def _refuse_too_many(self, tx: RequestTransaction, handle: Handle, now: datetime) -> None:
        spent = await tx.challenges.spent(handle, now - DAY)
        if spent.codes >= MOST_CODES and spent.since is not None:
            after = _seconds(spent.since + DAY - now)
            raise TooManyCodes("they were sent as many codes as may be in a day", after=after)

    async def _address(
        self, handle: Handle, address: Address, known_by: datetime, now: datetime, by: Caller
    ) -> str | None:
        """Open the address, with the trace that every reveal leaves."""
        opening = await self._open_values(by.tenant, {handle: [address.name]})
        found = opening.values[handle].get(address.name)
        usable = found if found is not None and found.at <= known_by else None
        await self._reveals.append(
            [
                Revealed(
                    id=self._new_id(),
                    handle=handle,
                    fields={} if usable is None else {usable.name: usable.version},
                    masked={},
                    purpose=RESPONSE,
                    channel=None,
                    decision=None,
                    at=now,
                    actor=by.actor,
                    nonce=self._nonce(),
                )
            ],
            by=by,
        )
        return None if usable is None else str(usable.value)


class ShowIdentity:
    """Verify somebody by what they show, and move their request on."""

    def __init__(
        self, begin: Begin, clock: Clock, statutes: Statutes, keys: KeyAccess, match_values: MatchValues
    ) -> None:
        self._begin = begin
        self._clock = clock
        self._statutes = statutes
        self._cases = _Cases(statutes)
        self._keys = keys
        self._match_values = match_values

    async def __call__(self, request_id: UUID, answer: Answer, *, by: Caller) -> Seen:
        """Return the request, accepted.

        Raises:
            RequestUnknown, MoveNotAllowed, VerificationNeeded, FieldUnknown, RingUnavailable
            IdentityNotShown: it is not enough, for whatever reason. That it was tried is counted and audited.
        """
        if answer.code is not None:
            seen = await self._by_code(request_id, answer.code, by)
        elif answer.said is not None:
            seen = await self._by_saying(request_id, answer.said, by, declaration=answer.declaration)
        else:
            seen = await self._by_log_in(request_id, by)
        if seen is None:
            raise IdentityNotShown("that is not enough to show who it is")
        return seen

    async def _by_code(self, request_id: UUID, code: str, by: Caller) -> Seen | None:
        mark = code_mark(await self._keys.suppression_key(by.tenant), request_id, code)
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            case = await self._cases.waiting(tx, request_id, by)
            challenge = await tx.challenges.find(request_id)
            if challenge is not None and challenge.method is not None and challenge.takes(mark, now):
                return await self._cases.carry(tx, case, case.verified(challenge.method, now, by), by)
            if challenge is not None:
                await tx.challenges.put(replace(challenge, tries=challenge.tries + 1))
            await self._failed(tx, case, by)
        return None

    async def _by_saying(
        self, request_id: UUID, said: Mapping[str, Any], by: Caller, *, declaration: bool
    ) -> Seen | None:
        """A try is spent before anything is compared, so that many at once are no more than one by one."""
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            case = await self._cases.waiting(tx, request_id, by)
            method = self._statutes.rights.said(len(said), declaration=declaration)
            if method is None:
                raise VerificationNeeded(
                    "that says too little", pointers=["/said"], needed=sorted(case.needs.sufficient)
                )
            case.verified(method, now, by)
            handle = await tx.subjects.current(case.request.handle) or case.request.handle
            challenge = case.challenge(await tx.challenges.find(request_id), handle, now)
            spent = (await tx.challenges.spent(handle, now - DAY)).mistakes >= TRIES
            await tx.challenges.put(replace(challenge, mistakes=challenge.mistakes + 1))
        matched = await self._match_values(by.tenant, handle, said)
        async with self._begin(by.tenant) as tx:
            case = await self._cases.waiting(tx, request_id, by)
            if matched and not spent:
                await tx.challenges.put(challenge)
                return await self._cases.carry(tx, case, case.verified(method, now, by), by)
            await self._failed(tx, case, by)
        return None

    async def _by_log_in(self, request_id: UUID, by: Caller) -> Seen | None:
        """Somebody else entered the request, and now its person is here."""
        async with self._begin(by.tenant) as tx:
            case = await self._cases.waiting(tx, request_id, by)
            if by.subject is not None:
                return await self._cases.carry(tx, case, case.verified(LOG_IN, self._clock(), by), by)
            await self._failed(tx, case, by)
        return None

    async def _failed(self, tx: RequestTransaction, case: _Case, by: Caller) -> None:
        await tx.audit.append(
            event=AuditEvent.REQUEST_IDENTITY_FAILED,
            object_id=str(case.request.id),
            by=by,
            subject=case.request.handle,
        )


def _seconds(left: timedelta) -> int:
    return max(1, ceil(left.total_seconds()))
