"""Taking lists in, and saying what has become of whom they name."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Final

from msgspec.structs import replace

from service.audit import AuditEvent
from service.drop.domain import (
    Added,
    Broker,
    Carried,
    Counts,
    Item,
    List,
    ListUnusable,
    NotABroker,
    Rules,
    Status,
    StillMatching,
)
from service.drop.ports import Begin, DropTransaction
from service.drop.reading import Download, Part
from service.kernel import Caller, Clock, TenantId
from service.requests import (
    CertificateNeeded,
    ErasureHeld,
    Filter,
    Move,
    MoveNotAllowed,
    MoveRequest,
    PlaceNeeded,
    Position,
    RequestMoved,
    Right,
    State,
)
from service.vault import KeyAccess, drop_mark

LINES: Final = 5_000
"""So many are stored in one transaction."""
PAGE: Final = 500
"""So many requests are read at once."""

Advanced = Callable[[int, int], None]
"""Told how many lines are done, of how many."""


class RegisterBroker:
    """Say that a tenant is a registered data broker: from then on its people are compared with the lists."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, broker: str, *, by: Caller) -> bool:
        """Return whether that is news.

        Raises:
            PlaceNeeded: nobody has said where the tenant is, so no request could be opened.
        """
        async with self._begin(by.tenant) as tx:
            if await tx.tenants.seat() is None:
                raise PlaceNeeded("say first where the tenant is: volens tenant place")
            changed = await tx.drop.register(broker, self._clock())
            if changed:
                await tx.audit.append(event=AuditEvent.DROP_REGISTERED, object_id=by.tenant, by=by)
        return changed


class NoteAccess:
    """Remember that the platform was asked for lists: the law says how often that has to be."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, *, by: Caller) -> None:
        """Raises: NotABroker"""
        async with self._begin(by.tenant) as tx:
            await known(tx)
            await tx.drop.accessed(self._clock())
            await tx.audit.append(event=AuditEvent.DROP_ACCESSED, object_id=by.tenant, by=by)


class TakeIn:
    """Store what a download has, as keyed hashes, and find people by it.

    Everything is read once before anything is stored. Broken off and begun again, the outcome is the same.
    """

    def __init__(self, begin: Begin, keys: KeyAccess, clock: Clock) -> None:
        self._begin = begin
        self._keys = keys
        self._clock = clock

    async def __call__(self, open_: Callable[[str], Download], advanced: Advanced, *, by: Caller) -> Added:
        """Return what became of the lines. `open_` opens the download for a broker.

        Raises:
            NotABroker, RingUnavailable
            ListUnusable: nothing was stored.
        """
        async with self._begin(by.tenant) as tx:
            download = open_((await known(tx)).id)
        total = download.check()
        key = await self._keys.suppression_key(by.tenant)
        done, sum_ = 0, Added()
        for part in download.parts:
            lines = _lines(download, part)
            while piece := list(islice(lines, LINES)):
                async with self._begin(by.tenant) as tx:
                    if part.list is None:
                        gone = await tx.drop.remove([item.id for item in piece], self._clock())
                        added = Added(new=gone, known=len(piece) - gone)
                    else:
                        rows = [(item.id, drop_mark(key, part.list.value, item.hash)) for item in piece]
                        added = await tx.drop.add(part.list, part.listed_on, rows, self._clock())
                    told = f"{part.list.value if part.list else 'Removed'}/{added.new}"
                    await tx.audit.append(event=AuditEvent.DROP_TAKEN_IN, object_id=told, by=by)
                done += len(piece)
                sum_ = _sum(sum_, added)
                advanced(done, total)
        async with self._begin(by.tenant) as tx:
            await tx.drop.accessed(self._clock())
        return sum_


class Answers:
    """Say what the platform is to be told of the work items of a list."""

    def __init__(self, begin: Begin, rules: Rules) -> None:
        self._begin = begin
        self._rules = rules

    async def ready(self, tenant: TenantId) -> tuple[Broker, Sequence[tuple[date, List]]]:
        """Return the broker and its lists.

        Raises:
            NotABroker
            StillMatching: who isn't found yet may still be.
        """
        async with self._begin(tenant) as tx:
            broker = await known(tx)
            if waiting := await tx.drop.waiting():
                raise StillMatching(f"{waiting} people are still to be compared with the lists")
            return broker, await tx.drop.lists()

    async def __call__(
        self, tenant: TenantId, listed_on: date, list_: List, *, amend: bool
    ) -> AsyncIterator[tuple[str, Status | None]]:
        """Give each work item with its status, or with nothing while it is open.

        With `amend` those of which the platform was told something else; without it those of which it was told nothing.
        """
        after = ""
        while True:
            async with self._begin(tenant) as tx:
                page = await tx.drop.answerable(listed_on, list_, told=amend, after=after, limit=LINES)
            if not page:
                return
            for each in page:
                status = self._rules.status(each.outcomes)
                if not amend or status is not each.told:
                    yield each.id, status
            after = page[-1].id


class Tell:
    """Remember what the platform was told."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, answers: Iterable[tuple[str, Status]], *, by: Caller) -> int:
        """Return of how many known work items that was.

        Raises:
            NotABroker
        """
        rest, told = iter(answers), 0
        while piece := dict(islice(rest, LINES)):
            async with self._begin(by.tenant) as tx:
                await known(tx)
                count = await tx.drop.tell(piece, self._clock())
                await tx.audit.append(event=AuditEvent.DROP_TOLD, object_id=str(count), by=by)
            told += count
        return told


