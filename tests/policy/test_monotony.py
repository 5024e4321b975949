"""What can only make an answer stricter never makes it milder."""

import asyncio
from collections.abc import Mapping
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from service.decisions import Memo, Policy, Verdict
from service.decisions.facts import fill
from tests.situations import (
    CATEGORIES,
    CHANNELS,
    FLAGS,
    NOON,
    PURPOSES,
    REFUSALS,
    SERVICE,
    TERMS,
    cases,
    instant_of,
    spans,
    table,
    template_of,
    tried,
)

Case = dict[str, Any]

RESTED_ON = (
    "lia_on_file", "similar_product", "same_seller", "notice_at_collection", "third_party_contract",
    "notice_right_to_limit", "purpose_disclosed", "presumed_interest_facts", "related_to_current_contract",
    "human_appeal_exception", "safeguards",
    "informed_at_collection", "relevant_to_role", "related_to_profession", "exempt_informational",
    "sender_is_charity", "sole_charitable_purpose", "genuine_research", "open_order", "necessary_for_contract",
    "requested_by_subject", "consumer_initiated_transaction_requires_sale", "notice_given", "first_party_only",
    "direct_relationship", "fin_notice",
)  # fmt: skip
"""Facts of the context that a permission positively needs: those that RULES D1 names, and the like."""

OF_A_RECORD = (
    "optout_offered_at_collection", "evidence", "explicit", "two_step", "ongoing_contract", "indirect_remuneration",
    "after_conflict_notice", "hours_consent", "method", "notice_version",
)  # fmt: skip
"""The same of a record. Not `data_categories`: in the United States an opt-in that names none is to all of them."""

STRICTER = {
    "special_category": CATEGORIES,
    "sensitive": CATEGORIES,
    "custom_audience_upload": [True],
    "wireless_domain": [True],
    "processor_country": ["IN", "US", "CH"],
    "online_platform": [True],
    "child_directed": [True],
    "material_change_since": [["v2"], ["v3"]],
}
"""Facts that can only make an answer stricter (RULES D1)."""

STRICTER_OF_A_RECORD = {"dark_pattern": True, "expires_at": NOON.isoformat()}
REGISTERS = [*(table("listings").keys() - {"dnc_listed"}), "gpc"]
ONLY_MARKETING = {7, 8, 9, 10, 11, 14}
"""Stages that the service path skips (RULES A, stage 6)."""
COMBINATION = 15
"""The stage at which a denial says no more than that nothing permits."""
ANOTHER_PROFILE = {
    "ENG-QH-01",  # its own hours
    "US-TCPA-01", "US-TCPA-06", "IN-TRAI-01",  # a proven opt-in, but no particular form of one
    "DE-STL-01", "ES-TEL-01",  # they stand in place of ENG-STALE-01, in one country each
    "USCA-FIN-01",  # consent, and no more, to programmes (D10(13))
}  # fmt: skip
"""Denials that the strictest profile doesn't know, as ENG-UNK-01 itself says what it asks of marketing."""


def verdict(case: Case, memo: Memo) -> Verdict:
    facts = fill(template_of(case, memo.policy), instant_of(case)).facts
    return asyncio.run(memo.judge(facts)).verdict


def permitted(case: Case, memo: Memo) -> bool:
    return verdict(case, memo).allow


def denying(case: Case, memo: Memo) -> set[str]:
    return {reason.rule for reason in verdict(case, memo).reasons if reason.effect == "deny"}


