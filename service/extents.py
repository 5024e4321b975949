"""A range of the audit log, read in constant memory to be handed out."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from service import operations
from service.audit.evidence import export_header, export_line, spans_of_export
from service.audit.notes import Checkpoint
from service.audit.proving import signed_at
from service.audit.tiles import tiles_for
from service.choosing import LogBroken
from service.exports import Wanted
from service.kernel import DomainError, TenantId
from service.transaction import Begin

BATCH: Final = 5_000
"""Entries in memory. Each batch is a transaction of its own: what has a place never moves, so none has to last."""
_EVER: Final = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class NothingToExport(DomainError):
    """The log has no entries in this range, or not all of them yet."""

    code = "nothing_to_export"


class Extent(Struct, frozen=True, kw_only=True):
    """The entries [first, after) and the signed tree that they are in."""

    tenant: TenantId
    first: int
    after: int
    note: str

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint.parse(self.note)


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


def lines(first: int, entries: Sequence[bytes]) -> bytes:
    return b"".join(export_line(index, entry) + b"\n" for index, entry in enumerate(entries, first))
