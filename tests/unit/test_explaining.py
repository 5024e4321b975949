"""What an explanation finds out by supposing, against engines whose law is a line of Python."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.decisions import Basis, DecisionUnavailable, Effect, Explanation, Outcome, Policy, Verdict
from service.decisions.domain import Cited
from service.decisions.explaining import ASKED_AT_MOST, CONSIDERED, considered, explain, weakest
from service.decisions.policy import RuleNote
from tests.toy_policy import policy

SCHEMA = json.loads((Path(__file__).parents[2] / "policies/schemas/input.json").read_text())
FACTS: dict[str, Any] = {
    "question": {"channel": "post", "purpose": "marketing"},
    "places": {"residence": "DE"},
    "acts": [],
    "attempts": {"h24": 0, "d30": 0},
    "clock": {"law_day": "2026-02-05"},
}
ASKED: dict[str, Any] = {
    "laws": [{"place": "DE", "regimes": ["toy"], "held": True, "basis": ""}],
    "common": ["engine"],
    "begun": ["NEW-01"],
}
RULES = {
    "ENG-01": "engine",
    "ENG-DENY-01": "engine",
    "TOY-01": "toy",
    "NEW-01": "toy",
    "LATER-01": "toy",
    "FAR-01": "elsewhere",
}

Facts = dict[str, Any]
Law = Callable[[Facts], set[str]]
"""The rules that deny; none is a permit."""


class LineOfLaw:
    """An engine that denies by a function. `closed` says that a denial is the hour's alone."""

    def __init__(self, law: Law, *, closed: Callable[[Facts], bool] = lambda facts: False, asked: Any = ASKED) -> None:
        toy = policy()
        notes = {
            id_: RuleNote(id=id_, title=id_, citation="-", stage=10, file="-", line=1, regime=regime)
            for id_, regime in RULES.items()
        }
        data = msgspec.structs.replace(toy.data, in_force={"NEW-01": "2026-01-01", "LATER-01": "2027-01-01"})
        self.policy: Policy = msgspec.structs.replace(toy, rules=notes, data=data)
        self.asked: list[Facts] = []
        self._law = law
        self._closed = closed
        self._considered = asked

    async def evaluate(self, facts: bytes) -> Verdict:
        told = msgspec.json.decode(facts)
        self.asked.append(told)
        denying = self._law(told)
        return Verdict(
            allow=not denying,
            basis=Basis.NONE,
            reasons=tuple(Cited(rule=rule, effect=Effect.DENY, stage=4) for rule in sorted(denying))
            or (Cited(rule="ENG-01", effect=Effect.PERMIT, stage=1),),
            obligations=(),
            acts=(),
            closed_hours=self._closed(told),
        )

    async def ask(self, entrypoint: str, document: bytes) -> Any:
        assert entrypoint == CONSIDERED
        return self._considered


async def why(engine: LineOfLaw, facts: Facts = FACTS, records: tuple[int, ...] = ()) -> Explanation:
    document = msgspec.json.encode(facts)
    verdict = await engine.evaluate(document)
    engine.asked.clear()
    return await explain(engine, SCHEMA, document, records, verdict)


def unknown(explanation: Explanation) -> dict[str, tuple[str, ...]]:
    return {said.rule.id: said.unknown for said in explanation.rules if said.unknown}


def remedies(explanation: Explanation) -> list[str]:
    return [remedy.sentence for remedy in explanation.remedies]


def context(facts: Facts, name: str) -> Any:
    return facts.get("context", {}).get(name)


async def test_a_denial_names_the_fact_that_would_end_it():
    explanation = await why(LineOfLaw(lambda facts: set() if context(facts, "lia_on_file") else {"TOY-01"}))

    assert unknown(explanation) == {"TOY-01": ("context.lia_on_file",)}
    assert remedies(explanation) == ["permitted if context.lia_on_file were true"]


async def test_a_fact_that_should_be_false_is_found_as_well():
    explanation = await why(LineOfLaw(lambda facts: set() if context(facts, "bulk") is False else {"TOY-01"}))

    assert remedies(explanation) == ["permitted if context.bulk were false"]


async def test_a_fact_that_was_told_is_not_supposed_to_be_otherwise():
    engine = LineOfLaw(lambda facts: set() if context(facts, "lia_on_file") else {"TOY-01"})
    explanation = await why(engine, FACTS | {"context": {"lia_on_file": False}})

    assert (unknown(explanation), remedies(explanation)) == ({}, [])
    assert all(facts["context"]["lia_on_file"] is False for facts in engine.asked)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("context.content", "service"),
        ("context.safeguards", ["contest", "human_intervention"]),
        ("context.policy.honour_gpc_everywhere", True),
        ("subject.age", 18),
        ("subject.age", 0),
        ("subject.subscriber_type", "corporate"),
        ("subject.interaction.months_past", 0),
    ],
)
async def test_words_ages_and_spans_are_supposed_too(name: str, value: Any):
    def law(facts: Facts) -> set[str]:
        node: Any = facts
        for step in name.split("."):
            node = node.get(step, {})
        return set() if node == value else {"TOY-01"}

    explanation = await why(LineOfLaw(law))

    assert [(fact.fact, fact.value) for remedy in explanation.remedies for fact in remedy.facts] == [(name, value)]


async def test_a_denial_that_only_changes_its_reason_is_not_explained_by_that():
    explanation = await why(LineOfLaw(lambda facts: {"ENG-01"} if context(facts, "bulk") else {"TOY-01"}))

    assert (unknown(explanation), remedies(explanation)) == ({}, [])


