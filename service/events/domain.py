"""What others are told: that something happened, to which object, never what it says."""

from msgspec import Struct

from service.kernel import Handle, Instant


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened. Holds identifiers only: the reader asks for the rest, with rights of its own."""

    type: str
    """Noun and participle, such as ``record.stored``."""
    object_id: str
    subject: Handle | None = None
    at: Instant
