"""Commit to what an entry tells of, so that it can be shown later, or never again.

    secret      32 random bytes for each person. Destroyed with the person's key
    salt        HMAC-SHA-256(secret, id of the entry, 16 bytes)
    commitment  SHA-256(0x01 || salt || payload), the payload in JSON per RFC 8785
    withheld    SHA-256(0x02 || HMAC-SHA-256(secret, id of the entry || name of the member) || value)

A salt opens one entry and no other. What a payload withholds stands in it as a hash, under a salt of its own: the rest
can be shown without it. Without the secret nothing can be opened, and nothing can be guessed.
"""

from __future__ import annotations

import hashlib
import hmac


def salt_of(secret: bytes, entry: bytes, member: str = "") -> bytes:
    """Return what opens the entry of this id, or one withheld member of its payload."""
    return hmac.digest(secret, entry + member.encode(), "sha256")


def commitment_of(salt: bytes, payload: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + salt + payload).digest()


def withheld(salt: bytes, value: bytes) -> bytes:
    """Return what stands for a member of a payload that is not shown with the rest."""
    return hashlib.sha256(b"\x02" + salt + value).digest()
