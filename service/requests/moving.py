"""What moves requests on, along the table and no other way."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from service.kernel import Caller, Clock
from service.requests.carrying import Carry
from service.requests.case import ExtensionTooLate, ForStaff, Request, RequestMoved, RequestUnknown, Seen
from service.requests.domain import NotExtendable
from service.requests.executing import check_execution
from service.requests.lifecycle import Happened, Move, MoveNotAllowed, advanced, possible
from service.requests.ports import Begin
from service.requests.reading import held
from service.requests.rights import GroundUnknown, Use, Verification
from service.requests.statutes import Statutes
from service.requests.telling import check_answers
from service.requests.usecases import NOT_NEEDED

BY_STAFF: Final = frozenset(Move) - {Move.RECEIVE, Move.JOIN, Move.REOPEN}
BY_THEMSELVES: Final = frozenset({Move.WITHDRAW})


class MoveRequest:
    """Move a request on, with what follows for its dates and its subject, or store nothing."""

    def __init__(self, begin: Begin, clock: Clock, statutes: Statutes) -> None:
        self._begin = begin
        self._clock = clock
        self._statutes = statutes
        self._carry = Carry(statutes)

    async def __call__(
        self, request_id: UUID, move: Move, *, version: int, reason: str | None, authority: str | None, by: Caller
    ) -> Seen:
        """Return the request as it stands then.

        Raises:
            RequestUnknown, RequestMoved, ForStaff, MoveNotAllowed, VerificationNeeded, GroundUnknown,
            MethodUnknown, NotExtendable, ExtensionTooLate, ErasureHeld, CertificateNeeded, AnswersOwed: nothing was
                stored.
        """
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            stored = await held(tx, request_id, by)
            if stored is None:
                raise RequestUnknown("there is no such request")
            request, before = stored
            if move not in (BY_STAFF if by.subject is None else BY_THEMSELVES):
                raise ForStaff("this is for the controller's staff to do")
            if version != before.version:
                raise RequestMoved("it has moved on since", pointers=["/version"], version=before.version)
            history = (await tx.requests.histories([request.id]))[request.id]
            happened = self._happened(request, history, move, reason, authority, now, by)
            await check_execution(tx, request, before.state, move)
            await check_answers(tx, self._statutes, request, move)
            return await self._carry(tx, request, before, history, happened, by=by)

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
        needs = self._statutes.needs(request)
        if move not in possible(seen.progress, needs):
            state = seen.progress.state
            raise MoveNotAllowed(f"it is {state}", state=state, moves=sorted(seen.moves))
        proves = Verification.NONE
        match move:
            case Move.VERIFY:
                if reason != NOT_NEEDED or Verification.NONE not in needs.sufficient:
                    proves = rights.proof(reason)
            case Move.REFUSE:
                rights.ground(request.law, entitlement, Use.REFUSAL, reason)
            case Move.ASK_FEE:
                rights.ground(request.law, entitlement, Use.FEE, reason)
            case Move.EXTEND:
                self._check_extendable(request, seen, now)
                rights.ground(request.law, entitlement, Use.EXTENSION, reason)
            case _ if reason is not None:
                raise GroundUnknown("this move has no reason", pointers=["/reason"], reasons=[])
        if move is Move.AUTHORISE or authority is not None:
            if move not in {Move.AUTHORISE, Move.VERIFY}:
                raise GroundUnknown("authority is shown when identity is", pointers=["/authority"], reasons=[])
            rights.check_authority(entitlement, authority)
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
