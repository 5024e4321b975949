"""Records of a person's will, and the acts and state that they amount to."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from service.consent.vocabulary import Action, Channel, RecordChannel, RecordPurpose
from service.kernel import DomainError, Instant, SubjectId, exactly

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Method = Annotated[str, Meta(min_length=1, max_length=100)]
Evidence = Annotated[str, Meta(max_length=4096)]
Names = Annotated[tuple[Text, ...], Meta(max_length=50)]
Channels = Annotated[tuple[Channel, ...], Meta(min_length=1, max_length=50)]
Hours = Annotated[str, exactly("([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]")]


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
    def effective_at(self) -> datetime:
        """When it took effect. Never later than its arrival: a future date may not outrank what comes next."""
        return min(self.happened_at, self.received_at)


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


class Notice(Struct, frozen=True, kw_only=True):
    """The exact text a subject was shown, in one version. Never changed: a new wording is a new version."""

    notice: str
    version: str
    texts: dict[str, str]
    """By language, BCP 47."""
    purposes: tuple[str, ...]
    channels: tuple[Channel, ...]
    controllers: tuple[str, ...]
    material_change: bool
    """Whether it says something materially different from the version before."""
    sha256: str
    """Of all the above, in canonical JSON. What evidence can point to."""


class OwnPurpose(Struct, frozen=True, kw_only=True):
    """A purpose of the tenant's own, judged as the known one it maps onto. The mapping never changes."""

    purpose: str
    maps_to: str
    title: str


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


class UnknownNotice(DomainError):
    """The tenant has no such notice, or no such version of it."""

    code = "unknown_notice"


class NotTheirOwn(DomainError):
    """With their own token a subject records their own acts and nobody else's."""

    code = "not_their_own"
