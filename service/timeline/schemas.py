"""The timeline on the wire. What an item doesn't have is left out."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from service.audit import AuditEvent
from service.timeline.domain import Item, Kind, Timeline


class TimelineItem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened, and what it was in words."""

    kind: Kind
    at: datetime
    """When Volens stored it."""
    id: str
    """Of the object: a record, a decision, a reveal and so on."""
    event: AuditEvent
    what: str
    entry: UUID
    """The id of the audit entry: `/v1/audit/proofs/inclusion?entry=…` proves it."""
    actor: str | None = None
    """The client that did it, or `self`. Not told to people about those who read or changed something."""
    purpose: str | None = None
    channels: list[str] = []
    action: str | None = None
    acted_at: datetime | None = None
    """When a recorded act happened, by the capture point's clock."""
    permit: bool | None = None
    rules: list[str] = []
    """What a decision cites: see `/v1/policy/rules/{rule}`."""
    fields: list[str] = []
    """What was revealed in plain."""
    masked: list[str] = []
    decision: UUID | None = None
    """The decision behind a reveal."""
    gone: bool = False
    """What was stored is gone since its period of retention ended. The entry stays."""
    proof: str | None = None
    """With `proofs`: a text for `volens audit verify`. Missing while the entry waits for its place in the tree."""

    @classmethod
    def of(cls, item: Item) -> "TimelineItem":
        return cls(
            kind=item.kind,
            at=item.at,
            id=item.id,
            event=item.event,
            what=item.what,
            entry=item.entry,
            actor=item.actor,
            purpose=item.purpose,
            channels=list(item.channels),
            action=item.action,
            acted_at=item.acted_at,
            permit=item.permit,
            rules=list(item.rules),
            fields=list(item.fields),
            masked=list(item.masked),
            decision=item.decision,
            gone=item.gone,
            proof=item.proof,
        )


class TimelinePage(Struct, frozen=True, kw_only=True):
    """Some items in the order that was asked for. `Link` says where to go on."""

    items: list[TimelineItem]

    @classmethod
    def of(cls, timeline: Timeline) -> "TimelinePage":
        return cls(items=[TimelineItem.of(item) for item in timeline.items])
