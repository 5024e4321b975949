"""Generated situations, as cases: dictionaries in the words of the API.

`cases()` leans towards what the law tells apart (near edges, near the words that
carry meaning, near what a permission rests on) and still reaches everything that
the vocabulary allows, in every place whose law is written.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st

from service.decisions.facts import Template, template
from service.decisions.policy import Policy
from service.decisions.simulation import Case, described

words = str.split
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TABLES = Path(__file__).parents[1] / "policies" / "data"


def table(name: str) -> Any:
    return json.loads((TABLES / f"{name}.json").read_text())


# --- words ------------------------------------------------------------------------------------

ZONES = {
    "AT": "Europe/Vienna",
    "BE": "Europe/Brussels",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CA-ON": "America/Toronto",
    "CA-QC": "America/Montreal",
    "CH": "Europe/Zurich",
    "DE": "Europe/Berlin",
    "DK": "Europe/Copenhagen",
    "ES": "Europe/Madrid",
    "FI": "Europe/Helsinki",
    "FR": "Europe/Paris",
    "GB": "Europe/London",
    "GR": "Europe/Athens",
    "IE": "Europe/Dublin",
    "IN": "Asia/Kolkata",
    "IT": "Europe/Rome",
    "JP": "Asia/Tokyo",
    "NL": "Europe/Amsterdam",
    "NO": "Europe/Oslo",
    "PL": "Europe/Warsaw",
    "PT": "Europe/Lisbon",
    "SE": "Europe/Stockholm",
    "US": "America/New_York",
    "US-CA": "America/Los_Angeles",
    "US-CO": "America/Denver",
    "US-CT": "America/New_York",
    "US-FL": "America/New_York",
    "US-KY": "America/Louisville",
    "US-MD": "America/New_York",
    "US-NJ": "America/New_York",
    "US-OK": "America/Chicago",
    "US-OR": "America/Los_Angeles",
    "US-TX": "America/Chicago",
    "US-UT": "America/Denver",
    "US-VA": "America/New_York",
    "US-WA": "America/Los_Angeles",
    "ZZ": None,
}
PLACES = [
    *ZONES,
    *words("DE DE DE FR FR ES IT NL IE NO GB GB GB CH CH CA-ON CA-QC BR BR IN IN US-CA US-CA US-CA US US-TX ZZ ZZ"),
]
"""Each place once, and more often those that have a law or a table of their own."""
CHANNELS = words("email sms messaging_app push in_app web ads phone phone_auto fax post social_dm")
SERVICE = words("service security support")
FAMILY = words("marketing partner_marketing fundraising survey reconsent political_ads")
DATA_USES = words(
    "personalization profiling adm analytics email_tracking targeted_ads sale_share sensitive_use fip_enrolment"
)
PURPOSES = [
    *FAMILY,
    *DATA_USES,
    *SERVICE,
    *words("doi_confirmation optout_confirmation legal_notice dsr_response"),
]
REFUSALS = words(
    """
    opt_out declined_opt_in object complaint refused_in_call opt_out_sale limit gpc drop_listed drop_unverified
    restrict erase_request erased adm_opt_out dnc_listed
    """
)
ACTIONS = words(
    """
    opt_in opt_in opt_in opt_in_pending opt_out opt_out declined_opt_in object complaint refused_in_call opt_in_sale
    opt_out_sale limit gpc drop_listed drop_unverified purchase purchase inquiry support_given free_account
    basket_abandoned published_address collected call_attempt parental_consent restrict unrestrict
    consent_during_restriction erase_request erased adm_opt_out dnc_listed os_permission fip_withdrawal_not_affirmed
    """
)
METHODS = [
    *words("web_form checkout double_opt_in double_opt_in e_sign account_setting verified_card crm_import"),
    *table("methods")["classes"],
    *words("keyword_stop carrier_pigeon"),
]
SIGNALS = [*words("gpc unlinked_browser_gpc consumer_known"), *(table("listings").keys() - {"dnc_listed"})]
FLAGS = words("restricted objected erased erasure_pending suppressed previously_erased merge_unresolved drop_listed")
TERMS: dict[str, list[str]] = table("terms")
CATEGORIES = [*TERMS["sensitive"], "star_sign"]

BOOLEANS_OF_CONTEXT = words(
    """
    similar_product same_seller optout_in_message sender_identified postal_address_present requested_by_subject
    open_order necessary_for_contract related_to_current_contract exempt_informational marketing_related
    genuine_research sender_is_charity sole_charitable_purpose sender_is_data_broker targets_eu automated ai_voice
    bulk wireless_domain lia_on_file informed_at_collection notice_given notice_at_collection notice_right_to_limit
    purpose_disclosed relevant_to_role related_to_profession presumed_interest_facts fin_notice profiled
    first_party_only third_party_contract direct_relationship custom_audience_upload
    consumer_initiated_transaction_requires_sale information_society_service child_directed online_platform
    solely_automated significant_effect human_appeal_exception
    """
)
WORDS_OF_CONTEXT = {
    **{
        name: [*TERMS[name], "poetry"]
        for name in words("content message topic notice basis_claimed transfer_mechanism reconsent_for use")
    },
    "sender": ["ShopCo", "LeadCo"],
    "recipient": ["PartnerCo"],
    "brand": ["A", "B"],
    "address": ["a1", "a2"],
    "programme": ["L1"],
    "controller_established": ["US", "DE", "US-CA", "GB", "JP"],
    "processor_country": ["IN", "US", "CH", "FR"],
    "current_notice_version": ["v3"],
    "special_category": CATEGORIES,
    "sensitive": CATEGORIES,
    "data_source": ["support_calls"],
}
BOOLEANS_OF_RECORDS = words(
    """
    two_step explicit unbundled dark_pattern notice_shown informed_subject logged_in optout_offered_at_collection
    indirect_remuneration ongoing_contract fin_notice no_solicitation_statement consumer_initiated
    after_conflict_notice
    """
)

LIKELY: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"action": "opt_in", "method": "double_opt_in"}),
    ({}, {"action": "opt_in", "method": "e_sign"}),
    ({}, {"action": "opt_in_pending"}),
    ({}, {"action": "parental_consent", "method": "verified_card"}),
    ({}, {"action": "opt_in_sale", "two_step": True, "method": "web_form"}),
    ({}, {"action": "opt_in", "method": "double_opt_in", "explicit": True, "data_categories": ["health", "religion"]}),
    ({"similar_product": True, "same_seller": True}, {"action": "purchase", "optout_offered_at_collection": True}),
    ({"lia_on_file": True}, {"action": "purchase"}),
    (
        {"lia_on_file": True, "related_to_profession": True, "presumed_interest_facts": True, "relevant_to_role": True},
        {"action": "published_address"},
    ),
    (
        {"sender_is_charity": True, "sole_charitable_purpose": True},
        {"action": "support_given", "optout_offered_at_collection": True},
    ),
    ({"related_to_current_contract": True, "lia_on_file": True}, {"action": "purchase", "ongoing_contract": True}),
    (
        {"notice_at_collection": True, "third_party_contract": True, "purpose_disclosed": True},
        {"action": "opt_in_sale", "after_conflict_notice": True, "method": "conflict_dialog"},
    ),
    ({"notice_right_to_limit": True, "purpose_disclosed": True, "notice_given": True}, {"action": "opt_in"}),
    ({"necessary_for_contract": True, "safeguards": TERMS["safeguards"]}, {"action": "opt_in", "explicit": True}),
    ({"exempt_informational": True}, {"action": "opt_in", "purpose": "service"}),
    ({"open_order": True}, {"action": "consent_during_restriction", "method": "web_form"}),
]
"""What permissions rest on: declared facts, and a record."""

# --- running ----------------------------------------------------------------------------------

EFFORT = int(os.environ.get("EFFORT", "1"))
"""How many times as much as usual is tried: ``EFFORT=50 pytest tests/policy``."""


def tried(examples: int, **others: Any) -> Callable[[Any], Any]:
    """Try so many situations, times the effort. An engine behind HTTP has no even pace, so no deadline."""
    return settings(max_examples=examples * EFFORT, deadline=None, **others)


def template_of(case: Mapping[str, Any], policy: Policy) -> Template:
    """Return the template of a case, as a simulation makes it."""
    situation = described(msgspec.convert(case, Case), policy, None, NOON).situation
    return template(situation, policy.data, policy.is_holiday)


def instant_of(case: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(case["at"]).astimezone(UTC)


# --- parts ------------------------------------------------------------------------------------
# Strategies are made once: to make one costs more than to draw from it.

_exact = st.builds(
    lambda days, hours, minutes, microseconds: (
        -timedelta(days=days, hours=hours, minutes=minutes, microseconds=microseconds)
    ),
    st.sampled_from([0, 0, 1, 29, 30, 31, 59, 60, 61, 89, 90, 91, 181, 183, 364, 365, 366, 547, 729, 730, 731, 1096]),
    st.sampled_from([0, 0, 1, 12, 23, 24]),
    st.sampled_from([0, 0, 4, 5, 6, 59]),
    st.sampled_from([0, 0, 0, 1, 999_999]),
)
_anywhere = st.integers(-2500 * 24 * 60, 365 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
spans = st.one_of(_exact, _exact, _anywhere)
"""From seven years back to one ahead, often an exact number of months, days, hours or minutes."""

_beginnings = st.builds(
    lambda day, before, hour: datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC) - timedelta(days=before),
    st.sampled_from(sorted({*table("in_force").values()})),
    st.integers(0, 1),
    st.integers(0, 23),
)
_this_week = st.builds(
    lambda days, hours: NOON + timedelta(days=days, hours=hours), st.integers(-3, 3), st.integers(-12, 12)
)
_asked_at = st.one_of(st.just(NOON), st.just(NOON), _this_week, _beginnings)
"""Now, at any hour of this week, and on the day on which a law begins or the day before."""


def some(fields: Mapping[str, st.SearchStrategy[Any]], at_most: int) -> st.SearchStrategy[dict[str, Any]]:
    """A few of `fields`, each with a value of its own; as often as not none."""
    one = st.one_of(*(st.tuples(st.just(name), values) for name, values in fields.items()))
    return st.one_of(st.just({}), st.lists(one, max_size=at_most).map(dict))


def either(names: Iterable[str]) -> dict[str, st.SearchStrategy[Any]]:
    return dict.fromkeys(names, st.booleans())


_channels = st.one_of(
    st.none(),
    st.none(),
    st.sampled_from([*CHANNELS, "any", "all"]),
    st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=3, unique=True),
)
"""None is the one in question; so it is among the purposes."""
_purposes = st.sampled_from(
    [*[None] * 30, *["marketing"] * 12, *PURPOSES, *words("contract donation product_safety collection any all")]
)
_records = st.fixed_dictionaries(
    {"ts": spans, "action": st.sampled_from(ACTIONS), "channel": _channels, "purpose": _purposes}
)
_proofs = st.one_of(
    st.just({}),
    *[st.sampled_from(METHODS).map(lambda method: {"method": method, "evidence": "form", "notice_version": "v3"})] * 3,
)
_more_of_records = some(
    {
        "evidence": st.sampled_from(["form+ip+wording", "pewc_disclosure+signature", None]),
        "notice_version": st.sampled_from(["v2", "v3"]),
        "scope": st.sampled_from([*TERMS["scope"], "odd"]),
        "expires_at": spans,
        "original_ts": spans,
        "incentive": st.just("5% voucher"),
        "named_controllers": st.sampled_from([[], ["ShopCo"], ["LeadCo", "ShopCo"], ["LeadCo"]]),
        "named_recipients": st.sampled_from([["PartnerCo"], ["OtherCo"]]),
        "brand": st.sampled_from(["A", "B"]),
        "address": st.sampled_from(["a1", "a2"]),
        "programme": st.just("L1"),
        "seller": st.sampled_from(["ShopCo", "LeadCo"]),
        "data_categories": st.lists(st.sampled_from(CATEGORIES), max_size=2),
        "subject_ref": st.just("P2"),
        "hours_consent": st.sampled_from(["18:00-21:00", "09:00-12:30", "22:00-06:00"]),
        "in_reply_to": st.sampled_from(["service", "marketing"]),
        "ground": st.just("21(1)"),
        **either(BOOLEANS_OF_RECORDS),
    },
    5,
)
_likely = st.one_of(st.none(), st.sampled_from(LIKELY), st.sampled_from(LIKELY))
_subjects = some(
    {
        "age": st.sampled_from([8, 11, 12, 13, 14, 15, 16, 17, 18, 40, 40, 40]),
        "birth_date": st.sampled_from(
            ["1986-03-01", "2008-11-20", "2008-11-21", "2010-11-21", "2012-02-29", "2013-11-20"]
        ),
        "is_customer": st.booleans(),
        "b2b": st.booleans(),
        "subscriber_type": st.sampled_from(["individual", "corporate", "partnership"]),
        "relationship": st.sampled_from(["employee", "friend"]),
        "residence": st.sampled_from(PLACES),
        "current_location": st.sampled_from(PLACES),
        "previous_residence": st.sampled_from(PLACES),
        "moved_at": st.just("2026-09-01"),
        "establishment_of_employer": st.sampled_from(PLACES),
        "last_interaction_at": spans,
        "last_sent_at": spans,
        "age_signals": st.sampled_from(["likely_under_16", "likely_wise"]),
    },
    4,
)
_contexts = some(
    {
        **{name: st.sampled_from(values) for name, values in WORDS_OF_CONTEXT.items()},
        **either(BOOLEANS_OF_CONTEXT),
        "plausible_time_zones": st.sampled_from([["America/Los_Angeles", "America/New_York"], ["Europe/Berlin"]]),
        "approved_at": spans,
        "material_change_since": st.sampled_from([["v2"], ["v3"]]),
        "prior_confirmation_mails": st.integers(0, 3),
        "prior_confirmation_texts": st.integers(0, 3),
        "safeguards": st.lists(st.sampled_from([*TERMS["safeguards"], "prayer"]), max_size=3),
        "policy": st.sampled_from([{"honour_gpc_everywhere": True}, {"honour_gpc_everywhere": False}]),
    },
    8,
)
_signals = some(
    {
        **dict.fromkeys(SIGNALS, st.just(value=True)),
        "gpc": st.booleans(),
        "gpc_first_seen": spans,
        "number_reassigned_after": st.just("2026-08-01"),
    },
    2,
)
_flags = some(
    {
        **dict.fromkeys(FLAGS, st.just(value=True)),
        "restricted_at": spans,
        "suppressed_at": spans,
        "drop_match": st.sampled_from(["verified", "unverified", "approximate"]),
    },
    2,
)
_attempts = st.sampled_from([0, 0, 0, 0, 3, 4, 5])
_places = st.sampled_from(PLACES)
_asked_channels = st.sampled_from([*words("email email email phone phone sms sms web"), *CHANNELS])
_asked_purposes = st.sampled_from([*words("marketing marketing marketing marketing service sale_share"), *PURPOSES])
_zone_known = st.sampled_from([True, True, True, False])
_few = st.integers(0, 4)


def _dated(fields: Mapping[str, Any], around: datetime) -> dict[str, Any]:
    """Return `fields` with an instant for every span."""
    return {
        name: (around + value).isoformat() if isinstance(value, timedelta) else value for name, value in fields.items()
    }


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """A whole case: who, what they did, what is asked."""
    place, channel, purpose, around = draw(_places), draw(_asked_channels), draw(_asked_purposes), draw(_asked_at)
    context = draw(_contexts)
    said = [draw(_records) | draw(_proofs) | draw(_more_of_records) for _ in range(draw(_few))]
    if (likely := draw(_likely)) is not None:
        declared, record = likely
        context = declared | context
        granting = {"ts": draw(spans), "channel": None, "purpose": None, "evidence": "pewc", "notice_version": "v3"}
        said.append(granting | record)
    said += [
        {"ts": -timedelta(hours=1 + hours), "action": "call_attempt", "channel": None}
        for hours in range(draw(_attempts))
    ]
    for record in said:
        record["channel"] = record["channel"] or channel
        if record.get("purpose", "") is None:
            record["purpose"] = purpose
    return {
        "jurisdiction": place,
        "local_time_zone": ZONES[place] if draw(_zone_known) else None,
        "channel": channel,
        "purpose": purpose,
        "at": around.isoformat(),
        "subject": {"is_customer": False, "b2b": False} | _dated(draw(_subjects), around),
        "records": [_dated(record, around) for record in said],
        "signals": _dated(draw(_signals), around),
        "flags": _dated(draw(_flags), around),
        "context": _dated(context, around),
    }
