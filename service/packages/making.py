"""Makes packages one after the other, as the worker."""

import asyncio
from datetime import timedelta
from typing import Final

from service.audit import AuditEvent
from service.events import Event
from service.kernel import Caller, Clock, NewId, TenantId, Unavailable
from service.packages.parcel_ports import BeginParcel, NotWritten, SealedFiles, Writing, Written
from service.packages.parcels import Parcel
from service.vault import SubjectErased

BEAT: Final = 5.0
"""Seconds between two signs of life of whoever makes one."""
PATIENCE: Final = 5.0
"""Seconds for a maker to stop."""
_OUR_FAULT: Final = "the package failed through a fault of this service"


class MakeParcels:
    """Makes the packages of a tenant. One whose maker died begins anew: of half a file nothing is kept."""

    def __init__(
        self,
        begin: BeginParcel,
        write: Writing,
        files: SealedFiles,
        clock: Clock,
        new_id: NewId,
        *,
        keep: timedelta,
    ) -> None:
        """`keep` is how long a package lies."""
        self._begin = begin
        self._write = write
        self._files = files
        self._clock = clock
        self._new_id = new_id
        self._keep = keep

    async def __call__(self, tenant: TenantId) -> bool:
        """Make the oldest package that nobody makes, and return whether there was one.

        Raises:
            Unavailable: it is left to whoever looks next.
        """
        async with self._begin(tenant) as tx:
            parcel = await tx.parcels.claim(self._new_id(), self._clock())
        if parcel is None:
            return False
        self._files.remove(tenant, str(parcel.id))  # what another left who died over it
        writing = asyncio.ensure_future(self._write(tenant, parcel))
        try:
            await self._end(tenant, parcel, await self._watched(tenant, parcel, writing))
        except BaseException as error:
            writing.cancel()
            await asyncio.wait({writing}, timeout=PATIENCE)
            if not isinstance(error, Unavailable):
                await self._leave(tenant, parcel, error)
            if not isinstance(error, NotWritten | SubjectErased | _Lost):
                raise
        return True

    async def _watched(self, tenant: TenantId, parcel: Parcel, writing: "asyncio.Future[Written]") -> Written:
        """Return what was written, and say meanwhile that somebody is at it."""
        while not (await asyncio.wait({writing}, timeout=BEAT))[0]:
            async with self._begin(tenant) as tx:
                if not await tx.parcels.beat(parcel, self._clock()):
                    raise _Lost
        return writing.result()

    async def _end(self, tenant: TenantId, parcel: Parcel, written: Written) -> None:
        """Store that it is ready together with its entry: none can be had of which the log knows nothing."""
        until = written.made_at + self._keep
        async with self._begin(tenant) as tx:
            if not await tx.parcels.end(parcel, size=written.size, made_at=written.made_at, expires_at=until):
                raise _Lost
            event, object_id = AuditEvent.PACKAGE_MADE, str(parcel.request)
            asker = Caller(tenant=tenant, actor=parcel.actor, request=parcel.call)
            await tx.audit.append(event=event, object_id=object_id, by=asker, subject=parcel.handle)
            made = Event(type=event.value, object_id=object_id, subject=parcel.handle, at=self._clock())
            await tx.outbox.add([made])

    async def _leave(self, tenant: TenantId, parcel: Parcel, error: BaseException) -> None:
        """Store what became of a package that wasn't made. What the database can't be told, time tells."""
        self._files.remove(tenant, parcel.file)
        async with self._begin(tenant) as tx:
            if isinstance(error, NotWritten):
                await tx.parcels.fail(parcel, str(error))
            elif isinstance(error, Exception) and not isinstance(error, SubjectErased | _Lost):
                await tx.parcels.fail(parcel, _OUR_FAULT)
            else:  # of who was forgotten, the next round says so
                await tx.parcels.release(parcel)


class _Lost(Exception):
    """The package was deleted, or is another's by now."""
