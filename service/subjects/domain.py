"""The facts about a person that law asks for.

Every fact is optional, and a missing one is unknown: nothing here has a default
that claims something about anybody.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from service.audit import AuditEvent, Draft, Payload
from service.kernel import DomainError, Handle, Instant, SubjectId, exactly

Place = Annotated[str, exactly("[A-Z]{2}(-[A-Z0-9]{1,3})?")]
"""ISO 3166-1 alpha-2 or 3166-2 (`DE`, `US-CA`); `ZZ` says that nobody knows."""

Zone = Annotated[str, exactly("[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")]
"""The shape of an IANA name. Whether the zone exists is asked separately."""

Term = Annotated[str, Meta(min_length=1, max_length=200)]
"""An enumerated string of the law. Unknown ones are kept; policy treats them as the strictest of their kind."""

Age = Annotated[int, Meta(ge=0, le=130)]


class Signals(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Standing facts from outside: browser signals and the registers of the states."""

    gpc: bool | None = None
    gpc_first_seen: Instant | None = None
    unlinked_browser_gpc: bool | None = None
    consumer_known: bool | None = None
    bloctel_listed: bool | None = None
    tps_listed: bool | None = None
    ctps_listed: bool | None = None
    rpo_listed: bool | None = None
    robinson_listed: bool | None = None
    ndnc_listed: bool | None = None
    dncl_listed: bool | None = None
    dnd_registered: bool | None = None
    asterisk: bool | None = None
    number_reassigned_after: date | None = None


