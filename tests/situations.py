"""Generated situations, as cases: dictionaries in the words of the API.

`cases()` leans towards what the law tells apart (near edges, near the words that
carry meaning) and still reaches everything that the vocabulary allows.
"""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st

from service.decisions.facts import Template, template
from service.decisions.policy import Policy
from service.decisions.simulation import Case, described

words = str.split
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

ZONES = {"DE": "Europe/Berlin", "US-CA": "America/Los_Angeles", "FR": "Europe/Paris", "ZZ": None}
PLACES = ["DE", "DE", "DE", "US-CA", "US-CA", "US-CA", "FR", "ZZ"]
CHANNELS = words("email sms messaging_app push in_app web ads phone phone_auto fax post social_dm")
PURPOSES = words(
    """
    marketing partner_marketing fundraising survey personalization profiling adm analytics email_tracking
    targeted_ads sale_share sensitive_use political_ads reconsent doi_confirmation optout_confirmation fip_enrolment
    service security support legal_notice dsr_response
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
REFUSALS = words(
    """
    opt_out declined_opt_in object complaint refused_in_call opt_out_sale limit gpc drop_listed drop_unverified
    restrict erase_request erased adm_opt_out dnc_listed
    """
)
METHODS = words(
    """
    web_form checkout double_opt_in double_opt_in double_opt_in_email e_sign oral account_setting letter
    verified_card pre_ticked_box terms_acceptance list_broker partner_form crm_import third_party_platform
    unsubscribe_link one_click_post keyword_stop authorized_agent banner_accept_only carrier_pigeon
    """
)
CATEGORIES = [
    "health",
    "sexual_orientation",
    "political_opinion",
    "religion",
    "precise_geolocation",
    "under16",
    "health_inferred",
    "star_sign",
]

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
    "content": ["promotional", "mixed", "service", "poetry"],
    "message": ["abandoned_basket", "review_request", "newsletter"],
    "topic": ["pensions", "energy_renovation", "gardening"],
    "notice": ["art34", "recall"],
    "sender": ["ShopCo", "LeadCo"],
    "recipient": ["PartnerCo"],
    "brand": ["A", "B"],
    "address": ["a1", "a2"],
    "programme": ["L1"],
    "controller_established": ["US", "DE", "US-CA"],
    "processor_country": ["IN", "US", "CH"],
    "transfer_mechanism": ["dpf", "scc+tia", "art49_consent"],
    "basis_claimed": ["legitimate_interest", "consent", "contract"],
    "current_notice_version": ["v3"],
    "reconsent_for": ["sale_share", "marketing"],
    "special_category": CATEGORIES,
    "sensitive": CATEGORIES,
    "use": ["marketing_inference", "fraud_prevention", "quality"],
    "data_source": ["support_calls"],
}
BOOLEANS_OF_RECORDS = words(
    """
    two_step explicit unbundled dark_pattern notice_shown informed_subject logged_in optout_offered_at_collection
    indirect_remuneration ongoing_contract fin_notice no_solicitation_statement consumer_initiated
    after_conflict_notice
    """
)
SIGNALS = words(
    """
    gpc unlinked_browser_gpc consumer_known bloctel_listed tps_listed ctps_listed rpo_listed robinson_listed
    ndnc_listed dncl_listed dnd_registered asterisk
    """
)
FLAGS = words("restricted objected erased erasure_pending suppressed previously_erased merge_unresolved drop_listed")

EFFORT = int(os.environ.get("EFFORT", "1"))
"""How many times as much as usual is tried: ``EFFORT=50 pytest tests/policy``."""


def tried(examples: int) -> Callable[[Any], Any]:
    """Try so many situations, times the effort. An engine behind HTTP has no even pace, so no deadline."""
    return settings(max_examples=examples * EFFORT, deadline=None)


def template_of(case: Mapping[str, Any], policy: Policy) -> Template:
    """Return the template of a case, as a simulation makes it."""
    situation = described(msgspec.convert(case, Case), policy, None, NOON).situation
    return template(situation, policy.data, policy.is_holiday)


def instant_of(case: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(case["at"]).astimezone(UTC)


def instants(around: datetime = NOON) -> st.SearchStrategy[str]:
    """Instants from seven years before to one after, often an exact number of months, days, hours or minutes away."""
    exact = st.builds(
        lambda days, hours, minutes, microseconds: (
            around - timedelta(days=days, hours=hours, minutes=minutes, microseconds=microseconds)
        ),
        st.sampled_from(
            [0, 0, 1, 29, 30, 31, 59, 60, 61, 89, 90, 91, 181, 183, 364, 365, 366, 547, 729, 730, 731, 1096]
        ),
        st.sampled_from([0, 0, 1, 12, 23, 24]),
        st.sampled_from([0, 0, 4, 5, 6, 59]),
        st.sampled_from([0, 0, 0, 1, 999_999]),
    )
    anywhere = st.datetimes(
        around.replace(tzinfo=None) - timedelta(days=2500),
        around.replace(tzinfo=None) + timedelta(days=365),
        timezones=st.just(UTC),
    )
    return st.one_of(exact, anywhere).map(lambda instant: instant.isoformat())


def some(booleans: list[str], at_most: int) -> st.SearchStrategy[dict[str, bool]]:
    return st.dictionaries(st.sampled_from(booleans), st.booleans(), max_size=at_most)


def optional(fields: dict[str, st.SearchStrategy[Any]], at_most: int) -> st.SearchStrategy[dict[str, Any]]:
    """A few of `fields`, each with a value of its own."""
    one = st.sampled_from(sorted(fields)).flatmap(lambda name: st.tuples(st.just(name), fields[name]))
    return st.lists(one, max_size=at_most).map(dict)


_channels = st.one_of(
    st.sampled_from([*CHANNELS, "any", "all"]),
    st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=3, unique=True),
)
_record_extras = optional(
    {
        "evidence": st.sampled_from(["form+ip+wording", "pewc_disclosure+signature", None]),
        "notice_version": st.sampled_from(["v2", "v3"]),
        "scope": st.sampled_from(["channel", "global", "profiling_only", "collection_only", "unspecified", "odd"]),
        "expires_at": instants(),
        "original_ts": instants(),
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
    },
    4,
)


@st.composite
def records(draw: st.DrawFn, channel: str, purpose: str, around: datetime = NOON) -> dict[str, Any]:
    """One record, more often than not about the channel and purpose in question."""
    record: dict[str, Any] = {
        "ts": draw(instants(around)),
        "action": draw(st.sampled_from(ACTIONS)),
        "channel": draw(st.one_of(st.just(channel), st.just(channel), _channels)),
    }
    if draw(st.integers(0, 9)):
        others = [*PURPOSES, "contract", "donation", "collection", "any", "all"]
        record["purpose"] = draw(st.one_of(st.sampled_from([purpose, purpose, "marketing"]), st.sampled_from(others)))
    if draw(st.integers(0, 4)):
        record["method"] = draw(st.sampled_from(METHODS))
        record["evidence"] = "form+ip+wording"
        record["notice_version"] = "v3"
    return record | draw(_record_extras) | draw(some(BOOLEANS_OF_RECORDS, 2))


_subjects = optional(
    {
        "age": st.sampled_from([8, 12, 13, 14, 15, 16, 17, 18, 40]),
        "birth_date": st.sampled_from(
            ["1986-03-01", "2008-11-20", "2008-11-21", "2010-11-21", "2012-02-29", "2013-11-20"]
        ),
        "is_customer": st.booleans(),
        "b2b": st.booleans(),
        "subscriber_type": st.sampled_from(["individual", "corporate", "partnership"]),
        "relationship": st.sampled_from(["employee", "friend"]),
        "residence": st.sampled_from(["DE", "US-CA", "FR"]),
        "current_location": st.sampled_from(["DE", "US-CA", "US-VA"]),
        "previous_residence": st.sampled_from(["DE", "US-CA"]),
        "moved_at": st.just("2026-09-01"),
        "establishment_of_employer": st.just("DE"),
        "last_interaction_at": instants(),
        "last_sent_at": instants(),
        "age_signals": st.sampled_from(["likely_under_16", "likely_wise"]),
    },
    4,
)
_contexts = st.builds(
    lambda words, booleans, others: {**words, **booleans, **others},
    optional({name: st.sampled_from(values) for name, values in WORDS_OF_CONTEXT.items()}, 3),
    some(BOOLEANS_OF_CONTEXT, 6),
    optional(
        {
            "plausible_time_zones": st.sampled_from([["America/Los_Angeles", "America/New_York"], ["Europe/Berlin"]]),
            "approved_at": instants(),
            "material_change_since": st.sampled_from([["v2"], ["v3"]]),
            "prior_confirmation_mails": st.integers(0, 3),
            "safeguards": st.lists(st.sampled_from(["human_intervention", "contest", "prayer"]), max_size=3),
            "policy": st.just({"honour_gpc_everywhere": False}),
        },
        2,
    ),
)


@st.composite
def cases(draw: st.DrawFn, around: datetime = NOON) -> dict[str, Any]:
    """A whole case: who, what they did, what is asked."""
    place = draw(st.sampled_from(PLACES))
    channel = draw(st.sampled_from(["email", "email", "email", "phone", "sms", "web", *CHANNELS]))
    purpose = draw(st.sampled_from(["marketing", "marketing", "marketing", "service", "sale_share", *PURPOSES]))
    flags: dict[str, Any] = dict.fromkeys(draw(st.lists(st.sampled_from(FLAGS), max_size=1)), True)
    if draw(st.booleans()):
        for name in ("restricted", "suppressed"):
            if name in flags:
                flags[f"{name}_at"] = draw(instants(around))
    return {
        "jurisdiction": place,
        "local_time_zone": draw(st.sampled_from([ZONES[place], ZONES[place], None])),
        "channel": channel,
        "purpose": purpose,
        "at": draw(
            st.sampled_from([around, around, around - timedelta(hours=3), around + timedelta(days=2)])
        ).isoformat(),
        "subject": {"is_customer": False, "b2b": False} | draw(_subjects),
        "records": draw(st.lists(records(channel, purpose, around), max_size=6)),
        "signals": draw(some(SIGNALS, 1))
        | draw(optional({"number_reassigned_after": st.just("2026-08-01"), "gpc_first_seen": instants(around)}, 1)),
        "flags": flags,
        "context": draw(_contexts),
    }
