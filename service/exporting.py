"""`volens audit export`: entries in files that prove themselves, whole or not at all, in constant memory."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service import operations
from service.audit import AuditEvent, sheet
from service.audit.evidence import export_header, export_line, spans_of_export
from service.audit.notes import Checkpoint
from service.audit.proving import signed_at
from service.audit.tiles import tiles_for
from service.databases import migrated
from service.kernel import DomainError, TenantId
from service.own_files import new_own
from service.settings import Settings
from service.transaction import Begin

BATCH: Final = 5_000
"""Entries in memory. Each batch is a transaction of its own: what has a place never moves, so none has to last."""
_EVER: Final = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Form(StrEnum):
    """What is written. `service.audit.ranges` has the first, `service.audit.sheet` the second."""

    NDJSON = "ndjson"
    CSV = "csv"


class NothingToExport(DomainError):
    """The log has no entries in this range, or not all of them yet."""

    code = "nothing_to_export"


class LogBroken(DomainError):
    """The database has lost part of what was signed."""

    code = "log_broken"


class Wanted(Struct, frozen=True, kw_only=True):
    """Which entries: by their places, or by when they were made. What is absent holds always."""

    first: int = 0
    after: int | None = None
    since: datetime | None = None
    until: datetime | None = None


class Extent(Struct, frozen=True, kw_only=True):
    """The entries [first, after) and the signed tree that they are in."""

    tenant: TenantId
    first: int
    after: int
    note: str

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint.parse(self.note)


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


Advanced = Callable[[int], None]
"""Is told how many entries were written."""


class Source:
    """One extent, read from the database in batches."""

    def __init__(self, begin: Begin, extent: Extent, advanced: Advanced) -> None:
        self._begin = begin
        self.extent = extent
        self._advanced = advanced

    async def header(self) -> bytes:
        """Return the header of the NDJSON, with its end."""
        extent, size = self.extent, self.extent.checkpoint.size
        wanted = sorted(tiles_for(spans_of_export(extent.first, extent.after, size), size))
        async with self._begin(extent.tenant) as tx:
            held = await tx.tree.tiles(wanted) if wanted else {}
        try:
            return export_header(extent.first, extent.after, extent.note, held.__getitem__) + b"\n"
        except (KeyError, ValueError):
            raise LogBroken("the database lacks part of the tree; `volens audit verify` says what") from None

    async def batches(self) -> AsyncIterator[tuple[int, Sequence[bytes]]]:
        """Yield the place of the first of some entries, and their canonical bytes."""
        extent = self.extent
        for low in range(extent.first, extent.after, BATCH):
            high = min(low + BATCH, extent.after)
            async with self._begin(extent.tenant) as tx:
                entries = await tx.tree.entries(low, high)
            if len(entries) != high - low:
                raise LogBroken(f"entries {low} to {high - 1} are not all there; `volens audit verify` says more")
            yield low, entries
            self._advanced(high - extent.first)


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
            with _shown(extent, progress_on) as advanced:
                await _write(Source(begin, extent, advanced), form, file, bom=bom)
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
        entries=extent.after - extent.first,
        tree_size=extent.checkpoint.size,
        bytes=size,
        sha256=digest.hex(),
    )


async def extent_of(begin: Begin, tenant: TenantId, wanted: Wanted) -> Extent:
    """Find out which entries are wanted, in the newest tree that was signed."""
    async with begin(tenant) as tx:
        if not await tx.tenants.known():
            raise operations.UnknownTenant(f"there is no tenant {tenant}; `volens tenant list` shows them")
        note = await signed_at(tx.tree, None, "size")
        size = Checkpoint.parse(note).size
        first, after = wanted.first, size if wanted.after is None else wanted.after
        if wanted.since is not None or wanted.until is not None:
            since, until = wanted.since or _EVER[0], wanted.until or _EVER[1]
            first, after = await tx.tree.around(since, until, size) or (0, 0)
            if not after:
                raise NothingToExport("no entry that has its place was made in this period")
    if not 0 <= first < after <= size:
        raise NothingToExport(f"the signed tree has {size} entries: --first is at least 0, --after at most {size}")
    return Extent(tenant=tenant, first=first, after=after, note=note)


async def _write(source: Source, form: Form, file: BinaryIO, *, bom: bool) -> None:
    match form:
        case Form.NDJSON:
            file.write(await source.header())
            async for first, entries in source.batches():
                file.write(lines(first, entries))
        case Form.CSV:
            file.write((sheet.BOM if bom else b"") + sheet.heading())
            async for first, entries in source.batches():
                file.write(sheet.rows(first, entries))


@contextmanager
def _shown(extent: Extent, console: Console) -> Iterator[Advanced]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"entries of {extent.tenant}", total=extent.after - extent.first)
        yield lambda done: progress.update(task, completed=done)


def lines(first: int, entries: Sequence[bytes]) -> bytes:
    return b"".join(export_line(index, entry) + b"\n" for index, entry in enumerate(entries, first))
