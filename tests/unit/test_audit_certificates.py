"""Certificates of erasures, and receipts of imported records: what the key of receipts signs beside plain receipts."""

import base64
import hashlib
import io
import json
from typing import Any
from uuid import UUID

import pytest
import rfc8785

from service.audit import AuditEvent
from service.audit.evidence import certificate, jws, receipt, receipt_text
from service.audit.findings import Kind, Report
from service.audit.receipted import verify_certificate, verify_receipt
from service.audit.signing import Signer
from service.audit.tree import leaf_hash, tree_hash
from service.audit.verifier import Verifier
from tests.audited import (
    KEYS,
    LOG_KEY,
    ORIGIN,
    RECEIPT_KEY,
    Log,
    a_place,
    a_proof,
    a_receipt,
    a_signer,
    an_entry,
    found,
    refused,
)

ERASURE = {"steps": [{"step": "keys", "of": "Zoë"}, {"step": "rows"}], "request": "q-1", "at": "2026-11-21T12:00:00Z"}
"""Not in the order in which it is hashed."""


def certified(said: object = ERASURE, **changes) -> bytes:
    hashed = hashlib.sha256(rfc8785.dumps(said)).digest()
    event = {"event": AuditEvent.ERASURE_CERTIFIED, "object_id": "q-1", "commitment": hashed}
    return an_entry(1, **event | changes)


def a_certificate(entry: bytes, said: object = ERASURE, signer: Signer = RECEIPT_KEY, **changes) -> str:
    return certificate({"jti": "q-1", "leaf": leaf_hash(entry).hex(), "erasure": said} | changes, signer)


LOG = Log([an_entry(0), certified(), an_entry(2)])
FORKED = Log([*LOG.entries[:2], an_entry(2, actor="nobody")])


def evidence(signed: str, log: Log = LOG, entry: int = 1) -> str:
    proof = a_proof(entry, len(log.entries), log)
    return json.dumps({"format": "volens-erasure-certificate/v1", "certificate": signed, "proof": proof})


def judged(text: str, judge: Verifier | None = None) -> Report:
    judge = judge or Verifier(KEYS)
    assert judge.file(io.BytesIO(text.encode()), "file")
    return judge.report


# --- certificates -------------------------------------------------------------------------------


def test_a_certificate_is_proved_with_its_entry():
    header = json.loads(base64.urlsafe_b64decode(a_certificate(certified()).split(".")[0] + "=="))

    assert header["typ"] == "erasure-certificate+jwt"
    assert judged(evidence(a_certificate(certified()))).proved == [
        "file: entry 1 of volens.example/acme stands for the erasure of request q-1: 2 steps"
    ]
    assert verify_certificate(a_certificate(certified()), ORIGIN, 1, certified(), KEYS) == ("q-1", 2)


@pytest.mark.parametrize(
    ("signed", "kind"),
    [
        pytest.param(
            a_certificate(certified(), signer=a_signer(RECEIPT_KEY.key.name, seed=66)), Kind.UNKNOWN_KEY, id="stranger"
        ),
        pytest.param(a_certificate(certified(), signer=LOG_KEY), Kind.UNKNOWN_KEY, id="the key of checkpoints"),
        pytest.param(a_certificate(certified())[:-86] + "A" * 86, Kind.SIGNATURE, id="no signature"),
        pytest.param(a_receipt(certified(), erasure=ERASURE), Kind.FORMAT, id="a receipt"),
        pytest.param(a_certificate(an_entry(0)), Kind.RECEIPT, id="of another entry"),
        pytest.param(a_certificate(certified(), jti="q-2"), Kind.RECEIPT, id="of another request"),
        pytest.param(
            a_certificate(certified(), {**ERASURE, "at": "2026"}), Kind.RECEIPT, id="which says another thing"
        ),
        pytest.param(a_certificate(certified(), None), Kind.RECEIPT, id="which says nothing"),
    ],
)
def test_a_forged_certificate_is_found_out(signed: str, kind: Kind):
    report = judged(evidence(signed))

    assert found(report) == {(kind, "")}
    assert report.findings[0].place == "file"
    assert report.proved == []


