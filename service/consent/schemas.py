from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct, field
from msgspec.structs import asdict

from service.consent.domain import (
    Act,
    Names,
    Notice,
    NoticeContent,
    Overview,
    OwnPurpose,
    Record,
    Statement,
    StoredRecord,
    Submission,
)
from service.consent.union import Merged
from service.consent.vocabulary import Channel, Purpose, PurposeName
from service.kernel import IdentifierId, SubjectId, SubjectRef
from service.subjects import Choice, Flags, SubjectFacts


class RecordCreate(Statement, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One event about a subject's will, under an id of the sender's own."""

    id: UUID
    subject: SubjectRef
    address: IdentifierId | None = None
    """Which of the subject's identifiers it is about, by its id. Never an address."""
    subject_ref: SubjectRef | None = None
    """Whose act it was, where that is somebody else's: a subject's id, never an address."""

    def to_submission(self) -> Submission:
        """Return what is meant."""
        return Submission(id=self.id, subject=SubjectId(self.subject), statement=Statement(**self.said()))

    def said(self) -> dict[str, Any]:
        """Return the members of the statement that is meant: the same instants in UTC, and each channel once."""
        said = asdict(self)
        del said["id"], said["subject"]
        said |= {name: _utc(said[name]) for name in ("ts", "expires_at", "original_ts")}
        if isinstance(self.channel, tuple):
            said["channel"] = tuple(sorted(set(self.channel)))
        return said


class RecordsCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records that are stored together or not at all."""

    records: Annotated[tuple[RecordCreate, ...], Meta(min_length=1, max_length=1000)]


class ReceivedView(Struct, frozen=True, kw_only=True):
    """A record that is stored for good."""

    id: UUID
    subject: str
    received_at: datetime

    @classmethod
    def of(cls, record: StoredRecord, subject: str) -> "ReceivedView":
        return cls(id=record.id, subject=subject, received_at=record.received_at)


class RecordsReceived(Struct, frozen=True, kw_only=True):
    """One line for each record that was sent, in that order; the same when they are sent again."""

    records: list[ReceivedView]


class RecordView(Statement, frozen=True, kw_only=True, omit_defaults=True):
    """A stored record. What was not said is left out; `evidence` null says that there is none."""

    id: UUID
    subject: str
    received_at: datetime

    @classmethod
    def of(cls, record: Record) -> "RecordView":
        return cls(**asdict(record))


class HistoryPage(Struct, frozen=True, kw_only=True):
    """Records of one subject, oldest first."""

    records: list[RecordView]


class ActView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one record says that can still count."""

    record: UUID
    action: str
    at: datetime
    """When it took effect."""
    expires_at: datetime | None = None
    method: str | None = None
    """The class of the method, as policy data has it."""
    evidence: str | None = None
    notice_version: str | None = None
    scope: str | None = None
    brand: str | None = None
    address: str | None = None

    @classmethod
    def of(cls, act: Act) -> "ActView":
        signature = act.signature
        return cls(
            record=act.id,
            action=signature.action.value,
            at=act.at,
            expires_at=act.expires_at,
            method=signature.method,
            evidence=signature.evidence,
            notice_version=signature.notice_version,
            scope=signature.scope,
            brand=signature.brand,
            address=signature.address,
        )


class StateView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What counts for one purpose on one channel, newest first. It is not judged here: ask for a decision."""

    channel: str
    """`any` for acts that name no channel."""
    purpose: str | None = None
    """`any` for acts that name none; left out where the record had no purpose."""
    acts: list[ActView]


class SubjectView(Struct, frozen=True, kw_only=True):
    """What is known about a subject. An unknown fact is left out."""

    subject: str
    version: int
    """Of the facts. 0 while there are none."""
    facts: SubjectFacts
    flags: Flags
    """What Volens itself knows: a restriction, a doubt who it is. Those of now, also with `as_of`."""
    state: list[StateView]

    @classmethod
    def of(cls, overview: Overview) -> "SubjectView":
        return cls(
            subject=overview.subject,
            version=overview.version,
            facts=overview.facts,
            flags=overview.flags,
            state=states(overview.state.acts),
        )


def states(acts: tuple[Act, ...]) -> list[StateView]:
    groups: dict[tuple[str, str], list[Act]] = {}
    for act in reversed(acts):
        groups.setdefault((act.signature.purpose or "", act.signature.channel), []).append(act)
    return [
        StateView(channel=channel, purpose=purpose or None, acts=[ActView.of(act) for act in group])
        for (purpose, channel), group in sorted(groups.items())
    ]


class MergePost(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether another subject is the same person."""

    other: SubjectRef = field(name="with")
    same: bool
    facts: Choice | None = None
    """Whose facts count where two contradict each other: those of the subject in the path, or of the other one."""


class MergeView(Struct, frozen=True, kw_only=True):
    """What was settled, and how the subject stands since."""

    subject: str
    other: str = field(name="with")
    same: bool
    version: int
    facts: SubjectFacts
    flags: Flags

    @classmethod
    def of(cls, merged: Merged) -> "MergeView":
        stands = merged.stands
        return cls(
            subject=merged.subject,
            other=merged.other,
            same=merged.same,
            version=stands.version,
            facts=stands.facts,
            flags=stands.flags,
        )


Body = Annotated[str, Meta(min_length=1, max_length=100_000)]


class NoticePut(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exact text that people are shown."""

    texts: dict[str, Body]
    """By language, a tag of BCP 47 such as `de` or `pt-BR`."""
    purposes: Annotated[tuple[PurposeName, ...], Meta(max_length=100)] = ()
    channels: Annotated[tuple[Channel, ...], Meta(max_length=50)] = ()
    controllers: Names = ()
    """Who may rely on what is said here, by name."""
    material_change: bool = False
    """Whether it says something materially different from the version before."""

    def to_content(self, notice: str, version: str) -> NoticeContent:
        return NoticeContent(
            notice=notice,
            version=version,
            texts=self.texts,
            purposes=tuple(sorted(set(self.purposes))),
            channels=tuple(sorted(set(self.channels))),
            controllers=tuple(sorted(set(self.controllers))),
            material_change=self.material_change,
        )


class NoticeView(Struct, frozen=True, kw_only=True):
    """One version of a notice as stored, for good."""

    notice: str
    version: str
    texts: dict[str, str]
    purposes: list[str]
    channels: list[Channel]
    controllers: list[str]
    material_change: bool
    sha256: str
    """Lower-case hex; of all of the above, as JSON with sorted members and no white space."""
    created_at: datetime

    @classmethod
    def of(cls, stored: Notice) -> "NoticeView":
        content = asdict(stored.content)
        content |= {name: list(content[name]) for name in ("purposes", "channels", "controllers")}
        return cls(**content, sha256=stored.sha256.hex(), created_at=stored.created_at)


class PurposePut(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A purpose of the tenant's own, and the known one as which it is judged."""

    maps_to: Purpose
    title: Annotated[str, Meta(min_length=1, max_length=200)]

    def to_purpose(self, purpose: str) -> OwnPurpose:
        return OwnPurpose(purpose=purpose, maps_to=self.maps_to.value, title=self.title)


class PurposeView(Struct, frozen=True, kw_only=True):
    purpose: str
    maps_to: str
    title: str

    @classmethod
    def of(cls, own: OwnPurpose) -> "PurposeView":
        return cls(**asdict(own))


class PurposePage(Struct, frozen=True, kw_only=True):
    """The tenant's own purposes, by name. The known ones need no registration."""

    purposes: list[PurposeView]


def _utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.astimezone(UTC)
