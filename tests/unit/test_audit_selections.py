"""Selections: some entries, each proved to be in its place, and whatever is done to them is found."""

from datetime import timedelta
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.audit.findings import Kind, Report
from service.audit.selections import Spine, gap
from service.audit.signing import cosign
from service.audit.tree import leaf_hash, tree_hash
from service.audit.verifier import Verifier
from tests.audited import KEYS, NOON, WITNESS, Log, a_log, a_signer, an_entry, found, kinds, selected

LOG = a_log(700)
CHOSEN = [0, 3, 4, 255, 256, 300, 511, 698]


def judged(selection: bytes, *known: str, whole: bool = False) -> Report:
    verifier = Verifier(KEYS, whole=whole)
    for note in known:
        verifier.known(note, "known")
    assert verifier.file(BytesIO(selection), "selection")
    return verifier.report


SELECTION = selected(CHOSEN, LOG)
HEADER, *LINES, END = SELECTION.splitlines(keepends=True)


@given(st.integers(1, 700), st.data())
def test_whatever_is_chosen_of_a_log_of_any_size_verifies(size: int, data: st.DataObject):
    log = Log(LOG.entries[:size])
    indexes = sorted(data.draw(st.sets(st.integers(0, size - 1), max_size=40)))

    report = judged(selected(indexes, log))

    assert report.findings == []
    assert f"{len(indexes)} chosen entries are in their places in the tree of {size}" in report.proved[0]


def test_the_last_entry_of_a_tree_can_be_chosen():
    assert judged(selected([*CHOSEN, 699], LOG)).findings == []


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_a_gap_is_of_complete_subtrees_without_a_hole(first: int, more: int):
    spans = list(gap(first, first + more))

    assert [low for low, _ in spans] == [first, *(high for _, high in spans)][: len(spans)]
    assert [high for _, high in spans][-1:] in ([], [first + more])
    assert all((high - low).bit_count() == 1 and low % (high - low) == 0 for low, high in spans)


@given(st.integers(0, 200))
def test_a_spine_has_the_root_of_its_leaves(size: int):
    leaves, spine = [leaf_hash(b"%d" % each) for each in range(size)], Spine()
    for leaf in leaves:
        spine.push(leaf, 1)

    assert spine.root() == tree_hash(leaves)


def test_nothing_is_proved_of_completeness():
    report = judged(SELECTION, whole=True)

    assert [(finding.kind, finding.place) for finding in report.findings] == [(Kind.RANGE_INCOMPLETE, "selection")]
    assert report.proved == []


@pytest.mark.parametrize("at", range(0, len(SELECTION), 7))
def test_no_byte_can_be_changed(at: int):
    changed = bytearray(SELECTION)
    changed[at] ^= 1
    if b'"wanted":' in SELECTION[: at + 1] and at < len(HEADER) - 1:
        return  # what was asked for is proved by nothing, and the format says so
    verifier = Verifier(KEYS)

    assert not verifier.file(BytesIO(bytes(changed)), "selection") or verifier.report.findings
    assert verifier.report.proved == []


def test_a_changed_entry_is_named():
    changed = SELECTION.replace(b'"req-300"', b'"req-301"')

    assert [(finding.kind, finding.place) for finding in judged(changed).findings] == [
        (Kind.LEAF, "selection, entry 300"),
        (Kind.ROOT, "selection, entry 511 or the line before it"),
        (Kind.ROOT, "selection"),
    ]


def test_an_entry_that_was_changed_together_with_its_hash_is_found_where_it_is():
    entry = LOG.entries[300].replace(b'"req-300"', b'"req-301"')
    changed = SELECTION.replace(LOG.entries[300], entry).replace(
        leaf_hash(LOG.entries[300]).hex().encode(), leaf_hash(entry).hex().encode()
    )

    assert [(finding.kind, finding.place) for finding in judged(changed).findings] == [
        (Kind.ROOT, "selection, entry 511 or the line before it"),
        (Kind.ROOT, "selection"),
    ]


def test_an_entry_that_is_dropped_is_missed():
    for place in range(len(LINES)):
        report = judged(b"".join([HEADER, *LINES[:place], *LINES[place + 1 :], END]))

        assert set(kinds(report)) & {Kind.RANGE_INCOMPLETE, Kind.ROOT}, place


def test_entries_in_another_order_are_refused():
    swapped = [HEADER, LINES[1], LINES[0], *LINES[2:], END]

    assert judged(b"".join(swapped)).findings


