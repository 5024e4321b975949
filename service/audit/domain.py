"""The audit log: what was done, by whom, to which object.

Canonical bytes of an entry, version 1: its JSON per RFC 8785 (keys sorted, no
white space), with these members and no others:

    v           1
    tenant      string
    id          string, UUID
    at          string, UTC with six decimals: 2026-11-21T09:00:00.000000Z
    event       string, one of `AuditEvent`
    object      string
    subject     string, the handle; or null
    actor       string
    request     string
    commitment  string, lower-case hex; or null

Strings are ASCII and there are no fractions, so that every JSON writer that
sorts keys makes the same bytes. The leaf hash is that of RFC 6962, section
2.1: SHA-256 over 0x00 and the canonical bytes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from service.audit.commitments import commitment_of, salt_of, withheld
from service.kernel import Caller, Handle, Instant, SubjectId, TenantId

VERSION: Final = 1
_LEAF: Final = b"\x00"


class AuditEvent(StrEnum):
    """Everything that is ever audited. A new word is a new line here and in the docs."""

    TENANT_ADDED = "tenant.added"
    TOKEN_ISSUED = "token.issued"  # noqa: S105, a word and no password
    SUBJECT_CREATED = "subject.created"
    SUBJECT_STORED = "subject.stored"
    SUBJECT_FLAGGED = "subject.flagged"
    SUBJECT_UNRESOLVED = "subject.unresolved"
    SUBJECT_MERGED = "subject.merged"
    SUBJECT_TOLD_APART = "subject.told_apart"
    RECORD_STORED = "record.stored"
    RECORD_IMPORTED = "record.imported"
    NOTICE_STORED = "notice.stored"
    PURPOSE_STORED = "purpose.stored"
    DECISION_MADE = "decision.made"
    PERMIT_ISSUED = "permit.issued"
    PERMIT_BURNED = "permit.burned"
    BATCH_DECIDED = "batch.decided"
    OVERLAY_STORED = "overlay.stored"
    POLICY_ACTIVATED = "policy.activated"
    POLICY_TRIED = "policy.tried"
    STATE_REBUILT = "state.rebuilt"
    TENANT_PLACED = "tenant.placed"
    TENANT_ERASING_SET = "tenant.erasing_set"
    REQUEST_RECEIVED = "request.received"
    REQUEST_JOINED = "request.joined"
    REQUEST_REOPENED = "request.reopened"
    REQUEST_ACKNOWLEDGED = "request.acknowledged"
    REQUEST_CODE_SENT = "request.code_sent"
    REQUEST_IDENTITY_FAILED = "request.identity_failed"
    REQUEST_AUTHORISED = "request.authorised"
    REQUEST_FEE_ASKED = "request.fee_asked"
    REQUEST_FEE_PAID = "request.fee_paid"
    REQUEST_LETTER_WRITTEN = "request.letter_written"
    REQUEST_LETTER_READ = "request.letter_read"
    REQUEST_IDENTITY_ASKED = "request.identity_asked"
    REQUEST_VERIFIED = "request.verified"
    REQUEST_EXTENDED = "request.extended"
    REQUEST_CLARIFICATION_ASKED = "request.clarification_asked"
    REQUEST_CLARIFIED = "request.clarified"
    REQUEST_EXECUTING = "request.executing"
    REQUEST_ANSWERED = "request.answered"
    REQUEST_CLOSED = "request.closed"
    REQUEST_REFUSED = "request.refused"
    REQUEST_WITHDRAWN = "request.withdrawn"
    REQUEST_LIFTED = "request.lifted"
    ERASURE_BEGUN = "erasure.begun"
    ERASURE_TOLD = "erasure.told"
    ERASURE_FORGOTTEN = "erasure.forgotten"
    ERASURE_REPLACED = "erasure.replaced"
    ERASURE_REDUCED = "erasure.reduced"
    ERASURE_SETTLED = "erasure.settled"
    ERASURE_VERIFIED = "erasure.verified"
    ERASURE_CERTIFIED = "erasure.certified"
    DROP_REGISTERED = "drop.registered"
    DROP_ACCESSED = "drop.accessed"
    DROP_TAKEN_IN = "drop.taken_in"
    DROP_MATCHED = "drop.matched"
    DROP_TOLD = "drop.told"
    LOG_RECOVERED = "log.recovered"
    RESTORE_REPLAYED = "restore.replayed"
    AUDIT_EXPORTED = "audit.exported"
    AUDIT_EXPORT_REQUESTED = "audit.export_requested"
    AUDIT_EXPORT_APPROVED = "audit.export_approved"
    AUDIT_EXPORT_LINKED = "audit.export_linked"
    AUDIT_EXPORT_DOWNLOADED = "audit.export_downloaded"
    AUDIT_EXPORT_DELETED = "audit.export_deleted"
    AUDIT_FILTER_STORED = "audit.filter_stored"
    AUDIT_FILTER_DELETED = "audit.filter_deleted"
    AUTHENTICATION_FAILED = "authentication.failed"
    CONTENT_EXPIRED = "content.expired"
    HOLD_PLACED = "hold.placed"
    HOLD_LIFTED = "hold.lifted"
    VAULT_FIELD_STORED = "vault.field_stored"
    VAULT_VALUE_STORED = "vault.value_stored"
    VAULT_VALUE_DELETED = "vault.value_deleted"
    VAULT_VERSIONS_EXPIRED = "vault.versions_expired"
    VAULT_REENROLLED = "vault.reenrolled"
    VAULT_SUPPRESSED = "vault.suppressed"
    VAULT_LOOKED_UP = "vault.looked_up"
    VAULT_IMPORTED = "vault.imported"
    VAULT_REVEALED = "vault.revealed"
    VAULT_TOKEN_ISSUED = "vault.token_issued"  # noqa: S105, a word and no password
    VAULT_TOKEN_REVOKED = "vault.token_revoked"  # noqa: S105
    VAULT_APPROVAL_REQUESTED = "vault.approval_requested"
    VAULT_APPROVAL_GIVEN = "vault.approval_given"
    VAULT_KEY_ROTATED = "vault.key_rotated"
    VAULT_KEY_DESTROYED = "vault.key_destroyed"
    PACKAGE_REQUESTED = "package.requested"
    PACKAGE_MADE = "package.made"
    DOWNSTREAM_STORED = "downstream.stored"
    DOWNSTREAM_DELETED = "downstream.deleted"
    DOWNSTREAM_SECRET_MADE = "downstream.secret_made"  # noqa: S105, a word and no password
    DOWNSTREAM_ASSIGNED = "downstream.assigned"
    DOWNSTREAM_TOLD = "downstream.told"
    DOWNSTREAM_CONFIRMED = "downstream.confirmed"
    DOWNSTREAM_REFUSED = "downstream.refused"
    DOWNSTREAM_SILENT = "downstream.silent"
    DOWNSTREAM_EXCUSED = "downstream.excused"
    DOWNSTREAM_REPEATED = "downstream.repeated"
    DOOR_TAKEN = "door.taken"
    DOOR_TOLD = "door.told"
    DOOR_NOT_TOLD = "door.not_told"
    DOOR_TOKEN_MADE = "door.token_made"  # noqa: S105, a word and no password
    DOWNSTREAM_BROUGHT = "downstream.brought"
    DOWNSTREAM_DROPPED = "downstream.dropped"
    PACKAGE_DOWNLOADED = "package.downloaded"
    PACKAGE_DELETED = "package.deleted"


NOBODYS: Final = Handle(UUID(int=0))
"""Has the tenant's own secret, for payloads that are about nobody we know."""


