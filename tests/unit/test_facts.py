"""Facts: what goes in, what stays out, and until when they hold."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.decisions.facts import Filled, fill, template
from service.decisions.policy import Policy
from service.decisions.simulation import Case, described
from tests.situations import NOON, cases
from tests.toy_policy import policy

POLICY = policy()
BASE = {
    "jurisdiction": "DE",
    "channel": "email",
    "purpose": "marketing",
    "at": NOON.isoformat(),
    "local_time_zone": "Europe/Berlin",
}


def filled(
    case: Mapping[str, Any],
    at: datetime | None = None,
    policy: Policy = POLICY,
    purposes: Mapping[str, str] | None = None,
) -> Filled:
    whole = msgspec.convert({**BASE, **case}, Case)
    return fill(
        template(
            described(whole, policy, (purposes or {}).get(whole.purpose), NOON).situation,
            policy.data,
            policy.is_holiday,
        ),
        at or whole.at or NOON,
    )


def facts(case: Mapping[str, Any], at: datetime | None = None, **how: Any) -> dict[str, Any]:
    return json.loads(filled(case, at, **how).facts)


def act(record: Mapping[str, Any], at: datetime = NOON, **case: Any) -> dict[str, Any]:
    """Return the only act of a case that has one record."""
    opt_in = {"ts": "2026-03-01T10:00:00+01:00", "channel": "email", "purpose": "marketing", "action": "opt_in"}
    (only,) = facts({"records": [opt_in | record], **case}, at)["acts"]
    return only


def test_what_is_unknown_is_absent():
    assert facts({}) == {
        "acts": [],
        "attempts": {"d30": 0, "h24": 0},
        "clock": {"law_day": "2026-08-01"},
        "places": {"residence": "DE"},
        "question": {"channel": "email", "purpose": "marketing"},
    }


def test_a_place_that_nobody_knows_is_zz():
    assert facts({"jurisdiction": None})["places"] == {"residence": "ZZ"}


def test_facts_are_canonical():
    body = filled({"subject": {"is_customer": True, "b2b": False}}).facts

    assert body == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()


@given(case=cases(), instant=st.integers(0, 40 * 24 * 3600))
def test_facts_hold_until_they_say(case: dict[str, Any], instant: int):
    start = datetime.fromisoformat(case["at"]).astimezone(UTC)
    before = filled(case, start)
    later = start + timedelta(seconds=instant)
    if before.valid_until is not None:
        assert before.valid_until > start
        later = min(later, before.valid_until - timedelta(microseconds=1))

    assert filled(case, later).facts == before.facts


@given(case=cases())
def test_the_same_situation_has_the_same_facts_in_whatever_order_it_is_told(case: dict[str, Any]):
    assert filled({**case, "records": case["records"][::-1]}).facts == filled(case).facts


@given(case=cases())
def test_no_name_address_or_free_text_enters_the_facts(case: dict[str, Any]):
    body = filled(case).facts.decode()

    for text in (
        "ShopCo",
        "LeadCo",
        "PartnerCo",
        "a1",
        "L1",
        "P2",
        "odd",
        "poetry",
        "star_sign",
        "5%",
        "form+ip",
        "v3",
    ):
        assert f'"{text}"' not in body


@pytest.mark.parametrize(
    ("context", "record", "expected"),
    [
        pytest.param({"sender": "ShopCo"}, {"named_controllers": ["LeadCo", "ShopCo"]}, {"controllers": "sender"}),
        pytest.param({"sender": "ShopCo"}, {"named_controllers": ["LeadCo"]}, {"controllers": "others"}),
        pytest.param({"sender": "ShopCo"}, {"named_controllers": []}, {"controllers": "nobody"}),
        pytest.param({}, {"named_controllers": ["LeadCo"]}, {"controllers": "unasked"}),
        pytest.param({"brand": "A"}, {"brand": "A"}, {"brand": "same"}),
        pytest.param({"brand": "A"}, {"brand": "B"}, {"brand": "other"}),
        pytest.param({}, {"address": "a1"}, {"address": "unasked"}),
        pytest.param({"sender": "ShopCo"}, {"seller": "ShopCo"}, {"seller": "same"}),
        pytest.param({}, {"subject_ref": "P2"}, {"person": "other"}),
        pytest.param(
            {"special_category": "health"}, {"data_categories": ["health_inferred"]}, {"covers_category": True}
        ),
        pytest.param({"sensitive": "genetic"}, {"data_categories": ["health"]}, {"covers_category": False}),
        pytest.param(
            {"special_category": "health", "sensitive": "genetic"},
            {"data_categories": ["health"]},
            {"covers_category": False},
            id="one of two categories is not both",
        ),
        pytest.param(
            {"special_category": "health", "sensitive": "genetic_inferred"},
            {"data_categories": ["genetic", "religion", "health_inferred"]},
            {"covers_category": True},
            id="both among others",
        ),
        pytest.param({}, {"notice_shown": False}, {"notice": {"shown": False}}),
        pytest.param(
            {"current_notice_version": "v3", "material_change_since": ["v2"]},
            {"notice_version": "v2"},
            {"notice": {"version": True, "current": False, "material_change": True}},
        ),
        pytest.param(
            {"current_notice_version": "v3", "material_change_since": ["v2"]},
            {},
            {"notice": {"material_change": True}},
            id="nobody can say which text it answers to",
        ),
        pytest.param({}, {"scope": "global"}, {"scope": "global"}),
        pytest.param({}, {"scope": "of my choosing"}, {"scope": "other"}),
        pytest.param({}, {"method": "carrier_pigeon"}, {"method": "unlisted"}),
        pytest.param({}, {"evidence": None}, {"evidence": "null"}),
        pytest.param({}, {"channel": ["email", "phone"], "purpose": "all"}, None),
    ],
)
def test_an_act_is_compared_with_the_question(
    context: dict[str, Any], record: dict[str, Any], expected: dict[str, Any]
):
    plain = {"action": "opt_in", "channel": "email", "purpose": "marketing", "rank": 1, "months_past": 6}
    if expected is None:
        both = facts({"records": [{"ts": NOON.isoformat(), "action": "opt_out", **record}]})["acts"]
        assert [(each["channel"], each["purpose"], each["several"]) for each in both] == [
            ("email", "any", True),
            ("phone", "any", True),
        ]
        return
    assert act(record, context=context) == plain | expected


def test_a_rank_is_shared_by_what_happened_at_once():
    case = {
        "records": [
            {"ts": "2026-05-01T10:00:00Z", "channel": "email", "action": "opt_out"},
            {"ts": "2026-05-01T12:00:00+02:00", "channel": "email", "action": "opt_in"},
            {"ts": "2026-06-01T10:00:00Z", "channel": "sms", "action": "opt_in"},
        ],
        "flags": {"restricted": True, "restricted_at": "2026-05-15T00:00:00Z"},
    }
    told = facts(case)

    assert [(each["action"], each["rank"]) for each in told["acts"]] == [("opt_in", 1), ("opt_out", 1), ("opt_in", 3)]
    assert told["flags"] == {"restricted": True, "restricted_rank": 2}


def test_what_is_dated_later_than_the_question_is_marked():
    refusal = {"ts": "2026-12-01T00:00:00Z", "action": "opt_out"}

    assert act(refusal)["future"] is True
    assert "future" not in act(refusal, datetime(2026, 12, 1, tzinfo=UTC))


def test_a_later_permission_does_not_hide_the_one_that_counted_at_the_time():
    both = [
        {"ts": ts, "channel": "email", "purpose": "marketing", "action": "opt_in"}
        for ts in ("2026-03-01T10:00:00Z", "2026-12-01T10:00:00Z")
    ]

    assert [each.get("future") for each in facts({"records": both})["acts"]] == [None, True]


def test_what_ends_at_the_instant_has_ended():
    ends = {"expires_at": NOON.isoformat()}

    assert act(ends)["expired"] is True
    assert "expired" not in act(ends, NOON - timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("age", "inside"), [(timedelta(minutes=5), True), (timedelta(minutes=5, microseconds=1), False)]
)
def test_five_minutes_include_their_last_instant(age: timedelta, inside: bool):
    assert act({"ts": (NOON - age).isoformat(), "action": "opt_out"}).get("minutes5", False) is inside


@pytest.mark.parametrize(
    ("ts", "day"),
    [("2026-02-04T23:59:59+00:00", "0001-01-01"), ("2026-02-05T12:00:00+00:00", "2026-02-05")],
    ids=["the day before", "the day itself"],
)
def test_support_is_told_by_the_law_of_its_day(ts: str, day: str):
    assert act({"ts": ts, "action": "support_given"}, local_time_zone="UTC")["law_day"] == day
    assert "law_day" not in act({"ts": ts, "action": "opt_out"})


def test_sixty_days_end_with_the_instant():
    assert "days60" not in act({"ts": (NOON - timedelta(days=60)).isoformat(), "action": "opt_out"})
    assert act({"ts": (NOON - timedelta(days=60, microseconds=-1)).isoformat(), "action": "opt_out"})["days60"] is True


def test_an_attempt_that_is_exactly_a_day_old_no_longer_counts():
    attempts = [
        {"ts": (NOON - age).isoformat(), "channel": "phone", "action": "call_attempt"}
        for age in (timedelta(hours=24), timedelta(hours=23, minutes=59), timedelta(days=29), timedelta(days=30))
    ]

    assert facts({"channel": "phone", "records": attempts})["attempts"] == {"h24": 1, "d30": 3}


def test_attempts_on_another_channel_count_where_the_law_counts_them_together():
    attempt = {"ts": (NOON - timedelta(hours=1)).isoformat(), "channel": "sms", "action": "call_attempt"}

    assert facts({"channel": "phone", "records": [attempt]})["attempts"] == {"h24": 1, "d30": 0}
    assert facts({"channel": "email", "records": [attempt]})["attempts"] == {"h24": 0, "d30": 0}


def test_attempts_on_any_channel_count_on_each():
    attempt = {"ts": (NOON - timedelta(hours=1)).isoformat(), "channel": "any", "action": "call_attempt"}

    assert facts({"channel": "phone", "records": [attempt]})["attempts"] == {"h24": 1, "d30": 1}


def test_a_tenants_purpose_stands_for_the_known_one_when_it_is_asked():
    permission = {"ts": "2026-03-01T10:00:00Z", "channel": "email", "purpose": "x-club", "action": "opt_in"}
    mapping = {"x-club": "marketing", "x-shop": "marketing"}

    def purposes(asked: str, **record: Any) -> list[str]:
        told = facts({"purpose": asked, "records": [permission | record]}, purposes=mapping)
        assert told["question"]["purpose"] == "marketing"
        return [each["purpose"] for each in told["acts"]]

    assert purposes("x-club") == ["marketing"]
    assert purposes("x-shop") == ["tenant"]
    assert purposes("marketing") == ["tenant"]
    assert purposes("x-club", purpose="marketing") == ["tenant"]
    assert purposes("x-club", purpose="marketing", action="opt_out") == ["marketing"]
    assert purposes("x-shop", action="opt_out") == []


def test_the_clock_is_told_on_the_channels_where_the_hour_matters():
    assert facts({"channel": "phone"})["clock"] == {
        "law_day": "2026-08-01",
        "zone_known": True,
        "local": [{"weekday": 5, "minute": 720, "holiday": False}],
    }
    assert facts({"channel": "phone", "local_time_zone": None})["clock"] == {
        "law_day": "2026-08-01",
        "zone_known": False,
    }


def test_every_plausible_zone_is_told():
    context = {"plausible_time_zones": ["America/Los_Angeles", "America/New_York"]}
    case = {"channel": "phone", "local_time_zone": None, "context": context}
    morning, night = (datetime(2026, 11, 20, hour, 30, tzinfo=UTC) for hour in (17, 9))

    assert [there["minute"] for there in facts(case, morning)["clock"]["local"]] == [540, 720]
    assert [there["minute"] for there in facts(case, night)["clock"]["local"]] == [0]


def test_a_holiday_is_that_of_any_country_that_the_recipient_has():
    christmas = datetime(2026, 12, 25, 12, 0, tzinfo=UTC)

    assert facts({"channel": "phone"}, christmas)["clock"]["local"][0]["holiday"] is True
    assert facts({"channel": "phone", "jurisdiction": "FR"}, christmas)["clock"]["local"][0]["holiday"] is False
    there = {"channel": "phone", "jurisdiction": "FR", "subject": {"current_location": "DE"}}
    assert facts(there, christmas)["clock"]["local"][0]["holiday"] is True


@pytest.mark.parametrize(
    ("hours", "minute", "open_"),
    [("18:00-21:00", "17:59", False), ("18:00-21:00", "18:00", True), ("18:00-21:00", "21:00", False),
     ("22:00-06:00", "23:30", True), ("22:00-06:00", "06:00", False)],
)  # fmt: skip
def test_hours_of_consent_open_with_their_first_minute_and_close_with_their_last(hours: str, minute: str, open_: bool):
    at = datetime.fromisoformat(f"2026-11-20T{minute}:00+01:00")
    record = {"channel": "phone", "hours_consent": hours}

    assert act(record, at, channel="phone")["hours_open"] is open_


@pytest.mark.parametrize(("hour", "open_"), [(1, False), (2, True), (3, False)])
def test_hours_of_consent_are_open_when_they_are_wherever_the_person_may_be(hour: int, open_: bool):
    """Asked at 17:30 and 20:30, at 18:30 and 21:30, at 19:30 and 22:30 in Los Angeles and New York."""
    at = datetime(2026, 11, 21, hour, 30, tzinfo=UTC)
    context = {"plausible_time_zones": ["America/Los_Angeles", "America/New_York"]}
    record = {"channel": "phone", "hours_consent": "18:00-22:00"}

    assert act(record, at, channel="phone", local_time_zone=None, context=context)["hours_open"] is open_


def test_hours_of_consent_are_closed_where_nobody_knows_the_hour():
    record = {"channel": "phone", "hours_consent": "00:00-23:59"}

    assert act(record, channel="phone", local_time_zone=None)["hours_open"] is False


@pytest.mark.parametrize(
    ("hour", "age"), [(11, 13), (12, 14)], ids=["the eve in the last zone", "the birthday in the last zone"]
)
def test_without_a_zone_an_act_is_of_the_age_that_is_true_wherever_the_person_may_live(hour: int, age: int):
    agreed = {"ts": f"2026-03-01T{hour}:00:00Z"}

    assert act(agreed, local_time_zone=None, subject={"birth_date": "2012-03-01"})["age"] == age


def test_a_number_counts_as_reassigned_from_the_day_that_is_named():
    case = {"signals": {"number_reassigned_after": "2026-11-21"}}
    before = filled(case)

    assert b"number_reassigned" not in before.facts
    assert before.valid_until == datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
    assert facts(case, before.valid_until)["signals"] == {"number_reassigned": True}


def test_signals_and_flags_that_are_false_are_missing_but_for_two():
    told = facts({"signals": {"gpc": False, "tps_listed": False, "consumer_known": False}, "flags": {"erased": False}})

    assert told["signals"] == {"gpc": False, "consumer_known": False}
    assert "flags" not in told


def test_an_unlisted_word_says_only_that_it_is_another_one():
    context = {"content": "poetry", "safeguards": ["contest", "prayer", "hope"], "sender": "ShopCo"}

    assert facts({"context": context})["context"] == {
        "content": "other",
        "safeguards": ["contest", "other"],
        "sender_given": True,
    }


def test_an_approval_counts_as_earlier_once_its_instant_is_past():
    case = {"context": {"approved_at": NOON.isoformat()}}

    assert "context" not in facts(case, NOON)
    assert facts(case, NOON + timedelta(microseconds=1))["context"] == {"approved_earlier": True}


@given(
    st.sampled_from(["Pacific/Kiritimati", "Asia/Tokyo", "Europe/Berlin", "America/Los_Angeles", "Pacific/Pago_Pago"]),
    st.datetimes(datetime(2025, 1, 1), datetime(2025, 12, 31), timezones=st.just(UTC)),
    st.integers(-30, 30),
)
def test_without_a_zone_no_wait_ends_and_no_birthday_comes_earlier_than_where_the_person_may_live(zone, refused, hours):
    at = refused.replace(year=2026, day=min(refused.day, 28)) + timedelta(hours=hours)
    refusal = {"ts": refused.isoformat(), "action": "opt_out_sale", "purpose": "sale_share", "channel": "web"}
    case = {"records": [refusal], "subject": {"birth_date": f"2012-{at:%m}-{min(at.day, 28):02}"}}

    somewhere = facts({**case, "local_time_zone": zone}, at)
    anywhere = facts({**case, "local_time_zone": None}, at)

    assert anywhere["subject"]["age"] <= somewhere["subject"]["age"]
    assert anywhere["acts"][0].get("months_waited", 0) <= somewhere["acts"][0].get("months_waited", 0)
