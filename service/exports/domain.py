"""What officers take out of the audit log: which entries, in which form, for what, and who agreed."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from msgspec import Struct

from service.audit import AuditEvent
from service.kernel import DomainError, Handle, Instant, SubjectId, exactly

LEASE: Final = timedelta(seconds=30)
"""Whoever writes an export says so more often than this. Who is silent for longer has died, and another begins anew."""

ATTEMPTS: Final = 3
"""How often an export is begun. One that ended its writer as often would end the next one too."""

UNFINISHED: Final = 5
"""How many exports a tenant may have under way, those that wait for a second person included."""

AGREE_WITHIN: Final = timedelta(hours=24)
"""From the request on, so that a forgotten one is not written by surprise."""

PEOPLE: Final = 100
"""Of how many people personal data can be in one export."""


class Form(StrEnum):
    """What is written: entries that prove themselves, the table of `service.audit.sheet`, or a ZIP."""

    NDJSON = "ndjson"
    CSV = "csv"
    PACK = "pack"


class Outcome(StrEnum):
    PERMIT = "permit"
    DENY = "deny"


class ExportPurpose(StrEnum):
    """What an export is for."""

    INTERNAL_AUDIT = "internal_audit"
    AUTHORITY_REQUEST = "authority_request"
    DSR_RESPONSE = "dsr_response"
    LEGAL_CLAIM = "legal_claim"


class Wanted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which entries. Every condition must hold, in a list any member of it; what is absent holds always."""

    first: int = 0
    after: int | None = None
    since: Instant | None = None
    until: Instant | None = None
    """The first instant that is no longer wanted."""
    events: tuple[AuditEvent, ...] = ()
    actors: tuple[str, ...] = ()
    handles: tuple[Handle, ...] = ()
    rules: tuple[str, ...] = ()
    """Decisions for which one of these rules is a reason."""
    outcome: Outcome | None = None
    """Decisions with this answer."""

    @property
    def chosen(self) -> bool:
        """Whether entries are picked, and not a range of them."""
        return bool(self.events or self.actors or self.handles or self.rules or self.outcome is not None)

    @property
    def by_content(self) -> bool:
        """Whether it depends on what decisions were, which ends before their entries do."""
        return bool(self.rules or self.outcome is not None)


class Personal(Struct, frozen=True, kw_only=True):
    """What is to be in plain of the people whom an export is about."""

    fields: tuple[str, ...]
    recipient: str
    """The age key that it is encrypted to."""


class Order(Struct, frozen=True, kw_only=True):
    """An export as it was asked for. Of people it names the handles alone."""

    form: Form
    wanted: Wanted
    purpose: ExportPurpose
    reference: str | None = None
    """The matter, by the tenant's own id for it."""
    bom: bool = False
    personal: Personal | None = None
    four_eyes: bool = False


class State(StrEnum):
    UNAPPROVED = "unapproved"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    DELETED = "deleted"
    EXPIRED = "expired"


UNDER_WAY: Final = (State.UNAPPROVED, State.WAITING, State.RUNNING)


class Made(Struct, frozen=True, kw_only=True):
    """What was written."""

    file: str
    """Its name among the files of exports. Each attempt has one of its own."""

    extent: str
    """`0-1200`: the entries from 0 to before 1200. `7-chosen`: seven that were picked."""
    entries: int
    tree_size: int
    size: int
    """Bytes."""
    sha256: bytes
    ended: int = 0
    """Decisions that may have been wanted as well: their content ended, so nobody can tell."""


class Export(Struct, frozen=True, kw_only=True):
    """An export as it stands."""

    id: UUID
    order: Order
    created_at: datetime
    actor: str
    request: str
    state: State
    done: int
    total: int | None
    """How many entries there are; unknown until it begins."""
    made: Made | None
    fault: str | None
    approved_at: datetime | None
    approved_by: str | None
    expires_at: datetime | None
    """When the file goes."""

    def stands(self, now: datetime) -> State:
        """Return the state as it is by the clock: a file may lie a minute longer than it may be had."""
        if self.state is State.UNAPPROVED and now >= self.created_at + AGREE_WITHIN:
            return State.EXPIRED
        if self.state is State.DONE and self.expires_at is not None and now >= self.expires_at:
            return State.EXPIRED
        return self.state


class Claimed(Struct, frozen=True, kw_only=True):
    """An export in the hands of the one who writes it."""

    id: UUID
    runner: UUID
    order: Order
    actor: str
    request: str

    @property
    def file(self) -> str:
        return f"{self.id}.{self.runner}"


class Link(Struct, frozen=True, kw_only=True):
    """By what a file can be had without a token."""

    key: str
    """Shown this once. What is stored is its hash."""
    expires_at: datetime


class Counted(Struct, frozen=True, kw_only=True):
    """What an export would have in it, if it were made now."""

    entries: int
    events: dict[AuditEvent, int]
    tree_size: int
    ended: int
    """Decisions that may be wanted as well: their content ended, so nobody can tell."""


class Asked(Struct, frozen=True, kw_only=True):
    """What somebody asks to be taken out, in their own words for people."""

    form: Form
    purpose: ExportPurpose
    wanted: Wanted
    subjects: tuple[SubjectId, ...] = ()
    filter: str | None = None
    """The name of a saved filter. What is asked besides replaces what it says."""
    reference: str | None = None
    bom: bool = False
    fields: tuple[str, ...] = ()
    """Personal data to be in it, by the names of vault fields."""
    recipient: str | None = None
    four_eyes: bool = False


FilterName = Annotated[str, exactly("[a-z0-9][a-z0-9-]{0,62}")]


class Filter(Struct, frozen=True, kw_only=True):
    """Kinds of entries under a name. No person is in it."""

    name: str
    wanted: Wanted
    stored_at: datetime
    actor: str


class ExportUnknown(DomainError):
    """The tenant has no export with this id, or the link is none."""

    code = "export_unknown"


class ExportUnusable(DomainError):
    """The export can't be made like this, or isn't in a state for what is asked of it."""

    code = "export_unusable"


class ExportGone(DomainError):
    """The file of the export is not there any more."""

    code = "export_gone"


class LinkExpired(DomainError):
    """The link was good for a while, which is over."""

    code = "link_expired"


class RecipientNeeded(DomainError):
    """Personal data leaves encrypted to somebody's key, or not at all."""

    code = "recipient_needed"


class TooManyExports(DomainError):
    """The tenant has as many exports under way as it may."""

    code = "too_many_exports"


class FilterUnknown(DomainError):
    """The tenant has no filter of this name."""

    code = "filter_unknown"
