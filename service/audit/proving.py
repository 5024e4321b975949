"""Proofs for everybody: what was signed, and that one entry, or one tree, is part of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from service.audit.domain import AuditEvent, Consistency, Entry, canonical
from service.audit.evidence import member_text, proof_text
from service.audit.growing import origin_of, receipts_of
from service.audit.notes import LOG, Checkpoint, Key
from service.audit.signing import verifier_key
from service.audit.tiles import HASH, Span, Tile, hashes_of, spans_of_consistency, spans_of_inclusion, tiles_for
from service.audit.tree_ports import BeginReading, BeginReadingKeys, KeyPurpose, Member, Seek, Tree
from service.kernel import Caller, DomainError, TenantId

AROUND: Final = timedelta(minutes=5)
"""How far an entry may be dated from what it tells of: the longest that a transaction takes, many times over."""


class EntryUnknown(DomainError):
    """The tenant's log has no such entry."""

    code = "entry_unknown"


class EntryWaits(DomainError):
    """The entry has no place in the tree yet. It gets one within seconds, where a worker runs."""

    code = "entry_waits"


class EntryUnclear(DomainError):
    """Not exactly one thing was named that is to be proved."""

    code = "entry_unclear"


class CheckpointUnknown(DomainError):
    """The log never signed a tree of this size."""

    code = "checkpoint_unknown"


class TileUnknown(DomainError):
    """The tree has no such tile, or not as many hashes in it yet."""

    code = "tile_unknown"


class TimestampUnknown(DomainError):
    """No tree of this size, or a larger one, has a time-stamp."""

    code = "timestamp_unknown"


class ReadCheckpoint:
    """Show what was signed."""

    def __init__(self, begin: BeginReading) -> None:
        self._begin = begin

    async def __call__(self, size: int | None, cosigners: int = 0, *, by: Caller) -> str:
        """Return the signed note of the newest tree, or of the one of `size`, that so many witnesses cosigned.

        Raises:
            CheckpointUnknown
        """
        async with self._begin(by.tenant) as tx:
            if not cosigners:
                return await signed_at(tx.tree, size, "size")
            note = await tx.tree.checkpoint(size, cosigners)
        if note is None:
            raise CheckpointUnknown("no such tree has so many cosignatures", parameters=["cosigners"])
        return note


class ReadTimestamp:
    """Show what a time-stamp authority said of what was signed."""

    def __init__(self, begin: BeginReading) -> None:
        self._begin = begin

    async def __call__(self, size: int | None, *, by: Caller) -> tuple[str, bytes]:
        """Return the first checkpoint of at least `size` entries that has a time-stamp, or the last, and the token.

        Raises:
            TimestampUnknown
        """
        async with self._begin(by.tenant) as tx:
            found = await tx.tree.timestamp(size)
        if found is None:
            raise TimestampUnknown("no such tree was time-stamped yet", parameters=["size"] if size else [])
        return found


class Proved(Struct, frozen=True, kw_only=True):
    """An entry, and that it is in the tree."""

    entry: bytes
    """Canonical."""
    text: str
    """The proof, with the entry in it."""


class ProveEntry:
    """Prove that an entry is in the tree."""

    def __init__(self, begin: BeginReading, stored: Mapping[AuditEvent, Seek]) -> None:
        """`stored` says by what the entries of some objects are found."""
        self._begin = begin
        self._stored = stored

    async def __call__(self, entry: UUID, size: int | None, *, by: Caller) -> str:
        """Return a proof with the entry in it, against the newest checkpoint or that of `size`.

        Raises:
            EntryUnknown, EntryWaits, CheckpointUnknown
        """
        return (await self._proved(entry, size, by)).text

    async def _proved(self, entry: UUID, size: int | None, by: Caller) -> Proved:
        async with self._begin(by.tenant) as tx:
            body = await tx.tree.canonical(entry)
            if body is None:
                raise EntryUnknown("the log has no such entry")
            index = await tx.tree.place(entry)
            if index is None:
                raise EntryWaits("the entry waits for its place in the tree; ask again in a few seconds")
            note = await signed_at(tx.tree, size, "size")
            signed = Checkpoint.parse(note).size
            if index >= signed:
                raise CheckpointUnknown(f"the entry has place {index}, after a tree of this size", parameters=["size"])
            hashes = await proof(tx.tree, spans_of_inclusion(index, signed), signed)
        return Proved(entry=body, text=proof_text(index, hashes, note, body))

    async def of_object(self, event: AuditEvent, object_id: UUID, size: int | None, *, by: Caller) -> str:
        """Return a proof that what this event tells of an object is in the tree, and nothing of others.

        Raises:
            EntryUnknown, EntryWaits, CheckpointUnknown
        """
        sought = await self._stored[event](by.tenant, object_id)
        if sought is None:
            raise EntryUnknown("the log has no such entry")
        proved = await self.of_stored(sought.event, sought.object_id, sought.at, size, by=by)
        return proved.text if sought.member is None else member_text(_shown(sought.member), proved.text)

    async def of_stored(
        self, event: AuditEvent, object_id: UUID, at: datetime, size: int | None = None, *, by: Caller
    ) -> Proved:
        """Return what this event tells of an object that was stored at this instant.

        Raises:
            EntryUnknown, EntryWaits, CheckpointUnknown
        """
        async with self._begin(by.tenant) as tx:
            entry = await tx.tree.telling_of(event, str(object_id), at - AROUND, at + AROUND)
        if entry is None:
            raise EntryUnknown("the log has no such entry")
        return await self._proved(entry, size, by)


