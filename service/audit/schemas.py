"""Audit entries on the wire. The subject appears by handle: an export must outlive an erasure."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from service.audit.domain import AuditEvent, Entry, Page


class EntryView(Struct, frozen=True, kw_only=True):
    """What was done, by whom, to which object."""

    id: UUID
    at: datetime
    event: AuditEvent
    object_id: str
    subject: UUID | None
    """The handle of the person it is about; never the tenant's own id."""
    actor: str
    request: str
    commitment: str | None
    """Salted hash of what was stored, in hexadecimal digits."""

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        return cls(
            id=entry.id,
            at=entry.at,
            event=entry.event,
            object_id=entry.object_id,
            subject=entry.subject,
            actor=entry.actor,
            request=entry.request,
            commitment=None if entry.commitment is None else entry.commitment.hex(),
        )


class EntryPage(Struct, frozen=True, kw_only=True):
    """Some entries, oldest first. `Link` says where to go on."""

    entries: list[EntryView]

    @classmethod
    def of(cls, page: Page) -> "EntryPage":
        return cls(entries=[EntryView.of(entry) for entry in page.entries])
