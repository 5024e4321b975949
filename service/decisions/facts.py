"""From a situation to the facts that the policy is asked about: docs/facts.md in code.

`template` gathers what doesn't move with time, `fill` turns instants into bands
as of one instant. Both are pure. Nothing here decides what a fact means.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from service.consent import State
from service.decisions.acts import Asked, Item, items
from service.decisions.attempts import counted, counting
from service.decisions.bands import Ladder, ages, declared_ages, floor, law_day, months_past
from service.decisions.clocks import IsHoliday, Zones, later_by, local_day, midnight, minute_of, next_minute_edge
from service.decisions.context import COMPARED, Context
from service.decisions.domain import Flags, Question
from service.decisions.instants import Now
from service.decisions.measures import INTERACTION, NOWHERE, SENT, heard, month_edges
from service.decisions.overlay import NO_OVERLAY, Overlay, overlay_facts
from service.decisions.overlay import edges as minutes_of
from service.decisions.policy import PolicyData
from service.kernel import SubjectId
from service.subjects import Signals, SubjectFacts

_KEPT_WHEN_FALSE: Final = frozenset({"gpc", "consumer_known"})
_CAPPED: Final = {"prior_confirmation_mails": 2, "prior_confirmation_texts": 2}
_NO_CONTEXT: Final = Context()
_NO_FLAGS: Final = Flags()
_NO_SIGNALS: Final = Signals()
_INSTANT: Final = timedelta(microseconds=1)
_HOME: Final = ("residence", "location", "also", "employer")
"""The places that the recipient has, of those that facts name."""
_canonical: Final = msgspec.json.Encoder(order="sorted")


class Situation(Struct, frozen=True, kw_only=True):
    """Everything a decision rests on, as it is."""

    question: Question
    subject: SubjectId | None
    facts: SubjectFacts
    flags: Flags
    state: State
    zones: Zones
    overlay: Overlay = NO_OVERLAY


class Template(Struct, frozen=True, kw_only=True):
    """The facts of a situation with named instants where bands will stand."""

    fixed: Mapping[str, Any]
    items: tuple[Item, ...]
    attempts: Mapping[str, tuple[datetime, ...]]
    """For each span that attempts are counted in, those that count."""
    zones: Zones
    clocked: bool
    countries: frozenset[str]
    """Those whose holidays may close a window."""
    age: Ladder | None
    interaction: Ladder | None
    sent: Ladder | None
    reassigned_on: date | None
    approved_at: datetime | None
    floors: tuple[int, ...]
    """The minutes of the day at which a window opens or closes: what the local minute is told by, where it is."""
    minutes: tuple[int, ...]
    """These, and those of the hours that the person agreed to."""
    months: Mapping[str, tuple[int, ...]]
    """The edges that months are told by, for each span that is measured."""
    data: PolicyData
    is_holiday: IsHoliday


class Filled(Struct, frozen=True, kw_only=True):
    """The facts as of one instant."""

    facts: bytes
    """Canonical JSON: the same situation has the same bytes."""
    valid_until: datetime | None
    """Until then, exclusively, `fill` gives these bytes; for ever when there is none."""
    records: tuple[UUID, ...]
    """The records behind `acts`, by position."""


def template(situation: Situation, data: PolicyData, is_holiday: IsHoliday) -> Template:
    """Return all that time alone can't change about a situation."""
    question, facts, bands = situation.question, situation.facts, data.bands
    zone = situation.zones.of_dates
    places = _places(facts, question)
    edges = month_edges(data, heard(places, data), situation.overlay.stale_months)
    ranked = _ranked(situation, zone)
    age = _age(facts, question.at, zone, bands.ages)
    acts = items(
        situation.state.acts,
        Asked(
            question=question,
            subject=situation.subject,
            zones=situation.zones,
            age=age,
            reassigned_after=_reassigned_after(facts),
            months=edges,
        ),
        data,
        ranked,
    )
    ranks = acts.ranks
    clocked = question.channel in bands.clock_channels
    floors = _with(bands.minutes, minutes_of(situation.overlay)) if clocked else ()
    agreed = (minute for item in acts.items for minute in item.hours or ())
    fixed = _without_empty(
        {
            "question": {"channel": question.channel.value, "purpose": question.meaning.value},
            "places": places | _known(moved=ranks.get("moved_at")),
            "subject": _subject(facts, data),
            "signals": _signals(facts.signals, ranks.get("gpc_first_seen")),
            "flags": _flags(situation.flags, ranks, data),
            "context": _context(question.context, data),
            "overlay": overlay_facts(situation.overlay, question),
        }
    )
    return Template(
        fixed=fixed,
        items=acts.items,
        attempts=counting(situation.state.attempts, question.channel.value, bands),
        zones=situation.zones,
        clocked=clocked,
        countries=frozenset(places[name][:2] for name in _HOME if name in places),
        age=age,
        interaction=_months(facts.last_interaction_at, zone, edges.get(INTERACTION)),
        sent=_months(facts.last_sent_at, zone, edges.get(SENT)),
        reassigned_on=_reassigned_after(facts),
        approved_at=question.context.approved_at,
        floors=floors,
        minutes=_with(floors, agreed) if clocked else (),
        months=edges,
        data=data,
        is_holiday=is_holiday,
    )


