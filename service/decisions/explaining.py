"""Why: the laws that were asked, what each of their rules said, and which unknown facts stood in the way.

Which law is asked and what a fact means is the policy's to say, so both are asked of it: a fact that is unknown is
supposed, one value after the other, and the policy judges again. Off the hot path.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from service.decisions.asking import Engine, taken
from service.decisions.domain import Basis, Effect, Verdict
from service.decisions.policy import Policy, RuleNote
from service.decisions.supposing import Supposed, suppose, suppositions

CONSIDERED: Final = "volens/decision/considered"

ASKED_AT_MOST: Final = 600
"""Suppositions that one explanation puts to the engine, one by one; some 300 more look for what is enough together."""

CONFIDENCE: Final = "VKGDP"
"""From the strongest to the weakest: seen, known, guidance, disputed, our policy."""

_TOGETHER: Final = 100
"""Facts that are supposed all at once, where no single one is enough."""


class LawAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The law of one place that has a say."""

    place: str
    regimes: tuple[str, ...]
    held: bool
    """Whether the policy holds this law. One that it doesn't hold permits nothing."""
    basis: Literal["", "consent", "soft_opt_in", "legitimate_interest", "contract", "legal_obligation", "none"]
    """What it permits on; nothing where it doesn't permit."""


class Considered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the policy answers at `CONSIDERED`."""

    laws: tuple[LawAsked, ...]
    common: tuple[str, ...]
    """Regimes that hold everywhere."""
    begun: frozenset[str]
    """Rules with a day of entry into force that has come."""


class Outcome(StrEnum):
    DENIES = "denies"
    PERMITS = "permits"
    NO_OBJECTION = "applies, no objection"
    DOES_NOT_APPLY = "does not apply"


_OUTCOMES: Final = {
    Effect.DENY: Outcome.DENIES,
    Effect.PERMIT: Outcome.PERMITS,
    Effect.TRIED: Outcome.NO_OBJECTION,
    Effect.NOTE: Outcome.NO_OBJECTION,
}


class RuleOutcome(Struct, frozen=True, kw_only=True):
    """What one rule said."""

    rule: RuleNote
    stage: int
    """Where it spoke; where it stands, if it said nothing."""
    outcome: Outcome
    named: bool
    """Whether the verdict names it."""
    from_day: str | None
    """The day of its entry into force, where that is still to come."""
    unknown: tuple[str, ...] = ()
    """Facts nobody told that stand in the way: each one would end this denial, or only all of them together."""

    @property
    def sentence(self) -> str:
        if self.unknown:
            noun = "unknown fact" if len(self.unknown) == 1 else "unknown facts"
            return f"{self.outcome}; {noun}: {', '.join(self.unknown)}"
        return self.outcome.value if self.from_day is None else f"{self.outcome} yet, in force from {self.from_day}"


class Fact(Struct, frozen=True, kw_only=True):
    """A fact by its name in docs/facts.md, and a value."""

    fact: str
    value: Any


class Remedy(Struct, frozen=True, kw_only=True):
    """Facts that would make a permit of the denial, if all of them were so."""

    facts: tuple[Fact, ...]

    @property
    def sentence(self) -> str:
        return "permitted if " + " and ".join(
            f"{each.fact} were {msgspec.json.encode(each.value).decode()}" for each in self.facts
        )


class Explanation(Struct, frozen=True, kw_only=True):
    laws: tuple[LawAsked, ...]
    rules: tuple[RuleOutcome, ...]
    """In order of stage."""
    remedies: tuple[Remedy, ...]
    asked: int
    """How many unknown facts were supposed, each value counted."""
    complete: bool
    """False when there was more to suppose than `ASKED_AT_MOST`."""

    @property
    def note(self) -> str | None:
        if self.complete:
            return None
        return f"stopped after {self.asked} suppositions: other unknown facts may stand in the way as well"


class Coverage(Struct, frozen=True, kw_only=True):
    """What Volens holds about a question, before anything is known about the person."""

    laws: tuple[LawAsked, ...]
    rules: tuple[RuleOutcome, ...]
    confidence: str | None
    """The weakest of the rules that are named; nothing where a law is not held."""
    permit: bool
    basis: Basis
    revision: str


async def considered(engine: Engine, facts: bytes) -> Considered:
    """Return which laws the policy asks about `facts`.

    Raises:
        DecisionUnavailable: it gives no answer of this shape.
    """
    return taken(await engine.ask(CONSIDERED, facts), Considered)


async def explain(
    engine: Engine, schema: Mapping[str, Any], facts: bytes, records: Sequence[int], verdict: Verdict
) -> Explanation:
    """Return why the policy gives `verdict` on `facts`, whose acts come from the `records` at these positions.

    `schema` is that of the facts: it says which ones there could be.

    Raises:
        DecisionUnavailable: the engine failed.
    """
    asked = await considered(engine, facts)
    inquiry = _Inquiry(engine, msgspec.json.decode(facts), verdict)
    if not verdict.allow:
        await inquiry.suppose(suppositions(inquiry.facts, schema, engine.policy, verdict.acts, records))
    remedies = await inquiry.remedies()
    return Explanation(
        laws=asked.laws,
        rules=tuple(outcomes(asked, verdict, engine.policy, inquiry.unknown)),
        remedies=remedies,
        asked=inquiry.asked,
        complete=inquiry.complete,
    )


def outcomes(
    asked: Considered, verdict: Verdict, policy: Policy, unknown: Mapping[str, Iterable[str]]
) -> list[RuleOutcome]:
    """Return the rules that were considered, and those that the verdict names, in order of stage."""
    regimes = {*asked.common, *(regime for law in asked.laws for regime in law.regimes)}
    cited = {reason.rule: reason for reason in verdict.reasons}
    found = []
    for note in policy.rules.values():
        reason = cited.get(note.id)
        if reason is None and note.regime not in regimes:
            continue
        found.append(
            RuleOutcome(
                rule=note,
                stage=note.stage if reason is None else reason.stage,
                outcome=Outcome.DOES_NOT_APPLY if reason is None else _OUTCOMES[reason.effect],
                named=reason is not None,
                from_day=None if note.id in asked.begun else policy.data.in_force.get(note.id),
                unknown=tuple(dict.fromkeys(unknown.get(note.id, ()))),
            )
        )
    return sorted(found, key=lambda each: (each.stage, each.rule.id))


def weakest(confidences: Iterable[str | None]) -> str | None:
    """Return the weakest letter of annotations such as `V (5 y), K`, whose remarks stand in brackets."""
    letters = {
        letter
        for said in confidences
        if said is not None
        for letter in re.findall(r"[A-Z]", re.sub(r"\(.*?\)", "", said))
    }
    return max(letters & set(CONFIDENCE), key=CONFIDENCE.index, default=None)


class _Inquiry:
    """Supposes what is unknown, fact by fact, and remembers what that would change."""

    def __init__(self, engine: Engine, facts: Mapping[str, Any], verdict: Verdict) -> None:
        self.facts = facts
        self.unknown: dict[str, list[str]] = {}
        self.asked = 0
        self.complete = True
        self._engine = engine
        self._verdict = verdict
        self._enough: dict[str, Supposed] = {}
        self._helpful: dict[str, Supposed] = {}
        self._harmless: dict[str, Supposed] = {}

    async def suppose(self, suppositions: Iterable[Supposed]) -> None:
        denied = _denying(self._verdict)
        for supposed in suppositions:
            if self.asked == ASKED_AT_MOST:
                self.complete = False
                return
            verdict = await self._judge([supposed])
            left = _denying(verdict)
            if not left <= denied and not verdict.closed_hours:
                continue  # it exchanges one denial for another, and explains neither
            lifted = denied - left
            for rule in lifted:
                self.unknown.setdefault(rule, []).append(supposed.name)
            if verdict.allow:
                self._enough.setdefault(supposed.name, supposed)
            elif lifted:
                self._helpful.setdefault(supposed.name, supposed)
            elif supposed.value is True:
                self._harmless.setdefault(supposed.name, supposed)

    async def remedies(self) -> tuple[Remedy, ...]:
        """Return the single facts that would be enough, or else the fewest found that are enough together."""
        if self._enough:
            return tuple(_remedy([supposed]) for supposed in self._enough.values())
        promising = list({**self._helpful, **self._harmless}.values())[:_TOGETHER]
        together = await self._together(promising) or await self._together(promising[::-1])
        for supposed in tuple(together):
            fewer = [each for each in together if each is not supposed]
            if (await self._judge(fewer)).allow:
                together = fewer
        for rule in _denying(self._verdict) - self.unknown.keys():
            self.unknown[rule] = [supposed.name for supposed in together]
        return (_remedy(together),) if together else ()

    async def _together(self, promising: Iterable[Supposed]) -> list[Supposed]:
        """Suppose one after the other, on top of each other, until that permits; nothing if it never does.

        A fact that harms nothing by itself can stand in the way of others, so the order matters.
        """
        together: list[Supposed] = []
        for supposed in promising:
            verdict = await self._judge([*together, supposed])
            if verdict.allow:
                return [*together, supposed]
            if _denying(verdict) <= _denying(self._verdict):
                together.append(supposed)
        return []

    async def _judge(self, supposed: Sequence[Supposed]) -> Verdict:
        self.asked += 1
        return await self._engine.evaluate(suppose(self.facts, supposed))


def _denying(verdict: Verdict) -> frozenset[str]:
    return frozenset(reason.rule for reason in verdict.reasons if reason.effect is Effect.DENY)


def _remedy(supposed: Iterable[Supposed]) -> Remedy:
    return Remedy(facts=tuple(Fact(fact=each.name, value=each.told) for each in supposed))