def _shown(member: Member) -> Mapping[str, Any]:
    opened = member.opened
    return {
        "index": member.index,
        "size": member.size,
        "path": [node.hex() for node in member.path],
        "salt": None if opened is None else opened.salt.hex(),
        "payload": None if opened is None else opened.content.decode(),
        "heading": None if member.heading is None else member.heading.decode(),
    }


class ProveEntries:
    """Prove several entries at once, against the newest checkpoint. The tiles that they share are read once."""

    def __init__(self, begin: BeginReading) -> None:
        self._begin = begin

    async def __call__(self, entries: Sequence[Entry], *, by: Caller) -> Mapping[UUID, str]:
        """Return the proofs, by entry, of those that have their place in a signed tree."""
        async with self._begin(by.tenant) as tx:
            note = await tx.tree.checkpoint(None)
            if note is None or not entries:
                return {}
            size = Checkpoint.parse(note).size
            places = await tx.tree.places([entry.id for entry in entries])
            spans = {entry: spans_of_inclusion(index, size) for entry, index in places.items() if index < size}
            wanted = {tile for each in spans.values() for tile in tiles_for(each, size)}
            held = await tx.tree.tiles(sorted(wanted)) if wanted else {}
        return {
            entry.id: proof_text(
                places[entry.id], hashes_of(spans[entry.id], size, held.__getitem__), note, canonical(entry)
            )
            for entry in entries
            if entry.id in spans
        }


class ProveConsistency:
    """Prove that nothing in an older tree was changed."""

    def __init__(self, begin: BeginReading) -> None:
        self._begin = begin

    async def __call__(self, old: int, new: int | None, *, by: Caller) -> Consistency:
        """Return the proof from the tree of `old` entries to that of `new`, or to the newest.

        Raises:
            CheckpointUnknown
        """
        async with self._begin(by.tenant) as tx:
            before, after = await signed_at(tx.tree, old, "from"), await signed_at(tx.tree, new, "to")
            size = Checkpoint.parse(after).size
            if old > size:
                raise CheckpointUnknown("`from` is after `to`", parameters=["from"])
            hashes = await proof(tx.tree, spans_of_consistency(old, size), size)
        return Consistency(old=before, new=after, hashes=hashes)


class ReadTiles:
    """Show the tree itself: hashes of hashes, which tell nothing about anybody."""

    def __init__(self, begin: BeginReading) -> None:
        self._begin = begin

    async def __call__(self, tile: Tile, *, by: Caller) -> bytes:
        """Return the hashes of a tile, as many as its width says.

        Raises:
            TileUnknown
        """
        async with self._begin(by.tenant) as tx:
            held = (await tx.tree.tiles([tile])).get(tile, b"")
        wide = tile.width * HASH
        if len(held) < wide:
            raise TileUnknown("the tree has no such tile")
        return held[:wide]


class ReadLogKeys:
    """Show by which keys a log and its receipts are signed. Whether there is such a tenant isn't told."""

    def __init__(self, begin: BeginReadingKeys, name: str) -> None:
        self._begin = begin
        self._name = name

    def origin(self, tenant: str) -> str:
        return origin_of(self._name, TenantId(tenant))

    async def __call__(self, tenant: str) -> Sequence[tuple[str, bytes, datetime]]:
        """Return verifier key, public key and its first instant, the oldest first."""
        names = {KeyPurpose.LOG: self.origin(tenant), KeyPurpose.RECEIPTS: receipts_of(self.origin(tenant))}
        async with self._begin(TenantId(tenant)) as tx:
            keys = await tx.log_keys.public()
        return [(verifier_key(Key(names[key.purpose], LOG, key.public)), key.public, key.since) for key in keys]


async def signed_at(tree: Tree, size: int | None, parameter: str) -> str:
    """Return what was signed at `size`, or last; `parameter` is where the caller named it."""
    note = await tree.checkpoint(size)
    if note is None and size is None:
        raise CheckpointUnknown("nothing was signed yet: is a worker running?")
    if note is None:
        raise CheckpointUnknown("no tree of this size was signed", parameters=[parameter])
    return note


async def proof(tree: Tree, spans: Sequence[Span], size: int) -> Sequence[bytes]:
    """Return the roots of subtrees, from as few tiles as they need, read at once."""
    wanted = sorted(tiles_for(spans, size))
    held = await tree.tiles(wanted) if wanted else {}
    return hashes_of(spans, size, held.__getitem__)
