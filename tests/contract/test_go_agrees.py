"""Go's own code, golang.org/x/mod/sumdb, accepts our checkpoints, proofs and tiles, and nothing that is nearly one."""

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from service.audit.evidence import proof_text
from service.audit.findings import Kind, Wrong
from service.audit.notes import Checkpoint, parse_keys
from service.audit.signing import cosign, verifier_key
from service.audit.tiles import Edge, hashes_of, spans_of_consistency, spans_of_inclusion
from service.audit.tree import leaf_hash, verify_consistency, verify_inclusion
from tests.absent import lacking
from tests.audited import LOG_KEY, WITNESS, Log, a_signer, an_entry

PROGRAM = Path(os.environ.get("TLOGCHECK", Path(__file__).parents[2] / "tools/bin/tlogcheck"))
SIZES = [1, 2, 3, 7, 255, 256, 257, 600, 70_000]
KEYS = [verifier_key(LOG_KEY.key), verifier_key(WITNESS.key)]

Go = Callable[[Sequence[dict[str, Any]]], list[str]]


@pytest.fixture(scope="module")
def go() -> Go:
    if not PROGRAM.exists():
        lacking("make tlogcheck builds it with Go")

    def judge(questions: Sequence[dict[str, Any]]) -> list[str]:
        asked = "".join(json.dumps(question) + "\n" for question in questions)
        answers = subprocess.run([PROGRAM], input=asked, check=True, capture_output=True, text=True).stdout.splitlines()
        assert len(answers) == len(questions)
        return answers

    return judge


@pytest.fixture(scope="module")
def log() -> Log:
    return Log([an_entry(number) for number in range(max(SIZES))])


def accepted(answers: list[str]) -> bool:
    return set(answers) == {"ok"}


def encoded(hashes: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(node).decode() for node in hashes]


def inclusion(log: Log, index: int, size: int) -> dict[str, Any]:
    proof = hashes_of(spans_of_inclusion(index, size), size, log.read)
    return {
        "do": "inclusion", "note": log.checkpoint(size), "keys": KEYS, "index": index,
        "entry": log.entries[index].decode(), "proof": encoded(proof),
    }  # fmt: skip


def consistency(log: Log, old: int, new: int) -> dict[str, Any]:
    proof = hashes_of(spans_of_consistency(old, new), new, log.read)
    note, older = log.checkpoint(new), log.checkpoint(old)
    return {"do": "consistency", "note": note, "old": older, "keys": KEYS, "proof": encoded(proof)}


def tiled(log: Log, index: int, old: int, size: int) -> dict[str, Any]:
    """Give Go the tiles that a server would publish for a tree of `size`, and let it make the proofs."""
    tiles = Edge().grow(map(leaf_hash, log.entries[:size])).tiles
    published = {tile.path: base64.b64encode(held).decode() for tile, held in tiles.items()}
    return inclusion(log, index, size) | {"do": "tiles", "old": log.checkpoint(old), "tiles": published}


