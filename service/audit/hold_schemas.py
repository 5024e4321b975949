"""Holds on the wire. A person appears by handle, as in the log."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Struct

from service.audit.keeping import Hold, Reason, Reference, Wish
from service.kernel import Instant, SubjectId, SubjectRef


class HoldPut(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to stay, and why. Without a subject that of everybody; without a period that of any time."""

    reason: Reason
    reference: Reference | None = None
    """Of the case, in your own files. Not a name: it is kept outside the vault."""
    subject: SubjectRef | None = None
    since: Annotated[Instant | None, msgspec.Meta(description="What was stored then or later.")] = msgspec.field(
        default=None, name="from"
    )
    until: Annotated[Instant | None, msgspec.Meta(description="What was stored before then.")] = msgspec.field(
        default=None, name="to"
    )

    def to_wish(self, name: str) -> Wish:
        return Wish(
            name=name,
            subject=None if self.subject is None else SubjectId(self.subject),
            since=self.since,
            until=self.until,
            reason=self.reason,
            reference=self.reference,
        )


class HoldView(Struct, frozen=True, kw_only=True):
    """A hold, as it was placed."""

    name: str
    reason: Reason
    reference: str | None
    handle: UUID | None
    """Of the person; null for everybody."""
    since: datetime | None = msgspec.field(name="from")
    until: datetime | None = msgspec.field(name="to")
    placed_at: datetime
    placed_by: str
    lifted_at: datetime | None
    """Null while it is in force."""

    @classmethod
    def of(cls, hold: Hold) -> "HoldView":
        return cls(
            name=hold.name,
            reason=hold.reason,
            reference=hold.reference,
            handle=hold.handle,
            since=hold.since,
            until=hold.until,
            placed_at=hold.placed_at,
            placed_by=hold.placed_by,
            lifted_at=hold.lifted_at,
        )


class HoldPage(Struct, frozen=True, kw_only=True):
    """Holds by name, those that were lifted as well."""

    holds: list[HoldView]
