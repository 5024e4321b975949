"""Whether a log in the database is what was signed: every entry, every place, every checkpoint."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from service.audit.findings import Kind, Wrong
from service.audit.growing import origin_of
from service.audit.notes import LOG, Checkpoint, Key, Keys, Note
from service.audit.tiles import HASH, Edge, Tile
from service.audit.timestamps import Judge, stamped
from service.audit.tree import TILE, leaf_hash
from service.audit.tree_ports import Advanced, BeginExamining, Placed, Published, StoredLog
from service.kernel import TenantId

TOLD: Final = 20
"""Findings that are told one by one."""


class Examined(Struct, frozen=True, kw_only=True):
    """What was found about one tenant's log."""

    tenant: TenantId
    entries: int
    """In the tree."""
    waiting: int
    checkpoints: int
    shown: int = 0
    """Payloads that are what the log committed to."""
    expired: int = 0
    """Payloads that went when their period was over."""
    closed: int = 0
    """Payloads of people who were erased: whether they are, nobody can tell any more."""
    findings: Sequence[str]


class ExamineLog:
    """Work a tree out again from its entries, and compare it with all that was signed."""

    def __init__(
        self,
        begin: BeginExamining,
        published: Published,
        name: str,
        public: Sequence[bytes],
        witnesses: Keys = MappingProxyType({}),
        judge: Judge | None = None,
    ) -> None:
        """`public` are the keys by which the log signs and signed, `witnesses` those that cosign, where they are known.

        Without them, and without `judge`, nobody can tell whether what others said holds, but of what they said it.
        """
        self._begin = begin
        self._published = published
        self._name = name
        self._public = public
        self._witnesses = witnesses
        self._judge = judge

    async def __call__(self, tenant: TenantId, advanced: Advanced, anchored: Sequence[Checkpoint] = ()) -> Examined:
        """Return what was found. `anchored` were kept elsewhere: the tree has to go on from each of them."""
        origin = origin_of(self._name, tenant)
        keys = {(origin, key.id): key for key in (Key(origin, LOG, public) for public in self._public)}
        async with self._begin(tenant) as log:
            head, notes = await log.head(), await log.checkpoints()
            waiting, left_out = await log.counted()
            findings = Findings()
            if head is not None and head.halted is not None:
                findings.add(f"nothing more is signed: {head.halted}")
            if left_out:
                findings.add(f"{left_out} entries have no place in the tree and don't wait for one")
            size = 0 if head is None else head.size
            signed = _signed(notes, origin, keys, findings)
            kept = await self._published.recall(tenant)
            if kept is not None:
                _expected(signed, kept, size, keys, findings)
            for each in anchored:
                if each.size > size:
                    findings.add(f"a tree of {each.size} entries is anchored, and the database has one of {size}")
                elif signed.setdefault(each.size, each.root) != each.root:
                    findings.add(f"another tree of {each.size} entries is anchored than was signed")
            await self._attested(log, notes, findings)
            entries = await _replayed(log, size, signed, findings, advanced)
        if entries != size:
            findings.add(f"the tree has {size} entries, and {entries} are in their places")
        if size and size not in signed:
            findings.add(f"the tree of {size} entries was not signed")
        return Examined(
            tenant=tenant, entries=entries, waiting=waiting, checkpoints=len(notes), findings=findings.told()
        )

    async def _attested(self, log: StoredLog, notes: Sequence[str], findings: "Findings") -> None:
        """Compare what witnesses and an authority said with what they said it of."""
        checkpoints = dict(filter(None, map(_sized, notes)))
        for size, key, line in await log.cosignatures():
            try:
                cosigned = Note.parse(f"{_known(checkpoints, size).note.text}\n{line}")
                [(name, id_, _)] = cosigned.signatures
                if f"{name}+{id_.hex()}" != key:
                    raise Wrong(Kind.UNKNOWN_KEY, f"it is by {name}+{id_.hex()}")
                if (name, id_) in self._witnesses:
                    cosigned.verify(self._witnesses)
            except (Wrong, ValueError) as wrong:
                findings.add(f"what {key} cosigned of {size} entries doesn't hold: {wrong}")
        for size, token in await log.timestamps():
            try:
                checkpoint = _known(checkpoints, size)
                if self._judge is not None:
                    self._judge(token, stamped(checkpoint))
            except Wrong as wrong:
                findings.add(f"the time-stamp of {size} entries doesn't hold: {wrong}")


