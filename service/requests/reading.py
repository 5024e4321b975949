"""What shows requests. Each is worked out from its receipt and its moves, not from what was noted of them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from service.audit import Content, ContentExpired
from service.kernel import Caller, Clock, DomainError, Handle, SubjectId
from service.requests.case import Excess, Filter, Position, Request, RequestUnknown, Seen, Standing, months_before
from service.requests.ports import Begin, RequestTransaction
from service.requests.statutes import Statutes


class ReadRequest:
    """Show one request, and what happened to it."""

    def __init__(self, begin: Begin, clock: Clock, statutes: Statutes) -> None:
        self._begin = begin
        self._clock = clock
        self._statutes = statutes

    async def __call__(self, request_id: UUID, *, by: Caller) -> Seen:
        """Raises: RequestUnknown, ContentExpired"""
        async with self._begin(by.tenant) as tx:
            stored = await tx.requests.find(request_id)
            if stored is None:
                raise await self._gone(tx, request_id, by)
            if not await is_theirs(tx, stored[0].handle, by):
                raise RequestUnknown("there is no such request")
            (seen,) = await _seen(tx, [stored], self._statutes, self._clock())
            if by.subject is not None:
                return seen
            return replace(seen, excess=await self._excess(tx, seen.request))

    async def _gone(self, tx: RequestTransaction, request_id: UUID, by: Caller) -> DomainError:
        """Return why there is no such request: it went when its period ended, or it never was theirs."""
        trace = (await tx.traces.of(Content.REQUEST, [request_id])).get(request_id)
        if trace is None or trace.handle is None or not await is_theirs(tx, trace.handle, by):
            return RequestUnknown("there is no such request")
        return ContentExpired("its period of retention is over")

    async def _excess(self, tx: RequestTransaction, request: Request) -> Excess | None:
        """Return how often the person asked, for staff to judge."""
        frequency = self._statutes.frequency(request)
        if frequency is None:
            return None
        handle = await tx.subjects.current(request.handle) or request.handle
        handles = {handle, request.handle, *await tx.subjects.former(handle)}
        rights = frequency.rights if frequency.together else (request.right,)
        since = months_before(request.received_at, frequency.months)
        counted = await tx.requests.count(handles, rights, request.law, since=since, until=request.received_at)
        return self._statutes.excess(frequency, counted)


class ReadRequests:
    """Show the queue: what is due first comes first."""

    def __init__(self, begin: Begin, clock: Clock, statutes: Statutes) -> None:
        self._begin = begin
        self._clock = clock
        self._statutes = statutes

    async def __call__(
        self, wanted: Filter, *, after: Position | None, limit: int, by: Caller
    ) -> tuple[Sequence[Seen], Position | None]:
        """Return a page, and where to go on if more are there."""
        if wanted.overdue:
            now = self._clock()
            wanted = replace(wanted, due_before=now if wanted.due_before is None else min(now, wanted.due_before))
        async with self._begin(by.tenant) as tx:
            found = await tx.requests.page(wanted, after=after, limit=limit + 1)
            shown = found[:limit]
            seen = await _seen(tx, shown, self._statutes, self._clock())
        last = shown[-1] if len(found) > limit else None
        return seen, None if last is None else Position(due_at=last[1].due_at, id=last[0].id)


async def _seen(
    tx: RequestTransaction, found: Sequence[tuple[Request, Standing]], statutes: Statutes, now: datetime
) -> Sequence[Seen]:
    histories = await tx.requests.histories([request.id for request, _ in found])
    names = dict(await tx.subjects.names({request.handle for request, _ in found}))
    for request, _ in found:
        if request.handle not in names and (handle := await tx.subjects.current(request.handle)) is not None:
            names[request.handle] = (await tx.subjects.names([handle]))[handle]
    return [
        statutes.shown(request, standing, histories[request.id], names.get(request.handle), now)
        for request, standing in found
    ]


async def held(tx: RequestTransaction, request_id: UUID, by: Caller) -> tuple[Request, Standing] | None:
    """Return a request that the caller may see, and keep others from moving it until this transaction ends.

    Its person comes first, as for whoever asks for something new: nobody waits for each other.
    """
    stored = await tx.requests.find(request_id)
    if stored is None or not await is_theirs(tx, stored[0].handle, by):
        return None
    await tx.subjects.lock_current(stored[0].handle)
    return await tx.requests.find(request_id, hold=True)


async def is_theirs(tx: RequestTransaction, whose: Handle, by: Caller) -> bool:
    """Return whether a caller may see the request of a person: staff may see all, people their own."""
    if by.subject is None:
        return True
    handle = await tx.subjects.handle_of(SubjectId(by.subject))
    return handle is not None and (whose == handle or whose in await tx.subjects.former(handle))
