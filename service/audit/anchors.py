"""Anchors: checkpoints that were kept where the log's keeper can't change them, a line each.

    {"format": "volens-anchor/v1", "at": time, "old": size, "proof": [hash…], "checkpoint": checkpoint}

`proof` leads from the line before of the same log, whose tree had `old` entries, to this one; the first of a log is
from 0. A file of them says by itself that nothing was changed between one and the next.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from service.audit.findings import Kind, Report, Wrong
from service.audit.notes import Checkpoint
from service.audit.ranges import document, hashes_in
from service.audit.tree import verify_consistency

ANCHOR: Final = "volens-anchor/v1"
LONGEST_LINE: Final = 1 << 16
"""Bytes of a line at most: a checkpoint with a hundred cosignatures, and 63 hashes."""

Believe = Callable[[Checkpoint, str], None]
"""Verifies the signatures of a checkpoint found at a place. Raises `Wrong`."""


def anchor_line(at: str, old: int, proof: Iterable[bytes], note: str) -> bytes:
    """Return a line with its end."""
    anchor = {"format": ANCHOR, "at": at, "old": old, "proof": [node.hex() for node in proof], "checkpoint": note}
    return json.dumps(anchor, separators=(",", ":")).encode() + b"\n"


def anchor_in(line: bytes) -> tuple[int, Sequence[bytes], Checkpoint]:
    """Return the old size, the proof and the checkpoint of a line without its end."""
    read = document(line, ANCHOR, {"at": str, "old": int, "proof": list, "checkpoint": str})
    return read["old"], hashes_in(read["proof"]), Checkpoint.parse(read["checkpoint"])


def read_anchors(lines: Iterable[bytes], place: str, report: Report, believe: Believe) -> list[Checkpoint]:
    """Return the checkpoints that are signed, and each the beginning of the next; what isn't is a finding."""
    last: dict[str, Checkpoint] = {}
    held: list[Checkpoint] = []
    for number, line in enumerate(lines, start=1):
        where = f"{place}, line {number}"
        with report.at(where):
            if len(line) > LONGEST_LINE:
                raise Wrong(Kind.FORMAT, "the line is too long")
            old, proof, checkpoint = anchor_in(line)
            believe(checkpoint, where)
            before = last.get(checkpoint.origin)
            if old != (before.size if before else 0):
                raise Wrong(Kind.CONSISTENCY, f"it goes on from {old} entries, and the line before is of others")
            if before:
                verify_consistency(before.size, before.root, checkpoint.size, checkpoint.root, proof)
            elif proof:
                raise Wrong(Kind.CONSISTENCY, "from 0 entries there is nothing to prove")
            last[checkpoint.origin] = checkpoint
            held.append(checkpoint)
    return held