def fill(template: Template, at: datetime) -> Filled:
    """Return the facts as of `at`, and until when they stay as they are."""
    now = Now(at, template.zones)
    document: dict[str, Any] = dict(template.fixed)
    if subject := _moving_subject(template, now):
        document["subject"] = {**document.get("subject", {}), **subject}
    if template.reassigned_on is not None and now.reached(template.reassigned_on):
        document["signals"] = {**document.get("signals", {}), "number_reassigned": True}
    if _approved(template, now):
        document["context"] = {**document.get("context", {}), "approved_earlier": True}
    document["clock"] = _clock(template, now)
    document["attempts"] = counted(template.attempts, template.data.bands, now.passed)
    acts = sorted((item.rank, _canonical.encode(_act(item, template, now)), item.id) for item in template.items)
    document["acts"] = [msgspec.Raw(body) for _, body, _ in acts]
    return Filled(
        facts=_canonical.encode(document), valid_until=now.changes(), records=tuple(record for _, _, record in acts)
    )


def stands_until(template: Template, at: datetime) -> datetime | None:
    """Return until when the facts stay as they are, were there no dates in what is known of the person."""
    now = Now(at, template.zones)
    _approved(template, now)
    _clock(template, now)
    return now.changes()


def _approved(template: Template, now: Now) -> bool:
    return template.approved_at is not None and now.passed(later_by(template.approved_at, _INSTANT))


def _act(item: Item, template: Template, now: Now) -> dict[str, Any]:
    act = dict(item.fixed)
    if not now.passed(item.at):
        act["future"] = True
    if item.expires_at is not None and now.passed(item.expires_at):
        act["expired"] = True
    if item.past is not None:
        act["months_past"] = now.rung(item.past)
    if item.waited is not None:
        act["months_waited"] = now.waited(item.waited)
    for span, end in item.windows:
        if now.at >= item.at and not now.passed(end):
            act[span] = True
    if item.hours is not None and template.clocked:
        opening, closing = item.hours
        minutes = [minute_of(now.at.astimezone(zone)) for zone in template.zones.all]
        act["hours_open"] = bool(minutes) and all(_within(minute, opening, closing) for minute in minutes)
    return act


def _within(minute: int, opening: int, closing: int) -> bool:
    """The opening minute is inside, the closing one outside; hours may run past midnight."""
    if opening <= closing:
        return opening <= minute < closing
    return minute >= opening or minute < closing


def _moving_subject(template: Template, now: Now) -> dict[str, Any]:
    subject: dict[str, Any] = {}
    if template.age is not None:
        subject["age"] = now.waited(template.age)
    if template.interaction is not None:
        subject["interaction"] = {"months_past": now.rung(template.interaction)}
    if template.sent is not None:
        subject["sent"] = {"months_past": now.rung(template.sent)}
    return subject


def _clock(template: Template, now: Now) -> dict[str, Any]:
    bands = template.data.bands
    begun = bisect_right(bands.in_force, now.today)
    if begun < len(bands.in_force):
        now.reached(bands.in_force[begun])
    clock: dict[str, Any] = {"law_day": law_day(now.today, bands.in_force)}
    if not template.clocked:
        return clock
    zones = template.zones.all
    clock["zone_known"] = bool(zones)
    local: list[dict[str, Any]] = []
    for zone in zones:
        there = now.at.astimezone(zone)
        now.later(next_minute_edge(now.at, zone, template.minutes))
        local.append(
            {
                "weekday": there.isoweekday(),
                "minute": floor(template.floors, minute_of(there)),
                "holiday": any(template.is_holiday(country, there.date()) for country in template.countries),
            }
        )
    if local:
        clock["local"] = _distinct(local)
    return clock


