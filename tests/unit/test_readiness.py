"""Readiness asks the rules themselves: an engine that is there and fails on every question isn't ready."""

import asyncio
from typing import Any

import msgspec
import pytest

from service import given, readiness
from service.decisions import DecisionUnavailable, Law, Memo, Verdict
from service.decisions.artefacts import read_policy
from service.decisions.policy import Policy
from service.decisions.wasm import WasmPolicyEngine, embedded
from service.readiness import Answering, checks

NOTHING: Any = None


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(given.BUILD)


class Counted:
    """An engine that counts what it is asked."""

    def __init__(self, engine: WasmPolicyEngine) -> None:
        self._engine = engine
        self.policy = engine.policy
        self.revision = engine.revision
        self.asked: list[bytes] = []

    async def evaluate(self, facts: bytes) -> Verdict:
        self.asked.append(facts)
        return await self._engine.evaluate(facts)

    async def ask(self, entrypoint: str, document: bytes) -> Any:
        return await self._engine.ask(entrypoint, document)

    async def check(self) -> None:
        await self._engine.check()


def failing(policy: Policy) -> Counted:
    """Return an engine that loads and is there, and whose every verdict names a rule that nobody knows."""
    return Counted(embedded(given.BUILD, msgspec.structs.replace(policy, rules={})))


def law(engine: Counted) -> Law:
    return Law(engine=engine, memo=Memo(engine))


async def test_the_law_is_asked_one_question_about_a_stranger_and_no_more(policy: Policy):
    engine, answering = Counted(embedded(given.BUILD, policy)), Answering()
    for _ in range(3):
        await answering(law(engine))

    [facts] = engine.asked
    assert len(facts) < 500
    assert not (await engine.evaluate(facts)).allow


async def test_rules_that_fail_are_not_ready_though_their_engine_is(policy: Policy, monkeypatch: pytest.MonkeyPatch):
    engine = failing(policy)
    await engine.check()

    async def active() -> Law:
        return law(engine)

    policy_answers = checks(NOTHING, active)["policy"]
    for _ in range(3):
        with pytest.raises(DecisionUnavailable):
            await policy_answers()
    assert len(engine.asked) == 1, "whoever probes every second does not hold up the others every second"


async def test_rules_that_failed_are_asked_again_after_a_while(policy: Policy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readiness, "_PAUSE", 0.05)
    broken, answering = failing(policy), Answering()
    with pytest.raises(DecisionUnavailable):
        await answering(law(broken))
    await asyncio.sleep(0.1)

    await answering(law(Counted(embedded(given.BUILD, policy))))


async def test_another_revision_is_asked_at_once(policy: Policy):
    answering = Answering()
    with pytest.raises(DecisionUnavailable):
        await answering(law(failing(policy)))
    other = Counted(embedded(given.BUILD, msgspec.structs.replace(policy, revision="sha256:other")))
    await answering(law(other))

    assert len(other.asked) == 1
