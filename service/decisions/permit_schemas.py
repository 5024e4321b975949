from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from service.consent import Channel
from service.decisions.permits import Audience, Claims, MessageRef, PermitText, Verified, Why, Wish


class PermitVerify(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A permit, and for whom and which message it is held to be."""

    permit: PermitText
    audience: Audience | None = None
    """The client that asks, when it is left out."""
    message: MessageRef | None = None
    """Not compared when it is left out."""
    burn: bool = False
    """Use it up: whoever verifies it afterwards is told that it was."""

    @property
    def wish(self) -> Wish:
        return Wish(audience=self.audience, message=self.message)


class PermitView(Struct, frozen=True, kw_only=True):
    """What a permit says."""

    id: UUID
    decision: UUID
    audience: str
    subject: Annotated[str, Meta(description="What this audience, and nobody else, calls the person.")]
    channel: Channel
    purpose: str
    obligations: tuple[str, ...]
    message: str | None
    expires_at: datetime

    @classmethod
    def of(cls, said: Claims) -> "PermitView":
        return cls(
            id=said.jti,
            decision=said.decision,
            audience=said.aud,
            subject=said.sub,
            channel=said.channel,
            purpose=said.purpose,
            obligations=said.obligations,
            message=said.message,
            expires_at=datetime.fromtimestamp(said.exp, UTC),
        )


class VerifiedView(Struct, frozen=True, kw_only=True):
    """Whether a permit is good. Treat anything but `true` as no."""

    valid: bool
    why: Why | None
    """Why not."""
    burned: bool
    """Whether this use used it up."""
    permit: PermitView | None
    """What it says, if it is one of yours."""

    @classmethod
    def of(cls, verified: Verified) -> "VerifiedView":
        return cls(
            valid=verified.why is None,
            why=verified.why,
            burned=verified.burned,
            permit=None if verified.claims is None else PermitView.of(verified.claims),
        )


class RevokedView(Struct, frozen=True, kw_only=True):
    """The permits that have ended before their time."""

    revocations: str
    """A JWS of typ contact-permit-revocations+jwt."""
