"""One of many for which there is one entry: what proves it, and each way of proving what isn't so."""

import hashlib
import io
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import rfc8785

from service.audit import AuditEvent
from service.audit.evidence import member_text
from service.audit.findings import Kind, Report
from service.audit.grouped import payload_among
from service.audit.tree import leaf_hash, node_hash, tree_hash
from service.audit.verifier import Verifier
from tests.audited import KEYS, Log, a_log, a_place, a_proof, a_signer, an_entry, found, refused

MANY = 5
PIECE = UUID(int=9)
BATCH = UUID("01980000-0000-7000-8000-000001000000")
SALTS = [bytes([index]) * 32 for index in range(MANY)]


def committed(salt: bytes, payload: bytes) -> bytes:
    """By no function of ours, as somebody would who has only the description."""
    return hashlib.sha256(b"\x01" + salt + payload).digest()


# --- imported records, and decisions of a batch -------------------------------------------------


RECORDS = [rfc8785.dumps({"handle": "h", "id": str(UUID(int=index)), "method": "web"}) for index in range(MANY)]
OF_RECORDS = [committed(salt, record) for salt, record in zip(SALTS, RECORDS, strict=True)]
IMPORT_ROOT = tree_hash([leaf_hash(each) for each in OF_RECORDS])


def a_decision(index: int, **changes) -> bytes:
    name = str(UUID(int=BATCH.int | index))
    return rfc8785.dumps({"batch": str(BATCH), "channel": "email", "handle": "h", "id": name, "purpose": "p"} | changes)


def a_heading(over: bytes, **changes) -> str:
    said = {"channel": "email", "decisions": MANY, "id": str(BATCH), "purpose": "p", "root": over.hex()}
    return rfc8785.dumps(said | changes).decode()


def of_decisions(decisions: list[bytes], names: list[UUID] | None = None) -> list[bytes]:
    names = names or [UUID(int=BATCH.int | index) for index in range(len(decisions))]
    salted = zip(names, SALTS, decisions, strict=True)
    return [name.bytes + committed(salt, decision) for name, salt, decision in salted]


DECISIONS = [a_decision(index) for index in range(MANY)]
HEADING = a_heading(tree_hash([leaf_hash(each) for each in of_decisions(DECISIONS)]))


def a_record(index: int = 3) -> dict[str, Any]:
    return {**a_place(OF_RECORDS, index, SALTS[index], RECORDS[index]), "heading": None}


def decided(index: int = 3) -> dict[str, Any]:
    return {**a_place(of_decisions(DECISIONS), index, SALTS[index], DECISIONS[index]), "heading": HEADING}


def imported(**changes) -> bytes:
    event = {"event": AuditEvent.RECORD_IMPORTED, "object_id": str(PIECE), "subject": None, "commitment": IMPORT_ROOT}
    return an_entry(1, **event | changes)


def batched(heading: str = HEADING, **changes) -> bytes:
    hashed = hashlib.sha256(heading.encode()).digest()
    event = {"event": AuditEvent.BATCH_DECIDED, "object_id": str(BATCH), "subject": None, "commitment": hashed}
    return an_entry(2, **event | changes)


LOG = Log([an_entry(0), imported(), batched(), an_entry(3)])
FORKED = Log([*LOG.entries[:3], an_entry(3, actor="nobody")])


def judged(evidence: str, judge: Verifier | None = None) -> Report:
    judge = judge or Verifier(KEYS)
    assert judge.file(io.BytesIO(evidence.encode()), "file")
    return judge.report


def evidence(said: dict[str, Any], entry: int, log: Log = LOG) -> str:
    return member_text(said, a_proof(entry, len(log.entries), log))


