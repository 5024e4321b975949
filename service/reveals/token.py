"""Stand-ins: random texts that a recipient keeps instead of a value, and turns into it when it may."""

import base64
import hashlib
from datetime import datetime
from typing import Annotated, Final

from msgspec import Struct

from service.kernel import DomainError, Handle, exactly

PREFIX: Final = "vtk_"
SECRET_BYTES: Final = 32
TokenText = Annotated[str, exactly(f"{PREFIX}[A-Za-z0-9_-]{{43}}")]
Recipient = Annotated[str, exactly("[A-Za-z0-9._:/|-]{1,128}")]
"""A client, by the `client_id` of its tokens."""


class TokenUnknown(DomainError):
    """There is no such stand-in: it never was, was revoked, belongs to somebody forgotten, or to another recipient."""

    code = "token_unknown"


class StandIn(Struct, frozen=True, kw_only=True):
    """What a token stands for, as it lies in the database: without the token."""

    digest: bytes
    handle: Handle
    name: str
    purpose: str
    recipient: str


class Given(Struct, frozen=True, kw_only=True):
    """Since when, and until when, somebody has or had a stand-in."""

    stand_in: StandIn
    created_at: datetime
    revoked_at: datetime | None


def written(secret: bytes) -> str:
    """Return the token of 32 random bytes."""
    return PREFIX + base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def digest(token: str) -> bytes:
    """Return what is kept of a token. It has 256 random bits, so its hash needs no key and no salt."""
    return hashlib.sha256(token.encode()).digest()
