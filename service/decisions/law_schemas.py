"""What is told about the law: rules, the whole policy, why a decision came out, and what is held about a place."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from service.consent import Channel
from service.decisions.domain import Basis
from service.decisions.explaining import Coverage, Explanation, LawAsked, Outcome, Remedy, RuleOutcome
from service.decisions.policy import Policy, RuleNote
from service.kernel import exactly

RuleId = Annotated[str, exactly("[A-Z][A-Z0-9-]{1,40}")]
Confidence = Annotated[
    str | None,
    Meta(description="V seen, K known, G guidance, D disputed, P our policy; several letters for several sources."),
]


class RuleView(Struct, frozen=True, kw_only=True):
    """A rule of the law as it is written in the policy."""

    id: str
    title: str
    citation: str
    stage: int
    """When it is asked: the first stage that denies is reported first."""
    regime: str | None
    confidence: Confidence
    in_force: str | None
    """The day from which it holds; null for what has held all along."""
    file: str
    line: int

    @classmethod
    def of(cls, rule: RuleNote, policy: Policy) -> "RuleView":
        return cls(
            id=rule.id,
            title=rule.title,
            citation=rule.citation,
            stage=rule.stage,
            regime=rule.regime,
            confidence=rule.confidence,
            in_force=policy.data.in_force.get(rule.id),
            file=rule.file,
            line=rule.line,
        )


class PolicyView(Struct, frozen=True, kw_only=True):
    """The policy that answers, rule by rule, and the tables that its rules look into."""

    revision: str
    regimes: tuple[str, ...]
    rules: tuple[RuleView, ...]
    in_force: dict[str, str]
    """The days from which rules, and parts of laws, hold."""
    tables: dict[str, Any]
    """The data by name: ages, hours, periods, places …"""

    @classmethod
    def of(cls, policy: Policy) -> "PolicyView":
        rules = tuple(RuleView.of(policy.rules[rule], policy) for rule in sorted(policy.rules))
        return cls(
            revision=policy.revision,
            regimes=tuple(sorted({rule.regime for rule in rules if rule.regime})),
            rules=rules,
            in_force=dict(policy.data.in_force),
            tables=dict(policy.tables),
        )


class LawView(Struct, frozen=True, kw_only=True):
    """The law of one place that has a say."""

    place: str
    regimes: tuple[str, ...]
    held: bool
    """Whether the policy holds this law. One that it doesn't hold permits nothing."""
    basis: Basis | None
    """What it permits on; null where it doesn't permit."""

    @classmethod
    def of(cls, law: LawAsked) -> "LawView":
        return cls(place=law.place, regimes=law.regimes, held=law.held, basis=Basis(law.basis) if law.basis else None)


class RuleOutcomeView(Struct, frozen=True, kw_only=True):
    """What one rule said."""

    rule: str
    title: str
    citation: str
    regime: str | None
    stage: int
    confidence: Confidence
    outcome: Outcome
    unknown: tuple[str, ...]
    """Facts that nobody told and that stand in the way, by their names in docs/facts.md; a record by its position."""
    sentence: str
    """The outcome in words."""

    @classmethod
    def of(cls, said: RuleOutcome) -> "RuleOutcomeView":
        return cls(
            rule=said.rule.id,
            title=said.rule.title,
            citation=said.rule.citation,
            regime=said.rule.regime,
            stage=said.stage,
            confidence=said.rule.confidence,
            outcome=said.outcome,
            unknown=said.unknown,
            sentence=said.sentence,
        )


class FactView(Struct, frozen=True, kw_only=True):
    fact: str
    value: Any


class RemedyView(Struct, frozen=True, kw_only=True):
    """Facts that would make a permit of the denial, if all of them were so."""

    facts: tuple[FactView, ...]
    sentence: str

    @classmethod
    def of(cls, remedy: Remedy) -> "RemedyView":
        return cls(
            facts=tuple(FactView(fact=each.fact, value=each.value) for each in remedy.facts), sentence=remedy.sentence
        )


class ExplanationView(Struct, frozen=True, kw_only=True):
    """Why the decision came out like this."""

    laws: tuple[LawView, ...]
    rules: tuple[RuleOutcomeView, ...]
    """Every rule that was considered, in order of stage."""
    remedies: tuple[RemedyView, ...]
    """What would have to be so for a permit, as far as unknown facts go: each by itself is enough."""
    asked: int
    """How often the policy was asked what an unknown fact would change."""
    note: str | None
    """Set when there was more to ask than is asked at most."""

    @classmethod
    def of(cls, explanation: Explanation) -> "ExplanationView":
        return cls(
            laws=tuple(map(LawView.of, explanation.laws)),
            rules=tuple(map(RuleOutcomeView.of, explanation.rules)),
            remedies=tuple(map(RemedyView.of, explanation.remedies)),
            asked=explanation.asked,
            note=explanation.note,
        )


class CoveredLawView(Struct, frozen=True, kw_only=True):
    """A law that applies."""

    place: str
    regimes: tuple[str, ...]
    held: bool
    """Whether the policy holds it. One that it doesn't hold permits nothing."""


class CoveredRuleView(Struct, frozen=True, kw_only=True):
    """A rule of the regimes that apply."""

    rule: str
    title: str
    citation: str
    regime: str | None
    stage: int
    confidence: Confidence
    named: bool
    """Whether it bears on this question as it stands. The others may, once more is known."""


class CoverageView(Struct, frozen=True, kw_only=True):
    """What Volens holds about a question before anything is known about the person."""

    residence: str
    channel: Channel
    purpose: str
    laws: tuple[CoveredLawView, ...]
    rules: tuple[CoveredRuleView, ...]
    confidence: Confidence
    """The weakest of the named rules; null where a law is not held."""
    decision: Literal["permit", "deny"]
    """What a stranger of age would get."""
    basis: Basis
    policy_revision: str

    @classmethod
    def of(cls, residence: str, channel: Channel, purpose: str, coverage: Coverage) -> "CoverageView":
        return cls(
            residence=residence,
            channel=channel,
            purpose=purpose,
            laws=tuple(CoveredLawView(place=law.place, regimes=law.regimes, held=law.held) for law in coverage.laws),
            rules=tuple(map(_covered, coverage.rules)),
            confidence=coverage.confidence,
            decision="permit" if coverage.permit else "deny",
            basis=coverage.basis,
            policy_revision=coverage.revision,
        )


def _covered(said: RuleOutcome) -> CoveredRuleView:
    return CoveredRuleView(
        rule=said.rule.id,
        title=said.rule.title,
        citation=said.rule.citation,
        regime=said.rule.regime,
        stage=said.stage,
        confidence=said.rule.confidence,
        named=said.named,
    )
