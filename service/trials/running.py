"""Run a trial: look at everything once, judge each distinct situation once, count what changes.

What was counted is stored at each step with the changes it counts, under the name of the one
who runs the trial. So another can go on where the one before got to, and nothing counts twice.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final, Protocol
from uuid import UUID

import msgspec

from service.decisions import DecisionUnavailable
from service.kernel import Clock, DomainError, NewId, TenantId, Unavailable
from service.trials.domain import NOTHING, Change, Claimed, Period, Plan, State
from service.trials.ports import Begin, People, Workbench
from service.trials.sources import Logged, Surveyed
from service.trials.tally import Seen, Standing, Tally

Told = Callable[[int, int], None]
"""Is told how many are done, of how many."""

_standing: Final = msgspec.json.Decoder(Standing)


class Source(Protocol):
    """What a candidate is tried on, in an order that stays."""

    async def count(self) -> int: ...

    async def step(self, after: str | None) -> tuple[list[Seen], str | None]:
        """Return the next few that come after a place, compared, and where to go on if more may follow."""
        ...


class _Lost(Exception):
    """Another took the trial up, because this one was silent for too long."""


class RunTrial:
    """Go on with the oldest trial of a tenant that nobody goes on with."""

    def __init__(self, begin: Begin, bench: Workbench, people: People, clock: Clock, new_id: NewId) -> None:
        self._begin = begin
        self._bench = bench
        self._people = people
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, tenant: TenantId, told: Told = lambda done, total: None) -> bool:
        """Return whether there was one. It ends as done or failed, or is left to the next if this process ends."""
        runner = self._new_id()
        async with self._begin(tenant) as tx:
            claimed = await tx.trials.claim(runner, self._clock())
        if claimed is None:
            return False
        run = _Run(tenant, claimed, self._begin, self._clock, runner)
        try:
            async with AsyncExitStack() as stack:
                await run.through(await self._source(stack, tenant, claimed.plan), told)
            await run.end(State.DONE, None)
        except _Lost:
            return True
        except DecisionUnavailable as error:
            await run.end(State.FAILED, f"{error}, under the candidate or what governed before it")
        except Unavailable:
            raise  # nobody can be told; the next who asks goes on
        except DomainError as error:
            await run.end(State.FAILED, str(error))
        except Exception:
            await run.end(State.FAILED, "the trial failed through a fault of this service")
            raise
        except BaseException:
            await run.release()
            raise
        return True

    async def _source(self, stack: AsyncExitStack, tenant: TenantId, plan: Plan) -> Source:
        judge = await stack.enter_async_context(self._bench.opened(plan.base.revision, plan.candidate))
        if isinstance(plan.over, Period):
            return Logged(self._begin, tenant, plan.over, plan.candidate.overlay, judge, self._bench)
        before = await stack.enter_async_context(self._bench.opened(plan.base.revision, NOTHING))
        return Surveyed(self._begin, tenant, plan, before, judge, self._people)


class _Run:
    """One trial in the hands of one runner."""

    def __init__(self, tenant: TenantId, claimed: Claimed, begin: Begin, clock: Clock, runner: UUID) -> None:
        self._tenant = tenant
        self._claimed = claimed
        self._begin = begin
        self._clock = clock
        self._runner = runner

    async def through(self, source: Source, told: Told) -> None:
        before = self._claimed.standing
        standing = Standing(done=0, after=None, tally=Tally()) if before is None else _standing.decode(before)
        total = await source.count()
        while True:
            told(standing.done, total)
            seen, after = await source.step(standing.after)
            tally = standing.tally
            for each in seen:
                tally.add(each)
            standing = Standing(done=standing.done + len(seen), after=after, tally=tally)
            await self._store(
                standing, max(total, standing.done), [change for each in seen if (change := _change(each))]
            )
            if after is None:
                told(standing.done, standing.done)
                return

    async def _store(self, standing: Standing, total: int, changes: list[Change]) -> None:
        async with self._begin(self._tenant) as tx:
            still_ours = await tx.trials.advance(
                self._claimed.id,
                self._runner,
                standing=msgspec.json.encode(standing),
                done=standing.done,
                total=total if standing.after is not None else standing.done,
                now=self._clock(),
            )
            if not still_ours:
                raise _Lost
            await tx.trials.add_changes(self._claimed.id, changes)

    async def end(self, state: State, fault: str | None) -> None:
        async with self._begin(self._tenant) as tx:
            await tx.trials.end(self._claimed.id, self._runner, state, fault, self._clock())

    async def release(self) -> None:
        async with self._begin(self._tenant) as tx:
            await tx.trials.release(self._claimed.id, self._runner)


def _change(seen: Seen) -> Change | None:
    compared = seen.compared
    if compared is None or compared.then == compared.now:
        return None
    return Change(
        id=seen.id,
        channel=seen.channel,
        purpose=seen.purpose,
        permit_then=compared.then,
        permit_now=compared.now,
        rules=compared.rules,
    )
