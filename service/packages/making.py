"""Makes packages one after the other, as the worker, and removes those that may not lie any longer."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

from service.audit import AuditEvent
from service.kernel import Caller, Clock, NewId, TenantId, Unavailable
from service.packages.asking import current, language_of, noted
from service.packages.parcel_ports import BeginParcel, NotWritten, SealedFiles, Writing, Written
from service.packages.parcels import Fate, Parcel, ParcelState
from service.requests import Move, MoveNotAllowed, MoveRequest, RequestMoved, State, Statutes
from service.vault import SubjectErased

WORKER: Final = "worker"
"""The actor of what is done by itself."""
BEAT: Final = 5.0
"""Seconds between two signs of life of whoever makes one."""
PATIENCE: Final = 5.0
"""Seconds for a maker to stop."""
_OUR_FAULT: Final = "the package failed through a fault of this service"


class MakeParcels:
    """Goes on with the packages of a tenant, from the request that is carried out to its answer.

    Each step is one transaction, and begins from what the database says: whoever is killed anywhere leaves the rest to
    whoever comes next, and of half a file nothing is kept.
    """

    def __init__(
        self,
        begin: BeginParcel,
        statutes: Statutes,
        write: Writing,
        files: SealedFiles,
        move: MoveRequest,
        clock: Clock,
        new_id: NewId,
        *,
        keep: timedelta,
    ) -> None:
        """`keep` is how long a package lies."""
        self._begin = begin
        self._statutes = statutes
        self._write = write
        self._files = files
        self._move = move
        self._clock = clock
        self._new_id = new_id
        self._keep = keep

    async def __call__(self, tenant: TenantId) -> None:
        """Do what is to be done, and make one package.

        Raises:
            Unavailable: it is left to whoever looks next.
        """
        await self.clear(tenant)
        await self._answer(tenant)
        await self._take_on(tenant)
        await self._make(tenant)

    async def clear(self, tenant: TenantId) -> None:
        """Remove what may not lie any longer, and what the dead left."""
        by = self._by(tenant)
        async with self._begin(tenant) as tx:
            for parcel, fate in await tx.parcels.over(self._clock()):
                if parcel.state is ParcelState.READY:
                    await noted(tx, AuditEvent.PACKAGE_DELETED, parcel, self._clock, by)
                handle = await tx.subjects.current(parcel.handle) if fate is Fate.STRAY else None
                if handle is None:
                    ended = ParcelState.EXPIRED if fate is Fate.EXPIRED else ParcelState.DELETED
                    await tx.parcels.settle(parcel, ended)
                else:  # merged with somebody, under whose key it has to be sealed
                    asker = _asker(tenant, parcel)
                    await tx.parcels.put(
                        parcel.request, self._new_id(), handle, parcel.language, at=self._clock(), by=asker
                    )
        found = self._files.lying(tenant)
        async with self._begin(tenant) as tx:
            lying = tuple(await tx.parcels.lying())
        for name in found:
            if not name.lstrip(".").startswith(lying):
                self._files.remove(tenant, name.lstrip("."))

    async def _answer(self, tenant: TenantId) -> None:
        """Say of the requests whose package the person has fetched that they are answered."""
        async with self._begin(tenant) as tx:
            versions = {
                request: stored[1].version
                for request in await tx.parcels.handed_over()
                if (stored := await tx.requests.find(request)) is not None
            }
        for request, version in versions.items():
            with suppress(RequestMoved, MoveNotAllowed):  # staff were first
                await self._move(
                    request, Move.COMPLETE, version=version, reason=None, authority=None, by=self._by(tenant)
                )

    async def _take_on(self, tenant: TenantId) -> None:
        """Let the packages wait of requests that are carried out since."""
        by = self._by(tenant)
        async with self._begin(tenant) as tx:
            for request_id in await tx.parcels.due(self._statutes.rights.packaged):
                stored = await tx.requests.find(request_id, hold=True)
                if stored is None or stored[1].state is not State.EXECUTING or await tx.parcels.find(request_id):
                    continue
                if self._statutes.entitlement(stored[0]).package is None:
                    continue
                with suppress(SubjectErased):
                    handle = await current(tx, stored[0])
                    language = await language_of(tx, handle)
                    await tx.parcels.put(request_id, self._new_id(), handle, language, at=self._clock(), by=by)

    async def _make(self, tenant: TenantId) -> None:
        """Make the oldest package that nobody makes."""
        async with self._begin(tenant) as tx:
            parcel = await tx.parcels.claim(self._new_id(), self._clock())
        if parcel is None:
            return
        writing = asyncio.ensure_future(self._write(tenant, parcel))
        try:
            await self._end(tenant, parcel, await self._watched(tenant, parcel, writing))
        except BaseException as error:
            writing.cancel()
            await asyncio.wait({writing}, timeout=PATIENCE)
            await self._leave(tenant, parcel, error)
            self._files.remove(tenant, parcel.file)
            if not isinstance(error, NotWritten | SubjectErased | _Lost):
                raise

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
            await noted(tx, AuditEvent.PACKAGE_MADE, parcel, self._clock, _asker(tenant, parcel))

    async def _leave(self, tenant: TenantId, parcel: Parcel, error: BaseException) -> None:
        """Store what became of a package that wasn't made. What the database can't be told, time tells."""
        if isinstance(error, Unavailable):
            return
        async with self._begin(tenant) as tx:
            if isinstance(error, NotWritten):
                await tx.parcels.fail(parcel, str(error))
            elif isinstance(error, Exception) and not isinstance(error, SubjectErased | _Lost):
                await tx.parcels.fail(parcel, _OUR_FAULT)
            else:  # of who was forgotten, the next round says so
                await tx.parcels.release(parcel)

    def _by(self, tenant: TenantId) -> Caller:
        return Caller(tenant=tenant, actor=WORKER, request=str(self._new_id()))


class _Lost(Exception):
    """The package was deleted, or is another's by now."""


def _asker(tenant: TenantId, parcel: Parcel) -> Caller:
    return Caller(tenant=tenant, actor=parcel.actor, request=parcel.call)
