"""A tenant's own policy: what it may look like, and what of it the policy is told."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from service.consent import Channel
from service.decisions import NO_OVERLAY, Context, Overlay, overlay_facts
from service.decisions.domain import Question
from service.decisions.overlay import edges, minute_of
from service.policies.domain import faults

MONTHS = (6, 12, 24)


def an_overlay(**said: Any) -> Overlay:
    return msgspec.convert(said, Overlay)


def hours(*spans: tuple[str, str], day: str = "1", **more: Any) -> dict[str, Any]:
    return {"channels": ["phone"], "days": {day: spans}, **more}


def a_question(purpose: str, meaning: str) -> Question:
    return Question(
        channel=Channel("email"),
        purpose=purpose,
        meaning=meaning,
        at=datetime(2026, 11, 20, 12, tzinfo=UTC),
        context=Context(),
    )


def test_an_empty_overlay_says_nothing():
    assert overlay_facts(NO_OVERLAY, None) == {}
    assert an_overlay(denied=[], early=[], refused_bases=[]) == NO_OVERLAY
    assert overlay_facts(an_overlay(attempts={}), None) == {}
    assert edges(NO_OVERLAY) == frozenset()


def test_minutes_are_numbers_and_the_rest_is_as_it_was_said():
    said = an_overlay(
        hours=hours(("09:00", "12:30"), ("14:00", "24:00"), on_holidays=True),
        stale_months=12,
        double_opt_in=True,
        attempts={"h24": 0},
        denied=[{"channel": "sms"}],
    )

    assert overlay_facts(said, None) == {
        "hours": {"channels": ["phone"], "days": {"1": [[540, 750], [840, 1440]]}, "on_holidays": True},
        "stale_months": 12,
        "double_opt_in": True,
        "attempts": {"h24": 0},
        "denied": [{"channel": "sms"}],
    }


def test_the_same_said_in_another_order_or_twice_makes_the_same_facts():
    said = an_overlay(
        early=["US-TCPA-03", "EU-POL-01"],
        refused_bases=["soft_opt_in", "legitimate_interest"],
        denied=[{"channel": "sms"}, {"purpose": "survey"}, {"channel": "sms"}],
        hours={"channels": ["sms", "phone"], "days": {}},
    )
    turned = an_overlay(
        early=["EU-POL-01", "US-TCPA-03"],
        refused_bases=["legitimate_interest", "soft_opt_in"],
        denied=[{"purpose": "survey"}, {"channel": "sms"}],
        hours={"channels": ["phone", "sms", "phone"], "days": {}},
    )

    assert overlay_facts(said, None) == overlay_facts(turned, None)


def test_a_purpose_of_the_tenants_own_is_what_it_maps_onto_and_only_where_it_is_asked_about():
    said = an_overlay(denied=[{"purpose": "x-club", "channel": "email"}, {"purpose": "survey"}])

    about_it = overlay_facts(said, a_question("x-club", "marketing"))["denied"]
    about_its_meaning = overlay_facts(said, a_question("marketing", "marketing"))["denied"]
    about_another = overlay_facts(said, a_question("x-zoo", "marketing"))["denied"]

    assert about_it == [{"channel": "email", "purpose": "marketing"}, {"purpose": "survey"}]
    assert about_its_meaning == about_another == [{"purpose": "survey"}]


def test_the_hours_of_the_overlay_are_edges_at_which_an_answer_can_change():
    said = an_overlay(hours=hours(("09:15", "12:00"), ("12:00", "24:00")))

    assert edges(said) == {555, 720, 0}, "24:00 is the midnight of the next day"


@pytest.mark.parametrize(("text", "minute"), [("00:00", 0), ("09:05", 545), ("23:59", 1439), ("24:00", 1440)])
def test_a_time_of_the_day_is_a_minute(text: str, minute: int):
    assert minute_of(text) == minute


@pytest.mark.parametrize(
    "said",
    [
        {"hours": hours(("9:00", "12:00"))},
        {"hours": hours(("09:00", "24:01"))},
        {"hours": hours(("09:00", "12:60"))},
        {"hours": hours(("09:00", "12:00\n"))},
        {"hours": hours(("09:00 or so", "12:00"))},
        {"hours": hours(day="0")},
        {"hours": {"channels": [], "days": {}}},
        {"hours": {"channels": ["email"], "days": {}}},
        {"stale_months": 0},
        {"attempts": {"h24": -1}},
        {"refused_bases": ["consent"]},
        {"denied": [{"purpose": "gardening"}]},
        {"early": ["us-tcpa-03"]},
        {"allowed": [{"channel": "email"}]},
    ],
    ids=str,
)
def test_what_is_no_overlay_is_not_read_as_one(said: dict[str, Any]):
    with pytest.raises(msgspec.ValidationError):
        an_overlay(**said)


@pytest.mark.parametrize(
    ("said", "pointers"),
    [
        ({"hours": hours(("12:00", "09:00"))}, ["/hours/days/1/0"]),
        ({"hours": hours(("09:00", "10:00"), ("11:00", "11:00"), day="7")}, ["/hours/days/7/1"]),
        ({"hours": hours(("24:00", "24:00"))}, ["/hours/days/1/0"]),
        ({"denied": [{"channel": "sms"}, {}]}, ["/denied/1"]),
        ({"stale_months": 13}, ["/stale_months"]),
        ({"stale_months": 25, "denied": [{}]}, ["/denied/0", "/stale_months"]),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_pointed_at(said: dict[str, Any], pointers: list[str]):
    found = [pointer for _, places in faults(an_overlay(**said), MONTHS) for pointer in places]

    assert found == pointers


def test_whatever_narrows_in_measures_that_are_known_has_no_fault():
    said = an_overlay(
        hours=hours(("00:00", "24:00")), stale_months=12, denied=[{"channel": "sms", "purpose": "x-club"}]
    )

    assert list(faults(said, MONTHS)) == []
    assert list(faults(NO_OVERLAY, ())) == []
