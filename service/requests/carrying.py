"""What a move brings with it, in the transaction of whoever makes it: flags, entries, events, and who had joined."""

from collections.abc import Sequence
from typing import Final

from service.events import Event
from service.kernel import Caller, SubjectId
from service.requests.case import Request, Seen, Standing
from service.requests.committed import moved
from service.requests.identity import WAITING
from service.requests.lifecycle import Happened, Move, State
from service.requests.marking import marked_by, no_longer_marked_by
from service.requests.ports import RequestTransaction
from service.requests.rights import Use
from service.requests.statutes import Statutes
from service.requests.telling import note_telling
from service.requests.usecases import known_at_once
from service.vault import dropped

OWN: Final = "self"
"""The actor of those who act with their own token."""


class Carry:
    """Store a move that can follow, and what follows from it."""

    def __init__(self, statutes: Statutes) -> None:
        self._statutes = statutes

    async def __call__(
        self,
        tx: RequestTransaction,
        request: Request,
        before: Standing,
        history: Sequence[Happened],
        happened: Happened,
        *,
        by: Caller,
    ) -> Seen:
        """Return the held request as it stands then."""
        seen = self._statutes.seen(request, [*history, happened], await _name_of(tx, request), happened.at)
        await tx.requests.move(request.id, seen.standing, happened)
        if seen.standing.mark is None:
            await no_longer_marked_by(tx, request, before.mark, by)
        else:
            await marked_by(tx, request, seen.standing.mark, happened.at, by)
        draft = moved(request, happened)
        await tx.audit.append_many([draft], by=by)
        await tx.outbox.add(
            [Event(type=draft.event.value, object_id=draft.object_id, subject=draft.subject, at=happened.at)]
        )
        await note_telling(tx, self._statutes, request, happened, by=by)
        if seen.standing.state not in WAITING:
            await tx.challenges.forget(request.id)
        if before.open and not seen.standing.open:
            await self._end(tx, request, happened, by)
        return seen

    async def _end(self, tx: RequestTransaction, request: Request, happened: Happened, by: Caller) -> None:
        """Nothing that showed who somebody is outlives the case, and who joined it goes on where nobody answered."""
        handle = await tx.subjects.current(request.handle) or request.handle
        proofs = [each.id for each in await tx.letters.of(request.id) if each.proof]
        await dropped(tx, handle, proofs, at=happened.at, by=by)
        if not self._unanswered(request, happened):
            return
        for joined, standing in await tx.requests.joined(request.id, hold=True):
            if standing.state is State.DUPLICATE:
                await self._reopen(tx, joined, standing, happened, by)

    def _unanswered(self, request: Request, happened: Happened) -> bool:
        """Return whether a case ended for a reason that is about who asked, and says nothing to others who did."""
        if happened.move is not Move.REFUSE:
            return happened.move is Move.WITHDRAW
        entitlement = self._statutes.entitlement(request)
        return self._statutes.rights.ground(request.law, entitlement, Use.REFUSAL, happened.reason).personal

    async def _reopen(
        self, tx: RequestTransaction, request: Request, before: Standing, because: Happened, by: Caller
    ) -> None:
        """Let a request that had joined go on by itself. Its clock runs since its own receipt."""
        history = list((await tx.requests.histories([request.id]))[request.id])
        reopened = Happened(number=len(history) + 1, move=Move.REOPEN, at=because.at, actor=by.actor)
        seen = await self(tx, request, before, history, reopened, by=by)
        received = history[0]
        needs = self._statutes.needs(request)
        known = known_at_once(needs, reopened, actor=received.actor, own=received.actor == OWN)
        if known is not None:
            await self(tx, request, seen.standing, [*history, reopened], known, by=by)


async def _name_of(tx: RequestTransaction, request: Request) -> SubjectId | None:
    handle = await tx.subjects.current(request.handle)
    return None if handle is None else (await tx.subjects.names([handle])).get(handle)
