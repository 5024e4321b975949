"""Entries get their place in the tree, and the tree is signed."""

from typing import Final

from service.audit.findings import Wrong
from service.audit.notes import Checkpoint
from service.audit.receipted import RECEIPTS
from service.audit.signing import checkpoint_text, signed
from service.audit.tiles import Edge, edge_of
from service.audit.tree_ports import BeginGrowing, GrowingLog, Head, LogHalted, Published, SignerOf
from service.kernel import Clock, TenantId

BATCH: Final = 5_000
"""Entries that are placed in one transaction at most."""


class GrowTree:
    """Place what waits, in one batch, and sign the tree.

    Two that grow one tree take turns. What is signed is committed first, so that no index is ever given twice; a
    crash in between leaves a checkpoint in the database that is the newest all the same.
    """

    def __init__(
        self,
        name: str,
        begin: BeginGrowing,
        signer_of: SignerOf,
        published: Published,
        clock: Clock,
        *,
        batch: int = BATCH,
    ) -> None:
        """`name` is the log's; with a tenant's it makes the origin of that tenant's checkpoints."""
        self._name = name
        self._begin = begin
        self._signer_of = signer_of
        self._published = published
        self._clock = clock
        self._batch = batch

    async def __call__(self, tenant: TenantId) -> int:
        """Return how many entries got their place.

        Raises:
            LogHalted: the tree is not the one that was signed before.
            Unavailable
        """
        try:
            return await self._grow(tenant)
        except LogHalted as halted:
            async with self._begin(tenant) as log:
                if (await log.hold()).halted is None:
                    await log.halt(str(halted))
            raise

    async def _grow(self, tenant: TenantId) -> int:
        async with self._begin(tenant) as log:
            head = await log.hold()
            if head.halted is not None:
                raise LogHalted(head.halted)
            await self._compare(log, head, tenant)
            leaves = await log.waiting(self._batch)
            if not leaves:
                return 0
            edge = await edge_at(log, head.size)
            growth = edge.grow(leaf.hash for leaf in leaves)
            await log.place(head.size, leaves, growth.tiles)
            origin = origin_of(self._name, tenant)
            text = checkpoint_text(origin, growth.edge.size, growth.edge.root)
            note = signed(text, [self._signer_of(origin)])
            await log.sign(growth.edge.size, note, self._clock())
        await self._published.keep(tenant, note)
        return len(leaves)

    async def _compare(self, log: GrowingLog, head: Head, tenant: TenantId) -> None:
        """Refuse to go on from a tree that is older than one that was signed, or another."""
        note = await self._published.recall(tenant)
        if note is None:
            return
        try:
            known = Checkpoint.parse(note)
        except Wrong as wrong:
            raise LogHalted(f"the checkpoint that is kept beside the database is damaged: {wrong}") from None
        if known.size > head.size:
            raise LogHalted(
                f"a tree of {known.size} entries was signed, and the database has one of {head.size}: it was restored"
            )
        if (await edge_at(log, known.size)).root != known.root:
            raise LogHalted(f"another tree of {known.size} entries was signed than the database has")


async def edge_at(log: GrowingLog, size: int) -> Edge:
    """Return the right edge that a tree had when it was of `size`."""
    held = await log.tiles(edge_of(size))
    return Edge.read(size, held.__getitem__)


def origin_of(name: str, tenant: TenantId) -> str:
    """Return the name under which a tenant's log signs: c2sp.org/tlog-checkpoint."""
    return f"{name}/{tenant}"


def receipts_of(origin: str) -> str:
    """Return the name under which receipts about a log are signed."""
    return origin + RECEIPTS
