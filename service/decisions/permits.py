"""Permits: a decision that can be carried to whoever sends, for a quarter of an hour at most.

A permit is a JWS (RFC 7515, compact, EdDSA) of typ contact-permit+jwt under the key that signs receipts. What ends it
before its time is no judgement: whatever changed about the person or the policy since it was asked for. So that
nothing is missed, a hash of all that is read before the question is kept with it, its `stamp`, and compared with what
is there now. A list of permits that have ended is one of typ contact-permit-revocations+jwt.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from service.audit import Secret
from service.consent import Channel
from service.decisions.domain import Decision
from service.kernel import DomainError, Handle, exactly

PERMIT_TYPE: Final = "contact-permit+jwt"
REVOKED_TYPE: Final = "contact-permit-revocations+jwt"

LONGEST: Final = timedelta(minutes=15)
"""How long a permit is good at most."""

LEEWAY: Final = timedelta(minutes=1)
"""By how much the clocks of senders may be slow: so much longer a permit stands in the list."""

STEP: Final = 2
"""Seconds. The list says that it is from the last whole step, so that those who fetch it at once get the same one."""

FRESH: Final = 30
"""Seconds after which a list is over."""

HASH_BYTES: Final = 4
"""Of each hash in the list. Of a billion permits that are good, one in four is taken for one that has ended."""

Audience = Annotated[str, exactly("[A-Za-z0-9._:/|-]{1,128}"), Meta(description="Who is to verify the permit.")]
MessageRef = Annotated[
    str, exactly("[A-Za-z0-9._:-]{1,128}"), Meta(description="Your own id of the one message. No address fits.")
]
PermitText = Annotated[str, Meta(max_length=8192, description="A permit as it was given.")]


class Wish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom, and for which message, a permit is to be."""

    audience: Audience | None = None
    """Who is to verify it. The client that asks, when it is left out."""
    message: MessageRef | None = None
    """Stands in the permit as it is given here, so that it fits no other message. It is not kept."""


class Permit(Struct, frozen=True, kw_only=True):
    """What is kept of a permit: nothing of its text."""

    jti: UUID
    handle: Handle
    decision: UUID
    stamp: bytes
    kid: str
    """The key that signs it."""
    issued_at: datetime
    expires_at: datetime


class Kept(Struct, frozen=True, kw_only=True):
    """A permit as it is found again."""

    permit: Permit
    changed: bool
    """Whether anything about the person or the policy is not as it was."""
    burned_at: datetime | None


class Claims(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a permit says."""

    iss: str
    """The log's name and the tenant's, as in receipts."""
    aud: str
    sub: str
    """The person, by a name that this audience alone knows them by."""
    jti: UUID
    iat: int
    exp: int
    channel: Channel
    purpose: str
    obligations: tuple[str, ...]
    """What the sender must do."""
    decision: UUID
    message: str | None = None


class Why(StrEnum):
    """Why a permit is not good, or no longer."""

    INVALID = "invalid"
    """It is none of this tenant's permits, or was changed."""
    AUDIENCE = "audience"
    MESSAGE = "message"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """It is signed, and nothing is known of it: a database was set back."""
    WITHDRAWN = "withdrawn"
    """Something about the person or the policy has changed since. A new question says what holds now."""
    BURNED = "burned"
    """It was used up before."""


class Verified(Struct, frozen=True, kw_only=True):
    """Whether a permit is good now, and what it says if it is one of ours."""

    why: Why | None
    """Nothing where it is good."""
    claims: Claims | None
    burned: bool = False
    """Whether this used it up."""


class PermitIsForNow(DomainError):
    """A permit is wished for an instant that is not now."""

    code = "permit_is_for_now"


class NoPermit(Exception):
    """A text is not a permit of this tenant."""


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    alg: Literal["EdDSA"]
    typ: Literal["contact-permit+jwt"]
    kid: str


Verifies = Callable[[bytes, bytes, bytes], bool]
"""Whether a public key of 32 bytes made a signature of a message (Ed25519, RFC 8032)."""


def ends(decision: Decision) -> datetime | None:
    """Return when a permit for this decision is over, in whole seconds; nothing where no time is left for one."""
    latest = decision.decided_at + LONGEST
    if decision.valid_until is not None:
        latest = min(latest, decision.valid_until)
    latest = latest.astimezone(UTC).replace(microsecond=0)
    return latest if latest > decision.decided_at else None


def pseudonym(secret: Secret, audience: str) -> str:
    """Return what one audience calls a person.

    Another audience or tenant calls them otherwise. It ends with the person's secret: an erasure destroys it.
    """
    return _encoded(hmac.digest(secret, b"contact-permit/v1\0" + audience.encode(), "sha256")[:16])


def claims(permit: Permit, decision: Decision, secret: Secret, *, issuer: str, audience: str, wish: Wish) -> Claims:
    return Claims(
        iss=issuer,
        aud=audience,
        sub=pseudonym(secret, audience),
        jti=permit.jti,
        iat=int(permit.issued_at.timestamp()),
        exp=int(permit.expires_at.timestamp()),
        channel=decision.channel,
        purpose=decision.purpose,
        obligations=decision.obligations,
        decision=decision.id,
        message=wish.message,
    )


def kid_in(verifier_key: str) -> str:
    """Return by what name a JWS knows a key: all but the key itself, whose base64 may have a plus in it as well."""
    return "+".join(verifier_key.split("+")[:2])


def read(text: str, issuer: str, keys: Mapping[str, bytes], verifies: Verifies) -> Claims:
    """Return what a permit says whose signature holds. `keys` are public halves by `kid`.

    Raises:
        NoPermit: for every failure alike; which check failed helps only an attacker.
    """
    try:
        header, body, signature = text.split(".")
        stated = msgspec.json.decode(_decoded(header), type=_Header)
        if not verifies(keys[stated.kid], _decoded(signature), f"{header}.{body}".encode()):
            raise NoPermit
        said = msgspec.json.decode(_decoded(body), type=Claims)
    except (KeyError, ValueError, UnicodeError, msgspec.MsgspecError) as error:
        raise NoPermit from error
    if said.iss != issuer:
        raise NoPermit
    return said


def revocations(issuer: str, ended: Collection[UUID], kids: Collection[str], now: datetime) -> dict[str, Any]:
    """Return the claims of the list of permits that have ended. What is in it was read at `now`, and none before.

    `kids` signed what may be good now. Who stole another key of ours can sign, and nobody takes it.
    """
    iat = int(now.timestamp()) // STEP * STEP
    hashes = sorted({hashlib.sha256(str(jti).encode()).digest()[:HASH_BYTES] for jti in ended})
    return {
        "iss": issuer,
        "iat": iat,
        "exp": iat + FRESH,
        "kids": sorted(kids),
        "bytes": HASH_BYTES,
        "revoked": _encoded(b"".join(hashes)),
    }


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515, section 2) in its one canonical spelling."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoPermit from error
    if _encoded(content) != text:
        raise NoPermit
    return content
