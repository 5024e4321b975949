"""What a dishonest keeper of a log, or of an export, can do, and the finding that names it."""

from io import BytesIO

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.audit.evidence import export_line
from service.audit.findings import Kind
from service.audit.signing import checkpoint_text, signed
from service.audit.tree import leaf_hash
from service.audit.verifier import Verifier
from tests.audited import (
    KEYS,
    LOG_KEY,
    ORIGIN,
    Log,
    a_log,
    a_signer,
    an_entry,
    found,
    judged,
    kinds,
    selected,
)

SIZE = 700
LOG = a_log(SIZE)
EXPORT = LOG.export()
PART = LOG.export(100, 600)
HEADER, *LINES = EXPORT.splitlines(keepends=True)


def of(header: bytes, lines: list[bytes]) -> bytes:
    return b"".join([header, *lines])


def numbered(entries: list[bytes], first: int = 0) -> list[bytes]:
    """Return honest-looking lines: index and leaf hash fit the entry."""
    return [export_line(index, entry) + b"\n" for index, entry in enumerate(entries, first)]


# --- the truth --------------------------------------------------------------------------------


@given(st.integers(0, SIZE), st.integers(0, SIZE), st.integers(0, SIZE))
@example(0, 511, 511)
@example(0, 512, 512)
@example(256, 512, 600)
def test_every_honest_range_is_proved(a: int, b: int, c: int):
    first, after, size = sorted((a, b, c))
    report = judged(LOG.export(first, after, LOG.checkpoint(size)))

    assert report.findings == []
    assert report.proved == [
        f"export: the {after - first} entries from {first} are those that {ORIGIN} signed, in a tree of {size}; "
        "none is missing"
    ]


def test_an_honest_export_agrees_with_what_was_known_before():
    assert judged(EXPORT, LOG.checkpoint(3), LOG.checkpoint(), LOG.checkpoint(0), whole=True).findings == []
    assert judged(LOG.export(1), LOG.checkpoint(3)).findings == [], "a part can't tell what came before it"


# --- entries changed --------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.integers(0, SIZE - 1), st.data())
def test_any_changed_byte_of_any_entry_is_found_in_that_entry(index: int, data: st.DataObject):
    line = bytearray(LINES[index])
    start = len(line) - 2 - len(LOG.entries[index])
    place = data.draw(st.integers(start, len(line) - 3))
    line[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[place]))
    report = judged(of(HEADER, [*LINES[:index], bytes(line), *LINES[index + 1 :]]))

    assert found(report) == {(Kind.LEAF, f"entry {index}")}
    assert report.proved == []


@pytest.mark.parametrize("index", [0, 350, SIZE - 1])
def test_a_line_end_put_into_an_entry_is_a_change_of_that_entry(index: int):
    line = LINES[index].replace(b'"r-', b'"\n-')

    assert found(judged(of(HEADER, [*LINES[:index], line, *LINES[index + 1 :]]))) == {(Kind.LEAF, f"entry {index}")}


def test_bytes_taken_out_of_an_entry_or_put_in_are_a_change():
    for line in (LINES[5].replace(b"record", b"rec"), LINES[5].replace(b"record", b"recorded")):
        assert found(judged(of(HEADER, [*LINES[:5], line, *LINES[6:]]))) == {(Kind.LEAF, "entry 5")}


def test_a_changed_hash_beside_an_entry_is_found_there_and_nowhere_else():
    for export, index in ((EXPORT, 0), (EXPORT, 105), (EXPORT, SIZE - 1), (PART, 100), (PART, 105), (PART, 599)):
        true, false = leaf_hash(LOG.entries[index]).hex().encode(), bytes(32).hex().encode()
        assert found(judged(export.replace(true, false))) == {(Kind.LEAF, f"entry {index}")}


def test_an_entry_changed_with_the_hash_beside_it_is_found_among_its_256():
    changed = numbered([an_entry(300, actor="nobody")], 300)

    assert found(judged(of(HEADER, [*LINES[:300], *changed, *LINES[301:]]))) == {
        (Kind.ROOT, "entries 0 to 699"),
        (Kind.TILE, "entries 256 to 511"),
    }


