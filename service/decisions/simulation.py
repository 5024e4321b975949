"""A whole case, and the situation it describes. Nothing of it is stored."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from service.consent import Channel, Purpose, PurposeName, Record, Statement, UnknownPurpose, state_at
from service.decisions.clocks import Zones
from service.decisions.context import Context
from service.decisions.domain import Question, Reason, Verdict, in_range
from service.decisions.explaining import Explanation
from service.decisions.facts import Situation
from service.decisions.measures import NOWHERE
from service.decisions.overlay import NO_OVERLAY, Overlay
from service.decisions.policy import Policy
from service.kernel import Instant, SubjectId, exactly
from service.subjects import Flags, Signals, SubjectFacts

Jurisdiction = Annotated[str, exactly("[A-Z]{2}(-[A-Z0-9]{1,3})?")]
ZoneName = Annotated[str, Meta(min_length=1, max_length=100)]

_NOBODY: Final = SubjectId("simulated")


class Case(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The question part of a case: who, what they did, what is asked. What is missing or null is unknown."""

    channel: Channel
    purpose: PurposeName
    jurisdiction: Jurisdiction | None = None
    at: Instant | None = None
    """Any instant; now when it is missing."""
    local_time_zone: ZoneName | None = None
    subject: SubjectFacts | None = None
    records: Annotated[list[Statement], Meta(max_length=1000)] | None = None
    signals: Signals | None = None
    flags: Flags | None = None
    context: Context | None = None


class Warned(Struct, frozen=True, kw_only=True):
    """Something about a case that nobody knows. It was judged by the strictest profile."""

    code: str
    pointer: str


class Described(Struct, frozen=True, kw_only=True):
    situation: Situation
    warnings: tuple[Warned, ...]


class Simulated(Struct, frozen=True, kw_only=True):
    """The decision that a case would get."""

    permit: bool
    verdict: Verdict
    at: datetime
    reasons: tuple[Reason, ...]
    records: tuple[UUID, ...]
    retry_after: datetime | None
    valid_until: datetime | None
    revision: str
    warnings: tuple[Warned, ...]
    explanation: Explanation | None
    """Where it was asked for."""


def described(
    case: Case, policy: Policy, mapped: str | None, now: datetime, overlay: Overlay = NO_OVERLAY
) -> Described:
    """Return the situation that `case` describes; `mapped` is what the tenant's own purpose maps onto.

    Raises:
        UnknownPurpose: it asks for a purpose of the tenant's own that there isn't.
        InstantOutOfRange: it asks about a year beyond the calendar.
    """
    at = in_range(case.at or now)
    context = case.context or Context()
    known = case.subject or SubjectFacts()
    warnings: list[Warned] = []
    residence = _place(case.jurisdiction or known.residence, "/jurisdiction", policy, warnings)
    facts = replace(
        known,
        residence=residence,
        age_declared_at=known.age_declared_at or at,
        signals=case.signals or known.signals,
    )
    question = Question(
        channel=case.channel,
        purpose=case.purpose,
        meaning=meaning(case.purpose, mapped),
        at=at,
        context=context,
        also=_place(known.residence or residence, "/subject/residence", policy, warnings),
    )
    state = state_at(
        [_record(number, statement) for number, statement in enumerate(case.records or ())], policy.vocabulary, at
    )
    situation = Situation(
        question=question,
        subject=None,
        facts=facts,
        flags=case.flags or Flags(),
        state=state,
        zones=_zones(case.local_time_zone or known.time_zone, context, policy, warnings),
        overlay=overlay,
    )
    return Described(situation=situation, warnings=tuple(warnings))


def meaning(purpose: str, mapped: str | None) -> Purpose:
    """Return the known purpose that `purpose` is, or is `mapped` onto by the tenant.

    Raises:
        UnknownPurpose: the tenant has no such purpose.
    """
    try:
        return Purpose(mapped or purpose)
    except ValueError:
        raise UnknownPurpose("no purpose of this name is registered", pointers=["/purpose"]) from None


def position(record: UUID) -> int:
    """Return the place in its case of the record with this id."""
    return record.int


def _record(number: int, statement: Statement) -> Record:
    """A simulated record arrives when it happens."""
    return Record(**asdict(statement), id=UUID(int=number), subject=_NOBODY, received_at=statement.happened_at)


def _place(place: str | None, pointer: str, policy: Policy, warnings: list[Warned]) -> str:
    if place is None or place in policy.gazetteer.places or place == NOWHERE:
        return place or NOWHERE
    warnings.append(Warned(code="unknown_jurisdiction", pointer=pointer))
    return NOWHERE


def _zones(name: str | None, context: Context, policy: Policy, warnings: list[Warned]) -> Zones:
    """A plausible zone that doesn't exist makes every zone doubtful: then none is known."""
    known = policy.gazetteer.zones
    if name is not None and name not in known:
        warnings.append(Warned(code="unknown_time_zone", pointer="/local_time_zone"))
    plausible = context.plausible_time_zones or []
    if any(zone not in known for zone in plausible):
        warnings.append(Warned(code="unknown_time_zone", pointer="/context/plausible_time_zones"))
        return Zones()
    return Zones(
        known=ZoneInfo(name) if name in known and name is not None else None,
        plausible=tuple(ZoneInfo(zone) for zone in plausible),
    )
