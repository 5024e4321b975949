"""What takes requests in from other protocols, and tells how far they are."""

import hmac
from collections.abc import Collection, Sequence
from hashlib import sha256
from uuid import UUID

import msgspec

from service.audit import AuditEvent, Draft
from service.doors.domain import (
    BOX,
    CALLBACK,
    MOST_CALLBACKS,
    STAND_IN,
    CallbackUnusable,
    Door,
    Intake,
    IntakeReused,
    IntakeUnderWay,
    IntakeUnknown,
    Kept,
    Stage,
    Status,
    Tables,
    Taken,
    status_of,
)
from service.doors.ports import Allowed, Begin, Callback, DoorTransaction, Find
from service.events import Event
from service.kernel import Caller, Clock, NewId, SubjectId
from service.requests import (
    LARGEST,
    LetterTooLarge,
    Move,
    MoveNotAllowed,
    MoveRequest,
    OpenRequest,
    RequestMoved,
    Said,
    State,
    Wish,
    WriteLetter,
    Written,
)
from service.vault import BoxKey, BoxPlace, KeyAccess, Letter, OpenBox, SealBox, SubjectErased, TenantKey

_TEXT = "text/plain"


class _Again(Exception):
    """Somebody else stored the same meanwhile."""


class TakeIn:
    """Make a case of what came through a door, with what takes effect at once, or store nothing."""

    def __init__(
        self,
        begin: Begin,
        keys: KeyAccess,
        seal: SealBox,
        unseal: OpenBox,
        find: Find,
        open_request: OpenRequest,
        write_letter: WriteLetter,
        allowed: Allowed,
        tables: Tables,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._begin = begin
        self._keys = keys
        self._seal = seal
        self._unseal = unseal
        self._find = find
        self._open_request = open_request
        self._write_letter = write_letter
        self._allowed = allowed
        self._tables = tables
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, intake: Intake, *, by: Caller) -> tuple[Status, bool]:
        """Return how far the request is, and whether it is new. The same again changes nothing.

        The answer is the same, and as much is done for it, whether or not anybody is known: what was said lies sealed
        with the case. A case is about a person whom alone the claims fit; about a stand-in where they fit nobody, or
        several. What takes effect at once does so for all whom any claim fits.

        Raises:
            IntakeReused, CallbackUnusable, LetterTooLarge, RingUnavailable, and what `OpenRequest` raises: nothing
                was stored.
        """
        if len(intake.message) > LARGEST:
            raise LetterTooLarge(f"a request has {LARGEST} bytes at most")
        if len(intake.callbacks) > MOST_CALLBACKS:
            raise CallbackUnusable(f"{MOST_CALLBACKS} addresses are as many as are told")
        for url in intake.callbacks:
            self._allowed(url)
        box_key, tenant_key = await self._keys.box_key(by.tenant), await self._write_letter.ready(by)
        found = {name for claim in intake.claims for name in await self._find(claim.field, claim.value, by)}
        while True:
            try:
                async with self._begin(by.tenant) as tx:
                    return await self._taken(tx, box_key, tenant_key, intake, found, by)
            except _Again:
                continue
            except SubjectErased:  # between the search and now, or all but the id went: then nobody is known
                found, intake = set(), msgspec.structs.replace(intake, subjects=())

    async def _taken(
        self,
        tx: DoorTransaction,
        box_key: BoxKey,
        tenant_key: TenantKey,
        intake: Intake,
        found: set[SubjectId],
        by: Caller,
    ) -> tuple[Status, bool]:
        reference = sha256(intake.reference.encode()).digest()
        digest = sha256(intake.content).digest()
        known = await tx.doors.find(intake.door, intake.sender, reference)
        if known is not None:
            status = await shown(tx, box_key, self._unseal, known, self._tables)
            if not hmac.compare_digest(status.kept.digest, digest):
                raise IntakeReused("another request came under this id")
            return status, False
        id_, now = self._new_id(), self._clock()
        people = await self._people(tx, intake, found)
        wish = Wish(
            id=id_,
            subject=people[0] if len(people) == 1 else SubjectId(f"{STAND_IN}{id_}"),
            right=intake.right,
            said=Said(via=intake.via, law=intake.law, received_at=intake.received_at),
            authority=intake.authority,
            alone=True,
        )
        seen, _ = await self._open_request.within(tx, wish, also=people, by=by)
        letter = Letter(media_type=_TEXT, content=intake.message)
        written = Written(
            id=self._new_id(),
            request=id_,
            about=intake.about,
            own=False,
            media_type=_TEXT,
            size=len(intake.message),
            at=now,
            actor=by.actor,
        )
        await self._write_letter.within(tx, tenant_key, seen.request.handle, written, letter, by=by)
        kept = Kept(reference=intake.reference, digest=digest)
        taken = Taken(
            id=id_,
            door=intake.door,
            sender=intake.sender,
            reference=reference,
            received_at=now,
            expected_at=seen.standing.due_at,
            sealed=self._seal(box_key, BoxPlace(kind=BOX, id=id_), msgspec.msgpack.encode(kept)),
        )
        stage = await stage_of(tx, id_)
        first = status_of(taken, kept, stage, self._tables.words(intake.door))
        callbacks = [
            self._callback(box_key, id_, url, stage.version, first.said) for url in dict.fromkeys(intake.callbacks)
        ]
        if not await tx.doors.add(taken, callbacks):
            raise _Again
        handle = seen.request.handle
        await tx.audit.append_many([Draft(event=AuditEvent.DOOR_TAKEN, object_id=str(id_), subject=handle)], by=by)
        await tx.outbox.add([Event(type=AuditEvent.DOOR_TAKEN.value, object_id=str(id_), subject=handle, at=now)])
        return first, True

    async def _people(self, tx: DoorTransaction, intake: Intake, found: set[SubjectId]) -> Sequence[SubjectId]:
        """Return whom anything that was said fits, each by one name."""
        people = set(found)
        for subject in intake.subjects:
            handle = await tx.subjects.handle_of(subject)
            if handle is not None:
                people.update((await tx.subjects.names([handle])).values())
        return sorted(people)

    def _callback(self, key: BoxKey, request: UUID, url: str, version: int, said: str) -> Callback:
        id_ = self._new_id()
        sealed = self._seal(key, BoxPlace(kind=CALLBACK, id=id_), url.encode())
        return Callback(id=id_, request=request, sealed=sealed, told=version, said=said)