def _sized(note: str) -> tuple[int, Checkpoint] | None:
    try:
        checkpoint = Checkpoint.parse(note)
    except Wrong:  # which is a finding of its own
        return None
    return checkpoint.size, checkpoint


def _known(checkpoints: Mapping[int, Checkpoint], size: int) -> Checkpoint:
    if size not in checkpoints:
        raise Wrong(Kind.ROOT, "no such tree was signed")
    return checkpoints[size]


class Findings:
    """What is wrong, in words: the first ones, and how many more."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._more = 0

    def add(self, finding: str) -> None:
        if len(self._first) < TOLD:
            self._first.append(finding)
        else:
            self._more += 1

    def told(self) -> Sequence[str]:
        return [*self._first, f"and {self._more} more"] if self._more else self._first


def _signed(notes: Sequence[str], origin: str, keys: Keys, findings: Findings) -> dict[int, bytes]:
    """Return the root that was signed at each size. The newest signature is verified: it stands for all before."""
    roots: dict[int, bytes] = {}
    for note in notes:
        try:
            checkpoint = Checkpoint.parse(note)
            if checkpoint.origin != origin:
                findings.add(f"a checkpoint of {checkpoint.size} entries is of another log, {checkpoint.origin}")
            if note is notes[-1]:
                checkpoint.verify(keys)
        except Wrong as wrong:
            findings.add(f"a checkpoint is wrong: {wrong}")
        else:
            roots[checkpoint.size] = checkpoint.root
    return roots


def _expected(signed: dict[int, bytes], kept: str, size: int, keys: Keys, findings: Findings) -> None:
    """Expect the checkpoint that was kept beside the database as if it were in it."""
    try:
        checkpoint = Checkpoint.parse(kept)
        checkpoint.verify(keys)
    except Wrong as wrong:
        findings.add(f"the checkpoint that was kept beside the database is wrong: {wrong}")
        return
    if checkpoint.size > size:
        findings.add(f"a tree of {checkpoint.size} entries was signed, and the database has one of {size}")
    elif signed.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
        findings.add(f"two different trees of {checkpoint.size} entries were signed")


async def _replayed(
    log: StoredLog, size: int, signed: Mapping[int, bytes], findings: Findings, advanced: Advanced
) -> int:
    """Grow the tree again and compare it at every size that was signed; return how many entries it has."""
    edge, index = Edge(), 0
    due = sorted(signed)
    async for some in log.placed():
        leaves: list[bytes] = []
        tiles = await log.held(_tiles_of(some, size))
        for placed in some:
            if placed.index != index:
                findings.add(f"place {index} is empty")
                return index
            leaf = b"" if placed.canonical is None else leaf_hash(placed.canonical)
            said = _said(tiles, index, size)
            if placed.canonical is None:
                findings.add(f"entry {index}, {placed.entry}, is gone")
            elif leaf != said:
                findings.add(f"entry {index}, {placed.entry}, is not what its leaf says")
            elif placed.shown != placed.canonical:
                findings.add(f"entry {index}, {placed.entry}, is shown as another than was signed")
            leaves.append(leaf or said or bytes(HASH))
            index += 1
        edge, due = _compared(edge, leaves, due, signed, findings)
        advanced(index, size)
    return index


def _compared(
    edge: Edge, leaves: Sequence[bytes], due: list[int], signed: Mapping[int, bytes], findings: Findings
) -> tuple[Edge, list[int]]:
    """Add leaves, stopping wherever a checkpoint says what the tree should be."""
    rest = list(leaves)
    while due and due[0] <= edge.size + len(rest):
        step = due[0] - edge.size
        edge, rest = edge.grow(rest[:step]).edge, rest[step:]
        if edge.root != signed[due[0]]:
            findings.add(f"the {due[0]} entries that were signed are others")
        due = due[1:]
    return edge.grow(rest).edge, due


def _tiles_of(some: Sequence[Placed], size: int) -> Sequence[Tile]:
    numbers = range(some[0].index // TILE, some[-1].index // TILE + 1)
    return [Tile(0, number, min(TILE, size - number * TILE)) for number in numbers if size > number * TILE]


def _said(tiles: Mapping[Tile, bytes], index: int, size: int) -> bytes | None:
    number, place = divmod(index, TILE)
    if index >= size:
        return None
    hashes = tiles.get(Tile(0, number, min(TILE, size - number * TILE)), b"")
    return hashes[place * HASH : (place + 1) * HASH] or None
