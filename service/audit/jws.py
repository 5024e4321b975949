"""Receipts as they are signed: JWS, compact, EdDSA (RFC 7515, RFC 8037), read strictly."""

from __future__ import annotations

from typing import Any, Final

from service.audit.ed25519 import verify_ed25519
from service.audit.findings import Kind, Wrong
from service.audit.notes import LOG, Keys, decoded
from service.audit.ranges import members_of

RECEIPTS: Final = "/receipts"
"""What the name of the key that signs receipts adds to the origin."""


def claims_of(receipt: str, origin: str, keys: Keys) -> dict[str, Any]:
    """Verify that a known key of this log's receipts signed, and return what the receipt claims."""
    header, claims, signature = [*receipt.split(".", 2), "", ""][:3]
    stated = members_of(_base64url(header))
    name, _, key_id = str(stated.get("kid")).partition("+")
    if stated != {"alg": "EdDSA", "typ": "consent-receipt+jwt", "kid": f"{name}+{key_id}"}:
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