def test_an_entry_changed_with_all_hashes_is_still_not_what_was_signed():
    forged = Log([*LOG.entries[:300], an_entry(300, actor="nobody"), *LOG.entries[301:]])

    report = judged(forged.export(checkpoint=LOG.checkpoint()))

    assert found(report) == {(Kind.ROOT, "entries 0 to 699")}


def test_a_false_tile_is_found_though_the_entries_hold():
    header = HEADER.replace(b'"tiles":["', b'"tiles":["00', 1)
    header = header.replace(header[header.index(b'"tiles":["') + 10 :][:66], bytes(32).hex().encode(), 1)

    assert found(judged(of(header, LINES))) == {(Kind.TILE, "entries 0 to 255")}


def test_tiles_left_out_are_noticed():
    start = HEADER.index(b'"tiles":[')
    header = HEADER[:start] + b'"tiles":[' + HEADER[HEADER.index(b"]", start) :]

    assert kinds(judged(of(header, LINES))) == [Kind.TILE]


def test_of_several_attacks_each_is_found():
    lines = [*LINES]
    lines[3] = lines[3].replace(b"shop", b"shoq")
    lines[10], lines[20] = lines[20], lines[10]
    del lines[600]

    assert found(judged(of(HEADER, lines))) == {
        (Kind.LEAF, "entry 3"),
        (Kind.ORDER, "entry 20"),
        (Kind.ORDER, "entry 10"),
        (Kind.RANGE_INCOMPLETE, "entry 600"),
    }


def test_out_of_order_the_entries_are_still_held_against_the_root():
    header, *lines = PART.splitlines(keepends=True)
    lines[0], lines[1], lines[200:201] = lines[1], lines[0], numbered([an_entry(300, actor="nobody")], 300)

    assert found(judged(of(header, lines))) == {
        (Kind.ORDER, "entry 100"),
        (Kind.ORDER, "entry 101"),
        (Kind.ROOT, "entries 100 to 599"),
        (Kind.TILE, "entries 256 to 511"),
    }


# --- entries moved, dropped, inserted ---------------------------------------------------------


@given(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1))
def test_two_swapped_entries_are_found_and_both_named(a: int, b: int):
    lines = [*LINES]
    lines[a], lines[b] = lines[b], lines[a]

    assert found(judged(of(HEADER, lines))) == (
        set() if a == b else {(Kind.ORDER, f"entry {a}"), (Kind.ORDER, f"entry {b}")}
    )


def test_two_entries_swapped_under_their_old_hashes_are_both_found():
    lines = [*LINES]
    lines[3] = LINES[3].replace(LOG.entries[3], LOG.entries[4])
    lines[4] = LINES[4].replace(LOG.entries[4], LOG.entries[3])

    assert found(judged(of(HEADER, lines))) == {(Kind.LEAF, "entry 3"), (Kind.LEAF, "entry 4")}


def test_two_entries_swapped_and_numbered_anew_are_found_among_their_256():
    entries = [*LOG.entries]
    entries[300], entries[301] = entries[301], entries[300]

    assert found(judged(of(HEADER, numbered(entries)))) == {
        (Kind.ROOT, "entries 0 to 699"),
        (Kind.TILE, "entries 256 to 511"),
    }


@pytest.mark.parametrize("index", [0, 1, 350, SIZE - 2, SIZE - 1])
def test_a_dropped_entry_is_missing(index: int):
    assert found(judged(of(HEADER, LINES[:index] + LINES[index + 1 :]))) == {(Kind.RANGE_INCOMPLETE, f"entry {index}")}


def test_many_dropped_entries_are_one_gap():
    assert found(judged(of(HEADER, LINES[:5] + LINES[9:]))) == {(Kind.RANGE_INCOMPLETE, "entries 5 to 8")}
    assert found(judged(HEADER)) == {(Kind.RANGE_INCOMPLETE, "entries 0 to 699")}


