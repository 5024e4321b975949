"""Evidence that is empty, alone, or before or after other evidence: what it proves, and what it doesn't."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from service.audit.anchors import anchor_line
from service.audit.evidence import receipt_text
from service.audit.findings import Kind
from service.audit.verifier import Verifier
from service.audit.verify import verified
from tests.audited import (
    KEY_LINES,
    KEYS,
    LOG_KEY,
    Log,
    a_consistency,
    a_log,
    a_proof,
    a_receipt,
    a_signer,
    an_entry,
    found,
    kinds,
    selected,
)

LOG = a_log(9)
EXPORT = LOG.export()
RECEIPTS = b'{"format":"volens-receipts/v1"}\n'
RECEIPT = b'{"entry":5,"receipt":"%b"}\n' % a_receipt(LOG.entries[5]).encode()
PAYLOADS = b'{"format":"volens-audit-payloads/v1","event":"record.stored"}\n'


def a_pack(members: dict[str, bytes]) -> zipfile.ZipFile:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as pack:
        for name, held in members.items():
            pack.writestr(name, held)
    return zipfile.ZipFile(content)


def given(verifier: Verifier, content: bytes, place: str) -> None:
    assert verifier.file(io.BytesIO(content), place, lambda: io.BytesIO(content))


@pytest.mark.parametrize("judge", [Verifier.export, Verifier.selection, Verifier.payloads, Verifier.receipts])
def test_a_file_without_a_line_is_nothing(judge: Callable[[Verifier, BinaryIO, str], None]):
    verifier = Verifier(KEYS)
    given(verifier, EXPORT, "export")
    judge(verifier, io.BytesIO(), "empty")

    assert [(finding.kind, finding.place) for finding in verifier.report.findings] == [(Kind.FORMAT, "empty")]
    assert len(verifier.report.proved) == 1


def test_a_log_without_entries_has_a_checkpoint_and_an_export():
    verifier = Verifier(KEYS)
    verifier.checkpoint(Log([]).checkpoint(), "checkpoint")
    given(verifier, Log([]).export(), "export")

    assert verifier.report.findings == []
    assert len(verifier.report.proved) == 2


def test_receipts_and_payloads_belong_to_the_entries_that_were_read_last():
    verifier = Verifier(KEYS)
    given(verifier, EXPORT, "export")
    given(verifier, RECEIPTS + RECEIPT, "receipts")
    given(verifier, LOG.export(0, 5), "part")
    given(verifier, RECEIPTS + RECEIPT, "of the part")

    assert [(finding.kind, finding.place) for finding in verifier.report.findings] == [
        (Kind.RECEIPT, "of the part, entry 5")
    ]
    assert "receipts: 1 receipts are about entries of volens.example/acme" in verifier.report.proved


@pytest.mark.parametrize("later", [RECEIPTS + RECEIPT, PAYLOADS])
def test_a_pack_is_not_proved_by_entries_from_outside(later: bytes):
    verifier = Verifier(KEYS)
    given(verifier, EXPORT, "export")
    verifier.pack(a_pack({"later": later}), "pack")

    assert kinds(verifier.report) == [Kind.RECEIPT if later != PAYLOADS else Kind.PAYLOAD]
    assert found(verifier.report) == {(kind, "later") for kind in kinds(verifier.report)}


EVERY_KIND = {
    "checkpoint": LOG.checkpoint().encode(),
    "proof": a_proof(5, 9, LOG).encode(),
    "consistency": a_consistency(5, 9, LOG).encode(),
    "receipt": receipt_text(a_receipt(LOG.entries[5]), a_proof(5, 9, LOG)).encode(),
    "anchor": anchor_line("2026-11-21T12:00:00+00:00", 0, [], LOG.checkpoint()),
    "selection": selected([5], LOG),
    "export": EXPORT,
    "receipts": RECEIPTS + RECEIPT,
    "payloads": PAYLOADS,
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_evidence_is_told_by_its_content_and_proved_by_itself_or_behind_entries(kind: str):
    verifier = Verifier(KEYS)
    given(verifier, EVERY_KIND[kind], kind)

    assert bool(verifier.report.findings) is (kind in ("receipts", "payloads"))
    given(verifier, EXPORT, "entries")
    given(verifier, EVERY_KIND[kind], "again")
    assert [words.partition(":")[0] for words in verifier.report.proved][-1] == "again"
    assert {finding.place for finding in verifier.report.findings} <= {kind}


def test_what_is_no_evidence_is_none():
    verifier = Verifier(KEYS)

    for content in (b"", b"\xff", b"{}", b'{"format":"volens"}', b"a\nb\n", b' {"format":"volens-receipts/v1"}'):
        assert verifier.file(io.BytesIO(content), "file") is False
    assert verifier.report.findings == []


def test_in_a_pack_entries_are_read_before_what_belongs_to_them():
    verifier = Verifier(KEYS)
    verifier.pack(a_pack({"receipts": RECEIPTS + RECEIPT, "payloads": PAYLOADS, "export": EXPORT}), "pack")

    assert verifier.report.findings == []
    assert sorted(words.partition(":")[0] for words in verifier.report.proved) == [
        "pack, export",
        "pack, payloads",
        "pack, receipts",
    ]


def test_so_are_files(tmp_path: Path):
    for name, content in (("receipts", RECEIPTS + RECEIPT), ("export", EXPORT), ("keys", KEY_LINES.encode())):
        (tmp_path / name).write_bytes(content)

    report = verified([str(tmp_path / "receipts"), str(tmp_path / "export")], str(tmp_path / "keys"), [], whole=True)

    assert report.findings == []
    assert [words.partition(":")[0] for words in report.proved] == [
        str(tmp_path / "export"),
        str(tmp_path / "receipts"),
    ]


def test_behind_no_entries_there_is_no_receipt():
    verifier = Verifier(KEYS)
    given(verifier, Log([]).export(), "export")
    given(verifier, RECEIPTS + RECEIPT, "receipts")

    assert found(verifier.report) == {(Kind.RECEIPT, "entry 5")}


def test_no_receipts_prove_nothing():
    verifier = Verifier(KEYS)
    given(verifier, EXPORT, "export")
    given(verifier, RECEIPTS, "receipts")

    assert verifier.report.findings == []
    assert [words.partition(":")[0] for words in verifier.report.proved] == ["export"]


def test_behind_entries_that_do_not_hold_nothing_is_proved():
    verifier = Verifier(KEYS)
    given(verifier, EXPORT.replace(b'"actor":"shop"', b'"actor":"shoq"', 1), "export")
    given(verifier, RECEIPTS + RECEIPT, "receipts")
    given(verifier, PAYLOADS, "payloads")

    assert kinds(verifier.report) == [Kind.LEAF]
    assert verifier.report.proved == []


def test_what_is_wrong_elsewhere_leaves_proved_what_holds():
    verifier = Verifier(KEYS)
    verifier.checkpoint(Log([an_entry(0)], a_signer(seed=66)).checkpoint(), "forged")
    given(verifier, EXPORT, "export")
    given(verifier, RECEIPTS + RECEIPT, "receipts")

    assert kinds(verifier.report) == [Kind.UNKNOWN_KEY]
    assert [words.partition(":")[0] for words in verifier.report.proved] == ["export", "receipts"]


def test_keys_of_the_log_are_told_from_others_of_its_name():
    """Receipts of one log don't pass for those of another that is believed as well."""
    other = a_signer("volens.example/other", seed=LOG_KEY.key.public[0])
    verifier = Verifier({**KEYS, (other.key.name, other.key.id): other.key})
    entries = [entry.replace(b'"acme"', b'"other"') for entry in LOG.entries]
    given(verifier, Log(entries, other).export(), "export")
    given(verifier, RECEIPTS + b'{"entry":5,"receipt":"%b"}\n' % a_receipt(entries[5]).encode(), "receipts")

    assert [(finding.kind, finding.place) for finding in verifier.report.findings] == [
        (Kind.UNKNOWN_KEY, "receipts, entry 5")
    ]
