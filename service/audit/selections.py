"""Verify a selection: some entries of a log, each in its place in the signed tree.

Lines, each ending in 0x0A. First the header, one JSON object:

    format      "volens-audit-selection/v1"
    checkpoint  a signed checkpoint
    wanted      what was asked for. Nothing proves it. `ended` in it is how many decisions nobody could ask any more

Then one line for each entry, by their places, in exactly this spelling:
{"index":N,"skip":["HASH",...],"tree":"HASH","leaf":"HASH","entry":CANONICAL BYTES}

    skip        the roots of the largest complete subtrees between the entry of the line before and this one, from left
                to right
    tree        the root of the tree of the first N entries: of all before this one

And last {"entries":NUMBER OF LINES,"skip":["HASH",...]}, with the subtrees up to the end of the tree.

Hashes are 64 lower-case hexadecimal digits. Entries and `skip` give the signed root; so no entry is changed or out of
its place. Whether entries were left out that were asked for, nothing here can tell: for that take a range. `leaf` and
`tree` prove nothing: they tell where a change is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from service.audit.findings import Kind, Report, Wrong
from service.audit.notes import Checkpoint
from service.audit.ranges import Times, document
from service.audit.tree import EMPTY, leaf_hash, node_hash

SELECTION: Final = "volens-audit-selection/v1"
_SKIP: Final = rb'\[((?:"[0-9a-f]{64}"(?:,(?="))?)*)\]'
_CHOSEN: Final = re.compile(
    rb'\{"index":(0|[1-9][0-9]{0,18}),"skip":' + _SKIP + rb',"tree":"([0-9a-f]{64})","leaf":"([0-9a-f]{64})",'
    rb'"entry":(.*)\}'
)
_END: Final = re.compile(rb'\{"entries":(0|[1-9][0-9]{0,18}),"skip":' + _SKIP + rb"\}")


def gap(first: int, after: int) -> Iterator[tuple[int, int]]:
    """Yield the largest complete subtrees of the entries [first, after), from the left: each as (from, to)."""
    while first < after:
        wide = 1 << ((after - first).bit_length() - 1)
        if first:
            wide = min(wide, first & -first)
        yield first, first + wide
        first += wide


class Spine:
    """The complete subtrees of a tree that grows to the right, from which its root follows."""

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []
        """One for each one in the binary digits of the size, the widest first."""

    def push(self, root: bytes, wide: int) -> None:
        """Add the root of a complete subtree, of which the size is a multiple."""
        place = self.size // wide
        self.size += wide
        while place & 1:
            root = node_hash(self._roots.pop(), root)
            place >>= 1
        self._roots.append(root)

    def root(self) -> bytes:
        """Return the root of the tree so far (RFC 9162, section 2.1.1)."""
        if not self._roots:
            return EMPTY
        *rest, root = self._roots
        for left in reversed(rest):
            root = node_hash(left, root)
        return root


class Selection:
    """One selection, as far as it has been read."""

    def __init__(self, header: bytes, place: str, report: Report) -> None:
        """Read the header.

        Raises:
            Wrong: it isn't one.
        """
        read = document(header, SELECTION, {"checkpoint": str, "wanted": dict})
        self.checkpoint = Checkpoint.parse(read["checkpoint"])
        self.entries = 0
        self._place, self._report = place, report
        self._spine = Spine()
        self._lost = False
        """Whether a root on the way was wrong already: then those behind it tell nothing new."""

    def read(self, lines: Iterator[bytes], witnessed: Mapping[int, int]) -> None:
        """Judge all lines. `witnessed` tells how many entries were seen, and when, in POSIX seconds.

        Raises:
            Wrong: a line is none, or they can't be put together.
        """
        tail = f',"tenant":"{self.checkpoint.origin.rpartition("/")[2]}","v":1}}'.encode()
        times = Times(witnessed)
        for line in lines:
            read = _CHOSEN.fullmatch(line)
            if read is None:
                self._close(line)
                if next(lines, None) is not None:
                    raise Wrong(Kind.RANGE_EXCEEDED, "there are lines after the last one")
                return
            index, tree, leaf, entry = int(read[1]), read[3].decode(), read[4].decode(), read[5]
            self._skip(index, read[2])
            if not self._lost and self._spine.root().hex() != tree:
                self._lost = True
                words = f"with what is before it, it isn't the tree of the first {index} entries that the line states"
                self._report.find(Kind.ROOT, f"{self._place}, entry {index} or the line before it", words)
            if not entry.endswith(tail):
                self._find(Kind.FOREIGN, index, "it doesn't name this log's tenant, or is not of version 1")
            hashed = leaf_hash(entry)
            if hashed.hex() != leaf:
                self._find(Kind.LEAF, index, "it is not what the hash beside it says: one of them was changed")
            else:
                with self._report.at(f"{self._place}, entry {index}"):
                    times.take(index, entry)
            self._spine.push(hashed, 1)
            self.entries += 1
        raise Wrong(Kind.RANGE_INCOMPLETE, "the last line is missing")

    def _skip(self, index: int, hashes: bytes) -> None:
        """Go on to the entry `index`."""
        at = self._spine.size
        if index < at:
            raise Wrong(Kind.ORDER, f"entry {index} stands behind entry {at - 1}")
        if index > self.checkpoint.size:
            raise Wrong(Kind.RANGE_EXCEEDED, f"entry {index} of a tree of {self.checkpoint.size} entries")
        spans, roots = list(gap(at, index)), _roots(hashes)
        if len(spans) != len(roots):
            words = f"{len(roots)} hashes stand for entries {at} to {index - 1}, which takes {len(spans)}"
            raise Wrong(Kind.RANGE_INCOMPLETE, words)
        for (low, high), root in zip(spans, roots):  # noqa: B905, said above
            self._spine.push(root, high - low)

    def _close(self, line: bytes) -> None:
        read = _END.fullmatch(line)
        if read is None:
            raise Wrong(Kind.FORMAT, f"the line after {self.entries} entries holds none")
        if int(read[1]) != self.entries:
            raise Wrong(Kind.RANGE_INCOMPLETE, f"it states {int(read[1])} entries, and has {self.entries}")
        size = self.checkpoint.size
        if self._spine.size > size:
            raise Wrong(Kind.RANGE_EXCEEDED, f"entry {self._spine.size - 1} of a tree of {size} entries")
        self._skip(size, read[2])
        if self._spine.root() != self.checkpoint.root:
            raise Wrong(Kind.ROOT, f"with the hashes around them they don't give the signed root of {size} entries")

    def _find(self, kind: Kind, index: int, words: str) -> None:
        self._report.find(kind, f"{self._place}, entry {index}", words)


def _roots(hashes: bytes) -> Sequence[bytes]:
    return [bytes.fromhex(each.decode()) for each in re.findall(rb"[0-9a-f]{64}", hashes)]