def without(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def never_opens(case: Case, stricter: Case, memo: Memo) -> bool:
    return permitted(case, memo) or not permitted(stricter, memo)


@st.composite
def refusals(draw: st.DrawFn, case: Case) -> dict[str, Any]:
    purposes = st.sampled_from([None, "all", case["purpose"], "marketing", *PURPOSES])
    refusal = {
        "ts": (instant_of(case) + draw(spans)).isoformat(),
        "action": draw(st.sampled_from(REFUSALS)),
        "channel": draw(st.sampled_from(["all", case["channel"], case["channel"], *CHANNELS])),
        "purpose": draw(purposes),
        "method": draw(st.sampled_from(["unsubscribe_link", "keyword_stop"])),
    }
    if draw(st.booleans()):
        refusal["scope"] = draw(st.sampled_from(TERMS["scope"]))
    return refusal


@tried(500)
@given(case=cases(), data=st.data())
def test_one_more_refusal_never_opens_a_door(memo: Memo, case: Case, data: st.DataObject):
    """But for the one confirmation of the refusal itself, which there is nothing to confirm without.

    And but for a record that tells more of a refusal which is known already: that an
    erasure was executed, after which an open order or a purchase is served (D10(3));
    when the flagged objection was made, or the entry in a register (D10(1), D9(14)).
    """
    assume(case["purpose"] != "optout_confirmation")
    refusal = data.draw(refusals(case))
    assume(refusal["action"] != "erased" or case["purpose"] not in SERVICE)
    assume(refusal["action"] != "object" or "objected" not in case["flags"])
    assume(refusal["action"] != "dnc_listed" or not case["signals"].keys() & REGISTERS)

    assert never_opens(case, case | {"records": [*case["records"], refusal]}, memo)


@tried(400)
@given(case=cases(), register=st.sampled_from(REGISTERS))
def test_an_entry_in_a_register_and_a_signal_never_open_a_door(memo: Memo, case: Case, register: str):
    listed = case | {"signals": case["signals"] | {register: True}}

    assert never_opens(case, listed, memo)


@tried(400)
@given(case=cases(), flag=st.sampled_from(FLAGS))
def test_a_flag_never_opens_a_door(memo: Memo, case: Case, flag: str):
    """But for the confirmation of it, and for an erasure that is executed: see above."""
    assume(case["purpose"] != "optout_confirmation")
    assume(flag != "erased" or case["purpose"] not in SERVICE)

    assert never_opens(case, case | {"flags": case["flags"] | {flag: True}}, memo)


@tried(400)
@given(case=cases(), fact=st.sampled_from(RESTED_ON))
def test_without_a_fact_that_a_permission_rests_on_nothing_more_is_permitted(memo: Memo, case: Case, fact: str):
    poorer = without(case["context"], fact)
    richer = poorer | {fact: TERMS["safeguards"] if fact == "safeguards" else True}

    assert never_opens(case | {"context": richer}, case | {"context": poorer}, memo)


@tried(400)
@given(case=cases(), fact=st.sampled_from(sorted(STRICTER)), data=st.data())
def test_a_fact_that_can_only_make_it_stricter_does(memo: Memo, case: Case, fact: str, data: st.DataObject):
    """But for signs of a child where a parent consented: that consent is a child's, not an adult's (D9(4)).

    And but for the category in `sensitive_use`, which unknown is the strictest.
    """
    assume(fact != "child_directed" or all(record["action"] != "parental_consent" for record in case["records"]))
    assume(fact not in ("sensitive", "special_category") or case["purpose"] != "sensitive_use")
    milder = case | {"context": without(case["context"], fact)}
    stricter = milder | {"context": milder["context"] | {fact: data.draw(st.sampled_from(STRICTER[fact]))}}

    assert never_opens(milder, stricter, memo)


@tried(400)
@given(case=cases(), data=st.data())
def test_without_the_record_of_a_permission_nothing_more_is_permitted(
    memo: Memo, policy: Policy, case: Case, data: st.DataObject
):
    """But for the record by which France knows that the last contact is too long ago (FR-STL-01)."""
    gone = data.draw(permissions(case, policy))
    assume("FR-STL-01" not in denying(case, memo))
    poorer = case | {"records": [record for record in case["records"] if record is not gone]}

    assert never_opens(case, poorer, memo)


@tried(400)
@given(case=cases(), data=st.data())
def test_a_permission_of_which_less_is_known_permits_no_more(
    memo: Memo, policy: Policy, case: Case, data: st.DataObject
):
    known = data.draw(permissions(case, policy))
    assume("FR-STL-01" not in denying(case, memo))
    if data.draw(st.booleans()):
        poorer = without(known, data.draw(st.sampled_from(OF_A_RECORD)))
    else:
        poorer = known | dict([data.draw(st.sampled_from(sorted(STRICTER_OF_A_RECORD.items())))])
    said = [poorer if record is known else record for record in case["records"]]

    assert never_opens(case, case | {"records": said}, memo)


def permissions(case: Case, policy: Policy) -> st.SearchStrategy[dict[str, Any]]:
    granting = {*policy.data.actions["permissions"], *policy.data.actions["relations"]}
    candidates = [record for record in case["records"] if record["action"] in granting]
    assume(candidates)
    return st.sampled_from(candidates)


@tried(600)
@given(case=cases())
def test_without_the_residence_nothing_more_is_permitted(memo: Memo, case: Case):
    nowhere = case | {"jurisdiction": "ZZ", "subject": without(case["subject"], "residence")}

    if not never_opens(case, nowhere, memo):
        found = verdict(case, memo).reasons
        denials = {reason.rule for reason in found if reason.effect == "deny" and reason.stage != COMBINATION}
        assert denials
        assert denials <= ANOTHER_PROFILE


@tried(400)
@given(case=cases(), purpose=st.sampled_from(SERVICE))
def test_a_service_message_is_denied_for_nothing_that_only_marketing_is(memo: Memo, case: Case, purpose: str):
    """Whoever hands an audience to a platform discloses, whatever the message, and is judged for it (EU-PRO-03)."""
    plain = without(case["context"], "content", "message", "marketing_related", "custom_audience_upload")
    denied = verdict(case | {"purpose": purpose, "context": plain}, memo)

    assert not {reason.stage for reason in denied.reasons if reason.effect == "deny"} & ONLY_MARKETING