class CarryOut:
    """Have those erased who were found and whom nobody has exempted, and answer what is certified."""

    def __init__(self, begin: Begin, rules: Rules, move_request: MoveRequest) -> None:
        self._begin = begin
        self._rules = rules
        self._move_request = move_request

    async def __call__(self, *, by: Caller) -> Carried:
        """Return how many were begun and answered, and how many can't be yet: they are tried again the next time.

        Raises:
            NotABroker
        """
        async with self._begin(by.tenant) as tx:
            await known(tx)
        answered, waiting = await self._moved(State.EXECUTING, Move.COMPLETE, by)
        begun, held = await self._moved(State.ACCEPTED, Move.EXECUTE, by)
        return Carried(begun=begun, answered=answered, held=held, waiting=waiting)

    async def _moved(self, state: State, move: Move, by: Caller) -> tuple[int, int]:
        wanted = Filter(state=state, right=Right.ERASURE, law=self._rules.law)
        after: Position | None = None
        moved = stayed = 0
        while True:
            async with self._begin(by.tenant) as tx:
                page = await tx.requests.page(wanted, after=after, limit=PAGE)
            for request, standing in page:
                try:
                    await self._move_request(
                        request.id, move, version=standing.version, reason=None, authority=None, by=by
                    )
                    moved += 1
                except (CertificateNeeded, ErasureHeld, MoveNotAllowed, RequestMoved):
                    stayed += 1
            if len(page) < PAGE:
                return moved, stayed
            request, standing = page[-1]
            after = Position(due_at=standing.due_at, id=request.id)


class ReadProgress:
    """Show how far a broker is."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, tenant: TenantId) -> tuple[Broker, Counts]:
        """Raises: NotABroker"""
        async with self._begin(tenant) as tx:
            return await known(tx), await tx.drop.counts()


async def known(tx: DropTransaction) -> Broker:
    """Return the broker that the tenant is.

    Raises:
        NotABroker
    """
    if (broker := await tx.drop.broker()) is None:
        raise NotABroker("the tenant is no registered data broker: volens drop register")
    return broker


def _lines(download: Download, part: Part) -> Iterator[Item]:
    for item in download.items(part):
        if not isinstance(item, Item):
            raise ListUnusable(f"{item} has changed since it was read first")
        yield item


def _sum(one: Added, other: Added) -> Added:
    return replace(
        one,
        new=one.new + other.new,
        known=one.known + other.known,
        contradicting=one.contradicting + other.contradicting,
    )
