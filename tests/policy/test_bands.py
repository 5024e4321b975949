"""A banded fact gives the same verdict as the exact one: no rule looks between two edges of the laws of its places."""

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.decisions import Policy, PolicyEngine, Verdict
from service.decisions.facts import fill
from tests.situations import FAMILY, NOON, PLACES, cases, instant_of, table, template_of, tried, words

EVERYWHERE = [*table("places").keys() - {"EU"}, *PLACES]
_days = st.builds(
    lambda months, day: (NOON - timedelta(days=round(months * 30.4375) + day)).isoformat(),
    st.one_of(st.sampled_from([3, 6, 12, 18, 24, 36]), st.integers(0, 40)),
    st.integers(-2, 2),
)
"""Around a period that some law has, or any other number of months."""


@st.composite
def aged(draw: st.DrawFn) -> dict[str, Any]:
    """A case of marketing in which it matters how long ago everything was, in any place or several."""
    case = draw(cases()) | {
        "jurisdiction": draw(st.sampled_from(EVERYWHERE)),
        "channel": draw(st.sampled_from(words("email email sms phone post"))),
        "purpose": draw(st.sampled_from(["marketing", "marketing", *FAMILY])),
        "signals": {},
        "flags": {},
        "at": NOON.isoformat(),
    }
    spans = st.fixed_dictionaries({}, optional={"last_interaction_at": _days, "last_sent_at": _days})
    elsewhere = st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(EVERYWHERE) for name in ("current_location", "establishment_of_employer")}
    )
    case["subject"] |= draw(spans) | (draw(elsewhere) if draw(st.integers(0, 3)) == 0 else {})
    for record in case["records"]:
        record |= {"ts": draw(_days), "channel": case["channel"]}
    return case


Tell = Callable[[dict[str, Any]], tuple[Any, ...]]


@pytest.fixture(scope="module")
def banded(policy: Policy, wasm: PolicyEngine) -> Tell:
    """Asks in bands."""
    return lambda case: told(case, policy, wasm)


@pytest.fixture(scope="module")
def exact(policy: Policy, wasm: PolicyEngine) -> Tell:
    """Asks with every whole number for an edge, whatever the place, and every day for one on which a law begins."""
    years = range((date(2028, 1, 1) - date(2024, 1, 1)).days)
    bands = replace(
        policy.data.bands,
        months=tuple(range(1, 121)),
        waits=tuple(range(1, 121)),
        ages=tuple(range(1, 121)),
        minutes=tuple(range(1440)),
        in_force=tuple(date(2024, 1, 1) + timedelta(days=day) for day in years),
        attempts={"h24": 1000, "d30": 1000},
    )
    finest = replace(policy, data=replace(policy.data, bands=bands, measures=None))
    return lambda case: told(case, finest, wasm)


def told(case: dict[str, Any], policy: Policy, engine: PolicyEngine) -> tuple[Any, ...]:
    """Return the verdict with the records themselves: their positions depend on how numbers sort."""
    filled = fill(template_of(case, policy), instant_of(case))
    verdict: Verdict = asyncio.run(engine.evaluate(filled.facts))
    records = frozenset(filled.records[act] for act in verdict.acts)
    return verdict.allow, verdict.basis, verdict.reasons, verdict.obligations, records, verdict.closed_hours


@tried(300)
@given(case=cases())
def test_bands_and_exact_numbers_give_the_same_verdict(banded: Tell, exact: Tell, case: dict[str, Any]):
    assert banded(case) == exact(case)


@tried(600)
@given(case=aged())
def test_the_months_of_a_place_tell_as_much_as_all_months(banded: Tell, exact: Tell, case: dict[str, Any]):
    assert banded(case) == exact(case)
