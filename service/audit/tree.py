"""The Merkle tree of RFC 9162, section 2.1, as its verifiers see it.

A leaf is SHA-256(0x00 || entry), a node SHA-256(0x01 || left || right), the empty tree SHA-256 of nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from service.audit.findings import Kind, Wrong

EMPTY: Final = hashlib.sha256(b"").digest()
TILE: Final = 256
"""How many neighbours a tile holds: a subtree of height 8."""


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(hashes: Sequence[bytes]) -> bytes:
    """Return the root over neighbouring nodes of one level (2.1.1). The last of an odd number rises as it is."""
    if not hashes:
        return EMPTY
    sha256, level = hashlib.sha256, list(hashes)
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2])  # noqa: B905, the odd one is left over on purpose
        level = [sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return level[0]


def path_to(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Return what leads from the leaf at `index` to the root, from its sibling upwards (2.1.3.1)."""
    level, path = list(hashes), []
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        pairs = zip(level[::2], level[1::2])  # noqa: B905, the odd one is left over on purpose
        level = [node_hash(left, right) for left, right in pairs] + (level[-1:] if len(level) % 2 else [])
        index >>= 1
    return path


def divide(first: int, after: int) -> int:
    """Return where a tree over the entries [first, after) divides: at the largest power of two below its size."""
    return first + (1 << ((after - first - 1).bit_length() - 1))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise `Wrong` unless `proof`, from the leaf's sibling upwards, leads from `leaf` to `root` (2.1.3.2)."""
    if not 0 <= index < size:
        raise Wrong(Kind.INCLUSION, f"there is no entry {index} in a tree of {size}")
    node, last, result = index, size - 1, leaf
    for beside in proof:
        if last == 0:
            raise Wrong(Kind.INCLUSION, "the proof is too long")
        if node & 1 or node == last:
            result = node_hash(beside, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = node_hash(result, beside)
        node, last = node >> 1, last >> 1
    if last != 0 or result != root:
        raise Wrong(Kind.INCLUSION, f"the proof of entry {index} does not lead to the root of {size} entries")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise `Wrong` unless the tree of `old` entries is the beginning of the tree of `new` (2.1.4.2).

    The empty tree is the beginning of every tree, and a tree of itself; both need no proof.
    """
    if old == new and old_root != new_root:
        raise Wrong(Kind.FORK, f"two trees of {old} entries have different roots")
    if old > new:
        raise Wrong(Kind.CONSISTENCY, f"{old} entries can't be the beginning of {new}")
    if old in (0, new):
        if proof:
            raise Wrong(Kind.CONSISTENCY, f"from {old} to {new} entries there is nothing to prove")
        return
    was, now = _old_and_new(old - 1, new - 1, list(proof) if old & (old - 1) else [old_root, *proof])
    if (was, now) != (old_root, new_root):
        raise Wrong(Kind.CONSISTENCY, f"the tree of {old} entries is not the beginning of that of {new}")


def _old_and_new(node: int, last: int, path: list[bytes]) -> tuple[bytes, bytes]:
    if not path:
        raise Wrong(Kind.CONSISTENCY, "the proof is empty")
    while node & 1:
        node, last = node >> 1, last >> 1
    was = now = path[0]
    for beside in path[1:]:
        if last == 0:
            raise Wrong(Kind.CONSISTENCY, "the proof is too long")
        if node & 1 or node == last:
            was, now = node_hash(beside, was), node_hash(beside, now)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            now = node_hash(now, beside)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise Wrong(Kind.CONSISTENCY, "the proof is too short")
    return was, now


def root_around(
    first: int,
    after: int,
    size: int,
    within: Callable[[int, int], bytes],
    left: Sequence[bytes],
    right: Sequence[bytes],
) -> bytes:
    """Return the root of a tree of which the entries [first, after) are at hand, and the rest by its subtrees.

    `left` and `right` are the roots of the largest subtrees that end at `first` or before, and begin at `after` or
    later, from left to right. `within` gives the root over at most `TILE` entries of the range.

    Raises:
        Wrong: there are too few or too many subtrees for this range, so it is not the one they were made for.
    """
    before, behind = iter(left), iter(right)

    def root(low: int, high: int) -> bytes:
        if high <= first:
            return next(before)
        if low >= after:
            return next(behind)
        if first <= low and high <= after and high - low <= TILE:
            return within(low, high)
        middle = divide(low, high)
        return node_hash(root(low, middle), root(middle, high))

    try:
        whole = root(0, size) if size else EMPTY
    except StopIteration:
        raise Wrong(Kind.RANGE_INCOMPLETE, "part of the tree is neither at hand nor given by a hash") from None
    if next(before, None) or next(behind, None):
        raise Wrong(Kind.RANGE_INCOMPLETE, "there are hashes for more than the rest of the tree")
    return whole
