"""Answer many people at one instant, and those who are alike once.

People with one frame differ by instants only, and of those the facts tell bands. So an answer is found by the frame
and the rung that each of its days stands on: a look-up where the ordinary way makes a template and fills it. The
rungs come from the ladders that the template has, once for each day there is.

Where days can't say it (an act of these days, an attempt that counts, an opening that may come with a change), nobody
guesses: `place` says nothing, and the person is read at length.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct

from service.decisions.acts import WINDOWS, Item
from service.decisions.asking import RETRY_WITHIN
from service.decisions.attempts import SPANS
from service.decisions.bands import Ladder, ages, declared_ages, law_day, months_past, months_waited
from service.decisions.clocks import Zones, local_day, midnight
from service.decisions.domain import Question
from service.decisions.facts import Filled, Situation, Template, fill, stands_until, template
from service.decisions.measures import INTERACTION, SENT
from service.decisions.narrow import (
    NEVER,
    NEWEST,
    Frame,
    Framed,
    begun_on,
    day_of,
    micros,
    waited_on,
    widened,
)
from service.decisions.overlay import Overlay
from service.decisions.policy import Policy
from service.kernel import SubjectId

_NO_DAY: Final = date.max.toordinal() + 1
_LATELY: Final = timedelta(days=2)
"""Within which the hour may matter, and where on Earth somebody is."""
_STANDS: Final = "days60"
_COUNTED: Final = max(SPANS.values()) + _LATELY
"""Attempts are counted for so long at most."""
_REFUSED: Final = WINDOWS[_STANDS] + _LATELY
"""A refusal in a call stands for so long at most."""
_SOON: Final = RETRY_WITHIN + _LATELY
_SOMEBODY: Final = SubjectId("somebody")
"""Whoever it is: nobody with a frame has an act that names another."""

Rung = tuple[Any, int]
"""What the facts tell of a day, and the ordinal of the day on which they will tell something else."""
Placed = tuple[tuple[Any, ...], int]
"""What those who are alike have in common, and until when this one is, in microseconds since 1970."""


K = TypeVar("K")
V = TypeVar("V")


class Learnt(dict[K, V]):
    """What is told of whatever came up, each worked out once. It equals no other."""

    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__

    def __init__(self, tell: Callable[[K], V], known: Mapping[K, V] = MappingProxyType({})) -> None:
        super().__init__(known)
        self._tell = tell

    def __missing__(self, key: K) -> V:
        told = self[key] = self._tell(key)
        return told


Rungs = Learnt[int, Rung]
"""What the facts tell of each day."""
Midnights = Learnt[int, int]
"""When days begin somewhere, in microseconds since 1970, by their ordinal."""
Pairs = Learnt[tuple[int, int], int]
"""How old somebody was who was born on a day when they acted on another."""


class Shape(Struct, frozen=True, gc=False):
    """What tells people of a frame apart. Many frames have the same one."""

    rungs: tuple[tuple[int, Rungs], ...]
    """Places among the days, and what they tell."""
    waits: tuple[tuple[int, Rungs], ...]
    """Those of waits and ages, whose days begin elsewhere where the zone is unknown."""
    days: Midnights
    days_of_waits: Midnights
    pairs: tuple[tuple[int, int, Pairs], ...]
    """Places of birth and act, and how old that was."""
    ends: tuple[int, ...]
    recent: tuple[int, ...]
    tried: tuple[int, ...]
    until: int
    """When the facts change for everybody."""
    length: int


class Plan(Struct, frozen=True, gc=False):
    """How people of one frame are told apart at one instant."""

    number: int
    shape: Shape


class Alike:
    """One question, at one instant, under one policy."""

    def __init__(
        self,
        question: Question,
        overlay: Overlay,
        policy: Policy,
        zones_of: Callable[[str | None], Zones],
    ) -> None:
        """`zones_of` returns the zones of a person by the name of theirs."""
        self._question = question
        self._overlay = overlay
        self._policy = policy
        self._zones_of = zones_of
        self._at = question.at
        self._now = micros(question.at)
        self._rungs: dict[Any, Rungs] = {}
        self._pairs: dict[Any, Pairs] = {}
        self._begin: dict[ZoneInfo, Midnights] = {}
        self._plans = 0
        self._shapes: dict[Shape, Shape] = {}
        self.until = NEVER
        """The first instant, in microseconds since 1970, at which plans that were made tell people apart no more."""
        self._lately = (question.at - _LATELY).date().toordinal() * 4
        self._refused = (question.at - _REFUSED).date().toordinal() * 4
        self._counted = micros(question.at - _COUNTED)
        self._soon = micros(question.at + _SOON)

    def plan(self, framed: Framed, days: Sequence[int]) -> tuple[Plan, Template] | None:
        """Return how people of a frame are told apart, by one who has these `days`, and what is asked about that one.

        Nothing for days that are none of this frame.
        """
        frame, layout = framed.frame, framed.layout
        if len(days) != layout.length:
            return None
        asked, zones = self.template(framed, days), self._zones_of(frame.facts.time_zone)
        age, rungs, waits = self._age(frame, layout.dated), list[tuple[int, Rungs]](), list[tuple[int, Rungs]]()
        if asked.age is not None:
            waits.append((age.place, self._today(age, zones)))
        if asked.interaction is not None:
            rungs.append((layout.dated["last_interaction_at"], self._past(asked.months[INTERACTION], zones)))
        if asked.sent is not None:
            rungs.append((layout.dated["last_sent_at"], self._past(asked.months[SENT], zones)))
        for item in asked.items:
            place = layout.acts[item.id.int]
            rungs += [(place, each) for each in self._of_act(item, asked, zones)]
            if item.waited is not None:
                waits.append((place, self._waited(zones)))
        aged = [layout.acts[item.id.int] for item in asked.items if "age" in item.fixed]
        recent = [layout.acts[item.id.int] for item in asked.items if _STANDS in dict(item.windows)]
        ends = [layout.ends[item.id.int] for item in asked.items]
        until = stands_until(asked, self._at)
        self.until = min(self.until, NEVER if until is None else micros(until), age.until)
        self._plans += 1
        shape = Shape(
            rungs=tuple(rungs),
            waits=tuple(waits),
            days=self._midnights(zones.of_dates),
            days_of_waits=self._midnights(zones.of_waits),
            pairs=tuple((age.place, place, self._then(age, zones)) for place in aged),
            ends=tuple(end for end in ends if end is not None),
            recent=tuple(recent),
            tried=tuple(place for channel, place in layout.tried.items() if self._counts(channel)),
            until=NEVER if until is None else micros(until),
            length=layout.length,
        )
        return Plan(self._plans, self._shapes.setdefault(shape, shape)), asked

    def _of_act(self, item: Item, asked: Template, zones: Zones) -> Iterator[Rungs]:
        if item.past is not None:
            yield self._past(asked.months[item.fixed["action"]], zones)
        if "law_day" in item.fixed:
            yield self._law_day()

    def place(self, plan: Plan, days: Sequence[int]) -> Placed | None:
        """Return where somebody stands; nothing where they are to be read at length."""
        shape = plan.shape
        if not self._told_by(shape, days):
            return None
        key: list[Any] = [plan.number]
        changes = waits = _NO_DAY
        for place, rungs in shape.rungs:
            told, later = rungs[days[place]]
            key.append(told)
            if later < changes:
                changes = later
        for place, rungs in shape.waits:
            told, later = rungs[days[place]]
            key.append(told)
            if later < waits:
                waits = later
        until = min(shape.days[changes], shape.days_of_waits[waits])
        for place in shape.ends:
            ended = days[place] <= self._now
            key.append(ended)
            if not ended and days[place] < until:
                until = days[place]
        for birth, place, ages_ in shape.pairs:
            key.append(ages_[days[birth], days[place]])
        key.append(until <= self._soon)
        return tuple(key), min(until, shape.until)

    def filled(self, asked: Template) -> Filled:
        """Return the facts of everybody who is alike."""
        return fill(asked, self._at)

    def _told_by(self, shape: Shape, days: Sequence[int]) -> bool:
        """Whether days are enough to tell what the facts say."""
        if len(days) != shape.length or days[NEWEST] >= self._lately:
            return False
        for place in shape.recent:
            if days[place] >= self._refused:
                return False
        for place in shape.tried:  # noqa: SIM110, a generator takes longer than what it asks
            if days[place] > self._counted:
                return False
        return True

    def template(self, framed: Framed, days: Sequence[int]) -> Template:
        """Return what is asked about somebody, or about one of whom it is the same."""
        zones = self._zones_of(framed.frame.facts.time_zone)
        facts, flags, state = widened(framed.frame, framed.layout, days, zones)
        situation = Situation(
            question=self._question,
            subject=_SOMEBODY,
            facts=facts,
            flags=flags,
            state=state,
            zones=zones,
            overlay=self._overlay,
        )
        return template(situation, self._policy.data, self._policy.is_holiday)

    def _counts(self, channel: str) -> bool:
        bands, asked = self._policy.data.bands, self._question.channel.value
        together = {frozenset((asked, "any")), *(each for sets in bands.counted_together.values() for each in sets)}
        return any(channel in each and asked in each for each in together)

    def _remembered(self, key: Any, tell: Callable[[int], Rung]) -> Rungs:
        if (rungs := self._rungs.get(key)) is None:
            rungs = self._rungs[key] = Rungs(tell)
        return rungs

    def _midnights(self, zone: ZoneInfo) -> Midnights:
        if (midnights := self._begin.get(zone)) is None:

            def tell(day: int) -> int:
                return micros(midnight(date.fromordinal(day), zone))

            midnights = self._begin[zone] = Midnights(tell, {_NO_DAY: NEVER})
        return midnights

    def _past(self, edges: tuple[int, ...], zones: Zones) -> Rungs:
        today = self._at.astimezone(zones.of_dates).date()

        def tell(code: int) -> Rung:
            number, day = months_past(day_of(code), edges).on(today)
            return number, _ordinal(day)

        return self._remembered(("past", edges, today), tell)

    def _waited(self, zones: Zones) -> Rungs:
        today, waits = self._at.astimezone(zones.of_waits).date(), self._policy.data.bands.waits

        def tell(code: int) -> Rung:
            number, day = months_waited(begun_on(code), waits).on(today)
            return number, _ordinal(day)

        return self._remembered(("waited", today), tell)

    def _law_day(self) -> Rungs:
        days = self._policy.data.bands.in_force
        return self._remembered("law_day", lambda code: (law_day(waited_on(code), days), _NO_DAY))

    def _age(self, frame: Frame, dated: Mapping[str, int]) -> "_Age":
        edges, declared = self._policy.data.bands.ages, frame.facts.age or 0
        if "birth_date" in dated:
            return _Age("birth", dated["birth_date"], lambda code: ages(date.fromordinal(code), edges))
        if "age_declared_at" in dated:
            place = dated["age_declared_at"]
            return _Age(("declared", declared), place, lambda code: declared_ages(declared, day_of(code), edges))
        # Declared now, as far as anybody knows: no day has anything to say about it.
        zone = self._zones_of(frame.facts.time_zone).of_dates
        today = local_day(self._at, zone)
        ladder = declared_ages(declared, today, edges)
        tomorrow = self._midnights(zone)[today.toordinal() + 1] if frame.facts.age else NEVER
        return _Age(("now", declared, today), NEWEST, lambda _: ladder, tomorrow)

    def _today(self, age: "_Age", zones: Zones) -> Rungs:
        today = self._at.astimezone(zones.of_waits).date()

        def tell(code: int) -> Rung:
            number, day = age.ladder(code).on(today)
            return number, _ordinal(day)

        return self._remembered(("today", age.kind, today), tell)

    def _then(self, age: "_Age", zones: Zones) -> Pairs:
        key = age.kind, zones.known
        if (pairs := self._pairs.get(key)) is None:

            def tell(pair: tuple[int, int]) -> int:
                born, act = pair
                return age.ladder(born).on(waited_on(act))[0]

            pairs = self._pairs[key] = Pairs(tell)
        return pairs


class _Age(Struct, frozen=True):
    """How old somebody is: where the day stands that says it, and what it says."""

    kind: Any
    place: int
    ladder: Callable[[int], Ladder]
    until: int = NEVER
    """When that will say something else, in microseconds since 1970."""


def _ordinal(day: date | None) -> int:
    return _NO_DAY if day is None else day.toordinal()