def _with(minutes: tuple[int, ...], others: Iterable[int]) -> tuple[int, ...]:
    more = {*others}.difference(minutes)
    return tuple(sorted({*minutes, *more})) if more else minutes


def _distinct(local: Iterable[dict[str, Any]]) -> list[msgspec.Raw]:
    return [msgspec.Raw(body) for body in sorted({_canonical.encode(there) for there in local})]


def _ranked(situation: Situation, zone: ZoneInfo) -> dict[str, datetime]:
    """Return the named instants besides the acts that take part in the ranks."""
    facts, flags = situation.facts, situation.flags
    named = {
        "gpc_first_seen": facts.signals.gpc_first_seen,
        "moved_at": None if facts.moved_at is None else midnight(facts.moved_at, zone),
        "restricted": flags.restricted_at if flags.restricted else None,
        "suppressed": flags.suppressed_at if flags.suppressed else None,
    }
    return {name: instant for name, instant in named.items() if instant is not None}


def _places(facts: SubjectFacts, question: Question) -> dict[str, str]:
    return _known(
        residence=facts.residence or NOWHERE,
        location=facts.current_location,
        previous=facts.previous_residence,
        employer=facts.establishment_of_employer,
        sender=question.context.controller_established,
        also=None if question.also == facts.residence else question.also,
    )


def _subject(facts: SubjectFacts, data: PolicyData) -> dict[str, Any]:
    return _known(
        is_customer=facts.is_customer,
        b2b=facts.b2b,
        subscriber_type=_term("subscriber_type", facts.subscriber_type, data),
        relationship=_term("relationship", facts.relationship, data),
        age_signals=_term("age_signals", facts.age_signals, data),
    )


def _signals(signals: Signals, first_seen: int | None) -> dict[str, Any]:
    if signals == _NO_SIGNALS:
        return {}
    given = {
        name: value
        for name, value in msgspec.to_builtins(signals).items()
        if value is True or (value is False and name in _KEPT_WHEN_FALSE)
    }
    return given if first_seen is None else {**given, "gpc_first_seen": first_seen}


def _flags(flags: Flags, ranks: Mapping[str, int], data: PolicyData) -> dict[str, Any]:
    """A flag that is false equals a missing one (RULES D10)."""
    if flags == _NO_FLAGS:
        return {}
    true = {name: True for name, value in msgspec.to_builtins(flags).items() if value is True}
    return true | _known(
        drop_match=_term("drop_match", flags.drop_match, data),
        restricted_rank=ranks.get("restricted"),
        suppressed_rank=ranks.get("suppressed"),
    )


def _context(context: Context, data: PolicyData) -> dict[str, Any]:
    if context == _NO_CONTEXT:
        return {}
    declared: dict[str, Any] = {}
    for name, value in msgspec.to_builtins(context).items():
        if name in COMPARED:
            continue
        if isinstance(value, str):
            declared[name] = _term(name, value, data)
        elif isinstance(value, list):
            declared[name] = sorted({_term(name, each, data) for each in value})
        elif name in _CAPPED:
            declared[name] = min(value, _CAPPED[name])
        else:
            declared[name] = value
    for name in ("sender", "recipient"):
        if getattr(context, name) is not None:
            declared[f"{name}_given"] = True
    return _without_empty(declared)


def _term(field: str, value: str | None, data: PolicyData) -> str | None:
    """A word that the law doesn't know says no more than that it is another one."""
    if value is None or value in data.terms.get(field, ()):
        return value
    return "other"


def _reassigned_after(facts: SubjectFacts) -> date | None:
    return facts.signals.number_reassigned_after


def _months(instant: datetime | None, zone: ZoneInfo, edges: tuple[int, ...] | None) -> Ladder | None:
    return None if instant is None or edges is None else months_past(local_day(instant, zone), edges)


def _age(facts: SubjectFacts, at: datetime, zone: ZoneInfo, edges: tuple[int, ...]) -> Ladder | None:
    """A birth date prevails over a declared age; a declared age grows older from the day of its declaration."""
    if facts.birth_date is not None:
        return ages(facts.birth_date, edges)
    if facts.age is None:
        return None
    return declared_ages(facts.age, local_day(facts.age_declared_at or at, zone), edges)


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value or value not in ({}, [])}
