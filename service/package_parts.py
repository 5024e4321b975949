"""What the routes about packages are made of."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, Final

from service.kernel import Clock, NewId, TenantId
from service.packages import AskForPackage, DropPackage, FetchPackage, ReadPackage
from service.packages.parcels import PackageGone, Parcel, ParcelState
from service.packages.sealed import SealedFolder
from service.requests import Statutes
from service.settings import Settings
from service.transaction import Begin
from service.vault import KeyAccess, SubjectErased
from service.vault.domain import SubjectKey
from service.vault.parcel import ParcelPlace, unseal_parcel

FOLDER: Final = "packages"


def files_of(settings: Settings) -> SealedFolder:
    """Return where sealed packages are: worker and service have to share it."""
    return SealedFolder(Path(settings.packages_dir).absolute() if settings.packages_dir else settings.data / FOLDER)


def parts(
    settings: Settings, begin: Begin, statutes: Statutes, keys: KeyAccess, clock: Clock, new_id: NewId
) -> Mapping[str, Any]:
    """Return the use cases by the names that the routes have for them."""
    files = files_of(settings)
    alone = settings.officer_people_per_hour
    return {
        "ask_for_package": AskForPackage(begin, statutes, files, clock, new_id, most_alone=alone),
        "read_package": ReadPackage(begin, statutes),
        "fetch_package": FetchPackage(begin, Opener(begin, keys, files), files, clock, new_id),
        "drop_package": DropPackage(begin, files, clock),
    }


class Opener:
    """Opens sealed packages, under the key that the person has at that moment."""

    def __init__(self, begin: Begin, keys: KeyAccess, files: SealedFolder) -> None:
        self._begin = begin
        self._keys = keys
        self._files = files

    async def __call__(self, tenant: TenantId, parcel: Parcel) -> AsyncGenerator[bytes]:
        tenant_key = await self._keys.tenant_key(tenant)
        async with self._begin(tenant) as tx:
            found = await self._keys.subject_keys(tx.keys, tenant_key, [parcel.handle])
        if (key := found.keys.get(parcel.handle)) is None:
            raise SubjectErased("this person was forgotten, and what was kept of them can't be opened any more")
        place = ParcelPlace(tenant=tenant, handle=parcel.handle, file=parcel.id)

        def check() -> None:
            with self._files.open(tenant, parcel.file) as file:
                for _ in unseal_parcel(key, place, file):
                    pass

        try:
            await asyncio.to_thread(check)  # all of it opens, or nothing is handed out
        except FileNotFoundError as error:
            gone = "the package is not where it was put; have another one made"
            raise PackageGone(gone, state=ParcelState.DELETED) from error
        return self._parts(tenant, parcel, key, place)

    async def _parts(
        self, tenant: TenantId, parcel: Parcel, key: SubjectKey, place: ParcelPlace
    ) -> AsyncGenerator[bytes]:
        with await asyncio.to_thread(self._files.open, tenant, parcel.file) as file:
            chunks = unseal_parcel(key, place, file)
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                yield chunk
