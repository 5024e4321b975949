"""Trees, tiles and proofs against a reference that is nothing but the definitions of RFC 9162, section 2.1."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.audit import domain
from service.audit.findings import Kind
from service.audit.tiles import (
    Edge,
    Tile,
    edge_of,
    hashes_of,
    span_hash,
    spans_around,
    spans_of_consistency,
    spans_of_inclusion,
    spans_within,
    stored_width,
    tiles_for,
)  # fmt: skip
from service.audit.tree import (
    EMPTY,
    leaf_hash,
    node_hash,
    path_to,
    root_around,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)  # fmt: skip
from tests.audited import refused

LARGEST = 700
LEAVES = [sha256(b"%d" % number).digest() for number in range(LARGEST)]
SIZES = st.integers(1, LARGEST) | st.sampled_from([1, 2, 3, 255, 256, 257, 511, 512, 513])

ENTRIES = [
    b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43", bytes(range(0x50, 0x58)),
    bytes(range(0x60, 0x70)),
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Of the trees over the first entries: the vectors of Certificate Transparency's reference implementation."""


def below(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def mth(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256().digest()
    k = below(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = below(len(leaves))
    if index < k:
        return [*path(index, leaves[:k]), mth(leaves[k:])]
    return [*path(index - k, leaves[k:]), mth(leaves[:k])]


def subproof(old: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [mth(leaves)]
    k = below(len(leaves))
    if old <= k:
        return [*subproof(old, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(old - k, leaves[k:], False), mth(leaves[:k])]


def grown(size: int) -> dict[Tile, bytes]:
    return dict(Edge().grow(LEAVES[:size]).tiles)


def flipped(hashes: list[bytes], place: int, bit: int) -> list[bytes]:
    changed = bytearray(hashes[place])
    changed[bit // 8] ^= 1 << bit % 8
    return [*hashes[:place], bytes(changed), *hashes[place + 1 :]]


WHOLE = grown(LARGEST)
HELD = {(tile.level, tile.number): held for tile, held in WHOLE.items()}


def read(tile: Tile) -> bytes:
    """Read as from a store that keeps the longest of each tile."""
    return HELD[tile.level, tile.number]


def test_a_leaf_is_hashed_as_the_log_hashes_it():
    assert leaf_hash(b"entry") == domain.leaf_hash(b"entry") == sha256(b"\x00entry").digest()
    assert node_hash(b"left", b"right") == sha256(b"\x01leftright").digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int):
    assert tree_hash([leaf_hash(entry) for entry in ENTRIES[:size]]).hex() == ROOTS[size - 1]


def test_the_empty_tree_is_the_hash_of_nothing():
    assert tree_hash([]) == EMPTY == Edge().root == sha256().digest()
    assert root_around(0, 0, 0, lambda low, high: b"", [], []) == EMPTY


@pytest.mark.parametrize("size", range(1, 131))
def test_every_entry_of_a_small_tree_is_proved(size: int):
    leaves, root = LEAVES[:size], mth(LEAVES[:size])

    for index in range(size):
        proof = hashes_of(spans_of_inclusion(index, size), size, read)
        assert proof == path_to(leaves, index) == path(index, leaves)
        verify_inclusion(leaves[index], index, size, proof, root)


@pytest.mark.parametrize("new", range(1, 41))
def test_every_earlier_tree_of_a_small_one_is_proved_to_be_its_beginning(new: int):
    for old in range(new + 1):
        proof = hashes_of(spans_of_consistency(old, new), new, read)
        assert proof == ([] if old == 0 else subproof(old, LEAVES[:new], True))
        verify_consistency(old, mth(LEAVES[:old]), new, mth(LEAVES[:new]), proof)


@given(SIZES, st.data())
def test_larger_trees_prove_the_same_way(size: int, data: st.DataObject):
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    inclusion = hashes_of(spans_of_inclusion(index, size), size, read)
    consistency = hashes_of(spans_of_consistency(old, size), size, read)

    assert inclusion == path(index, LEAVES[:size])
    assert consistency == subproof(old, LEAVES[:size], True)
    verify_inclusion(LEAVES[index], index, size, inclusion, mth(LEAVES[:size]))
    verify_consistency(old, mth(LEAVES[:old]), size, mth(LEAVES[:size]), consistency)


@given(SIZES.filter(lambda size: size > 1), st.data())
def test_no_inclusion_is_proved_that_is_not_so(size: int, data: st.DataObject):
    index = data.draw(st.integers(0, size - 1))
    leaf, root, proof = LEAVES[index], mth(LEAVES[:size]), path(index, LEAVES[:size])
    place, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    other = data.draw(st.integers(-1, size + 1).filter(lambda other: other != index))
    lies = [
        (leaf, index, size, flipped(proof, place, bit), root),
        (leaf, index, size, proof[:-1], root),
        (leaf, index, size, [*proof, leaf], root),
        (leaf, other, size, proof, root),
        (flipped([leaf], 0, bit)[0], index, size, proof, root),
        (leaf, index, size, proof, flipped([root], 0, bit)[0]),
    ]

    for lie in lies:
        with refused(Kind.INCLUSION):
            verify_inclusion(*lie)


@given(SIZES.filter(lambda size: size > 1), st.data())
def test_no_consistency_is_proved_that_is_not_so(new: int, data: st.DataObject):
    old = data.draw(st.integers(1, new - 1))
    old_root, new_root, proof = mth(LEAVES[:old]), mth(LEAVES[:new]), subproof(old, LEAVES[:new], True)
    place, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    lies = [
        (old, old_root, new, new_root, flipped(proof, place, bit)),
        (old, old_root, new, new_root, proof[:-1]),
        (old, old_root, new, new_root, []),
        (old, old_root, new, new_root, [*proof, old_root]),
        (old, flipped([old_root], 0, bit)[0], new, new_root, proof),
        (old, old_root, new, flipped([new_root], 0, bit)[0], proof),
        (new, new_root, old, old_root, proof),
        (new, new_root, old, old_root, []),
        (0, EMPTY, new, new_root, proof),
        (new, new_root, new, new_root, proof),
    ]

    for lie in lies:
        with refused(Kind.CONSISTENCY):
            verify_consistency(*lie)


def test_two_trees_of_one_size_are_a_fork_and_no_mere_inconsistency():
    with refused(Kind.FORK, "different roots"):
        verify_consistency(3, mth(LEAVES[:3]), 3, mth(LEAVES[1:4]), [])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (3, 3)])
def test_what_is_outside_a_tree_is_neither_proved_nor_in_it(index: int, size: int):
    with pytest.raises(ValueError, match="no such entry"):
        spans_of_inclusion(index, size)
    with refused(Kind.INCLUSION, "there is no entry"):
        verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])


@settings(max_examples=60)
@given(st.lists(st.integers(0, 300), max_size=8))
def test_a_tree_is_the_same_however_it_was_put_together(batches: list[int]):
    edge, stored, size = Edge(), {}, 0
    for batch in batches:
        leaves = LEAVES[size : size + batch]
        before, size = size, size + len(leaves)
        growth = edge.grow(leaves)
        for tile, held in growth.tiles.items():
            older = stored.get((tile.level, tile.number), b"")
            assert len(held) == 32 * tile.width == 32 * stored_width(tile.level, tile.number, size)
            assert len(older) < len(held)
            assert held.startswith(older), "hashes are only ever added"
            stored[tile.level, tile.number] = held
        edge = growth.edge
        assert edge == Edge.read(size, lambda tile: stored[tile.level, tile.number])
        assert edge.root == mth(LEAVES[:size])
        assert before == size or growth.tiles

    assert stored == {(tile.level, tile.number): held for tile, held in grown(size).items()}


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 513, LARGEST])
def test_a_full_tile_never_changes_again(size: int):
    full = {tile: held for tile, held in grown(size).items() if tile.width == 256}

    assert all(WHOLE[tile] == held for tile, held in full.items())


