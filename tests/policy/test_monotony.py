"""What can only make an answer stricter never makes it milder."""

import asyncio
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from service.decisions import Memo, Policy
from service.decisions.facts import fill
from tests.situations import REFUSALS, cases, instant_of, instants, template_of, tried

RESTED_ON = (
    "lia_on_file", "similar_product", "same_seller", "notice_at_collection", "third_party_contract",
    "notice_right_to_limit", "purpose_disclosed", "presumed_interest_facts", "related_to_current_contract",
    "human_appeal_exception", "safeguards",
)  # fmt: skip
"""Facts that a permission positively needs (RULES D1)."""

ALL_SAFEGUARDS = ["human_intervention", "representations", "contest", "explanation", "information"]


def permitted(case: dict[str, Any], memo: Memo) -> bool:
    facts = fill(template_of(case, memo.policy), instant_of(case)).facts
    return asyncio.run(memo.judge(facts)).verdict.allow


@tried(400)
@given(
    case=cases(),
    action=st.sampled_from(REFUSALS),
    ts=instants(),
    channel=st.sampled_from(["all", "asked"]),
    purpose=st.sampled_from(["all", "asked", "marketing", None]),
)
def test_one_more_refusal_never_opens_a_door(
    memo: Memo, case: dict[str, Any], action: str, ts: str, channel: str, purpose: str | None
):
    """But for the one confirmation of the refusal itself, which there is nothing to confirm without."""
    assume(case["purpose"] != "optout_confirmation")
    refusal: dict[str, Any] = {"ts": ts, "action": action, "method": "unsubscribe_link"}
    refusal["channel"] = case["channel"] if channel == "asked" else channel
    if purpose is not None:
        refusal["purpose"] = case["purpose"] if purpose == "asked" else purpose
    stricter = case | {"records": [*case["records"], refusal]}

    assert permitted(case, memo) or not permitted(stricter, memo)


@tried(400)
@given(case=cases(), fact=st.sampled_from(RESTED_ON))
def test_without_a_fact_that_a_permission_rests_on_nothing_more_is_permitted(
    memo: Memo, case: dict[str, Any], fact: str
):
    poorer = {name: value for name, value in case["context"].items() if name != fact}
    richer = poorer | {fact: ALL_SAFEGUARDS if fact == "safeguards" else True}

    assert permitted(case | {"context": richer}, memo) or not permitted(case | {"context": poorer}, memo)


@tried(400)
@given(case=cases(), data=st.data())
def test_without_the_record_of_a_permission_nothing_more_is_permitted(
    memo: Memo, policy: Policy, case: dict[str, Any], data: st.DataObject
):
    granting = {*policy.data.actions["permissions"], *policy.data.actions["relations"]}
    candidates = [number for number, record in enumerate(case["records"]) if record["action"] in granting]
    assume(candidates)
    gone = data.draw(st.sampled_from(candidates))
    poorer = case | {"records": [record for number, record in enumerate(case["records"]) if number != gone]}

    assert permitted(case, memo) or not permitted(poorer, memo)


@tried(400)
@given(case=cases())
def test_without_the_residence_nothing_more_is_permitted(memo: Memo, case: dict[str, Any]):
    subject = {name: value for name, value in case["subject"].items() if name != "residence"}
    nowhere = case | {"jurisdiction": "ZZ", "subject": subject}

    assert permitted(case, memo) or not permitted(nowhere, memo)