# --- the truth ----------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(MANY))
def test_each_of_many_is_proved_and_shown_by_itself(index: int):
    record, decision = evidence(a_record(index), 1), evidence(decided(index), 2)

    assert json.loads(record)["format"] == json.loads(decision)["format"] == "volens-member/v1"
    for text, entry, payload in ((record, 1, RECORDS[index]), (decision, 2, DECISIONS[index])):
        report = judged(text)
        assert report.findings == []
        assert report.proved == [f"file: entry {entry} of volens.example/acme stands for {payload.decode()}"]


def test_what_is_proved_is_what_the_payload_says():
    assert payload_among(a_record(), json.loads(imported())) == json.loads(RECORDS[3])
    assert payload_among(decided(), json.loads(batched())) == json.loads(DECISIONS[3])


def test_a_place_without_a_heading_is_that_of_a_record():
    said = a_record()
    del said["heading"]

    assert payload_among(said, json.loads(imported())) == json.loads(RECORDS[3])


def test_the_only_one_is_proved_by_nothing():
    said = a_place(OF_RECORDS[:1], 0, SALTS[0], RECORDS[0])

    assert said["path"] == []
    assert payload_among(said, json.loads(imported(commitment=leaf_hash(OF_RECORDS[0])))) == json.loads(RECORDS[0])


# --- what is not so -----------------------------------------------------------------------------


UNPLACED = "isn't said where"
ERASED = "person was erased"
OTHERWISE = "doesn't stand for others in this way"


@pytest.mark.parametrize("of", [a_record, decided])
@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"index": None}, Kind.FORMAT, UNPLACED),
        ({"index": "3"}, Kind.FORMAT, UNPLACED),
        ({"index": True}, Kind.FORMAT, UNPLACED),
        ({"index": 3.0}, Kind.FORMAT, UNPLACED),
        ({"size": None}, Kind.FORMAT, UNPLACED),
        ({"size": 5.0}, Kind.FORMAT, UNPLACED),
        ({"path": None}, Kind.FORMAT, UNPLACED),
        ({"path": {}}, Kind.FORMAT, UNPLACED),
        ({"path": "0" * 64}, Kind.FORMAT, UNPLACED),
        ({"path": [None]}, Kind.FORMAT, "list of hashes"),
        ({"path": []}, Kind.INCLUSION, "does not lead"),
        ({"salt": None}, Kind.PAYLOAD, ERASED),
        ({"payload": None}, Kind.PAYLOAD, ERASED),
        ({"salt": None, "payload": None}, Kind.PAYLOAD, ERASED),
        ({"salt": ""}, Kind.FORMAT, "list of hashes"),
        ({"salt": "0" * 63}, Kind.FORMAT, "list of hashes"),
        ({"salt": "0" * 64}, Kind.INCLUSION, "does not lead"),
        ({"payload": "[]"}, Kind.FORMAT, "one JSON object"),
        ({"payload": '{"id":1,"id":1}'}, Kind.FORMAT, "one JSON object"),
        ({"payload": '{"id":"\\ud800"}'}, Kind.FORMAT, "one JSON object"),
        ({"heading": 1}, Kind.PAYLOAD, OTHERWISE),
    ],
)
def test_what_is_nearly_a_place_among_many_is_none(
    of: Callable[[], dict[str, Any]], change: dict[str, Any], kind: Kind, words: str
):
    entry = 1 if of is a_record else 2
    with refused(kind, words):
        payload_among(of() | change, json.loads(LOG.entries[entry]))

    assert found(judged(evidence(of() | change, entry))) == {(kind, "")}


def test_half_a_pair_of_surrogates_is_no_text_anywhere():
    """No hash can be over it, and no verifier ends in a traceback over it."""
    for name in ("payload", "heading", "salt", "format"):
        text = evidence(decided(), 2).replace(f'"{name}":"', f'"{name}":"\\ud800', 1)
        judge = Verifier(KEYS)
        judge.member(text, "file")
        assert found(judge.report) == {(Kind.FORMAT, "")}


