"""Composition root of what writes exports: a part of `volens work`, beside the sequencer."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from service import db, exporting, given, operations
from service.audit.proving import CheckpointUnknown
from service.audit.store import statement as audit_statement
from service.choosing import LogBroken
from service.dossiers import lines_of
from service.export_parts import files_of
from service.exports import Claimed, ExportFailed, Made, Order, Personal, Progress
from service.exports.files import ExportFiles
from service.exports.running import RunExports
from service.extents import NothingToExport
from service.kernel import Caller, Handle, TenantId, Unavailable
from service.operations import UnknownTenant
from service.own_files import FileExposed, FileUnusable, new_own
from service.postgres import DatabaseUrls
from service.reveals import OFFICER, Disclose
from service.reveals.domain import NONCE_BYTES
from service.reveals.log import SqlRevealLog
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.settings import Settings
from service.stopping import LOST, finished, pause
from service.telemetry import Telemetry, described
from service.tenants import NOBODY
from service.transaction import Begin
from service.vault import OpenValues, Unreadable
from service.vault.envelope import unseal

PAUSE: Final = 1.0
"""Seconds between two looks for exports."""


_REFUSALS: Final = (
    CheckpointUnknown,
    FileExposed,
    FileUnusable,
    LogBroken,
    NothingToExport,
    UnknownTenant,
    Unreadable,
)
"""Why a file is not written, in words for whoever asked for it."""


class _Stopped(Exception):
    """Nobody waits for the file any more."""


class Writer:
    """Writes the file of one export, in a thread with a loop and connections of its own: nothing else waits for it."""

    def __init__(self, settings: Settings, urls: DatabaseUrls, files: ExportFiles) -> None:
        self._settings = settings
        self._urls = urls
        self._files = files

    async def __call__(self, tenant: TenantId, export: Claimed, progress: Progress) -> Made:
        return await asyncio.to_thread(asyncio.run, self._written(tenant, export, progress))

    async def _written(self, tenant: TenantId, export: Claimed, progress: Progress) -> Made:
        def advanced(done: int) -> None:
            progress.done = done
            if progress.stopped:
                raise _Stopped

        try:
            place = self._files.place(tenant, export.file)
            async with operations.transactions(self._urls.app) as begin:
                plan = await exporting.planned(begin, tenant, export.order.wanted, advanced)
                progress.total = plan.entries
                advanced(0)
                people = partial(self._people, begin, tenant, export)
                with new_own(place) as file:
                    size, digest = await exporting.write(
                        plan, export.order, begin, self._settings, file, place.parent, advanced, people
                    )
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            why = "the disk is full" if full else os.strerror(error.errno or errno.EIO)
            raise ExportFailed(f"the file can't be written: {why}") from error
        except _REFUSALS as error:
            raise ExportFailed(str(error)) from error
        except _Stopped as stopped:
            raise ExportFailed("nobody waits for it any more") from stopped
        return Made(
            file=export.file,
            extent=plan.extent,
            entries=plan.entries,
            tree_size=plan.tree_size,
            size=size,
            sha256=digest,
            ended=plan.ended,
        )

    async def _people(self, begin: Begin, tenant: TenantId, export: Claimed, personal: Personal) -> bytes:
        """Open what the order wants of whom it names, as whoever asked for it, and leave an entry of each."""
        order: Order = export.order
        by = Caller(tenant=tenant, actor=export.actor, request=export.request, scopes=frozenset({OFFICER}))
        async with begin(tenant) as tx:
            known = await tx.subjects.names(order.wanted.handles)
        names = {Handle(handle): name for handle, name in known.items()}
        async with self._disclosing(begin) as disclose:
            shown = await disclose(names, personal.fields, order.purpose, export.id, by=by)
        return lines_of(order.wanted.handles, names, shown)

    @asynccontextmanager
    async def _disclosing(self, begin: Begin) -> AsyncIterator[Disclose]:
        engine, pool = db.engine(self._urls.app, size=2), db.pool(self._urls.app, size=1)
        try:
            async with pool, guarded_root_keys(self._settings, root_uses(begin), make=False) as root:
                open_values = OpenValues(begin, vault_keys(self._settings, root, engine), unseal, given.utc_now)
                log = SqlRevealLog(pool, audit_statement, given.new_id)
                yield Disclose(open_values, log, given.utc_now, given.new_id, partial(os.urandom, NONCE_BYTES))
        finally:
            await engine.dispose()


async def export_by_itself(settings: Settings, urls: DatabaseUrls, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Write exports and remove those that are over until `stop` is set. A lost database is waited for."""
    async with operations.transactions(urls.worker) as look, operations.transactions(urls.app) as begin:
        while not stop.is_set():
            try:
                await _round(settings, urls, look, begin, stop)
                await pause(PAUSE, stop)
            except Unavailable as error:
                telemetry.log.warning("exporter_waits", **described(error))
                await pause(LOST, stop)
            except Exception as error:  # noqa: BLE001 -- one tenant's fault is not to stop the others' exports
                telemetry.bug(error, "")
                await pause(LOST, stop)


async def _round(settings: Settings, urls: DatabaseUrls, look: Begin, begin: Begin, stop: asyncio.Event) -> None:
    """Write one export of each tenant that has any, and remove what is over."""
    files = files_of(settings)
    keep = timedelta(hours=settings.export_hours)
    run = RunExports(begin, Writer(settings, urls, files), files, given.utc_now, given.new_id, keep=keep)
    async with look(NOBODY) as tx:
        tenants = await tx.exports.with_work(given.utc_now())
    for tenant in tenants:
        await run.expire(tenant)
        if not await finished(run(tenant), stop):
            return
