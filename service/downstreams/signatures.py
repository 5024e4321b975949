"""How messages to and from connected systems are signed: Standard Webhooks, standardwebhooks.com.

What is signed is ``id.timestamp.body``. `v1` is HMAC-SHA-256 under a secret that both sides have, `v1a` is Ed25519. A
header holds any number of signatures, so that a new secret is good before the old one ends.
"""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from service.downstreams.domain import SignatureRefused

TOLERANCE: Final = timedelta(minutes=5)
"""How far the time of a message may be from ours."""
KEPT: Final = 2 * TOLERANCE
"""How long the id of a message is remembered: as long as its time is taken."""
SECRET_BYTES: Final = 32

_ID: Final = re.compile(r"[!-~]{1,256}")
_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_MOST: Final = 16
"""Signatures in one header that are looked at."""


class Keys(Struct, frozen=True):
    """What one secret of a system is made of: neither shows itself."""

    shared: bytes
    """For HMAC."""
    seed: bytes
    """The private key for Ed25519, which stays with us."""

    def __repr__(self) -> str:
        return "Keys(hidden)"

    @classmethod
    def of(cls, both: bytes) -> "Keys":
        return cls(both[:SECRET_BYTES], both[SECRET_BYTES:])

    @property
    def secret(self) -> str:
        return f"whsec_{b64encode(self.shared).decode()}"


class Message(Struct, frozen=True, kw_only=True):
    """A message as it came: nothing about it is known yet."""

    id: str
    timestamp: str
    signatures: str
    body: bytes

    @classmethod
    def of(cls, headers: Mapping[str, str], body: bytes) -> "Message":
        return cls(
            id=headers.get("webhook-id", ""),
            timestamp=headers.get("webhook-timestamp", ""),
            signatures=headers.get("webhook-signature", ""),
            body=body,
        )

    @property
    def digest(self) -> bytes:
        """What is remembered of its id."""
        return hashlib.sha256(self.id.encode()).digest()


def public_key(key: bytes) -> str:
    return f"whpk_{b64encode(key).decode()}"


def signed(message_id: str, seconds: int, body: bytes) -> bytes:
    return f"{message_id}.{seconds}.".encode() + body


def v1(shared: bytes, content: bytes) -> str:
    return f"v1,{b64encode(hmac.digest(shared, content, 'sha256')).decode()}"


def v1a(signature: bytes) -> str:
    return f"v1a,{b64encode(signature).decode()}"


def verify(message: Message, good: Sequence[bytes], now: datetime) -> None:
    """Return if `message` was signed under one of the secrets that are `good`, about now.

    Raises:
        SignatureRefused: for every failure alike.
    """
    try:
        if not _ID.fullmatch(message.id) or not _SECONDS.fullmatch(message.timestamp):
            raise ValueError("no message")
        seconds = int(message.timestamp)
        if abs(now.timestamp() - seconds) > TOLERANCE.total_seconds():
            raise ValueError("too old, or from the future")
        content = signed(message.id, seconds, message.body)
        mine = [hmac.digest(secret, content, "sha256") for secret in good]
        theirs = [b64decode(value, validate=True) for value in _of_v1(message.signatures)]
    except ValueError:
        raise SignatureRefused("the message is not signed by this system, or too old") from None
    if not any(hmac.compare_digest(one, other) for one in mine for other in theirs):
        raise SignatureRefused("the message is not signed by this system, or too old")


def _of_v1(header: str) -> list[str]:
    parted = [each.partition(",") for each in header.split(" ")[:_MOST]]
    return [value for version, _, value in parted if version == "v1"]