class Secret(bytes):
    """From which the salts of a person's commitments follow. It doesn't show itself."""

    def __repr__(self) -> str:
        return "Secret(hidden)"


class Opened(Struct, frozen=True):
    """A payload as an entry commits to it, and the salt that proves it."""

    salt: bytes
    content: bytes
    """JSON per RFC 8785."""

    @property
    def commitment(self) -> bytes:
        return commitment_of(self.salt, self.content)


class Payload(Struct, frozen=True):
    """What an entry tells of."""

    shown: Mapping[str, Any]
    """Members in JSON that may be shown to whoever is shown the entry. No fractions."""
    withheld: Mapping[str, bytes] = {}
    """What may not, by name, in bytes that stand for it: in the payload each is a hash under a salt of its own."""

    def opened(self, secret: Secret, entry: UUID) -> Opened:
        members = self.shown
        if self.withheld:
            hashes = {
                name: withheld(salt_of(secret, entry.bytes, name), value).hex() for name, value in self.withheld.items()
            }
            members = {**members, "withheld": hashes}
        return Opened(salt_of(secret, entry.bytes), _sorted.encode(members))

    def closed(self) -> bytes:
        """Return what can be shown of it, without a secret."""
        return _sorted.encode({**self.shown, **({"withheld": dict.fromkeys(self.withheld)} if self.withheld else {})})


