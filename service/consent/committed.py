"""What the log commits to of a record, and of a purpose."""

import hashlib
from datetime import UTC
from typing import Any, Final

import msgspec

from service.audit import AuditEvent, Draft, Payload
from service.consent.domain import OwnPurpose, StoredRecord

WITHHELD: Final = frozenset(
    {"evidence", "address", "subject_ref", "product", "incentive", "in_reply_to", "named_recipients"}
)
"""What a sender may have written anything in."""
_encode: Final = msgspec.json.Encoder(order="sorted").encode


def payload_of(record: StoredRecord) -> Payload:
    said: dict[str, Any] = msgspec.to_builtins(record.statement)
    free = {name: _encode(said.pop(name)) for name in said.keys() & WITHHELD}
    about = {"handle": record.handle, "id": record.id, "received_at": record.received_at.astimezone(UTC)}
    return Payload(said | about, free)


def stored_record(record: StoredRecord) -> Draft:
    """Return the entry that tells of a record."""
    return Draft(
        event=AuditEvent.RECORD_STORED,
        object_id=str(record.id),
        subject=record.handle,
        payload=payload_of(record),
    )


def purpose_hash(own: OwnPurpose) -> bytes:
    """Return the SHA-256 of the purpose's JSON: nothing in it is about a person."""
    return hashlib.sha256(_encode(own)).digest()
