"""`volens audit export`: entries in files that prove themselves, whole or not at all."""

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from rich.console import Console

from service import operations, packs
from service.audit import AuditEvent, sheet
from service.databases import migrated
from service.extents import Source, Wanted, extent_of, lines
from service.own_files import new_own
from service.progress import bar
from service.settings import Settings


class Form(StrEnum):
    """What is written: a range as in `service.audit.ranges`, the table of `service.audit.sheet`, or a ZIP."""

    NDJSON = "ndjson"
    CSV = "csv"
    PACK = "pack"


class Exported(Struct, frozen=True, kw_only=True):
    """What was written. The log has an entry of it, `audit.exported`, that commits to `sha256`."""

    tenant: str
    format: Form
    file: str
    first: int
    after: int
    entries: int
    tree_size: int
    bytes: int
    sha256: str


async def export(
    settings: Settings, tenant: str, form: Form, out: Path, wanted: Wanted, *, bom: bool, progress_on: Console
) -> Exported:
    """Write entries to a new file `out`, for its owner alone, and note in the log that it was done.

    Raises:
        UnknownTenant, NothingToExport, LogBroken, CheckpointUnknown, Unavailable
        FileExistsError: there is such a file. It stays as it is.
    """
    name = operations.tenant_named(tenant)
    with new_own(out) as file, migrated(settings) as urls:
        async with operations.transactions(urls.app) as begin:
            extent = await extent_of(begin, name, wanted)
            entries = extent.after - extent.first
            with bar(progress_on, f"entries of {extent.tenant}") as advanced:
                source = Source(begin, extent, lambda done: advanced(done, entries))
                if form is Form.PACK:
                    await packs.write(source, begin, settings, file, out.parent)
                else:
                    await _write(source, form, file, bom=bom)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").digest()
            size = file.tell()
            # Before the file can be seen: none is handed out of which the log knows nothing.
            async with begin(name) as tx:
                await tx.audit.append(
                    event=AuditEvent.AUDIT_EXPORTED,
                    object_id=f"{form}/{extent.first}-{extent.after}",
                    by=operations.as_operator(name),
                    commitment=digest,
                )
    return Exported(
        tenant=name,
        format=form,
        file=str(out),
        first=extent.first,
        after=extent.after,
        entries=entries,
        tree_size=extent.checkpoint.size,
        bytes=size,
        sha256=digest.hex(),
    )


async def _write(source: Source, form: Form, file: BinaryIO, *, bom: bool) -> None:
    if form is Form.NDJSON:
        file.write(await source.header())
        async for first, entries in source.batches():
            file.write(lines(first, entries))
    else:
        file.write((sheet.BOM if bom else b"") + sheet.heading())
        async for first, entries in source.batches():
            file.write(sheet.rows(first, entries))
