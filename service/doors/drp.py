"""The Data Rights Protocol 1.0, as a covered business speaks it: data-rights-protocol.md, sections 2 and 3.

A signed message is base64 of an Ed25519 signature (64 bytes) and the JSON that it signs.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from service.doors.domain import Claim, Door, DrpTable, Intake, Status
from service.kernel import DomainError, Instant, TenantId, exactly
from service.requests import OPEN, About, State, Via

T = TypeVar("T")

VERSIONS: Final = ("1.0", "0.9.4")
"""1.0 is 0.9.4 under another number."""
REVOCABLE: Final = OPEN - {State.EXECUTING}
AgentName = Annotated[str, exactly("[A-Z0-9_]{1,64}")]
LONGEST: Final = timedelta(days=1)
"""How long a message may be good. The protocol advises ten minutes."""
_SIGNATURE: Final = 64
_EXTENDED: Final = "The law allows more time where there is a reason, and it is taken."
_NAMED: Final = "id:"
"""How references begin that the agent chose. Others are made from the message."""

Text = Annotated[str, Meta(max_length=2000)]


class DrpUnusable(DomainError):
    """The message is none of the protocol, or out of its time."""

    code = "drp_unusable"


class AgentUnknown(DomainError):
    """No agent has this token."""

    code = "agent_unknown"


class AgentRefused(DomainError):
    """The message isn't that agent's, or not for this business, or about another agent's request."""

    code = "agent_refused"


class Envelope(Struct, frozen=True):
    """A message as it came: nothing about it is known yet."""

    signature: bytes
    body: bytes

    @property
    def text(self) -> bytes:
        """The one way of writing it down."""
        return b64encode(self.signature + self.body)

    @property
    def digest(self) -> bytes:
        return sha256(self.signature + self.body).digest()

    def __repr__(self) -> str:
        return "Envelope(hidden)"


class DrpClaims(Struct, frozen=True, kw_only=True, rename="kebab"):
    """Whose message it is, for whom, and when it is good."""

    agent_id: AgentName
    business_id: Text
    issued_at: Instant
    expires_at: Instant


class DrpRevoke(Struct, frozen=True, kw_only=True, rename="kebab"):
    """What takes a request back. The specification has only a reason; what else is there counts."""

    agent_id: AgentName | None = None
    business_id: Text | None = None
    issued_at: Instant | None = None
    expires_at: Instant | None = None


class _Exercise(Struct, frozen=True, kw_only=True):
    version: str = msgspec.field(name="drp.version")
    exercise: Text
    regime: Text | None = None
    agent_request_id: Annotated[str, Meta(min_length=1, max_length=256)] | None = msgspec.field(
        name="agent-request-id", default=None
    )
    status_callback: Annotated[str, Meta(max_length=2000)] | None = None


class DrpStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a request is (section 3.03)."""

    request_id: UUID
    received_at: Instant
    expected_by: Instant
    status: str
    reason: str | None = None
    agent_request_id: str | None = None
    processing_details: str | None = None


class DrpToken(Struct, frozen=True, kw_only=True, rename={"agent_id": "agent-id"}):
    """What an agent asks with from now on. Shown this once."""

    agent_id: str
    token: str

    def __repr__(self) -> str:
        return "DrpToken(hidden)"


class DrpAgent(Struct, frozen=True, kw_only=True):
    """Nothing more than that the token is good (section 2.06)."""


def opened(text: bytes) -> Envelope:
    """Return what a signed message holds.

    Raises:
        DrpUnusable
    """
    try:
        raw = b64decode(b"".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        raise DrpUnusable("the body is no base64") from None
    if len(raw) <= _SIGNATURE:
        raise DrpUnusable("the body is no signed message")
    return Envelope(raw[:_SIGNATURE], raw[_SIGNATURE:])


def claims_of(body: bytes) -> DrpClaims:
    """Raises: DrpUnusable"""
    return _read(body, DrpClaims)


def revocation_of(body: bytes) -> DrpRevoke:
    """Raises: DrpUnusable"""
    return _read(body, DrpRevoke)


def check(
    claims: DrpClaims | DrpRevoke, agent: str, tenant: TenantId | None, businesses: Mapping[str, str], now: datetime
) -> TenantId | None:
    """Return whose business is meant, if a message is this agent's, for a business of ours, and in its time.

    In the order of section 3.07, after the signature. Without a `tenant` any business will do.

    Raises:
        AgentRefused, DrpUnusable
    """
    if claims.agent_id is not None and claims.agent_id != agent:
        raise AgentRefused("the message names another agent")
    meant = tenant
    if claims.business_id is not None:
        name = businesses.get(claims.business_id)
        if name is None or (tenant is not None and name != tenant):
            raise AgentRefused("the message is for another business")
        meant = TenantId(name)
    if claims.issued_at is not None and now < claims.issued_at:
        raise DrpUnusable("the message was issued later than now")
    if claims.expires_at is not None and now >= claims.expires_at:
        raise DrpUnusable("the message has expired")
    if claims.issued_at is not None and now - claims.issued_at > LONGEST:
        raise DrpUnusable("the message is too old")
    return meant


def intake_of(envelope: Envelope, agent: str, table: DrpTable) -> Intake:
    """Return what an agent asks for.

    Raises:
        DrpUnusable: nobody can ask for that here.
    """
    said = _read(envelope.body, _Exercise)
    members = _read(envelope.body, dict[str, Any])
    if said.version not in VERSIONS:
        raise DrpUnusable("another version of the protocol")
    if said.regime not in (None, "ccpa"):
        raise DrpUnusable("another regime than ccpa")
    if (right := table.rights.get(said.exercise)) is None:
        raise DrpUnusable("unsupported rights action")
    named = said.agent_request_id
    same = {name: value for name, value in members.items() if name not in ("issued-at", "expires-at")}
    return Intake(
        door=Door.DRP,
        sender=agent,
        reference=f"body:{envelope.digest.hex()}" if named is None else f"{_NAMED}{named}",
        right=right,
        law=table.law,
        via=Via.AGENT,
        authority=table.authority,
        claims=tuple(
            Claim(field, members[claim])
            for claim, field in table.fields.items()
            if isinstance(members.get(claim), str) and len(members[claim]) <= 512
        ),
        message=envelope.text,
        content=msgspec.json.encode(same, order="sorted"),
        about=About.AUTHORITY,
        callbacks=() if said.status_callback is None else (said.status_callback,),
    )


def stands(status: Status) -> DrpStatus:
    reference = status.kept.reference
    return DrpStatus(
        request_id=status.taken.id,
        received_at=status.taken.received_at,
        expected_by=status.expected_at,
        status=status.state,
        reason=status.reason,
        agent_request_id=reference.removeprefix(_NAMED) if reference.startswith(_NAMED) else None,
        processing_details=_EXTENDED if status.extended else None,
    )


def _read(body: bytes, model: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=model)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise DrpUnusable("what is signed is none of the protocol's messages") from None
