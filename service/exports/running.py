"""Writes exports one after the other, as the worker, and removes those whose time is over."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

from service.audit import AuditEvent
from service.exports.domain import Claimed, Made, State
from service.exports.ports import Begin, ExportFailed, Files, Progress, Writing
from service.kernel import Caller, Clock, NewId, TenantId, Unavailable

BEAT: Final = 1.0
"""Seconds between two words on how far an export got."""
ABANDONED: Final = timedelta(hours=1)
"""A draft that nobody wrote to for so long has no writer any more."""
PATIENCE: Final = 5.0
"""Seconds for a writer to stop."""
_OUR_FAULT: Final = "the export failed through a fault of this service"


class RunExports:
    """Goes on with the exports of a tenant. One whose writer died begins anew: of half a file nothing is kept."""

    def __init__(
        self, begin: Begin, write: Writing, files: Files, clock: Clock, new_id: NewId, *, keep: timedelta
    ) -> None:
        """`keep` is how long a file lies."""
        self._begin = begin
        self._write = write
        self._files = files
        self._clock = clock
        self._new_id = new_id
        self._keep = keep

    async def __call__(self, tenant: TenantId) -> bool:
        """Write the oldest export that nobody writes, and return whether there was one.

        Raises:
            Unavailable: it is left to whoever looks next.
        """
        async with self._begin(tenant) as tx:
            claimed = await tx.exports.claim(self._new_id(), self._clock())
        if claimed is None:
            return False
        self._files.remove(tenant, str(claimed.id))
        progress = Progress()
        writing = asyncio.ensure_future(self._write(tenant, claimed, progress))
        try:
            made = await self._watched(tenant, claimed, progress, writing)
            if made is None or not await self._end(tenant, claimed, made):
                self._files.remove(tenant, claimed.file)
        except BaseException as error:
            progress.stopped = True
            await asyncio.wait({writing}, timeout=PATIENCE)
            await self._leave(tenant, claimed, error)
            if not isinstance(error, ExportFailed):
                raise
        return True

    async def _leave(self, tenant: TenantId, claimed: Claimed, error: BaseException) -> None:
        """Store what became of an export that wasn't written. What the database can't be told, time tells."""
        if isinstance(error, Unavailable):
            return
        async with self._begin(tenant) as tx:
            if isinstance(error, ExportFailed):
                await tx.exports.fail(claimed.id, claimed.runner, str(error), self._clock())
            elif isinstance(error, Exception):
                await tx.exports.fail(claimed.id, claimed.runner, _OUR_FAULT, self._clock())
            else:
                await tx.exports.release(claimed.id, claimed.runner)

    async def _watched(
        self, tenant: TenantId, claimed: Claimed, progress: Progress, writing: "asyncio.Future[Made]"
    ) -> Made | None:
        """Return what was written; nothing where the export was taken away from us."""
        while not (await asyncio.wait({writing}, timeout=BEAT))[0]:
            async with self._begin(tenant) as tx:
                ours = await tx.exports.advance(
                    claimed.id, claimed.runner, done=progress.done, total=progress.total, now=self._clock()
                )
            if not ours:
                progress.stopped = True
                with suppress(ExportFailed):
                    await writing
                return None
        return writing.result()

    async def _end(self, tenant: TenantId, claimed: Claimed, made: Made) -> bool:
        """Store what was written together with its entry: no file can be had of which the log knows nothing."""
        now = self._clock()
        async with self._begin(tenant) as tx:
            if not await tx.exports.end(claimed.id, claimed.runner, made, now=now, expires_at=now + self._keep):
                return False
            await tx.audit.append(
                event=AuditEvent.AUDIT_EXPORTED,
                object_id=f"{claimed.order.form}/{made.extent}/{claimed.id}",
                by=Caller(tenant=tenant, actor=claimed.actor, request=claimed.request),
                commitment=made.sha256,
            )
        return True

    async def expire(self, tenant: TenantId) -> int:
        """Remove the files whose time is over, and return how many exports ended by that."""
        now = self._clock()
        async with self._begin(tenant) as tx:
            over = await tx.exports.over(now)
            for export in over:
                await tx.exports.settle(export, State.EXPIRED, at=now)
        for export in over:
            self._files.remove(tenant, str(export))
        self._files.sweep(tenant, older=(now - ABANDONED).timestamp())
        return len(over)
