"""What happened to one person, in one order, in words.

Everything that is done leaves an entry in the audit log, so the entries about a person are the timeline; what they tell
of is read beside them. Decisions of a batch share an entry, which names nobody: each is an item of its own. Content
that was kept until its period ended is gone, and its entry stays.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

from msgspec import Struct

from service.audit import AuditEvent, Entry, Position
from service.kernel import Instant, SubjectId

Order = Literal["newest", "oldest"]


class Kind(StrEnum):
    """What an item is about."""

    RECORD = "record"
    DECISION = "decision"
    REVEAL = "reveal"
    SUBJECT = "subject"
    """Facts, merges, doubts, and the state of the records."""
    VAULT = "vault"
    REQUEST = "request"
    """What the person asked for by law, and the package that was made of it."""
    OTHER = "other"


_BY_WORD: Final = {
    "subject": Kind.SUBJECT,
    "vault": Kind.VAULT,
    "request": Kind.REQUEST,
    "package": Kind.REQUEST,
}


def kind_of(event: AuditEvent) -> Kind:
    match event:
        case AuditEvent.RECORD_STORED:
            return Kind.RECORD
        case AuditEvent.DECISION_MADE | AuditEvent.BATCH_DECIDED:
            return Kind.DECISION
        case AuditEvent.VAULT_REVEALED:
            return Kind.REVEAL
        case AuditEvent.STATE_REBUILT:
            return Kind.SUBJECT
    first, _, _ = event.partition(".")
    return _BY_WORD.get(first, Kind.OTHER)


OWN: Final = frozenset(
    {
        AuditEvent.RECORD_STORED,
        AuditEvent.DECISION_MADE,
        AuditEvent.BATCH_DECIDED,
        AuditEvent.VAULT_REVEALED,
        AuditEvent.SUBJECT_CREATED,
        AuditEvent.SUBJECT_STORED,
        AuditEvent.SUBJECT_MERGED,
        AuditEvent.VAULT_VALUE_STORED,
        AuditEvent.VAULT_VALUE_DELETED,
        AuditEvent.VAULT_KEY_DESTROYED,
        *(event for event in AuditEvent if kind_of(event) is Kind.REQUEST),
    }
)
"""What people may know of themselves (GDPR Art. 15): who asked about them, who read what, what they said and what is
kept. Not a doubt who they are, which is about somebody else as well, nor what officers and operators look for."""

_NAMED: Final = frozenset({AuditEvent.RECORD_STORED, AuditEvent.DECISION_MADE})
"""Where people are told the client. Behind a reveal or a change may stand one employee, whom Art. 15 doesn't give away
(CJEU C-579/21, Pankki S)."""


def actor_for_themselves(entry: Entry) -> str | None:
    """Return who did it, as far as the person whom it is about may know."""
    return entry.actor if entry.event in _NAMED or entry.actor == "self" else None


class Question(Struct, frozen=True, kw_only=True):
    """Which part of whose timeline is wanted."""

    subject: SubjectId
    kind: Kind | None = None
    since: Instant | None = None
    until: Instant | None = None
    """The first instant that is no longer wanted."""
    order: Order = "newest"
    proofs: bool = False


class Item(Struct, frozen=True, kw_only=True):
    """One thing that happened. What its kind doesn't have is ``None`` or empty."""

    kind: Kind
    at: Instant
    id: str
    """Of the object: a record, a decision, a reveal …"""
    event: AuditEvent
    entry: UUID
    what: str
    actor: str | None
    purpose: str | None = None
    channels: Sequence[str] = ()
    action: str | None = None
    acted_at: datetime | None = None
    """When a recorded act happened, by the capture point's clock; `at` is when Volens learnt of it."""
    permit: bool | None = None
    rules: Sequence[str] = ()
    fields: Sequence[str] = ()
    masked: Sequence[str] = ()
    decision: UUID | None = None
    gone: bool = False
    proof: str | None = None


class Timeline(Struct, frozen=True, kw_only=True):
    """Some items, and where to go on."""

    items: Sequence[Item]
    next: Position | None
    """None when nothing follows."""


def events_of(kind: Kind | None, *, own: bool) -> frozenset[AuditEvent]:
    """Return the events of a kind, or of all; with `own`, those that people may know of themselves."""
    among: Iterable[AuditEvent] = OWN if own else AuditEvent
    return frozenset(event for event in among if kind in (None, kind_of(event)))


def in_words(event: AuditEvent) -> str:
    """Return what an event says by itself: ``subject stored``."""
    return event.value.replace(".", " ").replace("_", " ")


def listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