def test_an_entry_dropped_and_the_rest_numbered_anew_lacks_the_last_and_fits_no_root():
    report = judged(of(HEADER, numbered(LOG.entries[:5] + LOG.entries[6:])))

    assert found(report) == {(Kind.RANGE_INCOMPLETE, "entry 699")}


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        pytest.param(b'"to":700', b'"to":699', LINES[:-1], id="the last, and the header says so"),
        pytest.param(b'"from":0', b'"from":1', LINES[1:], id="the first, and the header says so"),
    ],
)
def test_an_end_cut_off_with_the_header_leaves_a_hole_in_the_tree(old: bytes, new: bytes, lines: list[bytes]):
    report = judged(of(HEADER.replace(old, new), lines))

    assert (Kind.RANGE_INCOMPLETE, "entries 0 to 698") in found(report) or (
        Kind.RANGE_INCOMPLETE,
        "entries 1 to 699",
    ) in found(report)
    assert set(kinds(report)) <= {Kind.RANGE_INCOMPLETE, Kind.TILE}


def test_an_end_cut_off_by_an_honest_smaller_export_is_incomplete_where_the_whole_was_asked_for():
    for export in (LOG.export(0, 699), LOG.export(1, 700), LOG.export(3, 3)):
        assert judged(export).findings == []
        [finding] = judged(export, whole=True).findings
        assert (finding.kind, finding.place) == (Kind.RANGE_INCOMPLETE, "export")


def test_an_inserted_entry_does_not_belong():
    twice = of(HEADER, [*LINES[:5], LINES[4], *LINES[5:]])
    forged = of(HEADER, [*LINES[:5], *numbered([an_entry(9999)], 5), *LINES[5:]])
    behind = of(HEADER, [*LINES, *numbered([an_entry(700)], 700)])

    assert found(judged(twice)) == {(Kind.RANGE_EXCEEDED, "entry 4")}
    assert (Kind.RANGE_EXCEEDED, "entry 5") in found(judged(forged))
    assert found(judged(behind)) == {(Kind.RANGE_EXCEEDED, "entry 700")}


def test_an_entry_from_before_the_range_does_not_belong():
    header, *lines = PART.splitlines(keepends=True)

    assert found(judged(of(header, [LINES[99], *lines]))) == {(Kind.RANGE_EXCEEDED, "entry 99")}


def test_an_entry_inserted_and_the_rest_numbered_anew_is_one_too_many_and_fits_no_root():
    entries = [*LOG.entries[:300], an_entry(300, actor="nobody"), *LOG.entries[300:]]

    assert found(judged(of(HEADER, numbered(entries)))) == {
        (Kind.RANGE_EXCEEDED, "entry 700"),
        (Kind.ROOT, "entries 0 to 699"),
        (Kind.TILE, "entries 256 to 511"),
    }


def test_more_entries_than_the_signed_tree_has_do_not_belong():
    header = HEADER.replace(b'"to":700', b'"to":701')

    assert kinds(judged(of(header, [*LINES, *numbered([an_entry(700)], 700)]))) == [Kind.RANGE_EXCEEDED]


@pytest.mark.parametrize("side", ["left", "right"])
def test_hashes_around_a_range_must_be_those_of_the_tree(side: str):
    header, *lines = PART.splitlines(keepends=True)
    start = header.index(f'"{side}":["'.encode()) + len(side) + 5
    changed = header[:start] + bytes(32).hex().encode() + header[start + 64 :]
    fewer = header[: start - 1] + header[start + 66 :].removeprefix(b",")

    assert found(judged(of(changed, lines))) == {(Kind.ROOT, "entries 100 to 599")}
    assert found(judged(of(fewer.replace(b'["]', b"[]"), lines))) == {(Kind.RANGE_INCOMPLETE, "entries 100 to 599")}


# --- other signatures, other trees ------------------------------------------------------------