def test_an_entry_twice_is_refused():
    assert kinds(judged(b"".join([HEADER, LINES[0], *LINES, END]))) == [Kind.ORDER]


def test_what_ends_too_early_is_not_whole():
    assert kinds(judged(b"".join([HEADER, *LINES]))) == [Kind.RANGE_INCOMPLETE]
    assert kinds(judged(b"".join([HEADER, *LINES, END, LINES[0]]))) == [Kind.RANGE_EXCEEDED]


@pytest.mark.parametrize("index", [700, 701, 705])
def test_an_entry_behind_the_signed_tree_does_not_belong(index: int):
    larger = Log([*LOG.entries, *(an_entry(number) for number in range(700, index + 1))])
    _, *lines = selected([5, index], larger).splitlines(keepends=True)

    assert [(finding.kind, finding.place) for finding in judged(b"".join([HEADER, *lines])).findings] == [
        (Kind.RANGE_EXCEEDED, "selection")
    ]


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        pytest.param([LINES[0], b"nonsense\n", END], Kind.FORMAT, id="no line of a selection"),
        pytest.param([*LINES, END.replace(b'"skip":["', b'"skip":["0', 1)], Kind.FORMAT, id="a hash too long"),
        pytest.param(
            [*LINES, END.replace(END[22:86], b"0" * 64)], Kind.ROOT, id="another hash behind the last entry"
        ),
        pytest.param([*LINES, b'{"entries":8,"skip":[]}\n'], Kind.RANGE_INCOMPLETE, id="no hash behind the last entry"),
    ],
)  # fmt: skip
def test_what_cannot_be_put_together_is_wrong_as_a_whole(lines: list[bytes], kind: Kind):
    assert [(finding.kind, finding.place) for finding in judged(b"".join([HEADER, *lines])).findings] == [
        (kind, "selection")
    ]


def test_a_count_that_is_wrong_is_found():
    assert kinds(judged(SELECTION.replace(b'{"entries":8,', b'{"entries":7,'))) == [Kind.RANGE_INCOMPLETE]


def test_another_key_signs_nothing():
    forged = selected(CHOSEN, Log(LOG.entries, a_signer(seed=9)))

    assert [(finding.kind, finding.place) for finding in judged(forged).findings] == [
        (Kind.UNKNOWN_KEY, "selection, checkpoint")
    ]


def test_an_older_tree_than_a_known_one_is_found():
    older = selected([1, 2], Log(LOG.entries[:500]))

    assert kinds(judged(older, LOG.checkpoint())) == [Kind.REPLAYED]


def test_an_entry_of_another_tenant_is_foreign():
    entries = [*LOG.entries]
    entries[4] = an_entry(4, tenant="other")

    assert found(judged(selected(CHOSEN, Log(entries)))) == {(Kind.FOREIGN, "entry 4")}


def dated(index: int, seconds: int) -> Log:
    """A log in which one entry is dated so long before the one in front of it."""
    entries = list(LOG.entries)
    entries[index] = an_entry(index, at=NOON + timedelta(seconds=index - seconds))
    return Log(entries)


@pytest.mark.parametrize(("seconds", "wrong"), [(600, False), (1200, True)])
def test_an_entry_that_is_dated_before_one_in_front_of_it_is_found(seconds: int, wrong: bool):
    report = judged(selected([255, 256, 300], dated(256, seconds)))

    assert found(report) == ({(Kind.BACKDATED, "entry 256")} if wrong else set())


def test_what_is_in_front_of_it_and_not_in_the_file_dates_nothing():
    assert judged(selected([256, 300], dated(256, 1200))).findings == []


@pytest.mark.parametrize(("index", "wrong"), [(99, False), (100, True)])
def test_an_entry_that_is_dated_before_a_witness_saw_what_is_in_front_of_it_is_found(index: int, wrong: bool):
    seen = int((NOON + timedelta(hours=1)).timestamp())

    report = judged(selected([index], LOG), cosign(LOG.checkpoint(100), WITNESS, seen))

    assert found(report) == ({(Kind.BACKDATED, f"entry {index}")} if wrong else set())
    assert all("a witness saw the 100 entries before it" in finding.words for finding in report.findings)


def test_a_changed_entry_is_wrong_already_and_its_date_tells_nothing():
    changed = SELECTION.replace(b'"at":"2026-11-21T12:00:03', b'"at":"2020-11-21T12:00:03')

    assert changed != SELECTION
    assert Kind.BACKDATED not in kinds(judged(changed))
