"""Composition root of what makes packages: a part of `volens work`, beside what writes exports."""

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

import msgspec

from service import db, given, operations
from service.access import titles_of
from service.audit.store import statement as audit_statement
from service.brought import BroughtFiles
from service.decisions.artefacts import read_policy
from service.desk import statutes
from service.kernel import Caller, Clock, TenantId, Unavailable
from service.own_files import FileExposed, read_own
from service.package_parts import files_of
from service.packages import NOTHING_DECLARED, Collect, Declared, Language, OpenAll, PackageWish, WritePackage
from service.packages.catalogues import words_in
from service.packages.keeping import KeepParcels
from service.packages.making import MakeParcels
from service.packages.parcel_ports import NotWritten, Written
from service.packages.parcels import Parcel
from service.packages.sealed import SealedFolder
from service.packages.spool import spooled
from service.packing import Pack
from service.postgres import DatabaseUrls
from service.requests import MoveRequest, Statutes
from service.reveals.domain import NONCE_BYTES
from service.reveals.log import SqlRevealLog
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.settings import Settings
from service.stopping import LOST, finished, pause
from service.subjects import UnknownSubject
from service.telemetry import Telemetry, described
from service.tenants import NOBODY
from service.transaction import Begin
from service.vault import KeyAccess, OpenValues, SubjectErased, Unreadable
from service.vault.domain import SubjectKey
from service.vault.envelope import unseal
from service.vault.parcel import CHUNK, ParcelPlace, seal_parcel

PAUSE: Final = 1.0
"""Seconds between two looks for requests that are carried out."""
SWEEP: Final = 3_600.0
"""Seconds between two looks for files that somebody left who was killed."""


class Writer:
    """Writes the sealed file of one package, in a thread with a loop and connections of its own.

    In plain it lies in files without a name, which are gone with the process.
    """

    def __init__(
        self, settings: Settings, urls: DatabaseUrls, law: Statutes, files: SealedFolder, clock: Clock
    ) -> None:
        self._settings = settings
        self._urls = urls
        self._law = law
        self._files = files
        self._clock = clock

    async def __call__(self, tenant: TenantId, parcel: Parcel) -> Written:
        return await asyncio.to_thread(asyncio.run, self._written(tenant, parcel))

    async def _written(self, tenant: TenantId, parcel: Parcel) -> Written:
        try:
            async with operations.transactions(self._urls.app) as begin, self._keys(begin) as keys:
                return await self._sealed(tenant, parcel, begin, keys)
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            why = "the disk is full" if full else os.strerror(error.errno or errno.EIO)
            raise NotWritten(f"the file can't be written: {why}") from error
        except (UnknownSubject, Unreadable, FileExposed) as error:
            raise NotWritten(str(error)) from error

    async def _sealed(self, tenant: TenantId, parcel: Parcel, begin: Begin, keys: KeyAccess) -> Written:
        by = Caller(tenant=tenant, actor=parcel.actor, request=parcel.call)
        with (
            self._files.new(tenant, parcel.file) as (file, folder),
            TemporaryFile(dir=folder) as plain,
            spooled(folder) as room,
        ):
            async with db.pool(self._urls.app, size=1) as pool:
                log = SqlRevealLog(pool, audit_statement, given.new_id)
                open_values = OpenValues(begin, keys, unseal, self._clock)
                nonce = partial(os.urandom, NONCE_BYTES)
                open_all = OpenAll(begin, open_values, log, self._clock, given.new_id, nonce)
                collect = Collect(begin, open_all, titles_of(begin))
                write = WritePackage(collect, words_in, self._clock, BroughtFiles(begin, keys))
                wish = await self._wish(tenant, parcel, begin)
                with closing(Pack(plain)) as pack:
                    _, made = await write(wish, pack, room, lambda *_: None, by=by)
            size = plain.tell()
            plain.seek(0)
            key = await self._key(tenant, parcel, begin, keys)
            place = ParcelPlace(tenant=tenant, handle=parcel.handle, file=parcel.id)
            for part in seal_parcel(key, place, _parts(plain)):
                file.write(part)
        return Written(made_at=made.made_at, size=size)

    async def _wish(self, tenant: TenantId, parcel: Parcel, begin: Begin) -> PackageWish:
        async with begin(tenant) as tx:
            stored = await tx.requests.find(parcel.request)
            subject = (await tx.subjects.names([parcel.handle])).get(parcel.handle)
        if stored is None or subject is None:
            raise SubjectErased("this person was forgotten, or merged with somebody")
        package = self._law.entitlement(stored[0]).package
        if package is None:
            raise NotWritten("this right is not answered with a package")
        declared = read_stated(self._settings, tenant, parcel.language)
        return PackageWish(
            subject=subject, language=parcel.language, declared=declared, package=package, request=parcel.request
        )

    async def _key(self, tenant: TenantId, parcel: Parcel, begin: Begin, keys: KeyAccess) -> SubjectKey:
        """Return the person's key, which who has no value gets now."""
        tenant_key = await keys.tenant_key(tenant)
        async with begin(tenant) as tx:
            found = await keys.ensure_subject_keys(tx.keys, tenant_key, [parcel.handle])
        if (key := found.keys.get(parcel.handle)) is None:
            raise SubjectErased("this person was forgotten, and nothing can be sealed for them any more")
        return key

    @asynccontextmanager
    async def _keys(self, begin: Begin) -> AsyncIterator[KeyAccess]:
        engine = db.engine(self._urls.app, size=2)
        try:
            async with guarded_root_keys(self._settings, root_uses(begin), make=False) as root:
                yield vault_keys(self._settings, root, engine)
        finally:
            await engine.dispose()