async def test_a_denial_of_several_rules_says_of_each_what_would_end_it():
    def law(facts: Facts) -> set[str]:
        found = set() if context(facts, "bulk") else {"TOY-01"}
        return found if context(facts, "notice_given") else found | {"ENG-01"}

    explanation = await why(LineOfLaw(law))

    assert unknown(explanation) == {"TOY-01": ("context.bulk",), "ENG-01": ("context.notice_given",)}
    assert remedies(explanation) == ["permitted if context.bulk were true and context.notice_given were true"]


@pytest.mark.parametrize("spoils", ["similar_product", "human_appeal_exception"])
async def test_facts_that_are_only_enough_together_are_found_though_another_spoils_them(spoils: str):
    def law(facts: Facts) -> set[str]:
        enough = context(facts, "notice_given") and context(facts, "bulk")
        return set() if enough and not context(facts, spoils) else {"TOY-01"}

    explanation = await why(LineOfLaw(law))

    (remedy,) = explanation.remedies
    assert {fact.fact for fact in remedy.facts} == {"context.notice_given", "context.bulk"}
    assert set(unknown(explanation)["TOY-01"]) == {"context.notice_given", "context.bulk"}


async def test_a_closed_hour_behind_a_denial_is_no_other_denial():
    def law(facts: Facts) -> set[str]:
        return {"ENG-01"} if context(facts, "lia_on_file") else {"TOY-01"}

    explanation = await why(LineOfLaw(law, closed=lambda facts: bool(context(facts, "lia_on_file"))))

    assert unknown(explanation) == {"TOY-01": ("context.lia_on_file",)}
    assert remedies(explanation) == []


async def test_an_unknown_time_zone_is_supposed_to_be_known():
    facts = FACTS | {"clock": {"law_day": "2026-02-05", "zone_known": False}}
    explanation = await why(LineOfLaw(lambda facts: set() if facts["clock"].get("local") else {"TOY-01"}), facts)

    assert unknown(explanation) == {"TOY-01": ("clock.local",)}


async def test_what_a_record_left_out_is_named_by_the_position_of_the_record():
    acts = [{"action": "opt_in", "channel": "post", "rank": 1}, {"action": "opt_in", "channel": "post", "rank": 2}]
    engine = LineOfLaw(lambda facts: set() if facts["acts"][1].get("notice", {}).get("version") else {"TOY-01"})
    explanation = await why(engine, FACTS | {"acts": acts}, records=(7, 3))

    assert unknown(explanation) == {"TOY-01": ("records[3].notice.version",)}


async def test_nothing_is_supposed_about_a_refusal_or_about_time():
    acts = [{"action": "opt_out", "channel": "post", "rank": 1}, {"action": "opt_in", "channel": "post", "rank": 2}]
    engine = LineOfLaw(lambda facts: {"TOY-01"})
    await why(engine, FACTS | {"acts": acts}, records=(0, 1))

    assert all(facts["acts"][0] == acts[0] for facts in engine.asked)
    assert not any({"future", "expired", "days60"} & facts["acts"][1].keys() for facts in engine.asked)


async def test_a_permit_supposes_nothing():
    engine = LineOfLaw(lambda facts: set())
    explanation = await why(engine)

    assert (engine.asked, explanation.asked, explanation.remedies) == ([], 0, ())


async def test_an_explanation_ends_and_says_that_there_was_more():
    acts = [{"action": "opt_in", "channel": "post", "rank": rank} for rank in range(200)]
    engine = LineOfLaw(lambda facts: {"TOY-01"})
    explanation = await why(engine, FACTS | {"acts": acts}, records=tuple(range(200)))

    assert not explanation.complete
    assert explanation.note is not None
    assert ASKED_AT_MOST <= explanation.asked <= ASKED_AT_MOST + 300


async def test_few_records_are_looked_into_as_a_whole():
    explanation = await why(LineOfLaw(lambda facts: {"TOY-01"}))

    assert explanation.complete
    assert explanation.note is None


async def test_the_rules_of_the_laws_asked_are_told_and_no_others():
    explanation = await why(LineOfLaw(lambda facts: {"TOY-01"}))

    told = {said.rule.id: said for said in explanation.rules}
    assert told.keys() == RULES.keys() - {"FAR-01"}
    assert (told["TOY-01"].outcome, told["TOY-01"].stage) == (Outcome.DENIES, 4)
    assert (told["ENG-01"].outcome, told["ENG-01"].stage) == (Outcome.DOES_NOT_APPLY, 10)
    assert told["NEW-01"].sentence == "does not apply"
    assert told["LATER-01"].sentence == "does not apply yet, in force from 2027-01-01"


async def test_a_rule_that_the_verdict_names_is_told_whatever_its_regime():
    explanation = await why(LineOfLaw(lambda facts: {"FAR-01"}))

    assert [said.rule.id for said in explanation.rules if said.named] == ["FAR-01"]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        ASKED | {"more": 1},
        ASKED | {"laws": [{"place": "DE", "regimes": [], "held": "yes", "basis": ""}]},
        ASKED | {"laws": [{"place": "DE", "regimes": [], "held": True, "basis": "friendship"}]},
    ],
)
async def test_anything_else_than_the_laws_asked_is_no_explanation(answer: Any):
    with pytest.raises(DecisionUnavailable):
        await considered(LineOfLaw(lambda facts: set(), asked=answer), b"{}")


@pytest.mark.parametrize(
    ("confidences", "letter"),
    [
        ([], None),
        ([None], None),
        (["V"], "V"),
        (["V (5 y), K", "V"], "K"),
        (["K/D", "G"], "D"),
        (["V (TX, FL, CT), K"], "K"),
        (["V (C-654/23), K", "P/G"], "P"),
    ],
)
def test_the_weakest_confidence_is_that_of_the_weakest_source(confidences: list[str | None], letter: str | None):
    assert weakest(confidences) == letter
