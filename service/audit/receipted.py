"""Verify receipts: what a log says of the records that its entries tell of.

A receipt is a JWS (RFC 7515, compact, EdDSA) of typ consent-receipt+jwt, signed by the key "origin/receipts" (kid:
name+id). Its claim `jti` is the object of the entry, `leaf` the entry's hash. Of a record that was imported with others
the entry names the piece of the import, and commits to the root of a tree (RFC 9162, section 2.1) over them: claim
`imported` has the piece, place and size, the path from the leaf to the root, and payload and salt, with which the leaf
is the leaf hash of SHA-256(0x01 || salt || payload); `jti` and `sub` are the payload's `id` and `handle`.

A certificate of an erasure is one of typ
erasure-certificate+jwt. Its claim `erasure` says what was done; the entry commits to the SHA-256 of that claim's JSON
per RFC 8785.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from service.audit.ed25519 import verify_ed25519
from service.audit.findings import Kind, Report, Wrong
from service.audit.grouped import IMPORTED, payload_among
from service.audit.notes import LOG, Keys, decoded
from service.audit.ranges import members_of
from service.audit.tree import leaf_hash

MANY_RECEIPTS: Final = "volens-receipts/v1"
RECEIPTS: Final = "/receipts"
"""What the name of the key that signs receipts adds to the origin."""
RECEIPT_TYPE: Final = "consent-receipt+jwt"
CERTIFICATE_TYPE: Final = "erasure-certificate+jwt"
CERTIFIED: Final = "erasure.certified"
_RECEIPT: Final = re.compile(rb'\{"entry":(0|[1-9][0-9]{0,18}),"receipt":"([A-Za-z0-9_.-]+)"\}')


def verify_receipt(receipt: str, origin: str, entry: bytes, keys: Keys) -> str:
    """Verify that a receipt is about an entry, and return its `jti`."""
    return str(_about(_claims(receipt, origin, keys, RECEIPT_TYPE), entry)["jti"])


def verify_certificate(certificate: str, origin: str, index: int, entry: bytes, keys: Keys) -> tuple[str, int]:
    """Verify that a certificate of an erasure is what an entry commits to; return its `jti`, and how many steps."""
    claims = _about(_claims(certificate, origin, keys, CERTIFICATE_TYPE), entry)
    said, told = claims.get("erasure"), members_of(entry)
    content = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if told.get("event") != CERTIFIED or told.get("commitment") != hashlib.sha256(content).hexdigest():
        raise Wrong(Kind.RECEIPT, f"entry {index} doesn't commit to what the certificate says")
    if not isinstance(said, dict) or said.get("request") != claims["jti"] or not isinstance(said.get("steps"), list):
        raise Wrong(Kind.FORMAT, "the certificate doesn't say which request was carried out, and how")
    return str(claims["jti"]), len(said["steps"])


def _about(claims: dict[str, Any], entry: bytes) -> dict[str, Any]:
    """Return claims that are about an entry."""
    if claims.get("leaf") != leaf_hash(entry).hex():
        raise Wrong(Kind.RECEIPT, "the receipt is about another entry")
    if not isinstance(claims.get("jti"), str):
        raise Wrong(Kind.FORMAT, "the receipt doesn't say what it is about")
    told = members_of(entry)
    if told.get("event") == IMPORTED:
        _among(claims, told)
    elif claims.get("jti") != told.get("object"):
        raise Wrong(Kind.RECEIPT, "the receipt is about another object than its entry")
    return claims


def _among(claims: dict[str, Any], told: dict[str, Any]) -> None:
    """Verify that a record is among those to which the entry of a piece of an import commits."""
    place = claims.get("imported")
    if not isinstance(place, dict) or place.get("chunk") != told.get("object"):
        raise Wrong(Kind.RECEIPT, "the receipt is about another object than its entry")
    said = payload_among(place, told)
    if (said.get("id"), said.get("handle")) != (claims.get("jti"), claims.get("sub")):
        raise Wrong(Kind.RECEIPT, "the receipt is about another record than the one it proves")


def read_receipts(
    lines: Iterable[bytes], entries: Iterator[tuple[int, bytes]], origin: str, keys: Keys, place: str, report: Report
) -> int:
    """Judge receipts by the places of their entries, and return how many hold."""
    held, last = 0, -1
    found = next(entries, None)
    for line in lines:
        read = _RECEIPT.fullmatch(line)
        if read is None:
            report.find(Kind.FORMAT, f"{place}, behind entry {last}", "the line doesn't hold a receipt")
            continue
        index = int(read[1])
        with report.at(f"{place}, entry {index}"):
            if index <= last:
                raise Wrong(Kind.ORDER, f"it stands behind entry {last}")
            last = index
            while found is not None and found[0] < index:
                found = next(entries, None)
            if found is None or found[0] != index:
                raise Wrong(Kind.RECEIPT, "no such entry is at hand")
            verify_receipt(read[2].decode(), origin, found[1], keys)
            held += 1
    return held


def _claims(receipt: str, origin: str, keys: Keys, kind: str) -> dict[str, Any]:
    """Verify the signature and return what it claims."""
    header, claims, signature = [*receipt.split(".", 2), "", ""][:3]
    stated = members_of(_base64url(header))
    name, _, key_id = str(stated.get("kid")).partition("+")
    if stated != {"alg": "EdDSA", "typ": kind, "kid": f"{name}+{key_id}"}:
        raise Wrong(Kind.FORMAT, "not a receipt: its header has other members or values")
    if name != origin + RECEIPTS:
        raise Wrong(Kind.UNKNOWN_KEY, f"receipts of {origin} are signed by {origin}{RECEIPTS}")
    key = next((key for key in keys.values() if (key.name, key.id.hex(), key.type) == (name, key_id, LOG)), None)
    if key is None:
        raise Wrong(Kind.UNKNOWN_KEY, f"the receipt is signed by {name}+{key_id}")
    content = _base64url(claims)
    verify_ed25519(key.public, f"{header}.{claims}".encode(), _base64url(signature))
    return members_of(content)


def _base64url(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515, section 2) in its one canonical spelling."""
    if "+" in text or "/" in text or "=" in text:
        raise Wrong(Kind.FORMAT, "not base64url")
    return decoded(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
