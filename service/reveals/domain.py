"""Reading in plain: for a stated purpose, after a decision, and never without a trace.

What the audit log commits to of each reveal is SHA-256 over the reveal's nonce and its JSON per RFC 8785 with
these members:

    v         1
    tenant    string
    id        string, UUID
    at        string, UTC with six decimals: 2026-11-21T09:00:00.000000Z
    handle    string, UUID; or null for somebody nobody had told us about
    fields    object, the names of the values that were given in plain, each with its version
    masked    object, those that were given masked
    purpose   string
    channel   string or null
    decision  string, the UUID of the decision behind it; or null where an officer asked
    approval  string, the UUID of what two officers agreed on; or null
    actor     string

Names, numbers and ids: no value, and no hash of one.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from service.consent import Channel
from service.decisions import Context, DecisionView
from service.kernel import DomainError, Handle, SubjectId, TenantId
from service.vault import OFFICER_PURPOSES, USES, Field, Name, Opened

VERSION: Final = 1
NONCE_BYTES: Final = 32
OFFICER: Final = "vault:officer"
"""The scope of those who read for a purpose of the law instead of a contact, and what was replaced."""

USE_WITHIN: Final = timedelta(hours=1)
"""So long at most a value may be used before asking again: a withdrawal must not find it in a queue of yesterday."""


class RevealDenied(DomainError):
    """The decision is no, so nothing is opened."""

    code = "reveal_denied"


class RevealUnclear(DomainError):
    """The question names neither a person with fields and a purpose, nor a token, or both."""

    code = "reveal_unclear"


class ChannelNeeded(DomainError):
    """A contact for this purpose can only be decided on for a channel."""

    code = "channel_needed"


class OfficersOnly(DomainError):
    """The purpose, or an older version, is for officers."""

    code = "officers_only"


class Wish(Struct, frozen=True, kw_only=True):
    """What somebody wants to read of one person, and what for."""

    subject: SubjectId
    fields: tuple[str, ...]
    """Names of values: a field, or ``field#label``."""
    purpose: str
    channel: Channel | None = None
    context: Context = Context()
    version: int | None = None

    @property
    def for_officers(self) -> bool:
        """Whether no decision stands behind it, but the office of whoever asks."""
        return self.purpose in OFFICER_PURPOSES

    @property
    def decided_on(self) -> Channel | None:
        """The channel that a decision is about; none for officers, whatever they say."""
        return None if self.for_officers else self.channel


class Revealed(Struct, frozen=True, kw_only=True, eq=False):
    """One reveal as it is kept for ever. No value is in it."""

    id: UUID
    handle: Handle | None
    fields: Mapping[str, int]
    """The versions of what was given in plain, by name."""
    masked: Mapping[str, int]
    purpose: str
    channel: Channel | None
    decision: UUID | None
    approval: UUID | None = None
    at: datetime
    actor: str
    nonce: bytes


class Shown(Struct, frozen=True, kw_only=True):
    """What a reveal gives. Never log it, and never keep it longer than the request."""

    id: UUID
    values: Mapping[str, Any]
    masked: Mapping[str, str]
    missing: tuple[str, ...]
    """Names under which nothing is stored."""
    decision: DecisionView | None
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Shown({self.id}, hidden)"


class _Members(Struct, frozen=True, kw_only=True):
    """The canonical members of a reveal."""

    actor: str
    approval: UUID | None
    at: str
    channel: Channel | None
    decision: UUID | None
    fields: Mapping[str, int]
    handle: Handle | None
    id: UUID
    masked: Mapping[str, int]
    purpose: str
    tenant: TenantId
    v: int = VERSION


_encoder: Final = msgspec.json.Encoder(order="sorted")


def canonical(reveal: Revealed, tenant: TenantId) -> bytes:
    """Return the bytes that stand for a reveal; the module says how they are made."""
    return _encoder.encode(
        _Members(
            actor=reveal.actor,
            approval=reveal.approval,
            at=f"{reveal.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z",
            channel=reveal.channel,
            decision=reveal.decision,
            fields=reveal.fields,
            handle=reveal.handle,
            id=reveal.id,
            masked=reveal.masked,
            purpose=reveal.purpose,
            tenant=tenant,
        )
    )


def commitment(reveal: Revealed, tenant: TenantId) -> bytes:
    """Return what the audit log holds of a reveal."""
    return hashlib.sha256(reveal.nonce + canonical(reveal, tenant)).digest()


def in_plain(name: str, fields: Mapping[str, Field], purposes: frozenset[str], channel: Channel | None = None) -> bool:
    """Return whether the field of a value may be read in plain for one of `purposes`; an unknown one never is.

    A contact that was decided on for a `channel` opens no address of another.
    """
    field = fields.get(Name.of(name).field)
    if field is None or purposes.isdisjoint(field.purposes):
        return False
    return channel is None or not purposes.isdisjoint(USES) or field.serves(channel)


def parted(
    opened: Mapping[str, Opened], fields: Mapping[str, Field], purposes: frozenset[str], channel: Channel | None
) -> tuple[dict[str, Opened], dict[str, Opened]]:
    """Return which values are given in plain, and which masked."""
    plain = {name: value for name, value in opened.items() if in_plain(name, fields, purposes, channel)}
    return plain, {name: value for name, value in opened.items() if name not in plain}


def usable_until(decision: DecisionView | None, now: datetime) -> datetime:
    """Return until when values may be used: while the decision holds, and not for long."""
    latest = now + USE_WITHIN
    if decision is None or decision.valid_until is None:
        return latest
    return min(decision.valid_until, latest)
