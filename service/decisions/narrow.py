"""A person in a narrow row: a frame, which many share, and the few instants that tell them apart.

A *frame* is all that is known about somebody but for its instants. Of those it keeps the order alone, by which acts
are ranked. The instants stand beside it, as the facts will measure them:

    codes      of acts and whatever is measured in days: 4 * ordinal of the day, where the zone is unknown that of UTC,
               + 2 where the day has ended already at the first place on Earth, + 1 where it has not begun at the last
    ordinals   of dates
    instants   of ends and attempts, in microseconds since 1970

`laid_out` says which is which. Who can't be told by this is nobody's frame, and is read at length.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from struct import pack, unpack
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from service.consent import Act, Signature, State
from service.decisions.clocks import Zones, local_day, midnight
from service.decisions.domain import Flags
from service.subjects import SubjectFacts

FORMAT: Final = 1
"""Of frames and days. A row of another is read at length."""
YEARS: Final = range(1900, 2190)
NEVER: Final = 2**63 - 1
"""Later than any instant, in microseconds since 1970."""
LENGTH: Final = 16
"""Bytes of the name of a frame."""
NEWEST: Final = 0
"""Where the day of the newest act stands."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LONG_AGO: Final = 0
_HOURS: Final = {0b00: 12, 0b01: 5, 0b11: 11, 0b10: 13}
"""An hour of UTC for each way in which a day lies on Earth."""
_MOVED: Final = "moved_at"
_DATES: Final = ("birth_date", _MOVED)
_INSTANTS: Final = ("age_declared_at", "last_interaction_at", "last_sent_at")
_canonical: Final = msgspec.json.Encoder(order="sorted")


