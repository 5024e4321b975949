"""Records of a person's will, and the acts and state that they amount to."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Protocol
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from service.audit import Secret
from service.consent.vocabulary import Action, Channel, RecordChannel, RecordPurpose
from service.kernel import DomainError, Handle, Instant, SubjectId, exactly
from service.subjects import NO_FLAGS, Flags, SubjectFacts

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Method = Annotated[str, Meta(min_length=1, max_length=100)]
Evidence = Annotated[str, Meta(max_length=4096)]
Names = Annotated[tuple[Text, ...], Meta(max_length=50)]
Channels = Annotated[tuple[Channel, ...], Meta(min_length=1, max_length=50)]
Hours = Annotated[str, exactly("([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]")]

_LANGUAGE: Final = re.compile("[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}")

OWN_ACTS: Final = frozenset(
    {
        Action.OPT_IN,
        Action.OPT_OUT,
        Action.DECLINED_OPT_IN,
        Action.OBJECT,
        Action.COMPLAINT,
        Action.OPT_IN_SALE,
        Action.OPT_OUT_SALE,
        Action.LIMIT,
        Action.GPC,
        Action.ADM_OPT_OUT,
        Action.CONSENT_DURING_RESTRICTION,
    }
)
"""What people do by themselves. A purchase, a parent's consent, a register or the lifting of a restriction is for
others to state."""


class Statement(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one event says, in the words of the law: a record without whose it is.

    ``None`` is missing, for every field but `evidence`, where a key that is missing and
    one that says null differ: the first says nothing, the second that there is none.
    """

    ts: Instant
    """When it happened, by the capture point's clock."""
    channel: RecordChannel | Channels
    action: Action
    purpose: RecordPurpose | None = None
    method: Method | None = None
    evidence: Evidence | UnsetType | None = UNSET
    notice_version: Text | None = None
    """The text the subject was shown, as the sender states it; it need not be registered."""
    scope: Text | None = None
    expires_at: Instant | None = None
    original_ts: Instant | None = None
    """The true time of an imported act."""

    two_step: bool | None = None
    explicit: bool | None = None
    unbundled: bool | None = None
    incentive: Text | bool | None = None
    dark_pattern: bool | None = None
    notice_shown: bool | None = None
    informed_subject: bool | None = None
    logged_in: bool | None = None
    named_controllers: Names | None = None
    """An empty list names nobody; a missing one says nothing."""
    named_recipients: Names | None = None
    brand: Text | None = None
    seller: Text | None = None
    product: Text | None = None
    data_categories: Names | None = None
    address: Text | None = None
    """The id of a vault identifier, never an address."""
    subject_ref: Text | None = None
    """Whose act it was, where that is somebody else's."""
    optout_offered_at_collection: bool | None = None
    indirect_remuneration: bool | None = None
    ongoing_contract: bool | None = None
    hours_consent: Hours | None = None
    programme: Text | None = None
    fin_notice: bool | None = None
    in_reply_to: Text | None = None
    ground: Text | None = None
    no_solicitation_statement: bool | None = None
    consumer_initiated: bool | None = None
    after_conflict_notice: bool | None = None

    @property
    def happened_at(self) -> datetime:
        return self.original_ts or self.ts


