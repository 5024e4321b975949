from contextlib import suppress
from typing import Final

from service.audit import AuditEvent
from service.downstreams import drop_brought
from service.kernel import Caller, Clock, NewId, TenantId
from service.packages.asking import current, language_of, noted
from service.packages.parcel_ports import BeginParcel, SealedFiles
from service.packages.parcels import Fate, ParcelState
from service.requests import AnswersOwed, Move, MoveNotAllowed, MoveRequest, RequestMoved, State, Statutes
from service.vault import SubjectErased

WORKER: Final = "worker"
"""The actor of what is done by itself."""


class KeepParcels:
    """Keeps packages in step with their requests, as the worker: each step is one transaction, and again is safe."""

    def __init__(
        self,
        begin: BeginParcel,
        statutes: Statutes,
        files: SealedFiles,
        move: MoveRequest,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._begin = begin
        self._statutes = statutes
        self._files = files
        self._move = move
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, tenant: TenantId) -> None:
        """Remove what is over, say what is answered, and let wait what is to be made."""
        await self.clear(tenant)
        await self._answer(tenant)
        await self._take_on(tenant)

    async def clear(self, tenant: TenantId) -> None:
        """Remove what may not lie any longer, and what the dead left."""
        by = self._by(tenant)
        async with self._begin(tenant) as tx:
            for parcel, fate in await tx.parcels.over(self._clock()):
                if parcel.state is ParcelState.READY:
                    await noted(tx, AuditEvent.PACKAGE_DELETED, parcel, self._clock, by)
                handle = await tx.subjects.current(parcel.handle) if fate is Fate.STRAY else None
                if handle in (None, parcel.handle):
                    ended = ParcelState.EXPIRED if fate is Fate.EXPIRED else ParcelState.DELETED
                    await tx.parcels.settle(parcel, ended)
                else:  # merged with somebody, under whose key it has to be sealed
                    asker = Caller(tenant=tenant, actor=parcel.actor, request=parcel.call)
                    await tx.parcels.put(
                        parcel.request, self._new_id(), handle, parcel.language, at=self._clock(), by=asker
                    )
            await drop_brought(tx, self._clock(), by=by)
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
            with suppress(RequestMoved, MoveNotAllowed, AnswersOwed):  # staff were first, or are to say why it goes on
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

    def _by(self, tenant: TenantId) -> Caller:
        return Caller(tenant=tenant, actor=WORKER, request=str(self._new_id()))