@given(SIZES)
def test_any_earlier_tree_can_be_read_from_the_tiles_of_today(size: int):
    assert Edge.read(size, read).root == span_hash((0, size), size, read) == mth(LEAVES[:size])


def test_a_tree_of_70_000_has_the_tiles_that_the_specification_counts():
    tiles = Edge().grow(bytes(32) for _ in range(70_000)).tiles

    assert sorted((tile.level, tile.width) for tile in tiles if tile.width < 256) == [(0, 112), (1, 17), (2, 1)]
    assert len([tile for tile in tiles if tile.level == 0 and tile.width == 256]) == 273
    assert len([tile for tile in tiles if tile.level == 1 and tile.width == 256]) == 1
    assert len(tiles) == 277
    assert edge_of(70_000) == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert edge_of(256) == [Tile(1, 0, 1)]
    assert edge_of(0) == []


def test_a_proof_reads_at_most_two_tiles_a_level():
    ten_million = 10_000_000

    assert len(tiles_for(spans_of_inclusion(1_234_567, ten_million), ten_million)) <= 5
    assert len(tiles_for(spans_of_consistency(1_234_567, ten_million), ten_million)) <= 6


@given(SIZES, st.data())
def test_what_is_read_is_what_was_announced(size: int, data: st.DataObject):
    spans = spans_of_inclusion(data.draw(st.integers(0, size - 1)), size)
    announced = {tile: WHOLE.get(tile) or read(tile)[: 32 * tile.width] for tile in tiles_for(spans, size)}

    assert hashes_of(spans, size, announced.__getitem__) == hashes_of(spans, size, read)