class Draft(Struct, frozen=True, kw_only=True):
    """What a use case knows of an entry; the log adds id, time and who did it."""

    event: AuditEvent
    object_id: str
    subject: Handle | None = None
    payload: Payload | None = None
    """What the entry commits to, if the subject still has a secret; without a subject, under the tenant's."""
    commitment: bytes | None = None
    """In place of a payload, a hash that needs no salt, since nothing in it is about a person.

    `overlay.stored`, `notice.stored`, `purpose.stored`, `erasure.certified` and `batch.decided` commit to the SHA-256
    of their JSON per RFC 8785, and `audit.exported` to that of the file that was handed out, so that it can be told
    from another.
    """


class Entry(Struct, frozen=True, kw_only=True):
    """One line of the log.

    Holds identifiers only. Erasing a subject destroys what joins them to a
    person, so the log itself never has to be rewritten.
    """

    tenant: TenantId
    id: UUID
    at: Instant
    event: AuditEvent
    object_id: str
    subject: Handle | None
    actor: str
    request: str
    commitment: bytes | None

    @classmethod
    def of(cls, draft: Draft, *, by: Caller, entry_id: UUID, at: datetime, secret: Secret | None = None) -> "Entry":
        """Return the entry of a draft. Without a `secret` it doesn't commit to the draft's payload."""
        commitment = draft.commitment
        if draft.payload is not None and secret is not None:
            commitment = draft.payload.opened(secret, entry_id).commitment
        return cls(
            tenant=by.tenant,
            id=entry_id,
            at=at,
            event=draft.event,
            object_id=draft.object_id,
            subject=draft.subject,
            actor=by.actor,
            request=by.request,
            commitment=commitment,
        )


class _Members(Struct, frozen=True, kw_only=True):
    """The canonical members of an entry, in the order in which they are written."""

    actor: str
    at: str
    commitment: str | None
    event: AuditEvent
    id: UUID
    object: str
    request: str
    subject: Handle | None
    tenant: TenantId
    v: int = VERSION


_encoder: Final = msgspec.json.Encoder()
_sorted: Final = msgspec.json.Encoder(order="sorted")


class Position(Struct, frozen=True):
    """A place in the log's order: time, then id."""

    at: Instant
    id: UUID


class Query(Struct, frozen=True, kw_only=True):
    """Which entries are wanted. Every condition must hold; the absent ones hold always."""

    since: Instant | None = None
    until: Instant | None = None
    """The first instant that is no longer wanted."""
    subject: SubjectId | None = None
    event: AuditEvent | None = None
    actor: str | None = None


class Page(Struct, frozen=True, kw_only=True):
    """Some entries, oldest first, and where to go on."""

    entries: Sequence[Entry]
    next: Position | None
    """None when nothing follows."""


class Consistency(Struct, frozen=True, kw_only=True):
    """That an older tree is the beginning of a newer one."""

    old: str
    new: str
    hashes: Sequence[bytes]


def canonical(entry: Entry) -> bytes:
    """Return the bytes that stand for `entry` for ever; the module says how they are made.

    Raises:
        ValueError: a text is not ASCII.
    """
    encoded = _encoder.encode(
        _Members(
            actor=entry.actor,
            at=f"{entry.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z",
            commitment=None if entry.commitment is None else entry.commitment.hex(),
            event=entry.event,
            id=entry.id,
            object=entry.object_id,
            request=entry.request,
            subject=entry.subject,
            tenant=entry.tenant,
        )
    )
    if not encoded.isascii():
        raise ValueError("an audit entry holds ASCII only")
    return encoded


def leaf_hash(canonical_bytes: bytes) -> bytes:
    """Return the hash of an entry as a leaf of the tree. The 0x00 keeps a leaf from passing as a node."""
    return hashlib.sha256(_LEAF + canonical_bytes).digest()
