"""Where something was found, and where its counterpart was seen: both are named, whatever the evidence."""

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO

import pytest

from service.audit.anchors import anchor_line
from service.audit.evidence import receipt_text
from service.audit.findings import Finding, Kind, Wrong
from service.audit.notes import Checkpoint
from service.audit.signing import cosign
from service.audit.timestamps import Judge, stamped
from service.audit.verifier import Verifier
from tests.audited import (
    KEYS,
    WITNESS,
    Log,
    a_consistency,
    a_log,
    a_manifest,
    a_proof,
    a_receipt,
    an_entry,
    selected,
)

LOG = a_log(9)
FORKED = Log([*LOG.entries[:8], an_entry(8, actor="nobody")])
NIGHT = datetime(2026, 11, 22, 1, 30, 0, 600_000, tzinfo=UTC)


def a_stamp(log: Log = LOG, size: int = 9) -> str:
    return json.dumps({"format": "volens-timestamp/v1", "checkpoint": log.checkpoint(size), "token": "dG9rZW4="})


def anchors(log: Log = LOG) -> bytes:
    return anchor_line("2026-11-21T12:00:00+00:00", 0, [], log.checkpoint())


EVIDENCE: dict[str, tuple[Callable[[Verifier, Log], None], str]] = {
    "known": (lambda judge, log: judge.known(log.checkpoint(), "file"), "file"),
    "checkpoint": (lambda judge, log: judge.checkpoint(log.checkpoint(), "file"), "file"),
    "anchor": (lambda judge, log: judge.anchored(BytesIO(anchors(log)), "file"), "file, line 1"),
    "timestamp": (lambda judge, log: judge.timestamp(a_stamp(log), "file"), "file"),
    "proof": (lambda judge, log: judge.proof(a_proof(5, 9, log), "file"), "file"),
    "receipt": (
        lambda judge, log: judge.receipt(receipt_text(a_receipt(log.entries[5]), a_proof(5, 9, log)), "file"), "file"),
    "the newer": (lambda judge, log: judge.consistency(a_consistency(4, 9, log), "file"), "file, new"),
    "the older": (
        lambda judge, log: judge.consistency(a_consistency(9, 10, Log([*log.entries, an_entry(9)])), "file"),
        "file, old",
    ),
    "selection": (
        lambda judge, log: judge.selection(BytesIO(selected([5], log)), "file"), "file, checkpoint"),
    "export": (lambda judge, log: judge.export(BytesIO(log.export()), "file"), "file, checkpoint"),
}  # fmt: skip


def a_verifier() -> Verifier:
    return Verifier(KEYS, stamps=lambda token, message: NIGHT)


@pytest.mark.parametrize("name", EVIDENCE)
def test_a_fork_names_both_places_whichever_was_seen_first(name: str):
    give, place = EVIDENCE[name]
    first, second = a_verifier(), a_verifier()
    give(first, LOG)
    first.checkpoint(FORKED.checkpoint(), "forked")
    second.checkpoint(FORKED.checkpoint(), "forked")
    give(second, LOG)

    assert [(each.kind, each.place) for each in first.report.findings] == [(Kind.FORK, "forked")]
    assert first.report.findings[0].words.endswith(f"was signed: {place}")
    assert Kind.FORK in {each.kind for each in second.report.findings}
    [fork] = [each for each in second.report.findings if each.kind is Kind.FORK]
    assert fork.place == place.removesuffix(", old").removesuffix(", new")
    assert fork.words.endswith("was signed: forked")


def test_a_line_of_anchors_that_is_wrong_is_named():
    judge = a_verifier()
    judge.anchored(BytesIO(anchors() + b"nonsense\n"), "anchors")

    assert [(each.kind, each.place) for each in judge.report.findings] == [(Kind.FORMAT, "anchors, line 2")]
    assert judge.report.proved == []