def test_a_tile_that_is_too_short_is_noticed():
    with pytest.raises(ValueError, match="shorter"):
        span_hash((0, 3), 3, lambda tile: read(tile)[:64])


@given(SIZES, st.data())
def test_a_range_and_what_stands_around_it_give_the_root(size: int, data: st.DataObject):
    first = data.draw(st.integers(0, size))
    after = data.draw(st.integers(first, size))
    left, right = (hashes_of(spans, size, read) for spans in spans_around(first, after, size))

    def within(low: int, high: int) -> bytes:
        assert first <= low < high <= after
        assert high - low <= 256
        return mth(LEAVES[low:high])

    assert root_around(first, after, size, within, left, right) == mth(LEAVES[:size])
    for wrong in ((left, [*right, EMPTY]), ([*left, EMPTY], right), (left[:-1], right), (left, right[:-1])):
        if wrong != (left, right):
            with refused(Kind.RANGE_INCOMPLETE):
                root_around(first, after, size, within, *wrong)


def test_whole_tiles_within_a_range():
    assert spans_within(0, 255) == []
    assert spans_within(0, 512) == [(0, 256), (256, 512)]
    assert spans_within(1, 767) == [(256, 512)]
    assert spans_within(300, 400) == []


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("tile/0/000", Tile(0, 0)),
        ("tile/0/999.p/1", Tile(0, 999, 1)),
        ("tile/1/x001/000", Tile(1, 1000)),
        ("tile/0/x001/x234/067", Tile(0, 1_234_067)),
        ("tile/63/x001/x234/067.p/255", Tile(63, 1_234_067, 255)),
    ],
)
def test_a_tile_has_one_path(path: str, tile: Tile):
    assert tile.path == path
    assert Tile.of(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/00/000", "tile/64/000", "tile/0/0", "tile/0/0000", "tile/0/x000/001", "tile/0/001/002", "tile/0/x001",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000/", "/tile/0/000", "tile/0/000\n",
        "tile/-1/000", "tile/0/٠٠٠", "tile/entries/000",
    ],
)  # fmt: skip
def test_another_path_is_none(path: str):
    with pytest.raises(ValueError, match="not the path"):
        Tile.of(path)


@given(st.integers(0, 63), st.integers(0, 10**15), st.integers(1, 256))
def test_a_path_says_everything_about_a_tile(level: int, number: int, width: int):
    assert Tile.of(Tile(level, number, width).path) == Tile(level, number, width)
