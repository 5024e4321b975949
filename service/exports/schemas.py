from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from service.audit import AuditEvent
from service.exports.domain import (
    Asked,
    Counted,
    Export,
    ExportPurpose,
    Filter,
    Form,
    Link,
    Outcome,
    State,
    Wanted,
)
from service.kernel import Handle, Instant, SubjectId, SubjectRef, exactly
from service.vault import ValueName

ActorName = Annotated[str, exactly("[A-Za-z0-9._:@/|-]{1,128}")]
RuleName = Annotated[str, exactly("[A-Z][A-Z0-9-]{1,40}")]
Reference = Annotated[str, exactly("[A-Za-z0-9._:/-]{1,128}")]
SavedName = Annotated[str, exactly("[a-z0-9][a-z0-9-]{0,62}")]
"""A name of a filter, which is a part of addresses."""
Recipient = Annotated[str, Meta(max_length=100)]
Place = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_MANY = Meta(max_length=100)
_ENDS = {"since": "from", "until": "to"}


class KindsCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=_ENDS):
    """Which kinds of entries. Every condition must hold, in a list any member of it; what is absent holds always."""

    since: Instant | None = None
    until: Instant | None = None
    """The first instant that is no longer wanted."""
    events: Annotated[tuple[AuditEvent, ...], _MANY] = ()
    actors: Annotated[tuple[ActorName, ...], _MANY] = ()
    """Clients, by the `client_id` of their tokens."""
    rules: Annotated[tuple[RuleName, ...], _MANY] = ()
    """Decisions for which one of these rules is a reason: what was sent, or refused, under it."""
    outcome: Outcome | None = None
    """Decisions with this answer."""

    def wanted(self) -> Wanted:
        return Wanted(
            since=self.since,
            until=self.until,
            events=tuple(dict.fromkeys(self.events)),
            actors=tuple(dict.fromkeys(self.actors)),
            rules=tuple(dict.fromkeys(self.rules)),
            outcome=self.outcome,
        )


