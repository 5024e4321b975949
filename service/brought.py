"""Composition root of what connected systems bring: sealed as it comes in, and opened for the package."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID, uuid5

import msgspec

from service.downstreams import TaskKind, TaskState, settled
from service.downstreams.files import Brought, File
from service.downstreams.ports import Lying, TakingTransaction
from service.kernel import TenantId
from service.packages.domain import SystemTold
from service.packages.ports import Answered
from service.transaction import Begin
from service.vault import KeyAccess, SubjectErased, TenantKey, Unreadable
from service.vault.domain import SubjectKey
from service.vault.parcel import ParcelPlace, seal_parcel, unseal_parcel

_ABOUT: Final = "about"
"""What a system calls its file, and says that it is, is sealed as a file with an id of its own."""


class Safe:
    """Seals files under the key of their person: gone with it, as their values are."""

    def __init__(self, keys: KeyAccess) -> None:
        self._keys = keys

    async def tenant_key(self, tenant: TenantId) -> TenantKey:
        return await self._keys.tenant_key(tenant)

    async def sealed(
        self, tx: TakingTransaction, tenant_key: TenantKey, brought: Brought, file: File
    ) -> tuple[bytes, bytes]:
        found = await self._keys.ensure_subject_keys(tx.keys, tenant_key, [brought.handle])
        if (key := found.keys.get(brought.handle)) is None:
            raise SubjectErased("this person was forgotten, and nothing can be kept of them any more")
        place = _place(tenant_key.tenant, brought)
        about = msgspec.msgpack.encode((file.name, file.media_type))
        return (
            b"".join(seal_parcel(key, _about(place), [about])),
            await asyncio.to_thread(lambda: b"".join(seal_parcel(key, place, [file.content]))),
        )

    async def opened(self, tx: TakingTransaction, tenant_key: TenantKey, brought: Brought) -> File | None:
        key = (await self.keys_of(tx, tenant_key, [brought])).get(brought.handle)
        content = await tx.brought.sealed(brought.id)
        lying = next((each for each in await tx.brought.of(brought.request) if each.brought.id == brought.id), None)
        if key is None or content is None or lying is None:
            return None
        name, media_type = self.about(tenant_key.tenant, key, lying)
        place = _place(tenant_key.tenant, brought)
        return File(name=name, media_type=media_type, content=b"".join(unseal_parcel(key, place, io.BytesIO(content))))

    async def keys_of(
        self, tx: TakingTransaction, tenant_key: TenantKey, files: Sequence[Brought]
    ) -> dict[object, SubjectKey]:
        """Return the keys that there still are, by handle."""
        handles = sorted({each.handle for each in files})
        found = await self._keys.subject_keys(tx.keys, tenant_key, handles)
        return {handle: key for handle, key in found.keys.items() if handle not in found.erased}

    def about(self, tenant: TenantId, key: SubjectKey, lying: Lying) -> tuple[str, str]:
        """Return name and media type. Raises: Unreadable."""
        place = _about(_place(tenant, lying.brought))
        plain = b"".join(unseal_parcel(key, place, io.BytesIO(lying.about)))
        return msgspec.msgpack.decode(plain, type=tuple[str, str])


class BroughtFiles:
    """What systems answered to a request, for its package: the files of those that confirmed theirs is whole."""

    def __init__(self, begin: Begin, keys: KeyAccess) -> None:
        self._begin = begin
        self._keys = keys
        self._safe = Safe(keys)

    async def outcomes(self, tenant: TenantId, request: UUID) -> Sequence[SystemTold]:
        async with self._begin(tenant) as tx:
            return [
                SystemTold(system=each.system, outcome=each.state, ground=each.ground, at=each.at)
                for each in await settled(tx, request)
                if each.kind is TaskKind.ACCESS
            ]

    async def answers(self, tenant: TenantId, request: UUID) -> Sequence[Answered]:
        tenant_key = await self._keys.tenant_key(tenant)
        async with self._begin(tenant) as tx:
            whole = {each.task for each in await settled(tx, request) if each.state is TaskState.CONFIRMED}
            lying = [each for each in await tx.brought.of(request) if each.brought.task in whole]
            keys = await self._safe.keys_of(tx, tenant_key, [each.brought for each in lying])
        found = []
        for each in lying:
            if (key := keys.get(each.brought.handle)) is None:
                continue  # of who was merged with somebody since: it went with the key that it was under
            name, media_type = self._safe.about(tenant, key, each)
            brought = each.brought
            found.append(
                Answered(id=brought.id, system=brought.system, name=name, media_type=media_type, size=brought.size)
            )
        return found

    async def content(self, tenant: TenantId, answer: Answered) -> AsyncIterator[bytes]:
        tenant_key = await self._keys.tenant_key(tenant)
        async with self._begin(tenant) as tx:
            brought, sealed = await tx.brought.find(answer.id), await tx.brought.sealed(answer.id)
            keys = {} if brought is None else await self._safe.keys_of(tx, tenant_key, [brought])
        key = None if brought is None else keys.get(brought.handle)
        if brought is None or sealed is None or key is None:
            raise Unreadable("the file does not open")
        for part in unseal_parcel(key, _place(tenant, brought), io.BytesIO(sealed)):
            yield part


def _place(tenant: TenantId, brought: Brought) -> ParcelPlace:
    return ParcelPlace(tenant=tenant, handle=brought.handle, file=brought.id)


def _about(place: ParcelPlace) -> ParcelPlace:
    return ParcelPlace(tenant=place.tenant, handle=place.handle, file=uuid5(place.file, _ABOUT))
