from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from service.audit import AuditEvent
from service.kernel import Caller, Clock, NewId
from service.packages.asking import noted, theirs
from service.packages.parcel_ports import BeginParcel, Opening, ParcelTransaction, SealedFiles
from service.packages.parcels import (
    GRACE,
    PURPOSE,
    PackageGone,
    PackageTaken,
    PackageUnfinished,
    PackageUnknown,
    Parcel,
    ParcelState,
)
from service.requests import Request, State
from service.reveals import OFFICER, ApprovalNeeded, ApprovalUnknown, ApprovalUnusable, OfficersOnly

BEAT: Final = timedelta(seconds=15)
"""How often whoever fetches is said to be at it."""
_ANSWERED: Final = frozenset({State.EXECUTING, State.ANSWERED, State.CLOSED})


class Handed(Struct, frozen=True, kw_only=True):
    """A package on its way out."""

    size: int
    parts: AsyncGenerator[bytes]
    ended: Callable[[bool], Awaitable[None]]
    """Takes whether all of it went out. Must be called."""


class FetchPackage:
    """Hand out a package, once. That it is handed out is an entry before its first byte leaves."""

    def __init__(self, begin: BeginParcel, open_: Opening, files: SealedFiles, clock: Clock, new_id: NewId) -> None:
        self._begin = begin
        self._open = open_
        self._files = files
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, request_id: UUID, *, approval: UUID | None, by: Caller) -> Handed:
        """Return the package, all of which was seen to open.

        People fetch their own. Staff need an approval for `dsr_response` that names the request as its reference and
        every field of which something is kept; it is used up. Of several at once one gets it. One that breaks off can
        be had again for `GRACE` from the first attempt on.

        Raises:
            RequestUnknown, PackageUnknown, PackageUnfinished, PackageGone, PackageTaken
            OfficersOnly, ApprovalNeeded, ApprovalUnknown, ApprovalUnusable
            SubjectErased
            Unreadable, Unavailable
        """
        async with self._begin(by.tenant) as tx:
            parcel = await self._admitted(tx, request_id, approval, by)
        parts = await self._open(by.tenant, parcel)
        taken = await self._taken(parcel, approval, by)

        async def ended(whole: bool) -> None:
            await self._ended(taken, by, whole=whole)

        return Handed(size=parcel.size or 0, parts=self._beating(parts, taken, by), ended=ended)

    async def _admitted(self, tx: ParcelTransaction, request_id: UUID, approval: UUID | None, by: Caller) -> Parcel:
        """Return a package that `by` may have now, and that nobody else can change until the transaction ends."""
        now = self._clock()
        request, standing = await theirs(tx, request_id, by)
        parcel = await tx.parcels.find(request_id, hold=True)
        if parcel is None:
            raise PackageUnknown("this request has no package")
        if by.subject is None:
            await _check_approval(tx, approval, request, parcel, now, by)
        state = parcel.stands(now) if standing.state in _ANSWERED else ParcelState.DELETED
        if state in {ParcelState.FETCHED, ParcelState.DELETED, ParcelState.EXPIRED}:
            raise PackageGone(f"the package is {state}", state=state)
        if state is not ParcelState.READY:
            raise PackageUnfinished(f"there is nothing to fetch: the package is {state}", state=state)
        if parcel.held(now):
            raise PackageTaken("somebody fetches it at this moment")
        return parcel

    async def _taken(self, opened: Parcel, approval: UUID | None, by: Caller) -> Parcel:
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            parcel = await self._admitted(tx, opened.request, approval, by)
            until = now + GRACE if parcel.expires_at is None else min(parcel.expires_at, now + GRACE)
            taken = await tx.parcels.take(opened, self._new_id(), now=now, expires_at=until)
            if taken is None:
                raise PackageTaken("another package took its place at this moment")
            if approval is not None and by.subject is None:
                await tx.approvals.use(approval, at=now)
            await noted(tx, AuditEvent.PACKAGE_DOWNLOADED, parcel, self._clock, by)
        return taken

    async def _beating(self, parts: AsyncGenerator[bytes], parcel: Parcel, by: Caller) -> AsyncGenerator[bytes]:
        said = self._clock()
        async with aclosing(parts):
            async for part in parts:
                yield part
                if (now := self._clock()) >= said + BEAT:
                    async with self._begin(by.tenant) as tx:
                        if not await tx.parcels.beat(parcel, now):
                            raise PackageTaken("somebody else fetches it by now")
                    said = now

    async def _ended(self, parcel: Parcel, by: Caller, *, whole: bool) -> None:
        async with self._begin(by.tenant) as tx:
            if not whole:
                await tx.parcels.release(parcel)
                return
            if await tx.parcels.fetched(parcel, by_owner=by.subject is not None):
                await noted(tx, AuditEvent.PACKAGE_DELETED, parcel, self._clock, by)
        self._files.remove(by.tenant, str(parcel.id))


async def _check_approval(
    tx: ParcelTransaction, approval: UUID | None, request: Request, parcel: Parcel, now: datetime, by: Caller
) -> None:
    """Refuse to hand staff what a second person has not agreed to."""
    if OFFICER not in by.scopes:
        raise OfficersOnly("this is for the person, or for officers", scope=OFFICER)
    if approval is None:
        raise ApprovalNeeded("a second officer has to agree first", parameters=["approval"])
    given = await tx.approvals.find(approval, hold=True)
    if given is None:
        raise ApprovalUnknown("there is no approval with this id", parameters=["approval"])
    held = {standing.name.field for standing in await tx.values.versions(parcel.handle)}
    given.check_use(by.actor, PURPOSE, tuple(sorted(held)), now)
    if given.reference != str(request.id):
        raise ApprovalUnusable("it is about another matter", parameters=["approval"], state=given.state(now))
