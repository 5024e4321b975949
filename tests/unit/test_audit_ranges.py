"""Exports: what entries must say, when they may be dated, and how a line and the header are spelled."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from service.audit.evidence import export_header, export_line
from service.audit.findings import Kind
from service.audit.signing import cosign
from service.audit.tree import leaf_hash
from tests.audited import (
    NOON,
    WITNESS,
    Log,
    a_log,
    an_entry,
    found,
    judged,
    kinds,
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


# --- dates ------------------------------------------------------------------------------------


def dated(**back) -> bytes:
    entries = [*LOG.entries]
    entries[300] = an_entry(300, at=NOON + timedelta(seconds=300) - timedelta(**back))
    return Log(entries).export()


def test_an_entry_dated_long_before_its_neighbours_is_back_dated():
    assert found(judged(dated(days=30))) == {(Kind.BACKDATED, "entry 300")}
    assert found(judged(dated(minutes=12))) == {(Kind.BACKDATED, "entry 300")}


def test_transactions_may_overtake_one_another():
    assert judged(dated(minutes=10)).findings == []


def test_an_entry_dated_before_a_witness_saw_the_log_without_it_is_back_dated():
    late = int((NOON + timedelta(days=3)).timestamp())
    known = cosign(LOG.checkpoint(500), WITNESS, late)
    report = judged(EXPORT, known)

    assert {place for _, place in found(report)} == {f"entry {index}" for index in range(500, SIZE)}
    assert kinds(report) == [Kind.BACKDATED]
    assert "a witness saw the 500 entries before it" in report.findings[0].words
    assert judged(EXPORT, cosign(LOG.checkpoint(500), WITNESS, late - 3 * 86400)).findings == []


def test_whoever_saw_the_log_first_is_heard_before_who_saw_it_later():
    late = int((NOON + timedelta(days=3)).timestamp())
    seen = [cosign(LOG.checkpoint(size), WITNESS, late + size) for size in (600, 690, 500)]

    assert {place for _, place in found(judged(EXPORT, *seen))} == {f"entry {index}" for index in range(500, SIZE)}


@pytest.fixture(params=["Asia/Tokyo", "America/New_York"])
def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as here:
        here.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
def test_it_does_not_matter_where_the_verifier_runs():
    seen = cosign(LOG.checkpoint(500), WITNESS, int((NOON + timedelta(seconds=500)).timestamp()))
    later = cosign(LOG.checkpoint(500), WITNESS, int((NOON + timedelta(hours=1)).timestamp()))

    assert judged(EXPORT, seen).findings == []
    assert len(judged(EXPORT, later).findings) == SIZE - 500


@pytest.mark.parametrize("wrong", [b"9026-02-30", b"9026-13-01"])
def test_a_date_that_does_not_exist_is_none(wrong: bytes):
    entries = [*LOG.entries]
    entries[300] = (
        entries[300].replace(b"2026-11-21", wrong).replace(b"2026-1", b"9026-1").replace(b"2026-0", b"9026-0")
    )

    assert found(judged(Log(entries).export())) == {(Kind.FORMAT, "entry 300")}


@pytest.mark.parametrize("change", [lambda e: e.replace(b'"at":"', b'"at": "'), lambda e: e.replace(b"000Z", b"000z")])
def test_an_entry_without_a_date_is_none(change: Callable[[bytes], bytes]):
    entries = [*LOG.entries[:300], change(LOG.entries[300]), *LOG.entries[301:]]

    assert found(judged(Log(entries).export())) == {(Kind.FORMAT, "entry 300")}


@pytest.mark.parametrize("at", [NOON, NOON - timedelta(days=30)])
def test_no_line_end_in_an_entry_keeps_its_date_from_being_looked_at(at: datetime):
    entries = [*LOG.entries]
    entries[300] = an_entry(300, at=at).replace(b'"r-', b'"\n-')
    export = Log(entries).export()
    changed = export.replace(leaf_hash(entries[300]).hex().encode(), bytes(32).hex().encode())

    assert found(judged(export)) == {(Kind.FORMAT, "entry 300")}
    assert found(judged(changed)) == {(Kind.LEAF, "entry 300")}


# --- form -------------------------------------------------------------------------------------


def test_an_entry_of_another_tenant_or_version_does_not_belong_to_this_log():
    for change in ((b'"acme"', b'"evil"'), (b'"v":1', b'"v":2'), (LOG.entries[5], b"")):
        entries = [*LOG.entries[:5], LOG.entries[5].replace(*change), *LOG.entries[6:]]
        assert (Kind.FOREIGN, "entry 5") in found(judged(Log(entries).export()))


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        LINES[5].replace(b'"index":5', b'"index":05'),
        LINES[5].replace(b'"index":5', b'"index":%d' % 2**63),
    ],
)
def test_a_line_that_holds_no_entry_is_named_and_the_entry_missing(line: bytes):
    assert found(judged(of(HEADER, [*LINES[:5], line, *LINES[6:]]))) == {
        (Kind.FORMAT, "where entry 5 should be"),
        (Kind.RANGE_INCOMPLETE, "entry 5"),
    }


def test_a_line_more_is_named():
    assert found(judged(of(HEADER, [*LINES[:5], b"\n", *LINES[5:]]))) == {(Kind.FORMAT, "where entry 5 should be")}


def test_a_last_line_without_an_end_is_a_line():
    assert judged(EXPORT[:-1]).findings == []


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"{" * 100_000,
        HEADER.replace(b"export/v1", b"export/v2"),
        HEADER.replace(b'"from":0', b'"from":-1'),
        HEADER.replace(b'"from":0', b'"from":701'),
        HEADER.replace(b'"from":0', b'"from":false'),
        HEADER.replace(b'"from":0', b'"from":0,"from":0'),
        HEADER.replace(b'"from":0', b'"from":0,"more":0'),
        HEADER.replace(b'"from":0,', b""),
        HEADER.replace(b'"left":[]', b'"left":["AA"]'),
        HEADER.replace(b'"left":[]', b'"left":[1]'),
        HEADER.replace(b'"tiles":["', b'"tiles":["\xc3\xa9'),
        HEADER.replace(b'"tiles":["', b'"tiles":["\xff'),
    ],
)
def test_what_is_nearly_a_header_is_refused(header: bytes):
    assert kinds(judged(of(header, LINES))) == [Kind.FORMAT]


def test_the_header_is_made_for_the_size_that_was_signed():
    with pytest.raises(ValueError, match="no such range"):
        export_header(0, 700, LOG.checkpoint(600), LOG.read)
