"""Two engines, one law."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given

from service.decisions import Policy, PolicyEngine, Verdict
from service.decisions.facts import fill
from service.decisions.opa import served
from tests.situations import cases, instant_of, template_of, tried

Ask = Callable[[bytes], Verdict]


@pytest.fixture(scope="module")
def ask_server(opa_url: str, policy: Policy) -> Iterator[Ask]:
    """Asks the server from a loop that outlives the examples, since its connections live there."""
    with asyncio.Runner() as runner:
        engine = served(opa_url, policy, limit=10.0)
        opened = runner.run(engine.__aenter__())
        yield lambda facts: runner.run(opened.evaluate(facts))
        runner.run(engine.__aexit__(None, None, None))


@tried(100)
@given(case=cases())
def test_both_engines_give_the_same_verdict(ask_server: Ask, wasm: PolicyEngine, policy: Policy, case: dict[str, Any]):
    facts = fill(template_of(case, policy), instant_of(case)).facts

    assert asyncio.run(wasm.evaluate(facts)) == ask_server(facts)