def test_all_anchors_that_are_trusted_count():
    judge = a_verifier()
    judge.anchored(BytesIO(anchors(Log(LOG.entries[:5]))), "one")
    judge.anchored(BytesIO(anchors(LOG)), "other")
    rewritten = Log([an_entry(0, actor="nobody"), *LOG.entries[1:], an_entry(9)])
    judge.export(BytesIO(rewritten.export()), "export")

    assert [(each.kind, each.place) for each in judge.report.findings] == [
        (Kind.CONSISTENCY, "export, entries 0 to 4"),
        (Kind.CONSISTENCY, "export, entries 0 to 8"),
    ]


# --- time-stamps --------------------------------------------------------------------------------


def test_a_time_stamp_is_over_what_the_log_signed_and_says_when():
    asked: list[tuple[bytes, bytes]] = []
    judge = Verifier(KEYS, stamps=lambda *given: asked.append(given) or NIGHT)
    judge.known(LOG.checkpoint(), "known")
    note = cosign(LOG.checkpoint(5), WITNESS, 1_700_000_000)
    judge.timestamp(json.dumps({"format": "volens-timestamp/v1", "checkpoint": note, "token": "dG9rZW4="}), "stamp")

    assert asked == [(b"token", LOG.checkpoint(5).encode())]
    assert judge.report.findings == [], "older than what is known, which a time-stamp may be"
    assert judge.report.proved == [
        "stamp: volens.example/acme had signed a tree of 5 entries at 2026-11-22T01:30:00.600000+00:00"
    ]
    assert judge._witnessed == {"volens.example/acme": {5: 1_700_000_000}}


def test_a_time_stamp_says_when_a_tree_was_there_to_the_second():
    judge = a_verifier()
    judge.timestamp(a_stamp(), "stamp")

    assert judge._witnessed == {"volens.example/acme": {9: int(NIGHT.timestamp())}}


def test_time_stamps_that_nobody_can_judge_are_wrong():
    judge = Verifier(KEYS)
    judge.timestamp(a_stamp(), "stamp")

    assert [(each.kind, each.place) for each in judge.report.findings] == [(Kind.TIMESTAMP, "stamp")]


def test_a_time_stamp_that_does_not_hold_is_a_finding():
    def refuse(token: bytes, message: bytes) -> datetime:
        raise Wrong(Kind.TIMESTAMP, "not over this")

    judge = Verifier(KEYS, stamps=refuse)
    judge.timestamp(a_stamp(), "stamp")

    assert judge.report.findings == [Finding(Kind.TIMESTAMP, "stamp", "not over this")]
    assert judge.report.proved == []


@pytest.mark.parametrize(
    ("stamps", "signed", "wrong", "proved"),
    [
        pytest.param(None, True, [], 1, id="signed, and nobody here can judge it"),
        pytest.param(None, False, [(Kind.TIMESTAMP, "pack, stamp")], 0, id="not signed, and nobody can judge it"),
        pytest.param(lambda token, message: NIGHT, True, [], 2, id="signed and judged"),
        pytest.param(lambda token, message: NIGHT, False, [], 1, id="judged"),
    ],
)
def test_a_time_stamp_in_a_pack_that_nobody_can_judge_is_left_to_the_manifest(
    stamps: Judge | None, signed: bool, wrong: list[tuple[Kind, str]], proved: int
):
    members = {"stamp": a_stamp().encode()}
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as pack:
        for name, held in (members | ({"manifest": a_manifest(members)} if signed else {})).items():
            pack.writestr(name, held)
    judge = Verifier(KEYS, stamps=stamps)
    judge.pack(zipfile.ZipFile(content), "pack")

    assert [(each.kind, each.place) for each in judge.report.findings] == wrong
    assert len(judge.report.proved) == proved


def test_what_a_time_stamp_is_over_has_every_signature_of_the_log_and_no_other():
    twice = LOG.checkpoint(5) + LOG.checkpoint(5).rpartition("\n\n")[2]

    assert stamped(Checkpoint.parse(cosign(twice, WITNESS, 5))) == twice.encode()