def lies(question: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield variants of a true statement, each changed in one place."""
    for name in ("note", "old", "entry"):
        text = question.get(name, "")
        for place in range(0, len(text) - 4, max(1, len(text) // 12)):  # not in the bits that base64 doesn't use
            yield question | {name: text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]}
    proof = question.get("proof", [])
    for place in range(len(proof)):
        yield question | {"proof": [*proof[:place], *encoded([bytes(32)]), *proof[place + 1 :]]}
        yield question | {"proof": proof[:place] + proof[place + 1 :]}
    if "proof" in question:
        yield question | {"proof": [*proof, *encoded([bytes(32)])]}
    if "index" in question:
        yield question | {"index": question["index"] + 1}
    yield question | {"keys": [verifier_key(a_signer(seed=66).key)]}


def ours(question: dict[str, Any]) -> None:
    """Judge as `service.audit` does.

    Raises:
        Wrong: it is no true statement.
    """
    keys = parse_keys("\n".join(question["keys"]))
    proof = [base64.b64decode(node) for node in question.get("proof", [])]
    checkpoint = Checkpoint.parse(question["note"])
    checkpoint.verify(keys)
    if question["do"] == "inclusion":
        leaf = leaf_hash(question["entry"].encode())
        verify_inclusion(leaf, question["index"], checkpoint.size, proof, checkpoint.root)
    if question["do"] == "consistency":
        older = Checkpoint.parse(question["old"])
        older.verify(keys)
        verify_consistency(older.size, older.root, checkpoint.size, checkpoint.root, proof)


def test_go_accepts_our_checkpoints_with_and_without_cosignatures(go: Go, log: Log):
    notes = [log.checkpoint(size) for size in [0, *SIZES]]
    notes += [cosign(note, WITNESS, 1_764_000_000) for note in notes]
    notes += [cosign(note, a_signer("stranger.example", 4, seed=9), 5) for note in notes]

    assert accepted(go([{"do": "checkpoint", "note": note, "keys": KEYS} for note in notes]))


def test_go_accepts_our_proofs(go: Go, log: Log):
    included = [inclusion(log, index, size) for size in SIZES for index in {0, size // 3, size // 2, size - 1}]
    consistent = [consistency(log, old, new) for new in SIZES for old in SIZES if old <= new]

    assert accepted(go(included + consistent))


def test_go_accepts_every_proof_of_a_small_tree(go: Go, log: Log):
    small = range(1, 34)

    assert accepted(go([inclusion(log, index, size) for size in small for index in range(size)]))
    assert accepted(go([consistency(log, old, new) for new in small for old in range(1, new + 1)]))


def test_go_makes_our_proofs_from_our_tiles(go: Go, log: Log):
    assert accepted(go([tiled(log, size // 3, max(1, size // 2), size) for size in SIZES]))


def test_go_refuses_a_changed_tile(go: Go, log: Log):
    question = tiled(log, 200, 300, 600)
    changed = [
        question
        | {"tiles": question["tiles"] | {path: base64.b64encode(b"\x00" + base64.b64decode(held)[1:]).decode()}}
        for path, held in question["tiles"].items()
        if path in {"tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"}
    ]

    assert len(changed) == 3
    assert "ok" not in go(changed)


def test_go_refuses_each_variant_and_so_do_we(go: Go, log: Log):
    signed = {"do": "checkpoint", "note": log.checkpoint(7), "keys": KEYS}
    cosigned = cosign(log.checkpoint(7), WITNESS, 1_764_000_000)
    truths = (signed, inclusion(log, 200, 600), consistency(log, 257, 600), consistency(log, 256, 600))
    variants = [lie for truth in truths for lie in lies(truth)]
    variants += [signed | {"note": cosigned[:-place] + "A" + cosigned[1 - place :]} for place in (5, 30, 80)]

    assert len(variants) > 100
    for variant, answer in zip(variants, go(variants), strict=True):
        with pytest.raises(Wrong):
            ours(variant)
        assert answer != "ok", variant


def test_a_proof_as_text_holds_the_checkpoint_that_go_reads(go: Go, log: Log):
    text = proof_text(3, [], log.checkpoint(7), log.entries[3])

    assert accepted(go([{"do": "checkpoint", "note": text.partition("\n\n")[2], "keys": KEYS}]))


def test_a_key_of_ours_that_go_does_not_know_is_no_signature(go: Go, log: Log):
    question = {"do": "checkpoint", "note": log.checkpoint(7), "keys": [verifier_key(WITNESS.key)]}

    assert "ok" not in go([question])
    with pytest.raises(Wrong) as wrong:
        ours(question)
    assert wrong.value.kind is Kind.UNKNOWN_KEY


def test_we_refuse_a_second_spelling_that_go_lets_pass(go: Go, log: Log):
    note = log.checkpoint(7)
    assert note.endswith("8=\n")
    question = {"do": "checkpoint", "note": note.replace("8=\n", "9=\n"), "keys": KEYS}

    assert accepted(go([question | {"note": note}]))
    with pytest.raises(Wrong, match="unusual spelling"):
        ours(question)