@pytest.mark.parametrize(
    ("said", "entry", "words"),
    [
        pytest.param(a_record() | {"heading": HEADING}, imported(), "record.imported", id="a record under a heading"),
        pytest.param(decided() | {"heading": None}, batched(), "batch.decided", id="a decision under none"),
        pytest.param(a_record(), an_entry(0, commitment=IMPORT_ROOT), "record.stored", id="one record"),
        pytest.param(decided(), batched(event=AuditEvent.DECISION_MADE), "decision.made", id="one decision"),
    ],
)
def test_only_an_entry_for_many_stands_for_many(said: dict[str, Any], entry: bytes, words: str):
    with refused(Kind.PAYLOAD, f"an entry of {words} {OTHERWISE}"):
        payload_among(said, json.loads(entry))


@pytest.mark.parametrize("index", [-1, 0, 2, 4, 5])
def test_a_record_has_one_place(index: int):
    with refused(Kind.INCLUSION):
        payload_among(a_record() | {"index": index}, json.loads(imported()))


def test_a_record_is_not_among_others():
    """Neither with another payload, nor another path, nor under another root."""
    for change in (
        {"payload": RECORDS[3].decode().replace("web", "app")},
        {"path": a_record(2)["path"]},
        {"path": [*a_record()["path"], "0" * 64]},
    ):
        with refused(Kind.INCLUSION):
            payload_among(a_record() | change, json.loads(imported()))
    with refused(Kind.INCLUSION):
        payload_among(a_record(), json.loads(imported(commitment=bytes(32))))
    with refused(Kind.FORMAT, "list of hashes"):
        payload_among(a_record(), json.loads(imported(commitment=None)))


@pytest.mark.parametrize(
    ("said", "entry", "words"),
    [
        pytest.param(
            decided() | {"heading": HEADING + " "}, batched(), "not what the entry commits to", id="respelled"
        ),
        pytest.param(decided(), batched(commitment=None), "not what the entry commits to", id="committed to nothing"),
        pytest.param(decided(), batched(object_id=str(PIECE)), "of another batch", id="of another batch"),
        pytest.param(decided() | {"size": 6}, batched(), "of another size", id="of another size"),
    ],
)
def test_a_heading_is_that_of_its_entry(said: dict[str, Any], entry: bytes, words: str):
    with refused(Kind.PAYLOAD, words):
        payload_among(said, json.loads(entry))


