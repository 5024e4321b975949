"""What is written about requests: kept in the vault, read by the person and by staff, gone with the person's key."""

import hmac
from collections.abc import Sequence
from uuid import UUID

from service.audit import AuditEvent, Draft
from service.events import Event
from service.kernel import Caller, Clock, Handle
from service.requests.case import ForStaff, Request, RequestUnknown
from service.requests.letters import (
    BY_STAFF,
    LARGEST,
    MOST,
    About,
    LetterGone,
    LetterIdReused,
    LetterTooLarge,
    LetterUnknown,
    Read,
    TooManyLetters,
    Written,
)
from service.requests.lifecycle import MoveNotAllowed
from service.requests.ports import Begin, RequestTransaction
from service.requests.reading import held, is_theirs
from service.vault import Letter, Letters, TenantKey


class WriteLetter:
    """Keep a text or a file about a request, or nothing of it."""

    def __init__(self, begin: Begin, clock: Clock, letters: Letters) -> None:
        self._begin = begin
        self._clock = clock
        self._letters = letters

    async def __call__(
        self, request_id: UUID, letter_id: UUID, about: About, letter: Letter, *, by: Caller
    ) -> tuple[Written, bool]:
        """Return that it is kept, and whether it is new. The same again changes nothing.

        Raises:
            RequestUnknown, ForStaff, LetterTooLarge, LetterIdReused, TooManyLetters, SubjectErased, RingUnavailable
            MoveNotAllowed: the case is over, and nothing that shows who somebody is may be added to it.
        """
        if len(letter.content) > LARGEST:
            raise LetterTooLarge(f"a letter has {LARGEST} bytes at most", pointers=["/content"])
        tenant_key = await self.ready(by)
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            stored = await held(tx, request_id, by)
            if stored is None:
                raise RequestUnknown("there is no such request")
            if about in BY_STAFF and by.subject is not None:
                raise ForStaff("this is for the controller's staff to write", pointers=["/about"])
            request, standing = stored
            written = Written(
                id=letter_id,
                request=request_id,
                about=about,
                own=by.subject is not None,
                media_type=letter.media_type,
                size=len(letter.content),
                at=now,
                actor=by.actor,
            )
            handle = await _whose(tx, request)
            before = await tx.letters.of(request_id)
            same = next((each for each in before if each.id == letter_id), None)
            if same is not None:
                kept = await self._letters.open(tx, tenant_key, handle, same.field, letter_id, by=by)
                if not _alike(same, written) or (kept is not None and not _says(kept, letter)):
                    raise LetterIdReused("another letter has this id", pointers=["/id"])
                return same, False
            if written.proof and not standing.open:
                raise MoveNotAllowed(f"it is {standing.state}", state=standing.state, moves=[])
            if len(before) >= MOST:
                raise TooManyLetters(f"{MOST} letters are as many as may be about one request")
            await self.within(tx, tenant_key, handle, written, letter, by=by)
        return written, True

    async def ready(self, by: Caller) -> TenantKey:
        """Return what `within` needs. Ask before the transaction begins.

        Raises:
            RingUnavailable
        """
        return await self._letters.tenant_key(by)

    async def within(
        self,
        tx: RequestTransaction,
        tenant_key: TenantKey,
        handle: Handle,
        written: Written,
        letter: Letter,
        *,
        by: Caller,
    ) -> None:
        """Keep a new letter as a part of a larger transaction, which has to end when this raises.

        Raises:
            LetterIdReused, SubjectErased
        """
        if not await tx.letters.add(written):
            raise LetterIdReused("another letter has this id", pointers=["/id"])
        await self._letters.keep(tx, tenant_key, handle, written.field, written.id, letter, at=written.at, by=by)
        event, letter_id = AuditEvent.REQUEST_LETTER_WRITTEN, str(written.id)
        await tx.audit.append_many([Draft(event=event, object_id=letter_id, subject=handle)], by=by)
        await tx.outbox.add([Event(type=event.value, object_id=letter_id, subject=handle, at=written.at)])


class ReadLetters:
    """List what was written about a request, without what it says."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, request_id: UUID, *, by: Caller) -> Sequence[Written]:
        """Return it, oldest first.

        Raises:
            RequestUnknown
        """
        async with self._begin(by.tenant) as tx:
            await _seen(tx, request_id, by)
            return await tx.letters.of(request_id)


class ReadLetter:
    """Open one letter. Of staff each reading leaves an entry."""

    def __init__(self, begin: Begin, letters: Letters) -> None:
        self._begin = begin
        self._letters = letters

    async def __call__(self, request_id: UUID, letter_id: UUID, *, by: Caller) -> Read:
        """Return what it says.

        Raises:
            RequestUnknown, LetterUnknown, LetterGone, RingUnavailable, Unreadable
        """
        tenant_key = await self._letters.tenant_key(by)
        async with self._begin(by.tenant) as tx:
            request = await _seen(tx, request_id, by)
            written = next((each for each in await tx.letters.of(request_id) if each.id == letter_id), None)
            if written is None:
                raise LetterUnknown("there is no such letter about this request")
            handle = await _whose(tx, request)
            letter = await self._letters.open(tx, tenant_key, handle, written.field, letter_id, by=by)
            if letter is None:
                raise LetterGone("what it said is gone")
            if by.subject is None:
                await tx.audit.append(
                    event=AuditEvent.REQUEST_LETTER_READ, object_id=str(letter_id), by=by, subject=request.handle
                )
        return Read(written=written, letter=letter)


async def _seen(tx: RequestTransaction, request_id: UUID, by: Caller) -> Request:
    stored = await tx.requests.find(request_id)
    if stored is None or not await is_theirs(tx, stored[0].handle, by):
        raise RequestUnknown("there is no such request")
    return stored[0]


async def _whose(tx: RequestTransaction, request: Request) -> Handle:
    """Return the handle under whose key it lies: after a merge another than that of the request."""
    return await tx.subjects.current(request.handle) or request.handle


def _alike(one: Written, other: Written) -> bool:
    return (one.about, one.own, one.media_type, one.size) == (other.about, other.own, other.media_type, other.size)


def _says(kept: Letter, letter: Letter) -> bool:
    return hmac.compare_digest(kept.content, letter.content)
