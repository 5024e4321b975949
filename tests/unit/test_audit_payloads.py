"""What stands behind entries, in a pack: each way of changing it, and the finding that names it."""

import hashlib
import hmac
import io
import json
import zipfile
from collections.abc import Mapping
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from service.audit import AuditEvent, Payload, Secret
from service.audit.findings import Kind, Report
from service.audit.signing import Signer
from service.audit.verifier import Verifier
from tests.audited import (
    KEY_LINES,
    KEYS,
    LOG_KEY,
    ORIGIN,
    RECEIPT_KEY,
    Log,
    a_manifest,
    a_receipt,
    a_signer,
    an_entry,
    selected,
)

HANDLE = UUID(int=7)
SECRET = Secret(b"s" * 32)
RECORDS = {
    index: Payload({"handle": HANDLE, "id": UUID(int=index), "method": "web_form"}, {"evidence": b'"said so"'})
    for index in (2, 5, 6)
}
OPENED = {index: payload.opened(SECRET, UUID(int=index)) for index, payload in RECORDS.items()}
NOTICE = b'{"notice":"news","texts":{"de":"Gr\xc3\xbc\xc3\x9fe"},"version":"v1"}'


def entry(index: int) -> bytes:
    if index in RECORDS:
        return an_entry(index, object_id=str(UUID(int=index)), commitment=OPENED[index].commitment)
    if index == 3:
        hashed = hashlib.sha256(NOTICE).digest()
        return an_entry(3, event=AuditEvent.NOTICE_STORED, object_id="news/v1", subject=None, commitment=hashed)
    if index == 7:
        return an_entry(7, object_id=str(UUID(int=7)), commitment=None)
    return an_entry(index, event=AuditEvent.VAULT_LOOKED_UP, commitment=None)


LOG = Log([entry(index) for index in range(10)])


def a_heading(event: str) -> bytes:
    return b'{"format":"volens-audit-payloads/v1","event":"%b"}\n' % event.encode()


def a_line(index: int | None, salt: bytes | None, payload: bytes) -> bytes:
    shown = "null" if salt is None else f'"{salt.hex()}"'
    return b'{"entry":%b,"salt":%b,"payload":%b}\n' % (json.dumps(index).encode(), shown.encode(), payload)


def records(*lines: bytes) -> bytes:
    return a_heading("record.stored") + b"".join(lines)


def a_receipt_of(index: int, signer: Signer = RECEIPT_KEY, **changes) -> bytes:
    return b'{"entry":%d,"receipt":"%b"}\n' % (index, a_receipt(entry(index), signer, **changes).encode())


def receipts(*lines: bytes) -> bytes:
    return b'{"format":"volens-receipts/v1"}\n' + b"".join(lines)


LINES = {index: a_line(index, opened.salt, opened.content) for index, opened in OPENED.items()}
MEMBERS = {
    "HOW-TO-VERIFY.md": b"# How to\n",
    "keys": KEY_LINES.encode(),
    "export.ndjson": LOG.export(),
    "records.ndjson": records(*LINES.values()),
    "receipts.ndjson": receipts(*(a_receipt_of(index) for index in RECORDS)),
    "notices.ndjson": a_heading("notice.stored") + a_line(3, b"", NOTICE),
    "index.html": b"<p>a page</p>",
}


