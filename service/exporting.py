"""Entries of the audit log in files that prove themselves, whole or not at all.

`volens audit export` writes them, and the worker by `service.exporter`.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from io import BufferedRandom
from pathlib import Path

from msgspec import Struct
from rich.console import Console

from service import choosing, dossiers, operations, packs
from service.audit import AuditEvent, sheet
from service.audit.notes import Checkpoint
from service.audit.proving import signed_at
from service.choosing import Choice
from service.databases import migrated
from service.exports import Asked, Counted, Form, Order, Personal, Wanted, resolved
from service.extents import Advanced, Extent, Source, extent_of, lines
from service.kernel import TenantId
from service.own_files import new_own
from service.progress import bar
from service.settings import Settings
from service.transaction import Begin


class Exported(Struct, frozen=True, kw_only=True):
    """What was written. The log has an entry of it, `audit.exported`, that commits to `sha256`."""

    tenant: str
    format: Form
    file: str
    first: int | None
    """Of a range, its first entry, and the one after its last."""
    after: int | None
    entries: int
    tree_size: int
    bytes: int
    sha256: str
    ended: int
    """Decisions that may have been wanted as well: their content ended."""


class Plan(Struct, frozen=True, kw_only=True):
    """What is about to be written: a range of entries, or some that were picked."""

    what: Extent | Choice

    @property
    def entries(self) -> int:
        return len(self.what.places) if isinstance(self.what, Choice) else self.what.after - self.what.first

    @property
    def tree_size(self) -> int:
        return self.what.size if isinstance(self.what, Choice) else self.what.checkpoint.size

    @property
    def ended(self) -> int:
        return self.what.ended if isinstance(self.what, Choice) else 0

    @property
    def extent(self) -> str:
        if isinstance(self.what, Choice):
            return f"{self.entries}-chosen"
        return f"{self.what.first}-{self.what.after}"


People = Callable[[Personal], Awaitable[bytes]]
"""Opens the personal data that is to be in a file, and returns it as lines."""


async def planned(begin: Begin, tenant: TenantId, wanted: Wanted, advanced: Advanced) -> Plan:
    """Find out what is wanted, in the newest tree that was signed.

    Raises:
        UnknownTenant, NothingToExport, CheckpointUnknown, Unavailable
    """
    if not wanted.chosen:
        return Plan(what=await extent_of(begin, tenant, wanted))
    async with begin(tenant) as tx:
        note = await signed_at(tx.tree, None, "size")
    places, ended = await choosing.chosen(begin, tenant, wanted, Checkpoint.parse(note).size)
    return Plan(what=Choice(begin, tenant, note, wanted, places, ended, advanced))


async def write(
    plan: Plan,
    order: Order,
    begin: Begin,
    settings: Settings,
    file: BufferedRandom,
    folder: Path,
    advanced: Advanced,
    people: People | None = None,
) -> tuple[int, bytes]:
    """Write what was planned, and return how many bytes it has, and their SHA-256.

    Raises:
        LogBroken, Unavailable, OSError
    """
    if isinstance(plan.what, Choice):
        if order.form is Form.PACK:
            opened = None if order.personal is None or people is None else await people(order.personal)
            await dossiers.write(plan.what, begin, settings, file, folder, opened, order.personal)
        else:
            await _poured(plan.what.ndjson() if order.form is Form.NDJSON else _table(plan.what.batches(), order), file)
    else:
        source = Source(begin, plan.what, advanced)
        if order.form is Form.PACK:
            await packs.write(source, begin, settings, file, folder)
        elif order.form is Form.NDJSON:
            await _poured(_range(source), file)
        else:
            await _poured(_table(_placed(source), order), file)
    file.seek(0)
    digest = await asyncio.to_thread(lambda: hashlib.file_digest(file, "sha256").digest())
    return file.tell(), digest


async def _poured(parts: AsyncIterator[bytes], file: BufferedRandom) -> None:
    async for part in parts:
        file.write(part)


async def _range(source: Source) -> AsyncIterator[bytes]:
    yield await source.header()
    async for first, entries in source.batches():
        yield lines(first, entries)


async def _placed(source: Source) -> AsyncIterator[tuple[range, "list[bytes]"]]:
    async for first, entries in source.batches():
        yield range(first, first + len(entries)), list(entries)


async def _table(batches: "AsyncIterator[tuple[Sequence[int], Sequence[bytes]]]", order: Order) -> AsyncIterator[bytes]:
    yield (sheet.BOM if order.bom else b"") + sheet.heading()
    async for places, entries in batches:
        yield sheet.rows(places, entries)


async def export(settings: Settings, tenant: str, asked: Asked, out: Path, *, progress_on: Console) -> Exported:
    """Write entries to a new file `out`, for its owner alone, and note in the log that it was done.

    Raises:
        UnknownTenant, UnknownSubject, FilterUnknown, ExportUnusable
        NothingToExport, LogBroken, CheckpointUnknown, Unavailable
        FileExistsError: there is such a file. It stays as it is.
    """
    name = operations.tenant_named(tenant)
    with new_own(out) as file, migrated(settings) as urls:
        async with operations.transactions(urls.app) as begin:
            wanted = await _resolved(begin, name, asked)
            order = Order(form=asked.form, wanted=wanted, purpose=asked.purpose, bom=asked.bom)
            with bar(progress_on, f"entries of {name}") as told:
                plan: Plan | None = None

                def advanced(done: int) -> None:
                    told(done, plan.entries if plan else done)

                plan = await planned(begin, name, wanted, advanced)
                size, digest = await write(plan, order, begin, settings, file, out.parent, advanced)
            # Before the file can be seen: none is handed out of which the log knows nothing.
            async with begin(name) as tx:
                await tx.audit.append(
                    event=AuditEvent.AUDIT_EXPORTED,
                    object_id=f"{order.form}/{plan.extent}",
                    by=operations.as_operator(name),
                    commitment=digest,
                )
    extent = plan.what if isinstance(plan.what, Extent) else None
    return Exported(
        tenant=name,
        format=order.form,
        file=str(out),
        first=None if extent is None else extent.first,
        after=None if extent is None else extent.after,
        entries=plan.entries,
        tree_size=plan.tree_size,
        bytes=size,
        sha256=digest.hex(),
        ended=plan.ended,
    )


async def count(settings: Settings, tenant: str, asked: Asked) -> Counted:
    """Count what an export would have in it.

    Raises:
        UnknownTenant, UnknownSubject, FilterUnknown, ExportUnusable, Unavailable
    """
    name = operations.tenant_named(tenant)
    with migrated(settings) as urls:
        async with operations.transactions(urls.app) as begin:
            return await choosing.counter(begin)(name, await _resolved(begin, name, asked))


async def _resolved(begin: Begin, tenant: TenantId, asked: Asked) -> Wanted:
    async with begin(tenant) as tx:
        if not await tx.tenants.known():
            raise operations.UnknownTenant(f"there is no tenant {tenant}; `volens tenant list` shows them")
        return await resolved(tx, asked)
