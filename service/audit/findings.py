"""What a verification can find, in a closed vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum


class Kind(str, Enum):  # noqa: UP042, its successor is not in every auditor's Python
    """Everything that can be found. A name is stable, the words are for people."""

    FORMAT = "not in the format"
    UNKNOWN_KEY = "not signed by a known key"
    SIGNATURE = "a signature does not hold"
    LEAF = "an entry is not what the hash beside it says"
    TILE = "entries are not what the hash of their subtree says"
    ROOT = "entries do not make up the signed tree"
    RANGE_INCOMPLETE = "entries are missing"
    RANGE_EXCEEDED = "entries that do not belong here"
    ORDER = "entries are not in their order"
    BACKDATED = "an entry is dated before its time"
    FOREIGN = "an entry of another log"
    INCLUSION = "an entry is not in the signed tree"
    CONSISTENCY = "the older tree is not the beginning of the newer"
    FORK = "two different trees of the same size"
    REPLAYED = "older than a checkpoint that is known"
    RECEIPT = "receipt and entry do not belong together"
    UNWITNESSED = "too few witnesses cosigned"
    TIMESTAMP = "a time-stamp does not hold"
    PAYLOAD = "a payload is not what its entry commits to"
    MEMBER = "a member of a pack is not what was signed"


class Wrong(Exception):
    """Something is not as it must be. Every function of the verifier raises it, or has verified."""

    def __init__(self, kind: Kind, words: str) -> None:
        super().__init__(words)
        self.kind = kind


@dataclass(frozen=True)
class Finding:
    """What is wrong, where, and in which words."""

    kind: Kind
    place: str
    """The file, and within it the entry or entries where one can be named."""
    words: str


@dataclass
class Report:
    """What is wrong, and what is proved. Nothing is proved by a file in which something is wrong."""

    findings: list[Finding] = field(default_factory=list)
    proved: list[str] = field(default_factory=list)

    def find(self, kind: Kind, place: str, words: str) -> None:
        self.findings.append(Finding(kind, place, words))

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Turn what goes wrong in the block into a finding at `place`; then go on after it."""
        try:
            yield
        except Wrong as wrong:
            self.find(wrong.kind, place, str(wrong))
