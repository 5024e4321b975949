from datetime import datetime
from uuid import UUID

from service.audit import AuditEvent
from service.events import Event
from service.kernel import Caller, Clock, Handle, NewId
from service.packages.domain import Language
from service.packages.parcel_ports import BeginParcel, ParcelTransaction, SealedFiles
from service.packages.parcels import (
    UNDER_WAY,
    PackageNotDue,
    PackageTaken,
    PackageUnfinished,
    PackageUnknown,
    Parcel,
    ParcelState,
)
from service.packages.spoken import spoken_in
from service.requests import ForStaff, Request, RequestUnknown, Standing, State, Statutes, is_theirs
from service.reveals import admit_alone
from service.vault import SubjectErased

ANSWERING = frozenset({State.EXECUTING, State.ANSWERED})
"""In which a request has a package made. Who asks was verified before."""


class AskForPackage:
    """Have the package of a request made: in another language, or anew where the one before is no longer to be had."""

    def __init__(
        self,
        begin: BeginParcel,
        statutes: Statutes,
        files: SealedFiles,
        clock: Clock,
        new_id: NewId,
        *,
        most_alone: int,
    ) -> None:
        """A client has packages of `most_alone` people made in an hour, those counted whom it reads alone."""
        self._begin = begin
        self._statutes = statutes
        self._files = files
        self._clock = clock
        self._new_id = new_id
        self._most_alone = most_alone

    async def __call__(self, request_id: UUID, language: Language | None, *, by: Caller) -> Parcel:
        """Return the package as it stands. While one is to be had in that language, there is no other.

        Raises:
            RequestUnknown, PackageUnknown, PackageNotDue, SubjectErased
            PackageTaken: it is being fetched.
            PackageUnfinished: connected systems are waited for. Staff have it made without them.
            ForStaff: the person fetched it once; another one is for staff to have made.
            TooManyPeople
        """
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            handle = await self._answered(tx, request_id, by)
            before = await tx.parcels.find(request_id, hold=True)
            if before is not None:
                if before.stands(now) in UNDER_WAY and language in (None, before.language):
                    return before
                _check_replaceable(before, now, by)
            if by.subject is not None and before is None and await tx.brought.awaited(request_id):
                why = "connected systems have not answered yet; it is made once they have"
                raise PackageUnfinished(why, state=ParcelState.WAITING)
            if by.subject is None:
                await admit_alone(tx.alone, handle, by, most=self._most_alone, now=now)
            language = language or await language_of(tx, handle)
            await tx.parcels.put(request_id, self._new_id(), handle, language, at=now, by=by)
            await tx.audit.append(event=AuditEvent.PACKAGE_REQUESTED, object_id=str(request_id), by=by, subject=handle)
            if before is not None and before.state is ParcelState.READY:
                await noted(tx, AuditEvent.PACKAGE_DELETED, before, self._clock, by)
            asked = await tx.parcels.find(request_id)
        if before is not None:
            self._files.remove(by.tenant, str(before.id))
        if asked is None:
            raise PackageUnknown("the package that was asked for is not there")
        return asked

    async def _answered(self, tx: ParcelTransaction, request_id: UUID, by: Caller) -> Handle:
        """Return whose request it is, which is being answered with a package."""
        request, standing = await theirs(tx, request_id, by, hold=True)
        if self._statutes.entitlement(request).package is None:
            raise PackageUnknown("this right is not answered with a package", right=request.right)
        if standing.state not in ANSWERING:
            raise PackageNotDue(f"the request is {standing.state}", state=standing.state)
        return await current(tx, request)


class ReadPackage:
    """Show how the package of a request stands."""

    def __init__(self, begin: BeginParcel, statutes: Statutes) -> None:
        self._begin = begin
        self._statutes = statutes

    async def __call__(self, request_id: UUID, *, by: Caller) -> Parcel | None:
        """Return nothing for one that will be made and that nobody has begun with.

        Raises:
            RequestUnknown, PackageUnknown
        """
        async with self._begin(by.tenant) as tx:
            request, standing = await theirs(tx, request_id, by)
            parcel = await tx.parcels.find(request_id)
        due = standing.state is State.EXECUTING and self._statutes.entitlement(request).package is not None
        if parcel is None and not due:
            raise PackageUnknown("this request has no package")
        return parcel


class DropPackage:
    """Delete the package of a request before its time. What was asked for stays on record."""

    def __init__(self, begin: BeginParcel, files: SealedFiles, clock: Clock) -> None:
        self._begin = begin
        self._files = files
        self._clock = clock

    async def __call__(self, request_id: UUID, *, by: Caller) -> None:
        """Again is safe.

        Raises:
            PackageUnknown
        """
        async with self._begin(by.tenant) as tx:
            parcel = await tx.parcels.find(request_id, hold=True)
            if parcel is None:
                raise PackageUnknown("this request has no package")
            if parcel.state in UNDER_WAY:
                await tx.parcels.settle(parcel, ParcelState.DELETED)
                await noted(tx, AuditEvent.PACKAGE_DELETED, parcel, self._clock, by)
        self._files.remove(by.tenant, str(parcel.id))


def _check_replaceable(before: Parcel, now: datetime, by: Caller) -> None:
    if before.state is ParcelState.READY and before.held(now):
        raise PackageTaken("somebody fetches it at this moment")
    if before.state is ParcelState.FETCHED and by.subject is not None:
        raise ForStaff("it was fetched once; ask the controller for another")


async def theirs(
    tx: ParcelTransaction, request_id: UUID, by: Caller, *, hold: bool = False
) -> tuple[Request, Standing]:
    """Return a request that a caller may see: staff all, people their own.

    Raises:
        RequestUnknown
    """
    stored = await tx.requests.find(request_id, hold=hold)
    if stored is None or not await is_theirs(tx, stored[0].handle, by):
        raise RequestUnknown("there is no such request")
    return stored


async def current(tx: ParcelTransaction, request: Request) -> Handle:
    """Raises: SubjectErased"""
    handle = await tx.subjects.current(request.handle)
    keys = {} if handle is None else await tx.keys.subject_keys([handle])
    if handle is None or (handle in keys and keys[handle].destroyed):
        raise SubjectErased("this person was forgotten, and what was kept of them can't be opened any more")
    return handle


async def language_of(tx: ParcelTransaction, handle: Handle) -> Language:
    """Return the language for where a person lives."""
    names = await tx.subjects.names([handle])
    person = await tx.subjects.find(names[handle])
    return spoken_in(None if person is None else person.facts.residence)


async def noted(tx: ParcelTransaction, event: AuditEvent, parcel: Parcel, clock: Clock, by: Caller) -> None:
    """Put on record what happened to a package, and tell whoever listens."""
    object_id = str(parcel.request)
    await tx.audit.append(event=event, object_id=object_id, by=by, subject=parcel.handle)
    await tx.outbox.add([Event(type=event.value, object_id=object_id, subject=parcel.handle, at=clock())])
