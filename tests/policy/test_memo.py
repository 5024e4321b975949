import asyncio
from typing import Any

import pytest
from hypothesis import given

from service.decisions import DecisionUnavailable, Memo, Policy, PolicyEngine, Verdict
from service.decisions.asking import content_hash
from service.decisions.facts import fill
from tests.situations import NOON, cases, instant_of, template_of, tried


class Counting:
    """An engine that counts how often it is asked."""

    def __init__(self, engine: PolicyEngine) -> None:
        self.policy = engine.policy
        self._engine = engine
        self.asked = 0

    async def evaluate(self, facts: bytes) -> Verdict:
        self.asked += 1
        return await self._engine.evaluate(facts)


class Broken(Counting):
    async def evaluate(self, facts: bytes) -> Verdict:
        self.asked += 1
        raise DecisionUnavailable("broken")


STRANGER = {"jurisdiction": "DE", "channel": "email", "purpose": "marketing", "at": NOON.isoformat()}


def facts_of(case: dict[str, Any], policy: Policy) -> bytes:
    return fill(template_of(case, policy), instant_of(case)).facts


@tried(100)
@given(case=cases())
def test_the_memo_says_what_the_engine_says(memo: Memo, wasm: PolicyEngine, policy: Policy, case: dict[str, Any]):
    facts = facts_of(case, policy)

    async def both() -> None:
        first = await memo.judge(facts)
        again = await memo.judge(facts)
        assert first.verdict == again.verdict == await wasm.evaluate(facts)

    asyncio.run(both())


async def test_the_engine_is_asked_once_about_the_same_facts(wasm: PolicyEngine, policy: Policy):
    engine = Counting(wasm)
    memo = Memo(engine)
    for _ in range(3):
        await memo.judge(facts_of(STRANGER, policy))

    assert engine.asked == 1


async def test_the_memo_keeps_no_more_than_it_may(wasm: PolicyEngine, policy: Policy):
    engine = Counting(wasm)
    memo = Memo(engine, keep=2)
    situations = [facts_of(STRANGER | {"channel": channel}, policy) for channel in ("email", "sms", "push")]
    for facts in [*situations, situations[2], situations[0]]:
        await memo.judge(facts)

    assert engine.asked == 4
    assert len(memo._known) == 2


async def test_a_verdict_that_is_on_file_needs_no_engine(wasm: PolicyEngine, policy: Policy):
    facts = facts_of(STRANGER, policy)
    filed = await Memo(wasm).judge(facts)

    async def recall(revision: str, facts_hash: bytes) -> bytes | None:
        assert (revision, facts_hash) == (policy.revision, content_hash(facts))
        return filed.body

    assert await Memo(Broken(wasm)).judge(facts, recall) == filed


async def test_a_damaged_verdict_on_file_is_worked_out_again(wasm: PolicyEngine, policy: Policy):
    async def recall(revision: str, facts_hash: bytes) -> bytes | None:
        return b'{"allow":true}'

    facts = facts_of(STRANGER, policy)
    assert (await Memo(wasm).judge(facts, recall)).verdict == await wasm.evaluate(facts)
    with pytest.raises(DecisionUnavailable):
        await Memo(Broken(wasm)).judge(facts, recall)


async def test_a_failure_is_not_remembered(wasm: PolicyEngine, policy: Policy):
    memo = Memo(Broken(wasm))
    with pytest.raises(DecisionUnavailable):
        await memo.judge(facts_of(STRANGER, policy))
    memo._engine = wasm

    assert (await memo.judge(facts_of(STRANGER, policy))).verdict.reasons