class Record(Statement, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One immutable event about a subject's will.

    A record is never changed. A withdrawal is a newer record, so the history is the
    evidence that GDPR Art. 7(1) asks the controller to keep.
    """

    id: UUID
    subject: SubjectId
    received_at: Instant
    """When Volens learnt of it: what `as_of` asks about."""

    @property
    def statement(self) -> Statement:
        return self


class Signature(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every attribute of an act that the law tells apart, but its times.

    Comparisons with a question (brand, controllers, address ...) are not made here:
    the raw values are kept. Lists are sorted sets. Free text such as `product` is no part.
    """

    action: Action
    channel: str
    """One channel, or `any`."""
    several: bool = False
    """The record named several channels."""
    purpose: str | None = None
    """As recorded, `all` as `any`; a tenant's own purpose by its own name."""
    method: str | None = None
    """Its class in policy data; `unlisted` for a word that has none."""
    evidence: str | None = None
    """`present`, `pewc` or `null`; ``None`` when the key was missing."""
    notice_shown: bool | None = None
    notice_version: str | None = None
    scope: str | None = None
    ground: str | None = None
    in_reply_to: str | None = None
    explicit: bool | None = None
    two_step: bool | None = None
    unbundled: bool | None = None
    dark_pattern: bool | None = None
    logged_in: bool | None = None
    informed_subject: bool | None = None
    optout_offered_at_collection: bool | None = None
    indirect_remuneration: bool | None = None
    ongoing_contract: bool | None = None
    fin_notice: bool | None = None
    no_solicitation_statement: bool | None = None
    consumer_initiated: bool | None = None
    after_conflict_notice: bool | None = None
    incentive: bool = False
    named_controllers: tuple[str, ...] | None = None
    named_recipients: tuple[str, ...] | None = None
    brand: str | None = None
    address: str | None = None
    programme: str | None = None
    seller: str | None = None
    subject_ref: str | None = None
    data_categories: tuple[str, ...] | None = None
    hours_consent: str | None = None
    expires: bool = False
    widened: bool = False
    """Stands for refusals beyond the bound: every channel, brand and address."""


class Act(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record on one channel, as far as it counts."""

    id: UUID
    """The record's."""
    at: Instant
    """The effective time."""
    expires_at: Instant | None = None
    signature: Signature

    @property
    def key(self) -> tuple[datetime, UUID]:
        """Newest last. The id settles ties within a signature only, where both say the same."""
        return self.at, self.id


class State(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the records of a subject amount to; a projection that never judges.

    `acts` are those that can count at some time from now on: per signature the latest,
    and each older one that outlives it. Equal states have equal bytes.
    """

    acts: tuple[Act, ...] = ()
    spare: tuple[Act, ...] = ()
    """Acts that another outshines. They say nothing, but keep the fold independent of the order of arrival."""
    attempts: tuple[Act, ...] = ()
    """The latest few contacts that are only counted."""
    newest: Instant | None = None
    """Effective time of the newest act that is no refusal. At and after it the state answers like the history."""


class Submission(Struct, frozen=True, kw_only=True):
    """A record on its way in: not yet received."""

    id: UUID
    subject: SubjectId
    statement: Statement


class Received(Protocol):
    """What a fold needs to know of a record: whose it is makes no difference."""

    @property
    def id(self) -> UUID: ...
    @property
    def received_at(self) -> datetime: ...
    @property
    def statement(self) -> Statement: ...


class StoredRecord(Struct, frozen=True, kw_only=True):
    """A record as it is kept: by handle, so that it outlives the person's id."""

    id: UUID
    handle: Handle
    received_at: Instant
    statement: Statement

    def of(self, subject: SubjectId) -> Record:
        """Return the record as that of `subject`, who has this handle."""
        return Record(id=self.id, subject=subject, received_at=self.received_at, **asdict(self.statement))


class Appended(Struct, frozen=True, kw_only=True):
    """What became of records that were sent."""

    records: Sequence[StoredRecord]
    """One for each that was sent, in that order."""
    stored: int
    """How many were new."""


class Position(Struct, frozen=True):
    """A place in a history: the stated time, then the id."""

    ts: Instant
    id: UUID


class History(Struct, frozen=True, kw_only=True):
    """Some records of a subject, oldest first, and where to go on; ``None`` when nothing follows."""

    records: Sequence[Record]
    next: Position | None


class Overview(Struct, frozen=True, kw_only=True):
    """Everything that is known about a subject, now or as of an instant."""

    subject: SubjectId
    version: int
    facts: SubjectFacts
    flags: Flags
    """Those of now."""
    state: State


class Profile(Struct, frozen=True, kw_only=True):
    """All that a check reads about a subject, from one row."""

    handle: Handle
    version: int
    facts: SubjectFacts
    flags: Flags = NO_FLAGS
    state: State
    secret: Secret | None = None
    """From which the log commits to what it tells of them."""


class Rebuilt(Struct, frozen=True, kw_only=True):
    """How many subjects were folded anew, and for how many the stored state had differed."""

    subjects: int
    differing: int


class NoticeContent(Struct, frozen=True, kw_only=True):
    """The exact text a subject was shown, in one version. Never changed: a new wording is a new version."""

    notice: str
    version: str
    texts: dict[str, str]
    """By language, a tag of BCP 47."""
    purposes: tuple[str, ...]
    channels: tuple[Channel, ...]
    controllers: tuple[str, ...]
    material_change: bool
    """Whether it says something materially different from the version before."""

    def canonical(self) -> bytes:
        """Return the JSON that stands for this version: members sorted, no white space."""
        return msgspec.json.encode(self, order="sorted")

    def sha256(self) -> bytes:
        """What evidence can point to: the hash of `canonical`."""
        return hashlib.sha256(self.canonical()).digest()

    def check(self) -> None:
        """Refuse a notice that says nothing, or in no language.

        Raises:
            UnacceptableNotice
        """
        if not self.texts:
            raise UnacceptableNotice("a notice needs a text in one language at least", pointers=["/texts"])
        if not all(_LANGUAGE.fullmatch(tag) for tag in self.texts):
            raise UnacceptableNotice(
                "texts are named by language tags of BCP 47, such as de or pt-BR", pointers=["/texts"]
            )


class Notice(Struct, frozen=True, kw_only=True):
    """A stored version of a notice."""

    content: NoticeContent
    sha256: bytes
    created_at: Instant


class OwnPurpose(Struct, frozen=True, kw_only=True):
    """A purpose of the tenant's own, judged as the known one it maps onto. The mapping never changes."""

    purpose: str
    maps_to: str
    title: str


class OwnPurposes(Struct, frozen=True, kw_only=True):
    """Some of a tenant's purposes, by name, and where to go on; ``None`` when nothing follows."""

    purposes: Sequence[OwnPurpose]
    next: str | None


class RecordIdReused(DomainError):
    """Another record already has this id."""

    code = "record_id_reused"


class RecordFromTheFuture(DomainError):
    """Something other than a refusal is dated later than now. Nobody can have agreed to it yet."""

    code = "record_from_the_future"


class UnknownPurpose(DomainError):
    """The tenant has registered no purpose of this name."""

    code = "unknown_purpose"


class PurposeRedefined(DomainError):
    """The purpose exists and maps onto another one, or has another title."""

    code = "purpose_redefined"


class NoticeRedefined(DomainError):
    """This version of the notice exists with other content. A new wording is a new version."""

    code = "notice_redefined"


class UnacceptableNotice(DomainError):
    """A notice without a text, or with one in a language that has no tag."""

    code = "unacceptable_notice"


class UnknownNotice(DomainError):
    """The tenant has no such notice, or no such version of it."""

    code = "unknown_notice"


class StateUnreadable(DomainError):
    """The stored state is damaged or of another format. Rebuild it from the records; until then the answer is no."""

    code = "state_unreadable"


class NotTheirOwn(DomainError):
    """With their own token a subject records their own acts and nobody else's."""

    code = "not_their_own"