def test_a_rewritten_log_signed_with_another_key_is_signed_by_nobody():
    forged = Log([an_entry(0, actor="nobody"), *LOG.entries[1:]], a_signer(seed=66))

    assert found(judged(forged.export())) == {(Kind.UNKNOWN_KEY, "checkpoint")}


def test_a_signature_that_claims_to_be_of_the_known_key_does_not_hold():
    forger = a_signer(seed=66)
    claiming = type(forger)(key=LOG_KEY.key, sign=forger.sign)
    forged = Log([an_entry(0, actor="nobody"), *LOG.entries[1:]], claiming)

    assert found(judged(forged.export())) == {(Kind.SIGNATURE, "checkpoint")}


def test_an_older_checkpoint_than_the_known_one_is_a_replay():
    assert found(judged(LOG.export(0, 600, LOG.checkpoint(600)), LOG.checkpoint())) == {(Kind.REPLAYED, "checkpoint")}


def test_two_trees_of_one_size_are_a_fork():
    other = Log([*LOG.entries[:-1], an_entry(9999)])

    assert found(judged(other.export(), LOG.checkpoint())) == {(Kind.FORK, "checkpoint")}


def test_a_log_truncated_and_continued_is_not_the_one_that_was_known():
    other = Log([*LOG.entries[:600], *(an_entry(number, actor="later") for number in range(600, 900))])

    assert found(judged(other.export(), LOG.checkpoint())) == {(Kind.CONSISTENCY, "entries 0 to 699")}
    assert found(judged(other.export(0, 650), LOG.checkpoint(620))) == {(Kind.CONSISTENCY, "entries 0 to 619")}
    assert judged(other.export(), LOG.checkpoint(600)).findings == []


@pytest.mark.parametrize(("after", "known"), [(SIZE, 1), (SIZE, 256), (SIZE, SIZE - 1), (600, 600), (600, 599)])
def test_a_log_rewritten_from_its_first_entry_is_held_against_every_known_checkpoint(after: int, known: int):
    rewritten = Log([an_entry(0, actor="nobody"), *LOG.entries[1:]])

    [finding] = judged(rewritten.export(0, after), LOG.checkpoint(known)).findings

    last = f"entries 0 to {known - 1}" if known > 1 else "entry 0"
    assert (finding.kind, finding.place) == (Kind.CONSISTENCY, f"export, {last}")


def test_a_known_checkpoint_of_another_log_hides_none_behind_it():
    stranger = a_signer("volens.example/other")
    rewritten = Log([an_entry(0, actor="nobody"), *LOG.entries[1:]])
    verifier = Verifier({**KEYS, (stranger.key.name, stranger.key.id): stranger.key})
    verifier.known(Log(LOG.entries[:5], stranger).checkpoint(), "known")
    verifier.known(LOG.checkpoint(9), "known")
    verifier.export(BytesIO(rewritten.export()), "export")

    assert found(verifier.report) == {(Kind.CONSISTENCY, "entries 0 to 8")}


@pytest.mark.parametrize("origin", ["volens.example/eu/acme", "acme"])
def test_the_tenant_is_the_last_part_of_the_name_of_the_log(origin: str):
    signer = a_signer(origin)
    verifier = Verifier({(signer.key.name, signer.key.id): signer.key})
    log = Log(LOG.entries[:9], signer)
    verifier.export(BytesIO(log.export()), "export")
    verifier.selection(BytesIO(selected([5], log)), "selection")

    assert verifier.report.findings == []
    assert len(verifier.report.proved) == 2


def test_a_known_checkpoint_of_another_log_says_nothing_about_this_one():
    stranger = a_signer("volens.example/other")
    KEYS[stranger.key.name, stranger.key.id] = stranger.key
    try:
        note = signed(checkpoint_text("volens.example/other", 900, bytes(32)), [stranger])
        smaller = signed(checkpoint_text("volens.example/other", 9, bytes(32)), [stranger])
        assert judged(EXPORT, note, smaller).findings == []
    finally:
        del KEYS[stranger.key.name, stranger.key.id]
