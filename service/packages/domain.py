"""What a person gets who asks what is kept about them (GDPR Art. 15 and 20), as values.

`package.json` is `Head` with three arrays at its end: `records`, `decisions` and `reveals`, which may be long and are
read one after another. Its schema is `openapi/access-package.schema.json`. What comes later becomes a member beside
these.
"""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from service.downstreams import TaskState
from service.kernel import Instant, SubjectId, TenantId
from service.requests import Package
from service.subjects import Flags, SubjectFacts

FORMAT: Final = 1
T_co = TypeVar("T_co", covariant=True)


class Rows(Protocol[T_co]):
    """Values in their order, as often as they are wanted; not necessarily in memory."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[T_co]: ...


class Language(StrEnum):
    """What the page can be written in: each has a file of words."""

    EN = "en"
    HU = "hu"
    BE = "be"
    PL = "pl"
    AR = "ar"
    ZH = "zh"
    DE = "de"
    FR = "fr"
    ES = "es"

    @property
    def direction(self) -> str:
        return "rtl" if self is Language.AR else "ltr"


class Contact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to turn to, as the controller states it. What it doesn't state is null."""

    controller: str | None = None
    address: str | None = None
    officer: str | None = None
    """The data protection officer."""
    authority: str | None = None
    """The one to complain to."""


class ValueTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a value of the vault, in plain."""

    name: str
    field: str
    version: int
    at: Instant
    until: Instant | None
    """When another version took its place, or it was deleted."""
    deleted: bool
    """This version says that the value is no more."""
    opened: bool
    """Whether `value` says it: a version whose retention has ended is never opened again."""
    value: Any
    """Text, an address as an object, or a document as `media_type` and `content` in base64."""
    written_by: str


class FactsTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was known of the person from `at` until the next version."""

    version: int
    at: Instant
    former: bool
    """Known of them under another name, before a merge."""
    facts: SubjectFacts


class StandTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act that can still count: together they are the state."""

    action: str
    channel: str
    purpose: str | None
    at: Instant
    expires_at: Instant | None
    notice_version: str | None
    record: UUID


class NoticeTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text that records name, as it was shown."""

    notice: str
    version: str
    sha256: str
    stored_at: Instant
    texts: dict[str, str]
    """By language, a tag of BCP 47."""
    purposes: tuple[str, ...]
    channels: tuple[str, ...]
    controllers: tuple[str, ...]
    material_change: bool


class RecordTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the person once chose or did, or what was noted about that."""

    id: UUID
    received_at: Instant
    former: bool
    """Noted under another name of the person, before a merge."""
    said: dict[str, Any]
    """The statement, member by member."""
    notice: str | None
    """Which of the notices of its version was shown, where that is clear."""
    left_out: tuple[str, ...]
    """Members about others, which are not told."""


class MoveTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that happened to a request."""

    move: str
    at: Instant
    by: str
    reason: str | None


class RequestTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the person, or somebody for them, once asked for by law."""

    id: UUID
    received_at: Instant
    right: str
    law: str
    via: str
    state: str
    due_on: date | None
    """The last day for the answer, where a law sets one."""
    moves: tuple[MoveTold, ...]


class ReasonTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rule: str
    """Its words are among `rules`."""
    effect: str


class DecisionTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One time somebody asked whether the person may be contacted or profiled."""

    id: UUID
    decided_at: Instant
    at: Instant
    """The instant that was asked about."""
    asked_by: str
    channel: str
    purpose: str
    permit: bool
    basis: str
    reasons: tuple[ReasonTold, ...]
    records: tuple[UUID, ...]
    policy: str


class RevealTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One time somebody read values of the person."""

    id: UUID
    at: Instant
    by: str
    purpose: str
    channel: str | None
    fields: dict[str, int]
    """What was read in plain: the version of each name."""
    masked: dict[str, int]
    decision: UUID | None


class RuleTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule of the law that decided something about the person, in the words of the policy."""

    rule: str
    title: str
    citation: str
    times: int


class Role(StrEnum):
    """What somebody had of the person."""

    READER = "reader"
    """Read values in plain or masked."""
    HOLDER = "holder"
    """Has stand-ins for values."""
    ASKER = "asker"
    """Asked whether the person may be contacted."""


class RecipientTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    who: str
    name: str | None
    """What the controller calls it."""
    role: Role
    times: int
    first: Instant
    last: Instant
    purposes: tuple[str, ...]
    fields: tuple[str, ...]


class Origin(StrEnum):
    VALUES = "values"
    """`who` is the client that wrote values."""
    RECORDS = "records"
    """`who` is the way in which records came about."""
    DECLARED = "declared"
    """`who` is what the controller states."""


class SourceTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    origin: Origin
    who: str
    times: int


class Until(StrEnum):
    """How long something is kept."""

    ERASURE = "erasure"
    """Until the person is forgotten."""
    REPLACED = "replaced"
    """`days` after another version took its place, or it was deleted."""
    EVIDENCE = "evidence"
    """As evidence; once the person is forgotten it names nobody."""
    DECLARED = "declared"
    """As the controller states."""


class RetentionTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    what: str
    """`values`, a field of the vault, `facts`, `records`, `decisions`, `reveals`, or what the controller states."""
    until: Until
    days: int | None = None


class LeftOut(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is not told because it is about others."""

    what: str
    """A member of records, `texts` for names in texts, `staff` for employees."""
    times: int


class NotTold(StrEnum):
    """Why a file of a connected system is not in a package."""

    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"


class SystemTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a connected system said when it was asked for a copy."""

    system: str
    outcome: TaskState
    """`open`: it was not waited for. `excused`: it stayed silent, and somebody said why."""
    ground: str | None
    """Why it refused, or was excused."""
    at: Instant
    """When it answered; while it hasn't, when it was asked."""


class ConnectedTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file in which a connected system answered."""

    system: str
    name: str
    """What the system calls it."""
    media_type: str
    """What the system says it is."""
    size: int
    file: str | None
    """Its name in the package."""
    not_told: NotTold | None


SUFFIXES: Final = {
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/png": "png",
    "text/plain": "txt",
}
"""Of files. Any other is `bin`: what it says it is may be a program."""

RIGHTS: Final = (
    "access", "rectification", "erasure", "restriction", "portability", "objection", "withdrawal", "human_review",
    "complaint",
)  # fmt: skip


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything but what may be long."""

    v: int = FORMAT
    package: Package = Package.EVERYTHING
    """With `categories` there are kinds of data alone: nothing that they say, and of what can be long nothing."""
    made_at: Instant
    language: Language
    tenant: TenantId
    subject: SubjectId
    other_ids: tuple[SubjectId, ...]
    contact: Contact
    automated: str | None
    """What the controller states about the logic, significance and consequences of its automated decisions."""
    transfers: tuple[str, ...]
    """Where the controller states that data go, and under which safeguards."""
    rights: tuple[str, ...] = RIGHTS
    categories: tuple[str, ...]
    """The kinds of data that are kept: fields of the vault, `facts`, `records`, `decisions`, `reveals`."""
    values: tuple[ValueTold, ...]
    facts: tuple[FactsTold, ...]
    flags: Flags | None
    state: tuple[StandTold, ...]
    requests: tuple[RequestTold, ...]
    notices: tuple[NoticeTold, ...]
    recipients: tuple[RecipientTold, ...]
    sources: tuple[SourceTold, ...]
    retention: tuple[RetentionTold, ...]
    rules: tuple[RuleTold, ...]
    left_out: tuple[LeftOut, ...]
    systems: tuple[SystemTold, ...]
    """Which other systems of the controller were asked, and what came of it."""
    connected: tuple[ConnectedTold, ...]
    """What other systems of the controller answered."""

    @property
    def in_full(self) -> bool:
        return self.package is Package.EVERYTHING

    def __repr__(self) -> str:
        return "Head(hidden)"


class AccessPackage(Struct, frozen=True, kw_only=True, eq=False):
    """All of it. Never log it."""

    head: Head
    records: Rows[RecordTold]
    """Oldest first; those from before a merge come last."""
    decisions: Rows[DecisionTold]
    reveals: Rows[RevealTold]

    def __repr__(self) -> str:
        return "AccessPackage(hidden)"


def document_of(value: Any) -> tuple[str, bytes] | None:
    """Return the media type and the content of a value that is a document."""
    match value:
        case {"media_type": str(media_type), "content": bytes(content)}:
            return media_type, content
        case _:
            return None