class Frame(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What is known of somebody, without instants."""

    format: int
    facts: SubjectFacts
    flags: Flags
    dated: tuple[str, ...]
    """Those of `_DATES` and `_INSTANTS` that are known."""
    ranked: Mapping[str, int]
    """The place, among the instants of acts and of these, of when a signal or flag began, or the person moved."""
    acts: tuple[tuple[int, Signature], ...]
    """With the place of each, oldest first."""
    tried: tuple[str, ...]
    """Channels on which they were tried."""


class Narrow(Struct, frozen=True, gc=False):
    """A narrow row."""

    frame: bytes
    """Names the body, by its hash."""
    body: bytes
    days: bytes


NOBODYS: Final = Narrow(bytes(LENGTH), b"", b"")
"""Of somebody who has no frame."""

_decoder: Final = msgspec.json.Decoder(Frame)


def micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(number: int) -> datetime:
    return _EPOCH + number * _MICROSECOND


def code_of(instant: datetime, zones: Zones) -> int:
    """Return the code of the day of an instant."""
    day = local_day(instant, zones.of_dates).toordinal()
    if zones.known is not None:
        return day * 4
    begun = local_day(instant, zones.of_beginnings).toordinal() - day
    waits = day - local_day(instant, zones.of_waits).toordinal()
    return day * 4 + 2 * begun + waits


def day_of(code: int) -> date:
    """Return the day, as dates are told."""
    return date.fromordinal(code >> 2)


def begun_on(code: int) -> date:
    """Return the day on which a wait that began then is said to have begun."""
    return date.fromordinal((code >> 2) + (code >> 1 & 1))


def waited_on(code: int) -> date:
    """Return the day by which an age or a law of then is told."""
    return date.fromordinal((code >> 2) - (code & 1))


def narrowed(facts: SubjectFacts, flags: Flags, state: State, zone: Callable[[str | None], ZoneInfo | None]) -> Narrow:
    """Return the narrow row of somebody, or `NOBODYS`."""
    known = zone(facts.time_zone)
    if known is None and facts.time_zone is not None:
        return NOBODYS  # the zone may come back
    zones = Zones(known=known)
    beginnings = {
        "gpc_first_seen": facts.signals.gpc_first_seen,
        "restricted_at": flags.restricted_at,
        "suppressed_at": flags.suppressed_at,
    }
    began = {name: instant for name, instant in beginnings.items() if instant is not None}
    acts = sorted(state.acts, key=_place)
    if _untold(facts, acts, [*began.values()], zones):
        return NOBODYS
    moved = {} if facts.moved_at is None else {_MOVED: midnight(facts.moved_at, zones.of_dates)}
    instants = {*(act.at for act in acts), *began.values(), *moved.values()}
    order = {instant: place for place, instant in enumerate(sorted(instants))}
    dated = tuple(name for name in (*_DATES, *_INSTANTS) if getattr(facts, name) is not None)
    tried: dict[str, datetime] = {}
    for attempt in state.attempts:
        tried[attempt.signature.channel] = max(attempt.at, tried.get(attempt.signature.channel, attempt.at))
    frame = Frame(
        format=FORMAT,
        facts=replace(
            facts, **dict.fromkeys((*_DATES, *_INSTANTS)), signals=replace(facts.signals, gpc_first_seen=None)
        ),
        flags=replace(flags, restricted_at=None, suppressed_at=None),
        dated=dated,
        ranked={name: order[instant] for name, instant in (began | moved).items()},
        acts=tuple((order[act.at], act.signature) for act in acts),
        tried=tuple(sorted(tried)),
    )
    newest = [code_of(each, zones) for each in (*(act.at for act in acts), state.newest) if each is not None]
    days = [max(newest, default=_LONG_AGO)]
    days += [_number(getattr(facts, name), zones) for name in dated]
    days += [code_of(instant, zones) for instant in began.values()]
    for act in acts:
        days.append(code_of(act.at, zones))
        if act.signature.expires:
            days.append(micros(act.expires_at or act.at))
    days += [micros(tried[channel]) for channel in frame.tried]
    body = _canonical.encode(frame)
    return Narrow(hashlib.sha256(body).digest()[:LENGTH], body, pack(f"<{len(days)}q", *days))


def days_in(encoded: bytes) -> tuple[int, ...]:
    return unpack(f"<{len(encoded) // 8}q", encoded)


def framed_by(body: bytes) -> "Framed | None":
    """Return a frame; nothing where it is of another format, or damaged."""
    try:
        frame = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return Framed(frame, laid_out(frame)) if frame.format == FORMAT else None


class Layout(Struct, frozen=True, gc=False):
    """Where what stands among the days of a frame."""

    dated: Mapping[str, int]
    began: Mapping[str, int]
    acts: tuple[int, ...]
    ends: tuple[int | None, ...]
    """Of each act, where it has one."""
    tried: Mapping[str, int]
    length: int


class Framed(Struct, frozen=True, gc=False):
    """A frame, and where its days stand."""

    frame: Frame
    layout: Layout


def laid_out(frame: Frame) -> Layout:
    place = iter(range(1, 1_000_000))
    dated = {name: next(place) for name in frame.dated}
    began = {name: next(place) for name in frame.ranked if name != _MOVED}
    acts: list[int] = []
    ends: list[int | None] = []
    for _, signature in frame.acts:
        acts.append(next(place))
        ends.append(next(place) if signature.expires else None)
    tried = {channel: next(place) for channel in frame.tried}
    return Layout(dated, began, tuple(acts), tuple(ends), tried, next(place))


def widened(frame: Frame, layout: Layout, days: Sequence[int], zones: Zones) -> tuple[SubjectFacts, Flags, State]:
    """Return somebody about whom the template says the same: each instant is one of its day, and in its order.

    Attempts are left out, and the id of each act is its place.
    """
    dates: dict[str, Any] = {
        name: date.fromordinal(days[layout.dated[name]])
        if name in _DATES
        else _instant(days[layout.dated[name]], 0, zones)
        for name in frame.dated
    }
    began = {
        name: _instant(days[layout.began[name]], rank, zones) for name, rank in frame.ranked.items() if name != _MOVED
    }
    facts = replace(frame.facts, **dates)
    if "gpc_first_seen" in began:
        facts = replace(facts, signals=replace(facts.signals, gpc_first_seen=began.pop("gpc_first_seen")))
    acts = tuple(
        Act(
            id=UUID(int=number),
            at=_instant(days[layout.acts[number]], rank, zones),
            expires_at=None if (end := layout.ends[number]) is None else from_micros(days[end]),
            signature=signature,
        )
        for number, (rank, signature) in enumerate(frame.acts)
    )
    return facts, replace(frame.flags, **began), State(acts=acts)


def _instant(code: int, rank: int, zones: Zones) -> datetime:
    return _within(code, zones.known) + rank * _APART


@lru_cache(maxsize=16_384)
def _within(code: int, zone: ZoneInfo | None) -> datetime:
    """Return an instant of the day of a code, from which there is room for those of others."""
    if zone is not None:
        return datetime.combine(day_of(code), _NOON, zone).astimezone(UTC)
    return datetime.combine(day_of(code), _NOON, UTC).replace(hour=_HOURS[code & 0b11])


_NOON: Final = time(12)
_APART: Final = timedelta(milliseconds=1)


def _place(act: Act) -> Any:
    return act.at, _canonical.encode(act.signature), act.expires_at or act.at


def _number(known: Any, zones: Zones) -> int:
    return code_of(known, zones) if isinstance(known, datetime) else int(known.toordinal())


def _untold(facts: SubjectFacts, acts: Sequence[Act], began: Iterable[datetime], zones: Zones) -> bool:
    """Whether a frame would say too little about somebody, or too much: it is kept when they are forgotten."""
    if facts.signals.number_reassigned_after is not None:
        return True
    if any(act.signature.expires is (act.expires_at is None) for act in acts):
        return True
    if any(act.signature.subject_ref is not None or act.signature.address is not None for act in acts):
        return True
    instants = [*(act.at for act in acts), *began]
    if facts.moved_at is not None and midnight(facts.moved_at, zones.of_dates) in instants:
        return True
    instants += [act.expires_at for act in acts if act.expires_at is not None]
    named = [getattr(facts, name) for name in (*_DATES, *_INSTANTS)]
    return any(each.year not in YEARS for each in (*instants, *(each for each in named if each is not None)))