@pytest.mark.parametrize(
    "entry", [certified(event=AuditEvent.RECORD_STORED), certified(commitment=None), certified(commitment=bytes(32))]
)
def test_an_entry_that_does_not_certify_the_erasure_is_none_of_it(entry: bytes):
    with refused(Kind.RECEIPT, "entry 5 doesn't commit"):
        verify_certificate(a_certificate(entry), ORIGIN, 5, entry, KEYS)
    assert (
        "entry 1 doesn't commit"
        in judged(evidence(a_certificate(entry), Log([LOG.entries[0], entry]))).findings[0].words
    )


@pytest.mark.parametrize(
    "said",
    [
        ["q-1"],
        None,
        {**ERASURE, "request": "q-2"},
        {"steps": []},
        {"request": "q-1"},
        {**ERASURE, "steps": {}},
        {**ERASURE, "steps": "keys"},
    ],
)
def test_a_certificate_says_which_request_was_carried_out_and_how(said: object):
    entry = certified(said)

    with refused(Kind.FORMAT, "which request was carried out, and how"):
        verify_certificate(a_certificate(entry, said), ORIGIN, 1, entry, KEYS)


def test_a_certificate_without_a_true_proof_is_worth_nothing():
    text = evidence(a_certificate(certified()))

    for forged, kind in (
        (text.replace("index 1", "index 2"), Kind.INCLUSION),
        (evidence(a_certificate(certified()), entry=0), Kind.RECEIPT),
        (text.replace('"proof"', '"prove"'), Kind.FORMAT),
        (text.replace('"certificate":', '"certified":'), Kind.FORMAT),
        (text.replace("}", ',"more":1}'), Kind.FORMAT),
    ):
        assert found(judged(forged)) == {(kind, "")}


def test_a_certificate_is_told_by_its_format_and_by_no_other():
    judge = Verifier(KEYS)
    judge.certificate(evidence(a_certificate(certified())).replace("certificate/v1", "certificate/v2"), "file")
    judge.certificate(receipt_text(a_certificate(certified()), a_proof(1, 3, LOG)), "file")

    assert [each.kind for each in judge.report.findings] == [Kind.FORMAT, Kind.FORMAT]


def test_a_fork_names_the_certificate_whichever_was_seen_first():
    judge = Verifier(KEYS)
    judged(evidence(a_certificate(certified())), judge)
    judge.checkpoint(FORKED.checkpoint(), "forked")

    assert [(each.kind, each.place) for each in judge.report.findings] == [(Kind.FORK, "forked")]
    assert judge.report.findings[0].words.endswith("was signed: file")


# --- what it is about ---------------------------------------------------------------------------


@pytest.mark.parametrize("jti", [None, 7, ["q-1"]])
def test_what_is_signed_says_what_it_is_about(jti: object):
    """Where the entry of a dishonest log doesn't say it either, both would be the same nothing."""
    entry = json.dumps(json.loads(certified()) | {"object": jti}).encode()

    with refused(Kind.FORMAT, "doesn't say what it is about"):
        verify_certificate(a_certificate(entry, jti=jti), ORIGIN, 1, entry, KEYS)
    with refused(Kind.FORMAT, "doesn't say what it is about"):
        verify_receipt(a_receipt(entry, jti=jti), ORIGIN, entry, KEYS)
    with refused(Kind.FORMAT, "doesn't say what it is about"):
        verify_receipt(receipt({"leaf": leaf_hash(entry).hex()}, RECEIPT_KEY), ORIGIN, entry, KEYS)


def test_what_is_signed_is_one_json_object_in_unicode():
    leaf = leaf_hash(certified()).hex()

    with refused(Kind.FORMAT, "not one JSON object"):
        verify_certificate(a_certificate(certified(), {"request": "\ud800"}), ORIGIN, 1, certified(), KEYS)
    with refused(Kind.FORMAT, "other members or values"):
        verify_receipt(jws("jwt", {"jti": "q-1", "leaf": leaf}, RECEIPT_KEY), ORIGIN, certified(), KEYS)


