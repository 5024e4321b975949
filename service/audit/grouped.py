"""Verify members: one of many for which the log has one entry.

    member      {"format": "volens-member/v1", "proof": proof, "index": N, "size": N, "path": [hash…], "salt": SALT,
                 "payload": TEXT, "heading": TEXT}

The entry is in the proof. `path` leads (RFC 9162, section 2.1.3) from the member's leaf, at `index` among `size`, to a
root. Salt and payload make a commitment: SHA-256(0x01 || salt || payload). Both are null once the person was erased.

    record.imported  commits to the root itself; a leaf is the leaf hash of the commitment. `heading` is null
    batch.decided    commits to SHA-256(heading), which has root and number; a leaf is the leaf hash of the id of the
                     decision, 16 bytes, and the commitment: the id of the heading with the index in its last 24 bits
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from service.audit.commitments import commitment_of
from service.audit.findings import Kind, Wrong
from service.audit.ranges import hashes_in, members_of
from service.audit.tree import leaf_hash, verify_inclusion

MEMBER: Final = "volens-member/v1"
IMPORTED: Final = "record.imported"
DECIDED: Final = "batch.decided"
_UUID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_POSITIONS: Final = 1 << 24


def payload_among(said: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """Verify that a payload is among those to which an entry commits, and return what it says."""
    index, size, path = said.get("index"), said.get("size"), said.get("path")
    salt, payload, heading = said.get("salt"), said.get("payload"), said.get("heading")
    if not (type(index) is int and type(size) is int and isinstance(path, list)):
        raise Wrong(Kind.FORMAT, "it isn't said where it is among others")
    if not (isinstance(salt, str) and isinstance(payload, str)):
        raise Wrong(Kind.PAYLOAD, "it can't be opened any more: its person was erased")
    [opening] = hashes_in([salt])
    commitment, shown = commitment_of(opening, payload.encode()), members_of(payload)
    if entry.get("event") == IMPORTED and heading is None:
        leaf, root = leaf_hash(commitment), entry.get("commitment")
    elif entry.get("event") == DECIDED and isinstance(heading, str):
        root = _root_in(heading, size, entry)
        leaf = leaf_hash(_name_in(members_of(heading), index, shown) + commitment)
    else:
        raise Wrong(Kind.PAYLOAD, f"an entry of {entry.get('event')} doesn't stand for others in this way")
    verify_inclusion(leaf, index, size, hashes_in(path), *hashes_in([root]))
    return shown


def _root_in(heading: str, size: int, entry: dict[str, Any]) -> object:
    """Return the root that a heading has, to which the entry commits."""
    said = members_of(heading)
    if entry.get("commitment") != hashlib.sha256(heading.encode()).hexdigest():
        raise Wrong(Kind.PAYLOAD, "the heading is not what the entry commits to")
    if (said.get("id"), said.get("decisions")) != (entry.get("object"), size):
        raise Wrong(Kind.PAYLOAD, "the heading is of another batch than its entry, or of another size")
    return said.get("root")


def _name_in(heading: dict[str, Any], index: int, shown: dict[str, Any]) -> bytes:
    """Return the id of a decision, whose payload has to say what the heading says."""
    batch, name = str(heading.get("id")), str(shown.get("id"))
    if not (_UUID.fullmatch(batch) and _UUID.fullmatch(name)):
        raise Wrong(Kind.FORMAT, "not an id")
    decided = int(name.replace("-", ""), 16)
    if shown.get("batch") != batch or not 0 <= index < _POSITIONS:
        raise Wrong(Kind.PAYLOAD, "the decision is one of another batch")
    if decided != int(batch.replace("-", ""), 16) | index:
        raise Wrong(Kind.PAYLOAD, "the decision has another place in its batch")
    if any(shown[each] != heading[each] for each in (heading.keys() & shown.keys()) - {"id"}):
        raise Wrong(Kind.PAYLOAD, "the decision says something else than the heading of its batch")
    return decided.to_bytes(16, "big")
