"""Signed notes, verifier keys and checkpoints, read strictly.

Sources: c2sp.org/signed-note, c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature.

    note          text, an empty line, then for each signature "— name base64(key id || signature)"
    verifier key  name+hex(key id)+base64(type || public key); the id is SHA-256(name || 0x0A || type || public key)[:4]
    checkpoint    a note of three lines: origin, size, base64 of the root. No extension lines
    cosignature   type 0x04: 8 bytes of POSIX time, then Ed25519 over "cosignature/v1\\ntime N\\n" and the text
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from service.audit.ed25519 import verify_ed25519, verify_public_key
from service.audit.findings import Kind, Wrong
from service.audit.tree import EMPTY

LOG: Final = 0x01
COSIGNER: Final = 0x04
LONGEST: Final = 1 << 20
"""Characters of a note at most: room for a hundred signatures of any kind."""
LATEST: Final = 253_402_300_799
"""The end of the year 9999 in POSIX seconds."""
_FORBIDDEN: Final = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")
_CHECKPOINT: Final = re.compile("([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n")


def decoded(text: str) -> bytes:
    """Decode base64 (RFC 4648, section 4) in its one canonical spelling."""
    try:
        content = base64.b64decode(text)
    except ValueError:
        raise Wrong(Kind.FORMAT, "not base64") from None
    if base64.b64encode(content).decode() != text:
        raise Wrong(Kind.FORMAT, "base64 in an unusual spelling")
    return content


@dataclass(frozen=True)
class Key:
    """A public key that is believed. Its name and id say which signatures it is asked about."""

    name: str
    type: int
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]

    @classmethod
    def parse(cls, text: str) -> Key:
        name, given, encoded = [*text.split("+", 2), "", ""][:3]
        content = decoded(encoded)
        if not is_name(name) or len(content) != 33 or content[0] not in (LOG, COSIGNER):
            raise Wrong(Kind.FORMAT, "not a verifier key name+id+base64 for Ed25519")
        key = cls(name, content[0], content[1:])
        if given != key.id.hex():
            raise Wrong(Kind.FORMAT, f"the id in this verifier key should be {key.id.hex()}")
        verify_public_key(key.public)
        return key


Keys = Mapping[tuple[str, bytes], Key]
"""The keys that are believed, by name and id."""


def is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(sign.isspace() or sign < " " for sign in name)


def parse_keys(text: str) -> dict[tuple[str, bytes], Key]:
    """Read verifier keys, one a line."""
    keys: dict[tuple[str, bytes], Key] = {}
    for line in filter(None, text.split("\n")):
        key = Key.parse(line)
        if keys.setdefault((key.name, key.id), key) != key:
            raise Wrong(Kind.FORMAT, "two keys share a name and an id")
    return keys


@dataclass(frozen=True)
class Note:
    """A text and who signed it: (name, key id, signature). Nothing in it counts before `verify`."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def parse(cls, note: str) -> Note:
        text, blank, lines = note.rpartition("\n\n")
        if len(note) > LONGEST or not blank or not lines.endswith("\n") or _FORBIDDEN.search(note):
            raise Wrong(Kind.FORMAT, "not a signed note")
        signatures = []
        for line in lines[:-1].split("\n"):
            dash, name, encoded = [*line.split(" ", 2), "", ""][:3]
            content = decoded(encoded)
            if dash != "—" or not is_name(name) or len(content) < 5:
                raise Wrong(Kind.FORMAT, "not a signature line")
            signatures.append((name, content[:4], content[4:]))
        return cls(text + "\n", tuple(signatures))

    def verify(self, keys: Keys) -> list[tuple[Key, int | None]]:
        """Return the known keys that signed, each with the time it states, in POSIX seconds.

        Raises:
            Wrong: no known key signed, or a known key's signature is false, even if others hold.
        """
        signers: list[tuple[Key, int | None]] = []
        for name, key_id, signature in self.signatures:
            key = keys.get((name, key_id))
            if key is None:
                continue
            message, at = self.text.encode(), None
            if key.type == COSIGNER:
                at, signature = int.from_bytes(signature[:8], "big"), signature[8:]
                message = cosigned(self.text, at)
            verify_ed25519(key.public, message, signature)
            if at is not None and at > LATEST:
                raise Wrong(Kind.FORMAT, f"{name} signed at a time that no calendar has")
            signers.append((key, at))
        if not signers:
            raise Wrong(Kind.UNKNOWN_KEY, "no signature is by a known key")
        return signers


def cosigned(text: str, at: int) -> bytes:
    """Return what a witness signs who saw the checkpoint `text` at this POSIX second."""
    return f"cosignature/v1\ntime {at}\n{text}".encode()


@dataclass(frozen=True)
class Checkpoint:
    """The log's word on its tree: so many entries, this root."""

    origin: str
    """The log: a name that ends in "/" and the tenant."""
    size: int
    root: bytes
    note: Note

    @classmethod
    def parse(cls, note: str) -> Checkpoint:
        read = Note.parse(note)
        lines = _CHECKPOINT.fullmatch(read.text)
        if not lines or not is_name(lines[1]) or int(lines[2]) >= 1 << 63:
            raise Wrong(Kind.FORMAT, "not a checkpoint: origin, size, root")
        checkpoint = cls(lines[1], int(lines[2]), decoded(lines[3]), read)
        if checkpoint.size == 0 and checkpoint.root != EMPTY:
            raise Wrong(Kind.ROOT, "the root of an empty tree is the hash of nothing")
        return checkpoint

    def verify(self, keys: Keys) -> int | None:
        """Return when a known witness first saw it, in POSIX seconds. None when none says so.

        Raises:
            Wrong: the log itself did not sign it, or a known key's signature is false.
        """
        signers = self.note.verify(keys)
        if not any(key.type == LOG and key.name == self.origin for key, _ in signers):
            raise Wrong(Kind.UNKNOWN_KEY, f"not signed by a known key of {self.origin}")
        return min((at for _, at in signers if at is not None), default=None)
