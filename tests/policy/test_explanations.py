"""Explanations of the law as it is written: the same from both engines, and true."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.decisions import SHIPPED, Case, Law, Memo, Outcome, PolicyEngine, Simulated, simulated
from service.decisions.cases import ABOUT
from service.decisions.domain import Effect
from tests.situations import NOON

SCHEMA = json.loads((Path(__file__).parents[2] / "policies/schemas/input.json").read_text())
SHARED = (Path(__file__).parent / "cases" / "shared.jsonl").read_text().splitlines()
CASES: dict[str, dict[str, Any]] = {
    "a letter to a customer": {"channel": "post", "purpose": "marketing", "subject": {"is_customer": True}},
    "a call nobody knows the hour of": {
        "channel": "phone", "purpose": "marketing",
        "records": [{"ts": "2026-03-02T09:05:00+01:00", "channel": "phone", "purpose": "marketing", "action": "opt_in",
                     "method": "web_form", "evidence": "form", "notice_version": "v3"}],
    },
    "an offer to a buyer": {
        "channel": "email", "purpose": "marketing",
        "records": [{"ts": "2026-03-02T09:05:00+01:00", "channel": "email", "purpose": "contract", "action": "purchase",
                     "optout_offered_at_collection": True}],
    },
    "a refusal": {
        "channel": "email", "purpose": "marketing",
        "records": [{"ts": "2026-03-02T09:05:00+01:00", "channel": "email", "purpose": "marketing",
                     "action": "opt_out"}],
    },
    "a sale in California": {
        "jurisdiction": "US-CA", "channel": "ads", "purpose": "sale_share", "subject": {"age": 34},
    },
}  # fmt: skip
EXPECTED: dict[str, list[str]] = {
    "a letter to a customer": ["permitted if context.lia_on_file were true"],
    "a call nobody knows the hour of": ['permitted if clock.local were [{"weekday":2,"minute":720,"holiday":false}]'],
    "an offer to a buyer": ["permitted if context.similar_product were true and context.same_seller were true"],
    "a refusal": [],
    "a sale in California": [
        "permitted if context.notice_at_collection were true and context.third_party_contract were true"
    ],
}


async def told(case: dict[str, Any], engine: PolicyEngine) -> Simulated:
    whole = msgspec.convert({"jurisdiction": "DE", "at": NOON.isoformat()} | case, Case)
    law = Law(engine=engine, memo=Memo(engine))
    return await simulated(whole, law, SHIPPED, mapped=None, now=NOON, schema=SCHEMA)


@pytest.mark.parametrize("name", CASES)
async def test_a_denial_says_what_would_have_to_be_so(wasm: PolicyEngine, name: str):
    explanation = (await told(CASES[name], wasm)).explanation

    assert explanation is not None
    assert [remedy.sentence for remedy in explanation.remedies] == EXPECTED[name]
    assert explanation.complete


@pytest.mark.parametrize("name", CASES)
async def test_both_engines_give_the_same_explanation(wasm: PolicyEngine, server: PolicyEngine, name: str):
    assert await told(CASES[name], wasm) == await told(CASES[name], server)


async def test_an_explanation_agrees_with_its_verdict(wasm: PolicyEngine):
    effects = {
        Outcome.DENIES: {Effect.DENY},
        Outcome.PERMITS: {Effect.PERMIT},
        Outcome.NO_OBJECTION: {Effect.TRIED, Effect.NOTE},
    }
    for line in SHARED[::8]:
        case = {name: value for name, value in json.loads(line).items() if name not in ABOUT}
        answer = await told(case, wasm)
        assert answer.explanation is not None
        named = {said.rule.id: said for said in answer.explanation.rules if said.named}
        assert named.keys() == {reason.rule for reason in answer.verdict.reasons}
        for reason in answer.verdict.reasons:
            assert reason.effect in effects[named[reason.rule].outcome]
        assert all(said.outcome is Outcome.DENIES for said in answer.explanation.rules if said.unknown)
        assert {law.basis for law in answer.explanation.laws} != {""} or not answer.permit