# --- receipts of imported records ---------------------------------------------------------------


PIECE = str(UUID(int=9))
RECORDS = [rfc8785.dumps({"handle": "h", "id": f"r-{index}", "method": "web"}) for index in range(5)]
COMMITTED = [hashlib.sha256(b"\x01" + bytes(32) + record).digest() for record in RECORDS]
IMPORTED = an_entry(
    4,
    event=AuditEvent.RECORD_IMPORTED,
    object_id=PIECE,
    subject=None,
    commitment=tree_hash([leaf_hash(each) for each in COMMITTED]),
)


def a_place_of(index: int = 3, **changes) -> dict[str, Any]:
    return {"chunk": PIECE, **a_place(COMMITTED, index, bytes(32), RECORDS[index])} | changes


def imported(place: object, **changes) -> str:
    claims = {"jti": "r-3", "sub": "h", "leaf": leaf_hash(IMPORTED).hex(), "imported": place}
    return receipt(claims | changes, RECEIPT_KEY)


@pytest.mark.parametrize("index", range(5))
def test_a_receipt_of_an_imported_record_proves_it_among_the_others(index: int):
    signed = imported(a_place_of(index), jti=f"r-{index}")
    log = Log([an_entry(0), IMPORTED])

    assert verify_receipt(signed, ORIGIN, IMPORTED, KEYS) == f"r-{index}"
    assert judged(receipt_text(signed, a_proof(1, 2, log))).proved == [
        f"file: entry 1 of volens.example/acme stands for the receipt of r-{index}"
    ]


ANOTHER_OBJECT, ANOTHER_RECORD = "another object than its entry", "another record than the one it proves"


@pytest.mark.parametrize(
    ("signed", "kind", "words"),
    [
        pytest.param(imported(None), Kind.RECEIPT, ANOTHER_OBJECT, id="no place"),
        pytest.param(imported([PIECE]), Kind.RECEIPT, ANOTHER_OBJECT, id="no object"),
        pytest.param(imported(a_place_of(chunk="r-3")), Kind.RECEIPT, ANOTHER_OBJECT, id="another piece"),
        pytest.param(imported(a_place_of(chunk=None)), Kind.RECEIPT, ANOTHER_OBJECT, id="no piece"),
        pytest.param(imported(None, jti=PIECE), Kind.RECEIPT, ANOTHER_OBJECT, id="the piece itself"),
        pytest.param(imported(a_place_of(), jti="r-2"), Kind.RECEIPT, ANOTHER_RECORD, id="another record"),
        pytest.param(imported(a_place_of(), sub="i"), Kind.RECEIPT, ANOTHER_RECORD, id="another person"),
        pytest.param(imported(a_place_of(), sub=None), Kind.RECEIPT, ANOTHER_RECORD, id="nobody"),
        pytest.param(imported(a_place_of(2)), Kind.RECEIPT, ANOTHER_RECORD, id="the place of another"),
        pytest.param(imported(a_place_of() | {"index": 2}), Kind.INCLUSION, "does not lead", id="another place"),
        pytest.param(imported(a_place_of(payload=None)), Kind.PAYLOAD, "person was erased", id="erased"),
        pytest.param(imported(a_place_of(heading="{}")), Kind.PAYLOAD, "in this way", id="a heading"),
    ],
)
def test_a_receipt_is_of_no_other_record(signed: str, kind: Kind, words: str):
    with refused(kind, words):
        verify_receipt(signed, ORIGIN, IMPORTED, KEYS)


def test_an_import_certifies_no_erasure():
    claims = {"jti": "r-3", "sub": "h", "leaf": leaf_hash(IMPORTED).hex(), "imported": a_place_of(), "erasure": ERASURE}

    with refused(Kind.RECEIPT, "entry 4 doesn't commit"):
        verify_certificate(certificate(claims, RECEIPT_KEY), ORIGIN, 4, IMPORTED, KEYS)