def judged(members: Mapping[str, bytes], manifest: bytes | None = None) -> Report:
    """Verify a pack; its manifest is honest unless another one is given."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as pack:
        for name, held in {**members, "manifest": a_manifest(members) if manifest is None else manifest}.items():
            pack.writestr(name, held)
    verifier = Verifier(KEYS)
    with zipfile.ZipFile(content) as pack:
        verifier.pack(pack, "pack")
    return verifier.report


def found(report: Report) -> set[tuple[Kind, str]]:
    return {(finding.kind, finding.place.removeprefix("pack, ")) for finding in report.findings}


HONEST = a_manifest(MEMBERS)

# --- the truth ----------------------------------------------------------------------------------


def test_an_honest_pack_is_proved_with_all_that_stands_behind_it():
    report = judged(MEMBERS)

    assert report.findings == []
    assert sorted(report.proved) == [
        "pack, export.ndjson: the 10 entries from 0 are those that volens.example/acme signed, in a tree of 10; "
        "none is missing",
        "pack, notices.ndjson: 1 payloads are what entries notice.stored commit to",
        "pack, receipts.ndjson: 3 receipts are about entries of volens.example/acme",
        "pack, records.ndjson: 3 payloads are what entries record.stored commit to; 1 entries are without one",
        "pack: its 7 members are those that the log signed for",
    ]


def test_what_cannot_be_opened_or_was_never_committed_to_is_counted_and_not_proved():
    closed = [a_line(index, None, RECORDS[index].closed()) for index in (2, 5)]
    unbound = a_line(None, None, RECORDS[6].closed())
    old = a_line(7, None, Payload({"handle": HANDLE, "id": UUID(int=7)}).closed())

    report = judged(MEMBERS | {"records.ndjson": records(unbound, unbound, *closed, old)})

    assert report.findings == []
    assert (
        "pack, records.ndjson: 0 payloads are what entries record.stored commit to; 2 can't be opened any more; "
        "3 are not bound to an entry here; 1 entries are without one"
    ) in report.proved


def test_entries_without_a_payload_are_counted_wherever_they_stand():
    report = judged(MEMBERS | {"records.ndjson": records(LINES[5])})

    assert (
        "pack, records.ndjson: 1 payloads are what entries record.stored commit to; 3 entries are without one"
    ) in report.proved


# --- members ------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.sampled_from(sorted(MEMBERS)), st.data())
def test_any_changed_byte_of_any_member_is_found_in_that_member(name: str, data: st.DataObject):
    content = bytearray(MEMBERS[name])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))

    report = judged(MEMBERS | {name: bytes(content)}, HONEST)

    assert (Kind.MEMBER, name) in found(report)
    assert {where.partition(",")[0] for _, where in found(report)} <= {
        name,
        *(("records.ndjson", "receipts.ndjson", "notices.ndjson") if name == "export.ndjson" else ()),
    }


@settings(deadline=None)
@given(st.data())
def test_any_changed_byte_of_the_manifest_is_found_in_it_or_in_the_member_that_it_names(data: st.DataObject):
    content = bytearray(HONEST)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))

    assert found(judged(MEMBERS, bytes(content))) & {
        (kind, "manifest") for kind in (Kind.FORMAT, Kind.SIGNATURE, Kind.UNKNOWN_KEY)
    }


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_a_member_taken_out_is_missed(name: str):
    rest = {each: content for each, content in MEMBERS.items() if each != name}

    assert (Kind.MEMBER, name) in found(judged(rest, HONEST))


def test_a_member_put_in_is_found():
    assert found(judged(MEMBERS | {"letter.txt": b"pay here"}, HONEST)) == {(Kind.MEMBER, "letter.txt")}


def test_a_pack_of_another_range_keeps_no_manifest():
    """Two honest packs, and the member of one in the other."""
    assert found(judged(MEMBERS | {"export.ndjson": LOG.export(0, 9)}, HONEST)) == {(Kind.MEMBER, "export.ndjson")}


def test_without_its_manifest_nothing_is_believed_that_does_not_prove_itself():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as pack:
        for name, held in MEMBERS.items():
            pack.writestr(name, held)
    verifier = Verifier(KEYS)
    with zipfile.ZipFile(content) as pack:
        verifier.pack(pack, "pack")

    assert found(verifier.report) == {(Kind.MEMBER, "HOW-TO-VERIFY.md"), (Kind.MEMBER, "index.html")}


@pytest.mark.parametrize(
    "manifest",
    [
        a_manifest(MEMBERS, a_signer(seed=66)),
        a_manifest(MEMBERS, a_signer(f"{ORIGIN}/receipts", seed=2)),
        a_manifest(MEMBERS, origin="volens.example/other"),
    ],
    ids=["by a stranger", "by the key of receipts", "of another log"],
)
def test_a_manifest_that_the_log_did_not_sign_is_none(manifest: bytes):
    assert found(judged(MEMBERS, manifest)) == {(Kind.UNKNOWN_KEY, "manifest")}


def test_a_checkpoint_passes_for_no_manifest():
    assert found(judged(MEMBERS, LOG.checkpoint().encode())) == {(Kind.FORMAT, "manifest")}


# --- payloads, by who can sign manifests --------------------------------------------------------


@settings(deadline=None)
@given(st.sampled_from(sorted(RECORDS)), st.data())
def test_any_changed_byte_of_a_payload_is_found_at_its_entry(index: int, data: st.DataObject):
    line = bytearray(LINES[index])
    start = line.index(b'"payload":') + 10
    place = data.draw(st.integers(start, len(line) - 3))
    line[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte not in (line[place], 10)))
    changed = records(*(bytes(line) if each == index else LINES[each] for each in LINES))

    kinds = {kind for kind, where in found(judged(MEMBERS | {"records.ndjson": changed})) if "records.ndjson" in where}

    assert kinds
    assert kinds <= {Kind.PAYLOAD, Kind.FORMAT}


@pytest.mark.parametrize(
    ("lines", "finding"),
    [
        pytest.param(
            [LINES[2].replace(b"web_form", b"web_farm")], (Kind.PAYLOAD, "records.ndjson, entry 2"), id="another word"
        ),
        pytest.param(
            [a_line(2, OPENED[5].salt, OPENED[2].content)], (Kind.PAYLOAD, "records.ndjson, entry 2"), id="another salt"
        ),
        pytest.param(
            [a_line(2, b"", OPENED[2].content)], (Kind.PAYLOAD, "records.ndjson, entry 2"), id="without its salt"
        ),
        pytest.param(
            [a_line(5, OPENED[2].salt, OPENED[2].content)],
            (Kind.PAYLOAD, "records.ndjson, entry 5"),
            id="another entry",
        ),
        pytest.param(
            [a_line(3, OPENED[2].salt, OPENED[2].content)],
            (Kind.PAYLOAD, "records.ndjson, entry 3"),
            id="an entry of another event",
        ),
        pytest.param(
            [a_line(7, OPENED[2].salt, Payload({"handle": HANDLE, "id": UUID(int=7)}).closed())],
            (Kind.PAYLOAD, "records.ndjson, entry 7"),
            id="an entry that commits to nothing",
        ),
        pytest.param(
            [a_line(70, OPENED[2].salt, OPENED[2].content)],
            (Kind.PAYLOAD, "records.ndjson, entry 70"),
            id="no entry",
        ),
        pytest.param(
            [a_line(2, None, RECORDS[5].closed())],
            (Kind.PAYLOAD, "records.ndjson, entry 2"),
            id="closed, and somebody else's",
        ),
        pytest.param([LINES[5], LINES[2]], (Kind.ORDER, "records.ndjson, entry 2"), id="swapped"),
        pytest.param([LINES[5], LINES[5]], (Kind.ORDER, "records.ndjson, entry 5"), id="twice"),
        pytest.param([b"nonsense\n"], (Kind.FORMAT, "records.ndjson, behind entry -1"), id="nonsense"),
    ],
)
def test_even_who_signs_manifests_shows_no_other_payload(lines: list[bytes], finding: tuple[Kind, str]):
    report = judged(MEMBERS | {"records.ndjson": records(*lines)})

    assert found(report) == {finding}
    assert not any("records.ndjson" in words for words in report.proved)


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        pytest.param(a_receipt_of(5, a_signer(f"{ORIGIN}/receipts", seed=66)), (Kind.UNKNOWN_KEY, 5), id="by a forger"),
        pytest.param(a_receipt_of(5, LOG_KEY), (Kind.UNKNOWN_KEY, 5), id="by another key of the log"),
        pytest.param(a_receipt_of(5, jti="another"), (Kind.RECEIPT, 5), id="of another record"),
        pytest.param(a_receipt_of(2).replace(b'"entry":2', b'"entry":5'), (Kind.RECEIPT, 5), id="of another entry"),
        pytest.param(a_receipt_of(2).replace(b'"entry":2', b'"entry":70'), (Kind.RECEIPT, 70), id="of no entry"),
        pytest.param(a_receipt_of(5)[:-20] + b'AAAAAAAAAAAAAAAAA"}\n', (Kind.SIGNATURE, 5), id="by nobody"),
    ],
)
def test_even_who_signs_manifests_shows_no_forged_receipt(line: bytes, finding: tuple[Kind, int]):
    report = judged(MEMBERS | {"receipts.ndjson": receipts(line)})

    assert found(report) == {(finding[0], f"receipts.ndjson, entry {finding[1]}")}
    assert not any("receipts.ndjson" in words for words in report.proved)


def test_receipts_are_in_the_order_of_their_entries_and_nothing_else():
    swapped = [b"nonsense\n", a_receipt_of(5), a_receipt_of(5), a_receipt_of(2), b"nonsense\n"]
    forged = a_receipt_of(6, jti="another")

    assert found(judged(MEMBERS | {"receipts.ndjson": receipts(*swapped, forged)})) == {
        (Kind.FORMAT, "receipts.ndjson, behind entry -1"),
        (Kind.ORDER, "receipts.ndjson, entry 5"),
        (Kind.ORDER, "receipts.ndjson, entry 2"),
        (Kind.FORMAT, "receipts.ndjson, behind entry 5"),
        (Kind.RECEIPT, "receipts.ndjson, entry 6"),
    }


def test_the_first_entries_have_receipts_as_well():
    told = receipts(a_receipt_of(0), a_receipt_of(1))

    report = judged(MEMBERS | {"receipts.ndjson": told})

    assert report.findings == []
    assert "pack, receipts.ndjson: 2 receipts are about entries of volens.example/acme" in report.proved


def test_a_notice_with_another_text_is_not_what_was_shown():
    other = NOTICE.replace("Grüße".encode(), b"Alles")
    notices = a_heading("notice.stored") + a_line(3, b"", other)

    assert found(judged(MEMBERS | {"notices.ndjson": notices})) == {(Kind.PAYLOAD, "notices.ndjson, entry 3")}


def test_payloads_of_a_broken_export_are_not_proved():
    export = MEMBERS["export.ndjson"].replace(b'"actor":"shop"', b'"actor":"shoq"', 1)

    report = judged(MEMBERS | {"export.ndjson": export})

    assert {kind for kind, _ in found(report)} == {Kind.LEAF}
    assert report.proved == []


def test_payloads_are_judged_behind_one_that_is_not_and_behind_a_gap_of_the_entries():
    selection = selected([2, 5, 6], LOG)
    verifier = Verifier(KEYS)
    verifier.file(io.BytesIO(selection), "selection", lambda: io.BytesIO(selection))
    lines = [b"nonsense\n", a_line(3, b"", NOTICE), LINES[5], LINES[6].replace(b"web_form", b"web_farm")]
    verifier.file(io.BytesIO(records(*lines)), "records")

    assert [(finding.kind, finding.place) for finding in verifier.report.findings] == [
        (Kind.FORMAT, "records, behind entry -1"),
        (Kind.PAYLOAD, "records, entry 3"),
        (Kind.PAYLOAD, "records, entry 6"),
    ]


def test_payloads_without_entries_prove_nothing():
    verifier = Verifier(KEYS)
    verifier.file(io.BytesIO(MEMBERS["records.ndjson"]), "records.ndjson")

    assert [finding.kind for finding in verifier.report.findings] == [Kind.PAYLOAD]


# --- the bytes ----------------------------------------------------------------------------------


def test_commitments_are_made_as_the_page_says_and_by_nothing_else():
    """By other functions than ours, as somebody would who has only the description."""

    def keyed(message: bytes) -> bytes:
        return hmac.new(b"s" * 32, message, "sha256").digest()

    number = UUID(int=5).bytes
    hidden = hashlib.sha256(b"\x02" + keyed(number + b"evidence") + b'"said so"').hexdigest()
    payload = {
        "handle": str(HANDLE),
        "id": str(UUID(int=5)),
        "method": "web_form",
        "withheld": {"evidence": hidden},
    }

    assert OPENED[5].content == rfc8785.dumps(payload)
    assert OPENED[5].salt == keyed(number)
    assert OPENED[5].commitment == hashlib.sha256(b"\x01" + keyed(number) + rfc8785.dumps(payload)).digest()
    assert "s" * 32 not in repr(SECRET)