def read_stated(settings: Settings, tenant: TenantId, language: Language) -> Declared:
    """Return what a controller states in a language, or in whichever there is.

    Raises:
        NotWritten: the file is not what `docs/access-packages.md` says.
        FileExposed, OSError
    """
    folder = Path(settings.declared_dir) if settings.declared_dir else settings.data / "declared"
    for place in (folder / f"{tenant}.{language}.json", folder / f"{tenant}.json"):
        with suppress(FileNotFoundError):
            try:
                return msgspec.json.decode(read_own(place), type=Declared)
            except msgspec.MsgspecError as error:
                raise NotWritten(f"what the controller states can't be read: {place.name}: {error}") from None
    return NOTHING_DECLARED


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    while part := file.read(CHUNK):
        yield part


async def package_by_itself(settings: Settings, urls: DatabaseUrls, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Make packages and remove those that are over until `stop` is set. A lost database is waited for."""
    law, files = statutes(given.BUILD, read_policy(given.BUILD)), files_of(settings)
    swept = -SWEEP
    async with operations.transactions(urls.worker) as look, operations.transactions(urls.app) as begin:
        write, move = Writer(settings, urls, law, files, given.utc_now), MoveRequest(begin, given.utc_now, law)
        keep = timedelta(hours=settings.package_hours)
        tend = KeepParcels(begin, law, files, move, given.utc_now, given.new_id)
        make = MakeParcels(begin, write, files, given.utc_now, given.new_id, keep=keep)
        while not stop.is_set():
            try:
                if time.monotonic() >= swept + SWEEP:
                    for tenant in files.tenants():
                        await tend.clear(tenant)
                    swept = time.monotonic()
                await _round(tend, make, law, look, stop)
                await pause(PAUSE, stop)
            except Unavailable as error:
                telemetry.log.warning("packager_waits", **described(error))
                await pause(LOST, stop)
            except Exception as error:  # noqa: BLE001 -- one tenant's fault is not to stop the others' packages
                telemetry.bug(error, "")
                await pause(LOST, stop)


async def _round(tend: KeepParcels, make: MakeParcels, law: Statutes, look: Begin, stop: asyncio.Event) -> None:
    """Do what is to be done for each tenant that has anything, until it is asked to stop."""
    async with look(NOBODY) as tx:
        tenants = await tx.parcels.with_work(law.rights.packaged, given.utc_now())
    for tenant in tenants:
        await tend(tenant)
        if not await finished(make(tenant), stop):
            return
