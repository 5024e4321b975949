"""Verify a manifest: every member of a pack, signed by the log.

A signed note. Its text has lines, each ending in 0x0A: "volens-audit-pack/v1", the origin of the log, then for each
member in the order of the pack SHA-256 in hexadecimal digits, length in bytes and name, with a space between. No
checkpoint looks like that: its second line is a number.
"""

from __future__ import annotations

import hashlib
import re
from typing import BinaryIO, Final

from service.audit.findings import Kind, Wrong
from service.audit.notes import LOG, Keys, Note

MANIFEST: Final = "volens-audit-pack/v1"
_MEMBER: Final = re.compile("([0-9a-f]{64}) (0|[1-9][0-9]{0,18}) ([^\n]+)")


def manifest_members(text: str, keys: Keys) -> dict[str, tuple[str, int]]:
    """Return hash and length of each member.

    Raises:
        Wrong: it isn't a manifest, or no known key of the log signed it.
    """
    note = Note.parse(text)
    form, origin, *lines = [*note.text.split("\n"), ""][:-2] if note.text.count("\n") > 1 else ["", ""]
    if form != MANIFEST:
        raise Wrong(Kind.FORMAT, f"not {MANIFEST}")
    if not any(key.type == LOG and key.name == origin for key, _ in note.verify(keys)):
        raise Wrong(Kind.UNKNOWN_KEY, f"not signed by a known key of {origin}")
    members: dict[str, tuple[str, int]] = {}
    for line in lines:
        read = _MEMBER.fullmatch(line)
        if read is None or read[3] in members:
            raise Wrong(Kind.FORMAT, "a line of the manifest names no member, or one again")
        members[read[3]] = read[1], int(read[2])
    return members


def measured_member(file: BinaryIO) -> tuple[str, int]:
    """Return hash and length of what is left in a file."""
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size