def under(heading: str, **changes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a decision under another heading, to which its entry does commit."""
    entry: dict[str, Any] = json.loads(batched(heading))
    return decided() | {"heading": heading}, entry | {"object": json.loads(heading).get("id")} | changes


def test_a_heading_is_read_as_strictly_as_what_is_under_it():
    root = bytes.fromhex(json.loads(HEADING)["root"])

    for heading, kind, words in (
        (a_heading(bytes(32)), Kind.INCLUSION, "does not lead"),
        (a_heading(root, root=None), Kind.FORMAT, "list of hashes"),
        (a_heading(root, decisions=None), Kind.PAYLOAD, "of another size"),
        (a_heading(root, id="batch"), Kind.FORMAT, "not an id"),
        (a_heading(root, id=None), Kind.FORMAT, "not an id"),
        (a_heading(root, id=str(BATCH).upper() + "\n"), Kind.FORMAT, "not an id"),
        (a_heading(root, id=str(PIECE)), Kind.PAYLOAD, "one of another batch"),
        (a_heading(root, channel="sms"), Kind.PAYLOAD, "something else than the heading"),
    ):
        with refused(kind, words):
            payload_among(*under(heading))
    with refused(Kind.FORMAT, "one JSON object"):
        payload_among(decided() | {"heading": "[]"}, json.loads(batched("[]")))


def forged(index: int, decision: bytes, name: UUID | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a decision that the log put into a tree to which it committed, and the entry."""
    decisions = [*DECISIONS[:index], decision, *DECISIONS[index + 1 :]]
    names = [name if each == index and name else UUID(int=BATCH.int | each) for each in range(MANY)]
    leaves = of_decisions(decisions, names)
    heading = a_heading(tree_hash([leaf_hash(each) for each in leaves]))
    return {**a_place(leaves, index, SALTS[index], decision), "heading": heading}, json.loads(batched(heading))


@pytest.mark.parametrize(
    ("decision", "kind", "words"),
    [
        ({"id": "decision"}, Kind.FORMAT, "not an id"),
        ({"id": None}, Kind.FORMAT, "not an id"),
        ({"batch": str(PIECE)}, Kind.PAYLOAD, "one of another batch"),
        ({"batch": None}, Kind.PAYLOAD, "one of another batch"),
        ({"id": str(UUID(int=BATCH.int | 2))}, Kind.PAYLOAD, "another place"),
        ({"id": str(BATCH)}, Kind.PAYLOAD, "another place"),
        ({"purpose": "q"}, Kind.PAYLOAD, "something else than the heading"),
        ({"root": "0" * 64}, Kind.PAYLOAD, "something else than the heading"),
    ],
)
def test_a_decision_says_what_the_heading_says_though_the_log_committed_to_it(
    decision: dict[str, Any], kind: Kind, words: str
):
    assert payload_among(*forged(3, a_decision(3)))
    with refused(kind, words):
        payload_among(*forged(3, a_decision(3, **decision)))


def test_what_a_heading_leaves_to_its_decisions_they_may_say():
    assert payload_among(*forged(3, a_decision(3, permit=True)))["permit"] is True


def test_the_leaf_of_a_decision_has_its_name():
    with refused(Kind.INCLUSION):
        payload_among(*forged(3, a_decision(3), UUID(int=BATCH.int | 2)))


@pytest.mark.parametrize("index", [-1, 1 << 24])
def test_a_batch_has_no_place_beyond_what_its_ids_have_room_for(index: int):
    """In a tree of so many, the last leaf has one hash beside it."""
    name = UUID(int=(BATCH.int | index) % (1 << 128))
    decision, beside = a_decision(0, id=str(name)), bytes(32)
    leaf = leaf_hash(name.bytes + committed(SALTS[0], decision))
    heading = a_heading(node_hash(beside, leaf), decisions=(1 << 24) + 1)
    said = {"index": index, "size": (1 << 24) + 1, "path": [beside.hex()], "salt": SALTS[0].hex()}

    with refused(Kind.PAYLOAD, "one of another batch"):
        payload_among({**said, "payload": decision.decode(), "heading": heading}, json.loads(batched(heading)))


# --- the proof of the entry ---------------------------------------------------------------------


def test_without_a_true_proof_of_the_entry_it_is_worth_nothing():
    stranger = Log(LOG.entries, a_signer(seed=66))

    for text, kind in (
        (evidence(a_record(), 1).replace("index 1", "index 2"), Kind.INCLUSION),
        (evidence(a_record(), 1, stranger), Kind.UNKNOWN_KEY),
        (member_text(a_record(), ""), Kind.FORMAT),
        (member_text(a_record(), a_proof(1, 4, LOG)).replace('"proof"', '"prove"'), Kind.FORMAT),
        (evidence(a_record(), 2), Kind.PAYLOAD),
        (evidence(a_record(), 0, a_log(4)), Kind.PAYLOAD),
    ):
        report = judged(text)
        assert found(report) == {(kind, "")}
        assert report.findings[0].place == "file"
        assert report.proved == []


def test_a_fork_names_it_whichever_was_seen_first():
    judge = Verifier(KEYS)
    judged(evidence(a_record(), 1), judge)
    judge.checkpoint(FORKED.checkpoint(), "forked")

    assert [(each.kind, each.place) for each in judge.report.findings] == [(Kind.FORK, "forked")]
    assert judge.report.findings[0].words.endswith("was signed: file")
