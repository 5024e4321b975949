"""Links by which a file can be had without a token: for a while, one at a time for each export."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import UUID

from msgspec import Struct

from service.audit import AuditEvent
from service.exports.domain import Export, ExportGone, ExportUnknown, ExportUnusable, Link, LinkExpired, Made, State
from service.exports.ports import Begin, Files, MakeKey
from service.exports.usecases import found
from service.kernel import Caller, Clock, TenantId


class Download(Struct, frozen=True, kw_only=True):
    """A file on its way out."""

    export: Export
    size: int
    parts: AsyncGenerator[bytes]


class LinkExport:
    """Make a link to the file of an export. The one before is worth nothing from then on."""

    def __init__(self, begin: Begin, make_key: MakeKey, clock: Clock, *, lasts: timedelta) -> None:
        self._begin = begin
        self._make_key = make_key
        self._clock = clock
        self._lasts = lasts

    async def __call__(self, export: UUID, *, by: Caller) -> Link:
        """Raises: ExportUnknown, ExportUnusable, ExportGone"""
        now, key = self._clock(), urlsafe_b64encode(self._make_key()).decode().rstrip("=")
        async with self._begin(by.tenant) as tx:
            known = await found(tx, export, hold=True)
            made_by(known, known.stands(now))
            until = min(now + self._lasts, known.expires_at or now)
            await tx.exports.link(export, _digest(key), actor=by.actor, expires_at=until)
            await tx.audit.append(event=AuditEvent.AUDIT_EXPORT_LINKED, object_id=str(export), by=by)
        return Link(key=key, expires_at=until)


class DownloadExport:
    """Hand out a file to whoever has the link. That it was is an entry before its first byte leaves."""

    def __init__(self, begin: Begin, files: Files, clock: Clock) -> None:
        self._begin = begin
        self._files = files
        self._clock = clock

    async def __call__(self, tenant: TenantId, export: UUID, key: str, *, request: str) -> Download:
        """Raises: ExportUnknown, LinkExpired, ExportGone"""
        now, digest = self._clock(), _digest(key)
        async with self._begin(tenant) as tx:
            linked = await tx.exports.linked(export, digest)
            if linked is None:
                raise ExportUnknown("there is no export at this link")
            actor, until = linked
            if now >= until:
                raise LinkExpired("the link was good for a while, which is over; ask for another")
            known = await found(tx, export)
            made = made_by(known, known.stands(now))
            size = self._files.size(tenant, made.file)
            if size != made.size:
                raise ExportGone("the file is not where it was put; ask for a new export", state=known.state)
            by = Caller(tenant=tenant, actor=actor, request=request)
            await tx.audit.append(event=AuditEvent.AUDIT_EXPORT_DOWNLOADED, object_id=str(export), by=by)
        return Download(export=known, size=size, parts=self._files.parts(tenant, made.file))


def made_by(export: Export, state: State) -> Made:
    """Return what there is to have.

    Raises:
        ExportUnusable: nothing yet, or it failed.
        ExportGone: not any more.
    """
    if state in (State.DELETED, State.EXPIRED):
        raise ExportGone(f"the export is {state}", state=state)
    if state is not State.DONE or export.made is None:
        raise ExportUnusable(f"there is no file: the export is {state}", state=state)
    return export.made


def _digest(key: str) -> bytes:
    """Return what is stored of a key. It has 32 random bytes, so nothing but a hash is needed."""
    return hashlib.sha256(key.encode()).digest()
