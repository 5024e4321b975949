"""Facts of the log under another overlay are the facts that would have been logged under it."""

import asyncio
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.decisions import NO_OVERLAY, Overlay, Policy, PolicyEngine, about, ordinary, stale_months, under_overlay
from service.decisions.facts import fill, template
from service.decisions.overlay import Attempts, Denied, Hours
from service.decisions.simulation import Case, described
from service.trials.tally import compare
from tests.situations import NOON, cases, instant_of, tried

EDGES = ["08:00", "09:00", "12:00", "18:00", "20:00", "24:00"]
"""Of the hours that facts are told by in any case."""


def hours() -> st.SearchStrategy[Hours]:
    span = st.tuples(st.sampled_from(EDGES[:3]), st.sampled_from(EDGES[3:]))
    days = st.dictionaries(st.sampled_from(list("1234567")), st.tuples(span))
    channels = st.sampled_from([("phone",), ("phone", "sms")])
    return st.builds(Hours, channels=channels, days=days, on_holidays=st.booleans())


overlays = st.builds(
    Overlay,
    denied=st.sampled_from([(), (Denied(channel="email"),), (Denied(purpose="marketing"), Denied(purpose="x-club"))]),  # type: ignore[arg-type]
    hours=st.one_of(st.none(), hours()),
    stale_months=st.sampled_from([None, 6, 12, 24]),
    double_opt_in=st.sampled_from([None, True]),
    refused_bases=st.sampled_from([(), ("soft_opt_in",), ("soft_opt_in", "legitimate_interest")]),
    attempts=st.sampled_from([None, Attempts(h24=1), Attempts(h24=0, d30=2)]),
)


def facts_of(case: dict[str, Any], overlay: Overlay, policy: Policy) -> bytes:
    situation = replace(described(msgspec.convert(case, Case), policy, None, NOON).situation, overlay=overlay)
    return fill(template(situation, policy.data, policy.is_holiday), instant_of(case)).facts


@tried(150)
@given(case=cases(), then=overlays, now=overlays)
def test_an_overlay_is_exchanged_in_facts_as_if_it_had_been_there(
    policy: Policy, case: dict[str, Any], then: Overlay, now: Overlay
):
    """But for months of the tenant's own, by which facts are told only under an overlay that has them."""
    now = replace(now, stale_months=then.stale_months)
    logged = facts_of(case, then, policy)

    assert under_overlay(logged, case["purpose"], now, NOON) == facts_of(case, now, policy)
    assert under_overlay(logged, case["purpose"], then, NOON) == logged
    assert stale_months(logged) == then.stale_months
    assert b'"overlay"' not in under_overlay(logged, case["purpose"], NO_OVERLAY, NOON)


@tried(100)
@given(case=cases(), overlay=overlays)
def test_an_overlay_that_is_tried_only_ever_denies_more(
    policy: Policy, wasm: PolicyEngine, case: dict[str, Any], overlay: Overlay
):
    logged = facts_of(case, NO_OVERLAY, policy)
    then = asyncio.run(wasm.evaluate(logged))
    same = asyncio.run(wasm.evaluate(under_overlay(logged, case["purpose"], NO_OVERLAY, NOON)))
    now = asyncio.run(wasm.evaluate(under_overlay(logged, case["purpose"], overlay, NOON)))

    assert compare(then, same).same_reasons
    assert then.allow or not now.allow


@tried(100)
@given(case=cases())
def test_a_question_that_nobody_asked_has_the_facts_that_it_would_have_had(policy: Policy, case: dict[str, Any]):
    situation = replace(described(msgspec.convert(case, Case), policy, None, NOON).situation)
    asked = replace(situation.question, also=None)
    facts = replace(situation.facts, time_zone=case["local_time_zone"])
    stated = replace(situation, question=asked, facts=facts)

    assert about(asked, None, facts, situation.state, NO_OVERLAY, policy, situation.flags) == (
        fill(template(stated, policy.data, policy.is_holiday), asked.at).facts
    )


async def test_ordinary_questions_have_a_verdict(policy: Policy, wasm: PolicyEngine):
    facts = ordinary(policy, NOON)
    permitted = [(await wasm.evaluate(each)).allow for each in facts]

    assert len(set(facts)) > len(policy.data.places)
    assert not all(permitted)
