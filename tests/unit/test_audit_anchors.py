"""Anchors prove themselves, and what forks from them is found, by the verifier that is one file."""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest

from service.audit.anchors import LONGEST_LINE, anchor_line
from service.audit.findings import Kind, Report
from service.audit.quorum import Witness
from service.audit.signing import cosign, verifier_key
from service.audit.standalone import verifier
from service.audit.tiles import hashes_of, spans_of_consistency
from service.audit.verifier import Verifier
from tests.audited import (
    KEYS,
    LOG_KEY,
    NOON,
    WITNESS,
    Log,
    a_consistency,
    a_log,
    a_proof,
    a_signer,
    an_entry,
    kinds,
)
from tests.witnessing import policy_of, policy_text

SIZES = (3, 256, 300, 700)


def anchors(log: Log, sizes: Sequence[int] = SIZES) -> list[bytes]:
    lines, old = [], 0
    for size in sizes:
        proof = hashes_of(spans_of_consistency(old, size), size, log.read) if old else []
        lines.append(anchor_line("2026-11-21T12:00:00+00:00", old, proof, log.checkpoint(size)))
        old = size
    return lines


@pytest.fixture(scope="module")
def log() -> Log:
    return a_log()


@pytest.fixture(scope="module")
def forked() -> Log:
    """The same log, but for its second entry."""
    return Log([an_entry(number, object_id="another" if number == 1 else f"r-{number}") for number in range(700)])


def judged(lines: Sequence[bytes]) -> Report:
    judge = Verifier(KEYS)
    judge.anchored(BytesIO(b"".join(lines)), "anchors")
    return judge.report


def test_anchors_hold_together(log: Log):
    report = judged(anchors(log))

    assert (report.findings, len(report.proved)) == ([], 1)
    assert "4 anchors of volens.example/acme" in report.proved[0]
    assert "up to 700" in report.proved[0]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda lines, other: [lines[0], *lines[2:]], Kind.CONSISTENCY),
        (lambda lines, other: lines[1:], Kind.CONSISTENCY),
        (lambda lines, other: [lines[0], lines[2], lines[1], lines[3]], Kind.CONSISTENCY),
        (lambda lines, other: [*lines, lines[3]], Kind.CONSISTENCY),
        (lambda lines, other: [*lines[:3], other[3]], Kind.CONSISTENCY),
        (lambda lines, other: [lines[0], other[1], *other[2:]], Kind.CONSISTENCY),
        (lambda lines, other: [*lines[:3], lines[3].replace(b"12:00", b"12:00", 1)[:-3] + b"}\n"], Kind.FORMAT),
        (lambda lines, other: [lines[0].replace(b'"old":0', b'"old":1'), *lines[1:]], Kind.CONSISTENCY),
        (lambda lines, other: [lines[0].replace(b'"old":0', b'"old":false'), *lines[1:]], Kind.FORMAT),
        (lambda lines, other: [lines[0].replace(b"[]", b'["%b"]' % (b"0" * 64)), *lines[1:]], Kind.CONSISTENCY),
        (lambda lines, other: [line.replace(b"\\n700\\n", b"\\n701\\n") for line in lines], Kind.SIGNATURE),
        (lambda lines, other: [], Kind.FORMAT),
        (lambda lines, other: [b"\n", *lines], Kind.FORMAT),
        (lambda lines, other: [b" " * LONGEST_LINE + lines[0], *lines[1:]], Kind.FORMAT),
    ],
)  # fmt: skip
def test_anchors_that_were_tampered_with_are_found(log: Log, forked: Log, change, kind):
    report = judged(change(anchors(log), anchors(forked)))

    assert kind in kinds(report)
    assert not report.proved


def test_the_longest_line_has_65536_bytes(log: Log):
    line = anchors(log, (3,))[0]

    assert judged([line[:-2].ljust(65_535) + b"}\n"]).findings == []
    assert kinds(judged([line[:-2].ljust(65_536) + b"}\n"])) == [Kind.FORMAT]


def test_anchors_by_another_key_are_nobodys(log: Log):
    other = Log(log.entries, a_signer(LOG_KEY.key.name, seed=50))

    report = judged(anchors(other))
    assert (Kind.UNKNOWN_KEY in kinds(report), report.proved) == (True, [])


