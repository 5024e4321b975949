"""Explanations leave checks their turn: one is made at a time."""

import asyncio
import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from service.consent import Channel
from service.decisions import Basis, Effect, InForce, Law, Memo, SimulateDecision, Verdict
from service.decisions.domain import Cited
from service.decisions.overlay import SHIPPED
from service.decisions.simulation import Case
from service.kernel import Caller, TenantId
from tests.toy_policy import policy

SCHEMA = json.loads((Path(__file__).parents[2] / "policies/schemas/input.json").read_text())
CALLER = Caller(tenant=TenantId("t-1"), actor="shop", request="req-1")
NO = Verdict(
    allow=False,
    basis=Basis.NONE,
    reasons=(Cited(rule="ENG-DENY-01", effect=Effect.DENY, stage=15),),
    obligations=(),
    acts=(),
    closed_hours=False,
)


class Denying:
    """An engine that remembers who asked, and lets others have their turn in between."""

    def __init__(self) -> None:
        self.policy = policy()
        self.askers: list[asyncio.Task[Any] | None] = []

    async def evaluate(self, facts: bytes) -> Verdict:
        self.askers.append(asyncio.current_task())
        await asyncio.sleep(0)
        return NO

    async def ask(self, entrypoint: str, document: bytes) -> Any:
        return {"laws": [], "common": [], "begun": []}


class Shipped:
    """What governs, and the law that it is."""

    def __init__(self, engine: Any) -> None:
        self._law = Law(engine=engine, memo=Memo(engine))

    async def governing(self, tenant: TenantId) -> InForce:
        return SHIPPED

    async def of(self, revision: str | None) -> Law:
        return self._law


async def test_one_explanation_waits_for_another():
    engine = Denying()
    shipped: Any = Shipped(engine)
    clock = lambda: datetime(2026, 11, 20, 12, tzinfo=UTC)  # noqa: E731
    simulate = SimulateDecision(shipped, shipped, clock, SCHEMA, asyncio.Semaphore(1))

    async def explained(place: str) -> None:
        case = Case(channel=Channel.POST, purpose="marketing", jurisdiction=place)
        assert (await simulate(case, explained=True, by=CALLER)).explanation is not None

    await asyncio.gather(*map(explained, ("DE", "FR", "IT")))

    assert len(set(engine.askers)) == 3
    assert sum(one is not another for one, another in pairwise(engine.askers)) == 2
