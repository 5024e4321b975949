from datetime import UTC, datetime
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from service.consent.domain import Record, Statement
from service.consent.imported import Claim, Understood, as_claimed
from service.consent.schemas import RecordCreate, RecordView, StateView
from service.kernel import Instant, SubjectId, SubjectRef
from service.subjects import Flags, SubjectFacts


class RecordLine(RecordCreate, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A record as a file states it. What it doesn't say it has not: no evidence is none."""

    id: UUID | None = None  # type: ignore[assignment]
    """A UUID of the sender's own. Without one it follows from the content."""
    ts: Instant | None = None  # type: ignore[assignment]
    """When it happened. Only a refusal may leave it out: then that is when it arrives."""

    def to_claim(self, now: datetime) -> Claim:
        said = self.said() | {"ts": now if self.ts is None else self.ts.astimezone(UTC)}
        statement = as_claimed(Statement(**said))
        return Claim(id=self.id, subject=SubjectId(self.subject), statement=statement, dated=self.ts is not None)


class ExportedSubject(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind", tag="subject"
):
    """A person and what is known about them; their records and state follow."""

    subject: SubjectRef
    facts: SubjectFacts | UnsetType = UNSET
    """Left out where none were ever stored."""
    flags: Flags | UnsetType = UNSET
    """What Volens itself knows. Not taken over by an import: that is for the requests behind it."""

    def to_understood(self) -> Understood:
        return Understood(facts=None if self.facts is UNSET else (SubjectId(self.subject), self.facts))


class ExportedRecord(RecordView, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="record"):
    """A record as it is stored."""

    @classmethod
    def of(cls, record: Record) -> "ExportedRecord":
        return cls(**asdict(record))


class BroughtRecord(
    RecordCreate, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="record"
):
    """A record as it was exported elsewhere. It is taken word by word, and arrives now."""

    received_at: Instant

    def to_claim(self) -> Claim:
        said = self.said()
        del said["received_at"]
        return Claim(id=self.id, subject=SubjectId(self.subject), statement=Statement(**said))


class ExportedState(Struct, frozen=True, kw_only=True, tag_field="kind", tag="state"):
    """What the records of a person amount to. An import makes its own of the records."""

    subject: str
    state: list[StateView]


class ExportCursor(Struct, frozen=True, kw_only=True, tag_field="kind", tag="cursor"):
    """Everything up to here is told: with `cursor` it goes on from here."""

    cursor: str


class ExportDone(Struct, frozen=True, kw_only=True, tag_field="kind", tag="done"):
    """The last line. Without it the export was cut off."""

    subjects: int
    records: int


class ExportCutOff(Struct, frozen=True, kw_only=True, tag_field="kind", tag="cut_off"):
    """The last line where a part that is needed went away: go on from the last cursor."""

    code: str
    detail: str