def test_each_log_of_a_file_goes_on_by_itself(log: Log):
    other = Log([an_entry(number) for number in range(20)], a_signer("volens.example/other", seed=60))
    keys = {**KEYS, (other.signer.key.name, other.signer.key.id): other.signer.key}
    one, two = anchors(log), anchors(other, (5, 20))
    judge = Verifier(keys)

    judge.anchored(BytesIO(b"".join([one[0], two[0], one[1], one[2], two[1], one[3]])), "anchors")

    assert (judge.report.findings, len(judge.report.proved)) == ([], 2)


def test_evidence_that_forks_from_the_anchors_is_found(log: Log, forked: Log):
    def found(judge: Verifier) -> list[Kind]:
        return kinds(judge.report)

    def with_anchors() -> Verifier:
        judge = Verifier(KEYS)
        judge.anchored(BytesIO(b"".join(anchors(log))), "anchors")
        return judge

    judge = with_anchors()
    judge.proof(a_proof(5, 300, forked), "proof")
    assert found(judge) == [Kind.FORK]
    judge = with_anchors()
    judge.consistency(a_consistency(256, 650, forked), "consistency")
    assert found(judge) == [Kind.FORK]
    judge = with_anchors()
    judge.export(BytesIO(Log(forked.entries[:650]).export()), "export")
    assert found(judge) == [Kind.CONSISTENCY]
    judge = with_anchors()
    judge.proof(a_proof(5, 299, log), "proof, older than the anchors and true")
    judge.export(BytesIO(Log(log.entries[:650]).export()), "export")
    assert found(judge) == []


def test_the_single_file_judges_anchors_and_witnesses(log: Log, tmp_path: Path):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        told = [sys.executable, "-I", "-S", "verify.py", "--keys", "keys", *arguments]
        return subprocess.run(told, cwd=tmp_path, check=False, capture_output=True, text=True)

    (tmp_path / "verify.py").write_text(verifier())
    (tmp_path / "keys").write_text(f"{verifier_key(LOG_KEY.key)}\n")
    (tmp_path / "anchors").write_bytes(b"".join(anchors(log)))
    (tmp_path / "policy").write_text(policy_text(Witness("w", WITNESS.key, None)))
    (tmp_path / "bare").write_text(log.checkpoint(300))
    (tmp_path / "cosigned").write_text(cosign(log.checkpoint(300), WITNESS, 1_764_000_000))
    (tmp_path / "stamp").write_text(
        json.dumps({"format": "volens-timestamp/v1", "checkpoint": log.checkpoint(), "token": "AAAA"})
    )

    for arguments, code, words in (
        (["--anchor", "anchors", "bare"], 0, "2 proved, 0 wrong"),
        (["--witnesses", "policy", "cosigned"], 0, "1 proved, 0 wrong"),
        (["--witnesses", "policy", "bare"], 1, "UNWITNESSED"),
        (["--witnesses", "bare", "bare"], 2, "policy"),
        (["stamp"], 1, "TIMESTAMP"),
    ):
        told = run(*arguments)
        assert (told.returncode, words in told.stdout + told.stderr) == (code, True), told


def test_the_time_of_a_time_stamp_finds_what_was_dated_back_behind_it(log: Log):
    """Who saw 300 entries at noon of the next day knows that those behind them were not made before."""

    def judged_at(at: datetime) -> list[Kind]:
        judge = Verifier(KEYS, stamps=lambda token, message: at)
        stamp = {"format": "volens-timestamp/v1", "checkpoint": log.checkpoint(300), "token": "AAAA"}
        judge.timestamp(json.dumps(stamp), "stamp")
        judge.export(BytesIO(log.export()), "export")
        return kinds(judge.report)

    assert judged_at(NOON + timedelta(seconds=300)) == []
    assert judged_at(NOON + timedelta(days=1)) == [Kind.BACKDATED]


def test_evidence_needs_the_quorum_and_what_is_known_does_not(log: Log):
    def judge() -> Verifier:
        return Verifier(KEYS, policy=policy_of(Witness("w", WITNESS.key, None)))

    known = judge()
    known.known(log.checkpoint(3), "known")
    known.anchored(BytesIO(b"".join(anchors(log))), "anchors")
    assert kinds(known.report) == []
    for evidence in (
        lambda judge: judge.proof(a_proof(5, 300, log), "proof"),
        lambda judge: judge.consistency(a_consistency(3, 300, log), "consistency"),
        lambda judge: judge.export(BytesIO(log.export()), "export"),
        lambda judge: judge.checkpoint(log.checkpoint(), "checkpoint"),
    ):
        judging = judge()
        evidence(judging)
        assert (kinds(judging.report), judging.report.proved) == ([Kind.UNWITNESSED], [])