class ReadIntake:
    """Tell whoever sent a request how far it is."""

    def __init__(self, begin: Begin, keys: KeyAccess, unseal: OpenBox, tables: Tables) -> None:
        self._begin = begin
        self._keys = keys
        self._unseal = unseal
        self._tables = tables

    async def by_reference(self, door: Door, sender: str, reference: str, *, by: Caller) -> Status:
        """Raises: IntakeUnknown, RingUnavailable, Unreadable"""
        key = await self._keys.box_key(by.tenant)
        async with self._begin(by.tenant) as tx:
            taken = await tx.doors.find(door, sender, sha256(reference.encode()).digest())
            if taken is None:
                raise IntakeUnknown("no such request came through this door")
            return await shown(tx, key, self._unseal, taken, self._tables)

    async def by_id(self, door: Door, request: UUID, *, by: Caller) -> Status:
        """Raises: IntakeUnknown, RingUnavailable, Unreadable"""
        key = await self._keys.box_key(by.tenant)
        async with self._begin(by.tenant) as tx:
            taken = await tx.doors.read(request)
            if taken is None or taken.door is not door:
                raise IntakeUnknown("no such request came through this door")
            return await shown(tx, key, self._unseal, taken, self._tables)


class TakeBack:
    """Withdraw a case because whoever sent it says so."""

    def __init__(self, begin: Begin, move_request: MoveRequest) -> None:
        self._begin = begin
        self._move_request = move_request

    async def __call__(self, request: UUID, within: Collection[State], *, by: Caller) -> None:
        """Do so in the states in which its protocol lets it be taken back. Done again it changes nothing.

        Raises:
            IntakeUnknown, IntakeUnderWay
        """
        while True:
            async with self._begin(by.tenant) as tx:
                stored = await tx.requests.find(request)
            if stored is None:
                raise IntakeUnknown("no such request came through this door")
            _, standing = stored
            if standing.state is State.WITHDRAWN:
                return
            if standing.state not in within:
                raise IntakeUnderWay("it is under way or over")
            try:
                await self._move_request(
                    request, Move.WITHDRAW, version=standing.version, reason=None, authority=None, by=by
                )
            except RequestMoved:
                continue
            except MoveNotAllowed:
                raise IntakeUnderWay("it is under way or over") from None
            return


async def shown(tx: DoorTransaction, key: BoxKey, unseal: OpenBox, taken: Taken, tables: Tables) -> Status:
    """Return how far a request is. Raises Unreadable."""
    plain = unseal(key, BoxPlace(kind=BOX, id=taken.id), taken.sealed)
    kept = msgspec.msgpack.decode(plain, type=Kept)
    return status_of(taken, kept, await stage_of(tx, taken.id), tables.words(taken.door))


async def stage_of(tx: DoorTransaction, request: UUID) -> Stage:
    """Return how far a case is. Raises IntakeUnknown."""
    stored = await tx.requests.find(request)
    if stored is None:
        raise IntakeUnknown("no such request came through this door")
    _, standing = stored
    history = (await tx.requests.histories([request]))[request]
    return Stage(
        version=standing.version,
        state=standing.state,
        reason=next((each.reason for each in history if each.move is Move.REFUSE), None),
        due_at=None if standing.due_on is None else standing.due_at,
        extended=any(each.move is Move.EXTEND for each in history),
    )
