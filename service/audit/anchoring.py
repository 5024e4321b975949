"""Checkpoints are kept where whoever keeps the log can't change them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from service.audit.anchors import anchor_in, anchor_line
from service.audit.findings import Kind, Wrong
from service.audit.growing import origin_of
from service.audit.notes import LOG, Checkpoint, Key
from service.audit.proving import proof, signed_at
from service.audit.tiles import spans_of_consistency
from service.audit.tree import verify_consistency
from service.audit.tree_ports import BeginReading, BeginReadingKeys, KeyPurpose
from service.kernel import Clock, TenantId


class Anchors(Protocol):
    """A place to which lines are added, and from which none is taken."""

    def last(self, origin: str) -> bytes | None:
        """Return the newest line about a log, without its end."""
        ...

    def add(self, origin: str, size: int, line: bytes) -> None:
        """Add a line, on disk when this returns. Raises Wrong: another of this size is there."""
        ...


class Anchored(Struct, frozen=True, kw_only=True):
    """What is anchored of a log."""

    tenant: TenantId
    size: int
    root: str
    """In hexadecimal digits."""
    before: int
    """The size that was anchored last; 0 for none."""
    added: bool
    """Whether there was anything to add."""


class AnchorLog:
    """Add what a log signed last to the anchors, if it goes on from what is there."""

    def __init__(
        self, name: str, begin: BeginReading, begin_keys: BeginReadingKeys, anchors: Anchors, clock: Clock
    ) -> None:
        self._name = name
        self._begin = begin
        self._begin_keys = begin_keys
        self._anchors = anchors
        self._clock = clock

    async def __call__(self, tenant: TenantId) -> Anchored:
        """Add a line, and return what it says.

        Raises:
            Wrong: what is anchored is not the beginning of the log, or isn't signed by it. Nothing was added.
            CheckpointUnknown: the log never signed anything.
            Unavailable
        """
        origin = origin_of(self._name, tenant)
        keys = await self._keys(tenant, origin)
        held = self._anchors.last(origin)
        async with self._begin(tenant) as tx:
            note = await signed_at(tx.tree, None, "size")
            checkpoint = Checkpoint.parse(note)
            checkpoint.verify(keys)
            before, hashes = 0, list[bytes]()
            if held is not None:
                known = anchor_in(held)[2]
                known.verify(keys)
                before = known.size
                if before > checkpoint.size:
                    raise Wrong(
                        Kind.CONSISTENCY,
                        f"a tree of {before} entries is anchored, and the log has one of {checkpoint.size}",
                    )
                try:
                    spans = spans_of_consistency(before, checkpoint.size)
                    hashes += await proof(tx.tree, spans, checkpoint.size)
                except KeyError:
                    raise Wrong(Kind.CONSISTENCY, "the database lacks part of the tree that is anchored") from None
                verify_consistency(before, known.root, checkpoint.size, checkpoint.root, hashes)
        added = checkpoint.size > before
        if added:
            line = anchor_line(self._clock().isoformat(), before, hashes, note)
            self._anchors.add(origin, checkpoint.size, line)
        return Anchored(tenant=tenant, size=checkpoint.size, root=checkpoint.root.hex(), before=before, added=added)

    async def _keys(self, tenant: TenantId, origin: str) -> Mapping[tuple[str, bytes], Key]:
        async with self._begin_keys(tenant) as tx:
            public = [key.public for key in await tx.log_keys.public() if key.purpose is KeyPurpose.LOG]
        keys: Sequence[Key] = [Key(origin, LOG, each) for each in public]
        return {(key.name, key.id): key for key in keys}