class WantedCreate(KindsCreate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries. Without any condition it is the whole log, with a period or places alone a range of it."""

    first: Place = 0
    """From this entry on, counted from 0."""
    after: Place | None = None
    """Up to before this entry."""
    subjects: Annotated[tuple[SubjectRef, ...], _MANY] = ()
    """Entries about these people, and about whom was merged into them."""
    handles: Annotated[tuple[UUID, ...], _MANY] = ()
    """The same by handles, as entries have them: also of people who were erased."""

    def wanted(self) -> Wanted:
        handles = tuple(Handle(handle) for handle in dict.fromkeys(self.handles))
        return msgspec.structs.replace(super().wanted(), first=self.first, after=self.after, handles=handles)


class CountCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries are to be counted."""

    wanted: WantedCreate = WantedCreate()
    filter: SavedName | None = None
    """A saved filter. What is wanted besides replaces what it says."""

    def asked(self) -> Asked:
        return Asked(
            form=Form.NDJSON,
            purpose=ExportPurpose.INTERNAL_AUDIT,
            wanted=self.wanted.wanted(),
            subjects=tuple(SubjectId(each) for each in dict.fromkeys(self.wanted.subjects)),
            filter=self.filter,
        )


class PersonalCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be in it of the people in `wanted`, in plain for one recipient alone."""

    fields: Annotated[tuple[ValueName, ...], Meta(min_length=1, max_length=20)]
    recipient: Recipient | None = None
    """An age key, `age1…`. Without one, personal data is refused."""


class ExportCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be taken out of the log, and what for."""

    format: Form
    purpose: ExportPurpose
    wanted: WantedCreate = WantedCreate()
    filter: SavedName | None = None
    """A saved filter. What is wanted besides replaces what it says."""
    reference: Reference | None = None
    """The matter, by your own id for it."""
    bom: bool = False
    """CSV: say in its first bytes that it is UTF-8, for spreadsheets."""
    personal: PersonalCreate | None = None
    """Needs the scope `vault:officer`, a purpose of officers, people who are named, and a second officer."""
    four_eyes: bool = False
    """Whether a second person has to agree first."""

    def asked(self) -> Asked:
        return Asked(
            form=self.format,
            purpose=self.purpose,
            wanted=self.wanted.wanted(),
            subjects=tuple(SubjectId(each) for each in dict.fromkeys(self.wanted.subjects)),
            filter=self.filter,
            reference=self.reference,
            bom=self.bom,
            fields=() if self.personal is None else tuple(dict.fromkeys(self.personal.fields)),
            recipient=None if self.personal is None else self.personal.recipient,
            four_eyes=self.four_eyes,
        )


class WantedView(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_ENDS):
    """Which entries, with people by their handles."""

    first: int = 0
    after: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    events: tuple[AuditEvent, ...] = ()
    actors: tuple[str, ...] = ()
    handles: tuple[UUID, ...] = ()
    rules: tuple[str, ...] = ()
    outcome: Outcome | None = None

    @classmethod
    def of(cls, wanted: Wanted) -> "WantedView":
        return cls(**msgspec.structs.asdict(wanted))


class CountView(Struct, frozen=True, kw_only=True):
    """What an export would have in it, if it were made now."""

    entries: int
    events: dict[str, int]
    """How many of each kind."""
    tree_size: int
    """Of how many that have their place."""
    ended: int
    """Decisions of which nobody can tell any more whether they are wanted by rule or outcome: their content ended."""

    @classmethod
    def of(cls, counted: Counted) -> "CountView":
        events = {str(event): number for event, number in counted.events.items()}
        return cls(entries=counted.entries, events=events, tree_size=counted.tree_size, ended=counted.ended)


class DoneView(Struct, frozen=True, kw_only=True):
    done: int
    total: int | None
    """Unknown until it begins."""


class MadeView(Struct, frozen=True, kw_only=True):
    """What was written."""

    extent: str
    """`0-1200`: a range, the entries from 0 to before 1200. `7-chosen`: seven that were picked."""
    entries: int
    tree_size: int
    """How many entries the signed tree had."""
    bytes: int
    sha256: str
    ended: int
    """Decisions of which nobody could tell any more whether they are wanted by rule or outcome: not among `entries`."""


class PersonalView(Struct, frozen=True, kw_only=True):
    fields: tuple[str, ...]
    recipient: str


class ExportView(Struct, frozen=True, kw_only=True):
    """An export as it stands."""

    id: UUID
    state: State
    format: Form
    purpose: ExportPurpose
    reference: str | None
    wanted: WantedView
    personal: PersonalView | None
    created_at: datetime
    actor: str
    four_eyes: bool
    approved_at: datetime | None
    approved_by: str | None
    progress: DoneView
    fault: str | None
    """Why it failed."""
    result: MadeView | None
    expires_at: datetime | None
    """When the file goes."""

    @classmethod
    def of(cls, export: Export, now: datetime) -> "ExportView":
        order, made, personal = export.order, export.made, export.order.personal
        return cls(
            id=export.id,
            state=export.stands(now),
            format=order.form,
            purpose=order.purpose,
            reference=order.reference,
            wanted=WantedView.of(order.wanted),
            personal=None if personal is None else PersonalView(fields=personal.fields, recipient=personal.recipient),
            created_at=export.created_at,
            actor=export.actor,
            four_eyes=order.four_eyes,
            approved_at=export.approved_at,
            approved_by=export.approved_by,
            progress=DoneView(done=export.done, total=export.total),
            fault=export.fault,
            result=None
            if made is None
            else MadeView(
                extent=made.extent,
                entries=made.entries,
                tree_size=made.tree_size,
                bytes=made.size,
                sha256=made.sha256.hex(),
                ended=made.ended,
            ),
            expires_at=export.expires_at,
        )


class ExportPage(Struct, frozen=True, kw_only=True):
    """Some exports, the newest first. `Link` says where to go on."""

    exports: list[ExportView]


class LinkView(Struct, frozen=True, kw_only=True):
    """An address at which the file can be had without a token. It is shown this once."""

    path: str
    expires_at: datetime

    @classmethod
    def of(cls, link: Link, tenant: str, export: UUID) -> "LinkView":
        path = f"/v1/audit/exports/{export}/file?tenant={tenant}&key={link.key}"
        return cls(path=path, expires_at=link.expires_at)


class FilterView(Struct, frozen=True, kw_only=True):
    """A saved filter."""

    name: str
    wanted: WantedView
    stored_at: datetime
    actor: str

    @classmethod
    def of(cls, kept: Filter) -> "FilterView":
        return cls(name=kept.name, wanted=WantedView.of(kept.wanted), stored_at=kept.stored_at, actor=kept.actor)


class FilterPage(Struct, frozen=True, kw_only=True):
    """Some filters, by their names. `Link` says where to go on."""

    filters: list[FilterView]
