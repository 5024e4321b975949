"""Who must have cosigned a checkpoint: a policy as in c2sp.org/tlog-policy.

    log KEY [URL]                      a log that is believed
    witness NAME KEY [URL]             one who cosigns, and where to ask for it (c2sp.org/tlog-witness)
    group NAME all|any|NUMBER NAME…    so many of its members: witnesses, or groups of lines before
    quorum NAME|none                   what a checkpoint needs

Lines that begin with # are for people.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from service.audit.findings import Kind, Wrong
from service.audit.notes import COSIGNER, LOG, Checkpoint, Key, Keys

NONE: Final = "none"
"""The quorum that nobody has to be in. No witness or group has this name."""
_NUMBER: Final = re.compile("[1-9][0-9]{0,3}")


@dataclass(frozen=True)
class Witness:
    """One who cosigns."""

    name: str
    """What the policy calls it. Its key has a name of its own."""
    key: Key
    url: str | None
    """The prefix of its addresses, without a slash at the end."""


@dataclass
class Policy:
    """Whose signatures count, and how many of them a checkpoint needs."""

    logs: list[Key] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    groups: dict[str, tuple[int, Sequence[str]]] = field(default_factory=dict)
    quorum: str = ""

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Read a policy.

        Raises:
            Wrong: a line is none of these, names what isn't there yet, or one thing is named twice.
        """
        policy, members = cls(), _Members()
        for number, line in enumerate(text.split("\n"), start=1):
            words = line.replace("\t", " ").split(" ")
            words = [word for word in words if word]
            if not words or words[0].startswith("#"):
                continue
            try:
                policy._read(words, members)
            except Wrong as wrong:
                raise Wrong(Kind.FORMAT, f"line {number} of the policy: {wrong}") from None
        if not policy.quorum:
            raise Wrong(Kind.FORMAT, "the policy has no quorum")
        return policy

    @property
    def keys(self) -> Keys:
        """Everybody's keys, by name and id."""
        return {(key.name, key.id): key for key in [*self.logs, *(witness.key for witness in self.witnesses)]}

    def verify(self, checkpoint: Checkpoint) -> None:
        """Raise `Wrong` unless enough witnesses cosigned, and none of theirs is false."""
        if self.quorum == NONE:
            return
        theirs = {(witness.key.name, witness.key.id): witness.key for witness in self.witnesses}
        known = [key for name, key_id, _ in checkpoint.note.signatures if (key := theirs.get((name, key_id)))]
        signers = {key for key, _ in checkpoint.note.verify(theirs)} if known else set()
        if not self.met({witness.name for witness in self.witnesses if witness.key in signers}):
            some = ", ".join(sorted(key.name for key in signers)) or "nobody"
            raise Wrong(Kind.UNWITNESSED, f"cosigned by {some}, which is not the quorum {self.quorum}")

    def met(self, names: Collection[str], by: str | None = None) -> bool:
        """Return whether these witnesses are enough: for the quorum, or for the group or witness `by`."""
        by = by or self.quorum
        if by not in self.groups:
            return by == NONE or by in names
        least, members = self.groups[by]
        return sum(self.met(names, member) for member in members) >= least

    def _read(self, words: Sequence[str], members: _Members) -> None:
        kind, count = words[0], len(words)
        if kind == "log" and count in (2, 3):
            self.logs.append(members.key(words[1], LOG))
        elif kind == "witness" and count in (3, 4):
            url = words[3].rstrip("/") if count == 4 else None
            self.witnesses.append(Witness(members.define(words[1]), members.key(words[2], COSIGNER), url))
        elif kind == "group" and count >= 4:
            named = [members.use(name) for name in words[3:]]
            least = {"all": len(named), "any": 1}.get(words[2]) or (int(words[2]) if _NUMBER.fullmatch(words[2]) else 0)
            if not 1 <= least <= len(named):
                raise Wrong(Kind.FORMAT, f"{words[2]} of {len(named)} can't be")
            self.groups[members.define(words[1])] = (least, named)
        elif kind == "quorum" and count == 2 and not self.quorum:
            self.quorum = words[1] if words[1] == NONE else members.known(words[1])
        else:
            raise Wrong(Kind.FORMAT, "no log, witness, group, or first quorum")


class _Members:
    """Names and keys, each of which is there once."""

    def __init__(self) -> None:
        self._defined: set[str] = set()
        self._used: set[str] = set()
        self._public: set[tuple[int, bytes]] = set()

    def define(self, name: str) -> str:
        if name == NONE or name in self._defined:
            raise Wrong(Kind.FORMAT, f"the name {name} is taken")
        self._defined.add(name)
        return name

    def known(self, name: str) -> str:
        if name not in self._defined:
            raise Wrong(Kind.FORMAT, f"no line before says who {name} is")
        return name

    def use(self, name: str) -> str:
        if name in self._used:
            raise Wrong(Kind.FORMAT, f"{name} is in a group already")
        self._used.add(self.known(name))
        return name

    def key(self, text: str, kind: int) -> Key:
        key = Key.parse(text)
        if key.type != kind or (kind, key.public) in self._public:
            raise Wrong(Kind.FORMAT, "a key of another type, or one that is here already")
        self._public.add((kind, key.public))
        return key
