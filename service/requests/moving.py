"""What moves requests on, along the table and no other way."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from service.audit import Draft
from service.events import Event
from service.kernel import Caller, Clock, SubjectId
from service.requests.case import ExtensionTooLate, ForStaff, Request, RequestMoved, RequestUnknown, Seen, needs_of
from service.requests.domain import NotExtendable
from service.requests.executing import check_execution
from service.requests.lifecycle import Happened, Move, MoveNotAllowed, advanced, possible
from service.requests.marking import marked_by, no_longer_marked_by
from service.requests.ports import Begin, RequestTransaction
from service.requests.reading import is_theirs
from service.requests.rights import GroundUnknown, Use, Verification
from service.requests.statutes import Statutes
from service.requests.usecases import EVENTS, NOT_NEEDED

BY_STAFF: Final = frozenset(Move) - {Move.RECEIVE, Move.JOIN}
BY_THEMSELVES: Final = frozenset({Move.WITHDRAW})


class MoveRequest:
    """Move a request on, with what follows for its dates and its subject, or store nothing."""

    def __init__(self, begin: Begin, clock: Clock, statutes: Statutes) -> None:
        self._begin = begin
        self._clock = clock
        self._statutes = statutes

    async def __call__(
        self, request_id: UUID, move: Move, *, version: int, reason: str | None, authority: str | None, by: Caller
    ) -> Seen:
        """Return the request as it stands then.

        Raises:
            RequestUnknown, RequestMoved, ForStaff, MoveNotAllowed, VerificationNeeded, GroundUnknown,
            MethodUnknown, NotExtendable, ExtensionTooLate, ErasureHeld, CertificateNeeded: nothing was stored.
        """
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            stored = await tx.requests.find(request_id, hold=True)
            if stored is None or not await is_theirs(tx, stored[0], by):
                raise RequestUnknown("there is no such request")
            request, before = stored
            if move not in (BY_STAFF if by.subject is None else BY_THEMSELVES):
                raise ForStaff("this is for the controller's staff to do")
            if version != before.version:
                raise RequestMoved("it has moved on since", pointers=["/version"], version=before.version)
            history = (await tx.requests.histories([request.id]))[request.id]
            happened = self._happened(request, history, move, reason, authority, now, by)
            await check_execution(tx, request, before.state, move)
            subject = await _name_of(tx, request)
            seen = self._statutes.seen(request, [*history, happened], subject, now)
            await tx.requests.move(request.id, seen.standing, happened)
            if seen.standing.mark is None:
                await no_longer_marked_by(tx, request, before.mark)
            else:
                await marked_by(tx, request, seen.standing.mark, now)
            event = EVENTS[move]
            await tx.audit.append_many([Draft(event=event, object_id=str(request.id), subject=request.handle)], by=by)
            await tx.outbox.add([Event(type=event.value, object_id=str(request.id), subject=request.handle, at=now)])
        return seen

    def _happened(
        self,
        request: Request,
        history: Sequence[Happened],
        move: Move,
        reason: str | None,
        authority: str | None,
        now: datetime,
        by: Caller,
    ) -> Happened:
        """Return the move, if it can follow and its reason is one."""
        rights, entitlement = self._statutes.rights, self._statutes.entitlement(request)
        seen = self._statutes.seen(request, history, None, now)
        needs = needs_of(entitlement, request.said.via)
        if move not in possible(seen.progress, needs):
            state = seen.progress.state
            raise MoveNotAllowed(f"it is {state}", state=state, moves=sorted(seen.moves))
        proves = Verification.NONE
        match move:
            case Move.VERIFY:
                if reason != NOT_NEEDED or Verification.NONE not in needs.sufficient:
                    proves = rights.proof(reason)
                if authority is not None:
                    rights.check_authority(entitlement, authority)
            case Move.REFUSE:
                rights.ground(request.law, entitlement, Use.REFUSAL, reason)
            case Move.EXTEND:
                self._check_extendable(request, seen, now)
                rights.ground(request.law, entitlement, Use.EXTENSION, reason)
            case _ if reason is not None:
                raise GroundUnknown("this move has no reason", pointers=["/reason"], reasons=[])
        if authority is not None and move is not Move.VERIFY:
            raise GroundUnknown("authority is shown when identity is", pointers=["/authority"], reasons=[])
        happened = Happened(
            number=len(history) + 1,
            move=move,
            at=now,
            actor=by.actor,
            reason=reason,
            authority=authority,
            proves=proves,
        )
        advanced(seen.progress, happened, needs)
        return happened

    def _check_extendable(self, request: Request, seen: Seen, now: datetime) -> None:
        if self._statutes.period(request).extension is None:
            raise NotExtendable(f"{request.law} knows no extension here, or none of a fixed length")
        today = now.astimezone(ZoneInfo(request.time_zone)).date()
        if seen.dates.due_on is not None and today > seen.dates.due_on:
            raise ExtensionTooLate("the notice had to go out in the first period")


async def _name_of(tx: RequestTransaction, request: Request) -> SubjectId | None:
    handle = await tx.subjects.current(request.handle)
    return None if handle is None else (await tx.subjects.names([handle])).get(handle)
