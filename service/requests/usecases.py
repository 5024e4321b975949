"""What takes requests in. What takes effect at once is stored with the receipt."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from service.audit import AuditEvent, Draft
from service.consent import Action, AppendRecords, RecordChannel, Statement, Submission
from service.events import Event
from service.kernel import Caller, Clock, Handle, NewId, SubjectId
from service.requests.case import (
    SKEW,
    ForStaff,
    PlaceNeeded,
    Request,
    RequestFromTheFuture,
    RequestIdReused,
    Seen,
    Via,
    Wish,
)
from service.requests.committed import moved
from service.requests.lifecycle import Happened, Move, Needs
from service.requests.marking import marked_by
from service.requests.ports import Begin, RequestTransaction
from service.requests.rights import Entitlement, Verification
from service.requests.statutes import Statutes
from service.requests.telling import note_telling
from service.subjects import Subject, UnknownSubject

LOG_IN: Final = "log_in"
NOT_NEEDED: Final = "not_needed"
"""How identity was shown where the right asks nobody who they are."""


class OpenRequest:
    """Take a request in, with what takes effect on receipt, or store nothing."""

    def __init__(self, begin: Begin, clock: Clock, new_id: NewId, statutes: Statutes, append: AppendRecords) -> None:
        self._begin = begin
        self._clock = clock
        self._new_id = new_id
        self._statutes = statutes
        self._append = append

    async def __call__(self, wish: Wish, *, by: Caller) -> tuple[Seen, bool]:
        """Return the request as it stands, and whether it is new.

        Sent again with the same content it is answered like the first time, as it stands by
        now. A subject nobody knew comes into being.

        Raises:
            RequestIdReused, RequestFromTheFuture, UnknownSubject, ForStaff, PlaceNeeded, UnknownPlace,
            UnknownZone, UnknownLaw, RightUnknown, NotInForce, ReceiptOutOfRange, MethodUnknown: nothing was stored.
        """
        async with self._begin(by.tenant) as tx:
            return await self.within(tx, wish, by=by)

    async def within(
        self, tx: RequestTransaction, wish: Wish, *, also: Collection[SubjectId] = (), by: Caller
    ) -> tuple[Seen, bool]:
        """Do the same as a part of a larger transaction, which has to end when this raises.

        What takes effect at once does so for the people in `also` too: somebody asked, and it may be for one of them.
        """
        now = self._clock()
        said = wish.said
        _refuse_what_staff_says(wish, by)
        if said.received_at is not None and said.received_at > now + SKEW:
            raise RequestFromTheFuture("it was received later than now", pointers=["/received_at"])
        ensured = await tx.subjects.ensure([wish.subject], now)
        person = await tx.subjects.lock(ensured.handles[wish.subject])
        handles = {person.handle, *await tx.subjects.former(person.handle)}
        if (stored := await tx.requests.find(wish.id)) is not None:
            return await self._again(tx, wish, stored[0], handles), False
        request = await self._received(tx, wish, person, handles, now, by)
        history = self._first_moves(request, wish.authority, now, by)
        seen = self._statutes.seen(request, history, wish.subject, now)
        if not await tx.requests.add(request, seen.standing, history):
            raise RequestIdReused("another request has this id", pointers=["/id"])
        drafts = [moved(request, one) for one in history]
        if ensured.created:
            drafts.insert(
                0, Draft(event=AuditEvent.SUBJECT_CREATED, object_id=str(person.handle), subject=person.handle)
            )
        await tx.audit.append_many(drafts, by=by)
        await tx.outbox.add(
            [
                Event(type=draft.event.value, object_id=draft.object_id, subject=person.handle, at=now)
                for draft in drafts
            ]
        )
        await marked_by(tx, request, seen.standing.mark, now, by)
        for one in history if request.joins is None else ():
            await note_telling(tx, self._statutes, request, one, by=by)
        people = list(dict.fromkeys([wish.subject, *also]))
        if effects := self._effects(people, request, self._statutes.entitlement(request)):
            await self._append.within(tx, effects, by=by)
        return seen, True

    async def _again(self, tx: RequestTransaction, wish: Wish, stored: Request, handles: set[Handle]) -> Seen:
        if stored.handle not in handles or stored.right is not wish.right or stored.said != wish.said:
            raise RequestIdReused("another request has this id", pointers=["/id"])
        history = (await tx.requests.histories([stored.id]))[stored.id]
        return self._statutes.seen(stored, history, wish.subject, self._clock())

    async def _received(
        self, tx: RequestTransaction, wish: Wish, person: Subject, handles: set[Handle], now: datetime, by: Caller
    ) -> Request:
        said = wish.said
        place, time_zone = said.place, said.time_zone
        if place is None or time_zone is None:
            seat = await tx.tenants.seat()
            if seat is None:
                raise PlaceNeeded("say place and time_zone, or have the operator set those of the tenant")
            place, time_zone = place or seat[0], time_zone or seat[1]
        self._statutes.check_seat(place, time_zone)
        if said.law is not None:
            self._statutes.rights.of(said.law, wish.right)
            law, assumed = said.law, False
        else:
            law, assumed = self._statutes.governing(person.facts.residence, wish.right)
        request = Request(
            id=wish.id,
            handle=person.handle,
            right=wish.right,
            law=law,
            assumed=assumed,
            said=said,
            joins=None,
            place=place,
            time_zone=time_zone,
            received_at=said.received_at or now,
            entered_at=now,
        )
        if said.law is None and not self._statutes.in_force(request):
            law = self._statutes.rights.assumed
            self._statutes.rights.of(law, wish.right)
            request = replace(request, law=law, assumed=True)
        return request if wish.alone else replace(request, joins=await self._open(tx, request, handles, by))

    async def _open(self, tx: RequestTransaction, request: Request, handles: set[Handle], by: Caller) -> UUID | None:
        """Return the open request that this one joins. Until we are done it stays open.

        It is due no later than this one would be: nobody's time runs out unseen behind a clock that stands.
        """
        now = request.entered_at
        receipt = Happened(number=1, move=Move.RECEIVE, at=now, actor=by.actor)
        due = self._statutes.seen(request, [receipt], None, now).standing.due_at
        found = await tx.requests.open_of(handles, request.right, request.law, request.said.via, due_by=due)
        stored = None if found is None else await tx.requests.find(found, hold=True)
        return found if stored is not None and stored[1].open and stored[1].due_at <= due else None

    def _first_moves(self, request: Request, authority: str | None, now: datetime, by: Caller) -> Sequence[Happened]:
        """Return the receipt and what follows from it: it joins another, or an agent may ask, or all is known."""
        history = [Happened(number=1, move=Move.RECEIVE, at=now, actor=by.actor)]
        if request.joins is not None:
            return [*history, Happened(number=2, move=Move.JOIN, at=now, actor=by.actor)]
        if authority is not None:
            self._statutes.rights.check_authority(self._statutes.entitlement(request), authority)
            history.append(Happened(number=2, move=Move.AUTHORISE, at=now, actor=by.actor, authority=authority))
        needs = self._statutes.needs(request)
        own = by.subject is not None
        known = known_at_once(needs, history[-1], actor=by.actor, own=own, authorised=authority is not None)
        return history if known is None else [*history, known]

    def _effects(self, people: Sequence[SubjectId], request: Request, entitlement: Entitlement) -> Sequence[Submission]:
        """Return the records that a request makes: they count from its receipt on."""
        return [
            Submission(
                id=self._new_id(),
                subject=subject,
                statement=Statement(
                    ts=request.received_at,
                    channel=RecordChannel.ANY,
                    purpose=effect.purpose,
                    action=Action(effect.action),
                    evidence=f"request:{request.id}",
                ),
            )
            for subject in people
            for effect in entitlement.at_once
        ]


def known_at_once(needs: Needs, last: Happened, *, actor: str, own: bool, authorised: bool = False) -> Happened | None:
    """Return the verification that follows by itself: nobody needs any, or their own log-in shows who they are."""
    if needs.agent and not authorised:
        return None
    if own and Verification.SESSION in needs.sufficient:
        reason, proves = LOG_IN, Verification.SESSION
    elif Verification.NONE in needs.sufficient:
        reason, proves = NOT_NEEDED, Verification.NONE
    else:
        return None
    return Happened(number=last.number + 1, move=Move.VERIFY, at=last.at, actor=actor, reason=reason, proves=proves)


def _refuse_what_staff_says(wish: Wish, by: Caller) -> None:
    """With their own token people ask for themselves, now."""
    if by.subject is None:
        return
    if wish.subject != by.subject:
        raise UnknownSubject("no such subject")
    told = [f"/{name}" for name in ("received_at", "place", "time_zone") if getattr(wish.said, name) is not None]
    if wish.said.via not in {Via.PORTAL, Via.SIGNAL}:
        told.append("/via")
    if told:
        raise ForStaff("this is for the controller's staff to say", pointers=told)
