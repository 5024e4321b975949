from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from service.consent import Channel, PurposeName
from service.decisions.batch_schemas import Rule
from service.decisions.context import Context
from service.decisions.population import Population
from service.decisions.simulation import Jurisdiction
from service.kernel import SubjectRef


class Explained(StrEnum):
    SAMPLE = "sample"
    """Some of the excluded, by rule."""


class AudienceCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked, now, and about whom: everybody, if nothing more is said."""

    channel: Channel
    purpose: PurposeName
    context: Context | None = None
    """What you declare about the message, the sender and the use. What is left out is unknown."""
    residence: Jurisdiction | Annotated[tuple[Jurisdiction, ...], Meta(min_length=1, max_length=300)] | None = None
    """Only those who are known to live there: `US-CA`, or `US` with all its parts, or a list of such."""
    is_customer: bool | None = None
    """Only those who are known to be customers, or known not to be."""
    after: SubjectRef | None = None
    """Go on behind this id."""

    def population(self) -> Population:
        places = (self.residence,) if isinstance(self.residence, str) else self.residence
        return Population(residences=places, is_customer=self.is_customer)


class AudienceMember(Struct, frozen=True, kw_only=True):
    """Somebody who may be contacted."""

    subject: str
    id: UUID
    """Of the decision, in the log before this line was sent: `GET /v1/decisions/{id}` tells all of it."""
    at: datetime
    """When the state was read: what was acknowledged before then counts."""
    obligations: tuple[str, ...]
    """What the sender must do."""
    valid_until: datetime | None
    """The next instant at which the answer could change by time alone."""


class AudienceCounts(Struct, frozen=True, kw_only=True):
    subjects: int
    """People who were asked about: the sum of the three that follow."""
    listed: int
    excluded: int
    unavailable: int
    """People of whom nobody can say. They are not listed."""
    rules: dict[str, int]
    """How many each rule excluded. Several rules may exclude one person."""
    read_at_length: int
    """How many had no narrow row, or were not told apart by it."""
    sample: dict[Rule, tuple[str, ...]] | UnsetType = UNSET
    """With `explain=sample`: by rule, some of those whom it excluded."""


class AudienceSummary(Struct, frozen=True, kw_only=True):
    """The last line. Without it the answer is not whole."""

    summary: AudienceCounts


class AudienceFailure(Struct, frozen=True, kw_only=True):
    code: str
    detail: str
    after: str | UnsetType = UNSET
    """Whoever was asked about last: go on behind them."""


class AudienceCutOff(Struct, frozen=True, kw_only=True):
    """The last line of an answer that broke off."""

    error: AudienceFailure