class SubjectFacts(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is known about one person now. ``None`` is unknown, for every field alike."""

    residence: Place | None = None
    current_location: Place | None = None
    previous_residence: Place | None = None
    moved_at: date | None = None
    establishment_of_employer: Place | None = None
    birth_date: date | None = None
    """Prevails over `age` wherever both are known."""
    age: Age | None = None
    """Whole years at `age_declared_at`: a declared age grows older with the person."""
    age_declared_at: Instant | None = None
    age_signals: Term | None = None
    time_zone: Zone | None = None
    is_customer: bool | None = None
    b2b: bool | None = None
    subscriber_type: Term | None = None
    relationship: Term | None = None
    last_interaction_at: Instant | None = None
    """Log-in, click or purchase. An opened e-mail is none."""
    last_sent_at: Instant | None = None
    signals: Signals = Signals()


class Flags(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the service itself knows about a subject. Nobody outside sets them, but in a simulation."""

    restricted: bool | None = None
    restricted_at: Instant | None = None
    objected: bool | None = None
    erased: bool | None = None
    erasure_pending: bool | None = None
    suppressed: bool | None = None
    suppressed_at: Instant | None = None
    previously_erased: bool | None = None
    merge_unresolved: bool | None = None
    drop_listed: bool | None = None
    drop_match: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


NO_FLAGS: Final = Flags()


class Subject(Struct, frozen=True, kw_only=True):
    """One person: the handle that everything names, and the latest version of the facts."""

    handle: Handle
    version: int
    """0 while nothing but the handle is known."""
    facts: SubjectFacts
    flags: Flags = NO_FLAGS
    """Those of now, also with facts of the past: what was known of them then is not kept."""


class FactsVersion(Struct, frozen=True, kw_only=True):
    """What was known of one person from `at` until the next version."""

    version: int
    at: datetime
    facts: SubjectFacts


class Ensured(Struct, frozen=True, kw_only=True):
    """The handles of some subjects, and which of them are new."""

    handles: Mapping[SubjectId, Handle]
    created: frozenset[SubjectId]
    fresh: frozenset[Handle]
    """Those that nobody has had before. Who was erased and comes back has the one that is known already."""


class Named(Struct, frozen=True, kw_only=True):
    """Whom an id names, and whether it is an alias: another name, since a merge."""

    subject: Subject
    alias: bool


NO_FACTS: Final = SubjectFacts()


class UnknownSubject(DomainError):
    """The tenant has no subject of this id."""

    code = "unknown_subject"


class UnknownJurisdiction(DomainError):
    """A place that looks like a code and is none we know. Use `ZZ` when nobody knows."""

    code = "unknown_jurisdiction"


class UnknownZone(DomainError):
    """No IANA time zone has this name."""

    code = "unknown_time_zone"


class ContradictoryFacts(DomainError):
    """Two facts that cannot both be true."""

    code = "contradictory_facts"


class Gazetteer(Struct, frozen=True, kw_only=True):
    """The places and time zones that exist, as values: policy data and the zone database know them."""

    places: frozenset[str]
    zones: frozenset[str]

    def check(self, facts: SubjectFacts) -> None:
        """Refuse codes and zones that exist nowhere.

        Raises:
            UnknownJurisdiction, UnknownZone: pointing to the field.
        """
        for field in ("residence", "current_location", "previous_residence", "establishment_of_employer"):
            code = getattr(facts, field)
            if code is not None and code not in self.places:
                raise UnknownJurisdiction("no such place; use ZZ when it is unknown", pointers=[f"/{field}"])
        if facts.time_zone is not None and facts.time_zone not in self.zones:
            raise UnknownZone("no such time zone", pointers=["/time_zone"])


def check_consistency(facts: SubjectFacts, now: datetime) -> None:
    """Refuse facts that contradict each other or the calendar.

    A declared age and a birth date may stand together while they differ by one year
    at most: the zone in which the age was declared is unknown.

    Raises:
        ContradictoryFacts: pointing to the fields.
    """
    if facts.age is None and facts.age_declared_at is not None:
        raise ContradictoryFacts("age_declared_at dates an age that is missing", pointers=["/age_declared_at"])
    if facts.age_declared_at is not None and facts.age_declared_at > now + timedelta(days=1):
        raise ContradictoryFacts("an age cannot be declared in the future", pointers=["/age_declared_at"])
    if facts.birth_date is None:
        return
    if facts.birth_date > (now + timedelta(days=1)).date():
        raise ContradictoryFacts("a birth date cannot lie in the future", pointers=["/birth_date"])
    if facts.age is not None:
        declared = _day(facts.age_declared_at or now)
        born = facts.birth_date
        years = declared.year - born.year - ((declared.month, declared.day) < (born.month, born.day))
        if abs(years - facts.age) > 1:
            raise ContradictoryFacts("age and birth_date contradict each other", pointers=["/age", "/birth_date"])


def dated(facts: SubjectFacts, before: SubjectFacts, now: datetime) -> SubjectFacts:
    """Return `facts` with the day on which an undated age was declared.

    The same facts again on the same day are the same declaration, so a retry makes no
    new version. Declared again on a later day the age is new: the person is that old *now*.
    """
    if facts.age is None or facts.age_declared_at is not None:
        return facts
    earlier = before.age_declared_at
    if before.age == facts.age and earlier is not None and _day(earlier) == _day(now):
        return replace(facts, age_declared_at=earlier)
    return replace(facts, age_declared_at=now)


def _day(instant: datetime) -> date:
    return instant.astimezone(UTC).date()


def payload_of(handle: Handle, version: int, facts: SubjectFacts) -> Payload:
    """Return what the log commits to of facts: none of them is shown with the rest."""
    return Payload({"handle": handle, "version": version}, {"facts": msgspec.json.encode(facts, order="sorted")})


def payload_of_flags(handle: Handle, flags: Flags) -> Payload:
    """Return what the log commits to of flags, whenever they change: all of them, none shown with the rest."""
    return Payload({"handle": handle}, {"flags": msgspec.json.encode(flags, order="sorted")})


def payload_of_merge(handle: Handle, other: Handle, settled_at: datetime) -> Payload:
    """Return what the log commits to of a merge itself. Facts, flags and records that follow have entries."""
    return Payload({"handle": handle, "id": other, "settled_at": settled_at.astimezone(UTC)})


def flagged(handle: Handle, flags: Flags) -> Draft:
    """Return the entry that tells of the flags that somebody has from now on."""
    return Draft(
        event=AuditEvent.SUBJECT_FLAGGED,
        object_id=str(handle),
        subject=handle,
        payload=payload_of_flags(handle, flags),
    )


def stored(handle: Handle, version: int, facts: SubjectFacts) -> Draft:
    """Return the entry that tells of a version of facts."""
    return Draft(
        event=AuditEvent.SUBJECT_STORED,
        object_id=str(handle),
        subject=handle,
        payload=payload_of(handle, version, facts),
    )


class Stored(Struct, frozen=True, kw_only=True):
    """What became of facts that were sent."""

    subject: Subject
    first: bool
    """Nothing had been known about this subject before."""
