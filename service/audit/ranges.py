"""Verify an export: a range of entries, complete and in order.

Lines, each ending in 0x0A. First the header, one JSON object:

    format      "volens-audit-export/v1"
    from, to    the entries with an index of at least `from` and below `to`
    checkpoint  a signed checkpoint of a tree of at least `to` entries
    left        the roots of the largest subtrees that end at `from` or before, from left to right
    right       the roots of the largest subtrees that begin at `to` or later, from left to right
    tiles       the roots of the subtrees of 256 entries within the range, from left to right

Then one line for each entry, in exactly this spelling: {"index":N,"leaf":"HASH","entry":CANONICAL BYTES}

Hashes are 64 lower-case hexadecimal digits. The entries, `left` and `right` give the signed root; so no entry is
changed, missing or out of its place. `leaf` and `tiles` prove nothing: they tell where a change is.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from operator import eq
from typing import Any, BinaryIO, Final

from service.audit.findings import Kind, Report, Wrong
from service.audit.notes import Checkpoint
from service.audit.tree import TILE, leaf_hash, root_around, tree_hash

EXPORT: Final = "volens-audit-export/v1"
TOLERANCE: Final = 600
"""Seconds by which an entry may be dated before one with a lower index: transactions overtake one another.

Counted from the whole minute, so up to a minute more is let pass.
"""
_BESIDE: Final = len('","entry":') + 64
_LINE: Final = re.compile(rb'\{"index":(0|[1-9][0-9]{0,18}),"leaf":"([0-9a-f]{64})","entry":(.*)\}', re.DOTALL)
_AT: Final = re.compile(rb'","at":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)"')
_HEADER: Final = {"from": int, "to": int, "checkpoint": str, "left": list, "tiles": list, "right": list}
_CHUNK: Final = 1 << 20


def members_of(text: str | bytes) -> dict[str, Any]:
    """Read one JSON object. One that says a thing twice, or holds what is no Unicode, is refused."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        read = json.loads(text, object_pairs_hook=once)
        # Half a pair of surrogates is in no UTF-8, so no hash can be over it.
        json.dumps(read, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise Wrong(Kind.FORMAT, "not one JSON object")
    return read


def document(text: str | bytes, form: str, members: Mapping[str, type]) -> dict[str, Any]:
    """Read one JSON object of this format: these members with values of these types, and no others."""
    read = members_of(text)
    if read.pop("format", None) != form or {name: type(value) for name, value in read.items()} != members:
        raise Wrong(Kind.FORMAT, f"not {form} with {', '.join(members)}")
    return read


def hashes_in(texts: Sequence[Any]) -> list[bytes]:
    if not all(isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text) for text in texts):
        raise Wrong(Kind.FORMAT, "not a list of hashes")
    return [bytes.fromhex(text) for text in texts]


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines without their ends. Only 0x0A ends one."""
    rest = b""
    while chunk := file.read(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


class Range:
    """One export, as far as it has been read."""

    def __init__(self, header: bytes, place: str, report: Report) -> None:
        """Read the header.

        Raises:
            Wrong: it isn't one, or says what can't be.
        """
        read = document(header, EXPORT, _HEADER)
        self.checkpoint = Checkpoint.parse(read["checkpoint"])
        self.first: int = read["from"]
        self.after: int = read["to"]
        if not 0 <= self.first <= self.after:
            raise Wrong(Kind.FORMAT, "the range ends before it begins")
        if self.after > self.checkpoint.size:
            raise Wrong(
                Kind.RANGE_EXCEEDED, f"entries up to {self.after - 1} of a tree of {self.checkpoint.size} entries"
            )
        self._left, self._tiles, self._right = (hashes_in(read[name]) for name in ("left", "tiles", "right"))
        self._place, self._report = place, report
        self._indexes = array("q")
        self._leaves = bytearray()
        self._computed: dict[int, bytes] = {}
        """The true leaf hash of each entry that isn't what the hash beside it says."""

    def read(self, lines: Iterable[bytes], witnessed: Mapping[int, int]) -> None:
        """Read the entries and judge each by itself.

        `witnessed` tells how many entries were seen, and when, in POSIX seconds: whatever comes after them is later.
        """
        tail = f',"tenant":"{self.checkpoint.origin.rpartition("/")[2]}","v":1}}}}'.encode()
        sha256, judged = hashlib.sha256, Times(witnessed)
        source, index = iter(lines), self.first
        held = next(source, None)
        while held is not None:
            line, held = held, next(source, None)
            prefix = b'{"index":%d,"leaf":"' % index
            entry = line[len(prefix) + _BESIDE :]
            leaf = sha256(b"\x00" + entry[:-1]).digest()
            if line.startswith(b'%b%b","entry":' % (prefix, leaf.hex().encode())) and entry[-1:] == b"}":
                try:
                    if not entry.endswith(tail):
                        raise Wrong(Kind.FOREIGN, "it doesn't name this log's tenant, or is not of version 1")
                    judged.take(index, entry)
                except Wrong as wrong:
                    self._find(wrong.kind, index, str(wrong))
            else:
                if held is not None and _is_broken(line, held):
                    line, held = line + b"\n" + held, next(source, None)
                try:
                    index, leaf = self._unexpected(line)
                except Wrong as wrong:
                    self._report.find(wrong.kind, f"{self._place}, where entry {index} should be", str(wrong))
                    continue
            self._indexes.append(index)
            self._leaves += leaf
            index += 1

    def _find(self, kind: Kind, index: int, words: str) -> None:
        self._report.find(kind, f"{self._place}, entry {index}", words)

    def _unexpected(self, line: bytes) -> tuple[int, bytes]:
        """Return index and leaf hash that the line states. Such an entry is wrong already; its date tells nothing."""
        read = _LINE.fullmatch(line)
        if read is None or int(read[1]) >= 1 << 63:
            raise Wrong(Kind.FORMAT, "the line doesn't hold an entry")
        index, stated, entry = int(read[1]), bytes.fromhex(read[2].decode()), read[3]
        if leaf_hash(entry) != stated:
            self._find(Kind.LEAF, index, "it is not what the hash beside it says: one of them was changed")
            self._computed[index] = leaf_hash(entry)
        elif b"\n" in entry:
            self._find(Kind.FORMAT, index, "it has a line end in it, as no canonical entry has")
        return index, stated

    def close(self, known: Iterable[Checkpoint]) -> None:
        """Judge the entries together: their order, and whether they give the signed root and the `known` ones."""
        if not self._ordered():
            return
        whole = f"{self._place}, " + _entries(self.first, self.after - 1)
        with self._report.at(whole):
            if self._root() != self.checkpoint.root and not self._root_is_right_with_computed_leaves():
                words = f"with the hashes around them they don't give the signed root of {self.checkpoint.size} entries"
                self._report.find(Kind.ROOT, whole, words)
        self._compare_tiles()
        if self.first > 0:
            return
        for older in known:
            if older.origin != self.checkpoint.origin or older.size > min(self.after, self.checkpoint.size - 1):
                continue
            if root_around(0, older.size, older.size, self._within, [], []) != older.root:
                words = f"they don't give the root of the known checkpoint of {older.size} entries"
                self._report.find(Kind.CONSISTENCY, f"{self._place}, {_entries(0, older.size - 1)}", words)

    def _ordered(self) -> bool:
        """Bring the leaves into their order. Return whether all are there."""
        if len(self._indexes) == self.after - self.first and all(map(eq, self._indexes, range(self.first, self.after))):
            return True
        places: dict[int, int] = {}
        for place, index in enumerate(self._indexes):
            if not self.first <= index < self.after:
                self._find(Kind.RANGE_EXCEEDED, index, f"the range is from {self.first} to {self.after - 1}")
            elif places.setdefault(index, place) != place:
                self._find(Kind.RANGE_EXCEEDED, index, "it is here twice")
        for index, due in zip(places, sorted(places)):  # noqa: B905, they are as many
            if index != due:
                self._find(Kind.ORDER, index, f"it stands in the place of entry {due}")
        expected = self.first
        for index in [*sorted(places), self.after]:
            if index > expected:
                self._report.find(Kind.RANGE_INCOMPLETE, f"{self._place}, {_entries(expected, index - 1)}", "missing")
            expected = index + 1
        leaves = self._leaves
        self._leaves = bytearray().join(leaves[32 * place : 32 * place + 32] for _, place in sorted(places.items()))
        return len(places) == self.after - self.first

    def _root(self) -> bytes:
        return root_around(self.first, self.after, self.checkpoint.size, self._within, self._left, self._right)

    def _root_is_right_with_computed_leaves(self) -> bool:
        """Tell whether entries are what was signed, and only hashes beside them were changed; if so, mend these."""
        stated = self._leaves[:]
        for index, leaf in self._computed.items():
            if self.first <= index < self.after:
                self._leaves[32 * (index - self.first) : 32 * (index - self.first + 1)] = leaf
        if self._root() == self.checkpoint.root:
            return True
        self._leaves = stated
        return False

    def _compare_tiles(self) -> None:
        firsts = range(-(-self.first // TILE) * TILE, self.after - TILE + 1, TILE)
        if len(firsts) != len(self._tiles):
            words = f"{len(self._tiles)} tiles are given where there are {len(firsts)}"
            self._report.find(Kind.TILE, self._place, words)
            return
        for low, given in zip(firsts, self._tiles):  # noqa: B905, said above
            if self._within(low, low + TILE) != given:
                words = "the hashes beside them don't give that of their subtree: an entry and its hash were changed"
                self._report.find(Kind.TILE, f"{self._place}, {_entries(low, low + TILE - 1)}", words)

    def _within(self, low: int, high: int) -> bytes:
        leaves = self._leaves[32 * (low - self.first) : 32 * (high - self.first)]
        return tree_hash([leaf for (leaf,) in struct.iter_unpack("32s", leaves)])


class Times:
    """The latest instant so far, to which no later entry may be much older."""

    def __init__(self, witnessed: Mapping[int, int]) -> None:
        self._latest = self._minute = self._floor = b""
        self._ahead = sorted(witnessed.items(), reverse=True)
        self._reason = ""

    def take(self, index: int, entry: bytes) -> None:
        found = _AT.search(entry)
        if found is None:
            raise Wrong(Kind.FORMAT, "the entry doesn't say when it was made")
        while self._ahead and self._ahead[-1][0] <= index:
            size, seen_at = self._ahead.pop()
            seen = datetime.fromtimestamp(seen_at, timezone.utc)  # noqa: UP017, its successor is of Python 3.11
            self._advance(
                seen.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode(), f"a witness saw the {size} entries before it"
            )
        at: bytes = found[1]
        if at < self._floor:
            raise Wrong(Kind.BACKDATED, f"dated {at.decode()}, and at {self._latest.decode()} {self._reason}")
        self._advance(at, f"entry {index} was made")

    def _advance(self, at: bytes, reason: str) -> None:
        if at <= self._latest:
            return
        if at[:16] != self._minute:
            try:
                minute = datetime.fromisoformat(f"{at[:16].decode()}+00:00")
            except ValueError:
                raise Wrong(Kind.FORMAT, "the entry is dated on a day that doesn't exist") from None
            self._floor = (minute - timedelta(seconds=TOLERANCE)).isoformat()[:16].encode()
            self._minute = at[:16]
        self._latest, self._reason = at, reason


def _entries(first: int, last: int) -> str:
    return f"entry {first}" if first >= last else f"entries {first} to {last}"


def _is_broken(line: bytes, following: bytes) -> bool:
    """Tell whether the two are one entry's line with a line end in its midst: a changed entry, not two bad lines."""
    return (
        not _LINE.fullmatch(line) and not _LINE.fullmatch(following) and bool(_LINE.fullmatch(line + b"\n" + following))
    )
