"""How the tree is stored, grows and is proved: c2sp.org/tlog-tiles.

A tile is up to 256 neighbouring hashes of one level; level L holds the roots of complete subtrees of 256^L entries.

    tile/L/N         the N-th full tile of level L: 256 hashes, 8,192 bytes. It never changes
    tile/L/N.p/W     its first W hashes, when the tree has no more yet

N is written in groups of three digits, all but the last after an "x": 1234067 is x001/x234/067. Because hashes are
only ever added to a tile, a partial tile is the beginning of the full one, so storing the longest is enough. Roots of
incomplete subtrees are never stored: a proof computes them from at most two tiles a level.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from service.audit.tree import EMPTY, TILE, divide, node_hash, tree_hash

HASH: Final = 32
_HEIGHT: Final = 8
_PATH: Final = re.compile(
    r"tile/(0|[1-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)


class Tile(Struct, frozen=True, order=True):
    """The name of a tile."""

    level: int
    number: int
    width: int = TILE

    @property
    def path(self) -> str:
        digits = f"{self.number:03}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        *higher, last = (digits[place : place + 3] for place in range(0, len(digits), 3))
        partial = "" if self.width == TILE else f".p/{self.width}"
        return f"tile/{self.level}/{''.join(f'x{group}/' for group in higher)}{last}{partial}"

    @classmethod
    def of(cls, path: str) -> "Tile":
        """Return the tile that `path` names, in its only spelling.

        Raises:
            ValueError: it names none.
        """
        read = _PATH.fullmatch(path)
        tile = cls(int(read[1]), int(read[2].replace("x", "").replace("/", "")), int(read[3] or TILE)) if read else None
        if tile is None or tile.path != path:
            raise ValueError("not the path of a tile")
        return tile


ReadTile = Callable[[Tile], bytes]
"""Gives the hashes of a tile, one after another: all of its width, or more of the same."""

Span = tuple[int, int]
"""The entries from the first index, to before the second."""


def stored_width(level: int, number: int, size: int) -> int:
    """Return how many hashes this tile has in a tree of `size`."""
    return max(0, min(TILE, (size >> (_HEIGHT * level)) - number * TILE))


def edge_of(size: int) -> list[Tile]:
    """Return the partial tiles of a tree: all that has to be read to go on."""
    levels = range(-(-size.bit_length() // _HEIGHT))
    counts = ((level, size >> (_HEIGHT * level)) for level in levels)
    return [Tile(level, count // TILE, count % TILE) for level, count in counts if count % TILE]


class Edge(Struct, frozen=True, kw_only=True):
    """The right edge of a tree: what it needs to grow."""

    size: int = 0
    partial: Mapping[int, bytes] = {}
    """The hashes of the partial tile of each level that has one."""

    @classmethod
    def read(cls, size: int, read: ReadTile) -> "Edge":
        return cls(size=size, partial={tile.level: read(tile)[: tile.width * HASH] for tile in edge_of(size)})

    @property
    def root(self) -> bytes:
        return span_hash((0, self.size), self.size, lambda tile: self.partial[tile.level])

    def grow(self, leaves: Iterable[bytes]) -> "Growth":
        """Append leaf hashes. The work is theirs alone: it doesn't depend on the size of the tree."""
        tiles: dict[Tile, bytes] = {}
        partial: dict[int, bytes] = dict(self.partial)
        added = list(leaves)
        size, level = self.size + len(added), 0
        while added:
            first = (self.size >> (_HEIGHT * level)) // TILE
            hashes = partial.pop(level, b"") + b"".join(added)
            added = []
            for number, start in enumerate(range(0, len(hashes), TILE * HASH), start=first):
                held = hashes[start : start + TILE * HASH]
                tiles[Tile(level, number, len(held) // HASH)] = held
                if len(held) < TILE * HASH:
                    partial[level] = held
                else:
                    added.append(tree_hash(_split(held)))
            level += 1
        return Growth(edge=Edge(size=size, partial=partial), tiles=tiles)


class Growth(Struct, frozen=True, kw_only=True):
    """What a batch of leaves made of a tree."""

    edge: Edge
    tiles: Mapping[Tile, bytes]
    """The tiles that are new or longer than before, each with all its hashes."""


# --- proofs -----------------------------------------------------------------------------------


def spans_of_inclusion(index: int, size: int) -> list[Span]:
    """Return the subtrees whose roots prove that the entry `index` is in a tree: RFC 9162, 2.1.3.1, leaf upwards."""
    if not 0 <= index < size:
        raise ValueError("no such entry")
    low, high = 0, size
    spans: list[Span] = []
    while high - low > 1:
        middle = divide(low, high)
        if index < middle:
            spans.append((middle, high))
            high = middle
        else:
            spans.append((low, middle))
            low = middle
    return spans[::-1]


def spans_of_consistency(old: int, new: int) -> list[Span]:
    """Return the subtrees whose roots prove that a tree is the beginning of a later one: RFC 9162, 2.1.4.1."""
    if not 0 <= old <= new:
        raise ValueError("a tree only grows")
    if old in (0, new):
        return []
    low, high, inside = 0, new, True
    spans: list[Span] = []
    while high != old:
        middle = divide(low, high)
        if old <= middle:
            spans.append((middle, high))
            high = middle
        else:
            spans.append((low, middle))
            low, inside = middle, False
    if not inside:
        spans.append((low, high))
    return spans[::-1]


def spans_around(first: int, after: int, size: int) -> tuple[list[Span], list[Span]]:
    """Return the largest subtrees left and right of the entries [first, after), for `service.audit.ranges`."""
    if not 0 <= first <= after <= size:
        raise ValueError("no such range")
    left: list[Span] = []
    right: list[Span] = []

    def look(low: int, high: int) -> None:
        if high <= first:
            left.append((low, high))
        elif low >= after:
            right.append((low, high))
        elif not (first <= low and high <= after):
            middle = divide(low, high)
            look(low, middle)
            look(middle, high)

    if size:
        look(0, size)
    return left, right


def spans_within(first: int, after: int) -> list[Span]:
    """Return the subtrees of whole tiles within the entries [first, after)."""
    return [(low, low + TILE) for low in range(-(-first // TILE) * TILE, after - TILE + 1, TILE)]


def tiles_for(spans: Iterable[Span], size: int) -> set[Tile]:
    """Return the tiles to read for the roots of these subtrees in a tree of `size`."""
    return {_tile_of(level, number, size) for span in spans for level, number in _complete(span)}


def hashes_of(spans: Iterable[Span], size: int, read: ReadTile) -> list[bytes]:
    """Return the roots of these subtrees in a tree of `size`."""
    return [span_hash(span, size, read) for span in spans]


def span_hash(span: Span, size: int, read: ReadTile) -> bytes:
    """Return the root of one subtree, from complete ones.

    Raises:
        ValueError: `read` gave fewer hashes than the tile has in a tree of `size`.
    """
    root = b""
    for level, number in reversed(list(_complete(span))):
        within = level % _HEIGHT
        start = (number << within) % TILE * HASH
        held = read(_tile_of(level, number, size))[start : start + (HASH << within)]
        if len(held) != HASH << within:
            raise ValueError("a tile is shorter than its tree needs")
        root = node_hash(tree_hash(_split(held)), root) if root else tree_hash(_split(held))
    return root or EMPTY


def _complete(span: Span) -> Iterator[tuple[int, int]]:
    """Yield the complete subtrees that a subtree consists of, from the left: level and number within the level.

    A subtree begins at a multiple of the power of two that is its size or the next above.
    """
    low, high = span
    while low < high:
        level = (high - low).bit_length() - 1
        yield level, low >> level
        low += 1 << level


def _tile_of(level: int, number: int, size: int) -> Tile:
    """Return the tile that has the complete subtree, as wide as it is in a tree of `size`."""
    tile_level, within = divmod(level, _HEIGHT)
    tile_number = (number << within) // TILE
    return Tile(tile_level, tile_number, stored_width(tile_level, tile_number, size))


def _split(hashes: bytes) -> Sequence[bytes]:
    return [hashes[place : place + HASH] for place in range(0, len(hashes), HASH)]
