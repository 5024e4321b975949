"""A banded fact gives the same verdict as the exact one: no rule looks between two edges."""

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from service.decisions import Policy, PolicyEngine, Verdict
from service.decisions.facts import fill
from tests.situations import cases, instant_of, template_of, tried

Tell = Callable[[dict[str, Any]], tuple[Any, ...]]


@pytest.fixture(scope="module")
def banded(policy: Policy, wasm: PolicyEngine) -> Tell:
    """Asks in bands."""
    return lambda case: told(case, policy, wasm)


@pytest.fixture(scope="module")
def exact(policy: Policy, wasm: PolicyEngine) -> Tell:
    """Asks with every whole number for an edge, and every day for a day on which a law begins."""
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
    finest = replace(policy, data=replace(policy.data, bands=bands))
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
