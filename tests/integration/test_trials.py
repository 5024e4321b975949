"""A trial outlives whoever runs it: another goes on where the one before got to, and nothing counts twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool
from uuid_utils.compat import uuid7

from service import given
from service.audit.store import statement
from service.candidates import Bench
from service.consent import Channel
from service.decisions import NO_OVERLAY, Overlay, Policy, Verdict, ordinary
from service.decisions.artefacts import read_policy
from service.decisions.asking import Judged, content_hash
from service.decisions.domain import Decision
from service.decisions.log import SqlDecisionLog
from service.decisions.overlay import Denied
from service.decisions.ports import Logged
from service.kernel import Caller, TenantId
from service.trials import Candidate, RunTrial, State, sources
from service.trials.domain import ATTEMPTS, LEASE, Base, Period, Plan
from service.trials.runner import Runner
from service.trials.schemas import ResultView
from tests.conftest import FakeClock

HOUR = timedelta(hours=1)
DECISIONS = 23
"""Of which three share their facts with others."""


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(given.BUILD)


@pytest.fixture
def bench(engine) -> Bench:
    return Bench(given.POLICIES, None, engine)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch) -> None:
    monkeypatch.setattr(sources, "DECISIONS", 5)


@pytest.fixture
def run(begin, bench, clock, new_id) -> RunTrial:
    return RunTrial(begin, bench, Nobody(), clock, new_id)


class Nobody:
    async def profiles(self, tenant, subjects):
        raise AssertionError("no people are asked about")


@pytest.fixture
async def logged(
    pool: AsyncConnectionPool, policy: Policy, bench: Bench, caller: Caller, clock: FakeClock, new_id
) -> dict[UUID, bool]:
    """Decisions about strangers of all places, every third at the same instant; whether each was a permit."""
    ordinarily = ordinary(policy, clock())
    async with bench.opened(policy.revision, Candidate()) as judge:
        verdicts = await judge.verdicts(ordinarily)
    judged_so = sorted(zip(ordinarily, verdicts, strict=True), key=lambda pair: not pair[1].allow)
    some = judged_so[:10] + judged_so[-10:] + judged_so[:3]
    log = SqlDecisionLog(pool, statement, new_id)
    made: dict[UUID, bool] = {}
    for number, (asked, verdict) in enumerate(some):
        decision = Decision(
            id=uuid7(),
            permit=verdict.allow,
            basis=verdict.basis,
            at=clock(),
            decided_at=clock() - HOUR + timedelta(seconds=number // 3),
            channel=Channel.EMAIL if number % 2 else Channel.PHONE,
            purpose="marketing",
            handle=None,
            reasons=(),
            obligations=(),
            records=(),
            retry_after=None,
            valid_until=None,
            revision=policy.revision,
            overlay=0,
        )
        judged = Judged.of(verdict, content_hash(asked))
        await log.append(Logged(decision=decision, facts=asked, judged=judged, by=caller))
        made[decision.id] = verdict.allow
    return made


@pytest.fixture
async def trial(begin, policy: Policy, tenant: TenantId, clock: FakeClock, logged) -> UUID:
    """A trial of an overlay that allows nothing, over all decisions."""
    plan = Plan(
        candidate=Candidate(overlay=Overlay(denied=(Denied(purpose="marketing"),))),
        over=Period(since=clock() - 2 * HOUR, until=clock()),
        base=Base(revision=policy.revision, version=0, overlay=NO_OVERLAY),
    )
    async with begin(tenant) as tx:
        await tx.trials.add(trial := uuid7(), plan, at=clock(), actor="shop-backend")
    return trial


async def read(begin, tenant: TenantId, trial: UUID):
    async with begin(tenant) as tx:
        return await tx.trials.find(trial), await tx.trials.changes(trial, after=None, limit=1000)


async def whole(begin, tenant: TenantId, trial: UUID, logged: dict[UUID, bool]) -> None:
    """See that everything was counted once."""
    found, changes = await read(begin, tenant, trial)
    assert (found.state, found.done, found.total, found.fault) == (State.DONE, DECISIONS, DECISIONS, None)
    permitted = {decision for decision, permit in logged.items() if permit}
    assert permitted
    assert {change.id for change in changes} == permitted
    result = ResultView.of(found.standing)
    assert (result.judged, result.to_deny, result.to_permit) == (DECISIONS, len(permitted), 0)
    assert sum(group.to_deny for group in result.channels) == len(permitted)


async def test_a_trial_runs_to_its_end_in_steps(run: RunTrial, begin, tenant, trial, logged):
    told: list[tuple[int, int]] = []

    assert await run(tenant, lambda done, total: told.append((done, total)))
    await whole(begin, tenant, trial, logged)
    assert told == [(0, 23), (5, 23), (10, 23), (15, 23), (20, 23), (23, 23)]
    assert not await run(tenant), "there is none left"


async def test_one_that_was_stopped_is_left_to_the_next_who_goes_on_where_it_was(
    run: RunTrial, begin, tenant, trial, logged
):
    def stop(done: int, total: int) -> None:
        if done == 10:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await run(tenant, stop)
    found, _ = await read(begin, tenant, trial)
    assert (found.state, found.done) == (State.WAITING, 10)

    told: list[int] = []
    assert await run(tenant, lambda done, total: told.append(done))
    assert told[0] == 10
    await whole(begin, tenant, trial, logged)


async def test_one_whose_runner_died_is_taken_up_when_it_has_been_silent_for_long(
    run: RunTrial, begin, tenant, trial, logged, clock
):
    async with begin(tenant) as tx:
        assert (await tx.trials.claim(uuid4(), clock())).id == trial

    assert not await run(tenant)
    clock.advance(LEASE + timedelta(seconds=1))
    found, _ = await read(begin, tenant, trial)
    assert found.idle(clock())
    assert await run(tenant)
    await whole(begin, tenant, trial, logged)


class Overtaken:
    """A bench whose second step takes so long that another runner does the rest meanwhile."""

    def __init__(self, bench: Bench, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self.stated = bench.stated
        self._bench = bench
        self._meanwhile = meanwhile
        self._steps = 0

    @asynccontextmanager
    async def opened(self, revision: str, candidate: Candidate) -> AsyncIterator["Overtaken"]:
        async with self._bench.opened(revision, candidate) as self._judge:
            self.policy = self._judge.policy
            yield self

    async def verdicts(self, facts: Sequence[bytes]) -> Sequence[Verdict]:
        self._steps += 1
        if self._steps == 2:
            await self._meanwhile()
        return await self._judge.verdicts(facts)


async def test_a_runner_who_was_taken_for_dead_stores_nothing_more(
    run: RunTrial, begin, bench, tenant, trial, logged, clock, new_id
):
    async def meanwhile() -> None:
        clock.advance(LEASE + timedelta(seconds=1))
        assert await run(tenant)
        await whole(begin, tenant, trial, logged)

    assert await RunTrial(begin, Overtaken(bench, meanwhile), Nobody(), clock, new_id)(tenant)
    await whole(begin, tenant, trial, logged)


async def test_one_that_ends_its_runners_is_given_up(run: RunTrial, begin, tenant, trial, logged, clock):
    for _ in range(ATTEMPTS):
        async with begin(tenant) as tx:
            assert await tx.trials.claim(uuid4(), clock()) is not None
        clock.advance(LEASE + timedelta(seconds=1))

    assert not await run(tenant)
    found, _ = await read(begin, tenant, trial)
    assert (found.state, found.fault) == (State.FAILED, "whoever ran this trial was ended by it")


async def test_one_whose_policy_is_gone_fails_and_says_so(run: RunTrial, begin, tenant, policy, clock):
    plan = Plan(
        candidate=Candidate(overlay=NO_OVERLAY),
        over=Period(since=clock() - HOUR, until=clock()),
        base=Base(revision="sha256:gone", version=0, overlay=NO_OVERLAY),
    )
    async with begin(tenant) as tx:
        await tx.trials.add(gone := uuid7(), plan, at=clock(), actor="shop-backend")

    assert await run(tenant)
    found, _ = await read(begin, tenant, gone)
    assert found.state is State.FAILED
    assert "not stored" in found.fault


async def test_what_was_asked_can_not_be_changed_afterwards(database, tenant, trial):
    with psycopg.connect(database.urls.app) as connection:
        connection.execute("SELECT set_config('volens.tenant', %s, false)", (tenant,))
        for column in ("plan = ''", "candidate = ''", "actor = ''", "created_at = now()", "tenant = tenant"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f"UPDATE policy_trial SET {column}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("DELETE FROM policy_trial")


async def test_a_runner_serves_tenants_in_turns_and_outlives_their_faults():
    order: list[str] = []
    reported: list[str] = []
    left = {"a": 2, "b": 1, "c": 1}
    done = asyncio.Event()

    async def run(tenant: TenantId) -> bool:
        order.append(tenant)
        if tenant == "b":
            raise ValueError
        left[tenant] -= 1
        if not any(left[each] > -1 for each in "ac"):
            done.set()
        return left[tenant] >= 0

    runner = Runner(run, lambda error, request: reported.append(type(error).__name__))
    for tenant in "abc":
        runner.wake(TenantId(tenant))
    await asyncio.wait_for(done.wait(), 5)
    await runner.stop()

    assert order == ["a", "b", "c", "a", "c", "a"]
    assert reported == ["ValueError"]
