"""Those who ask at the same moment are answered together, in a few lanes."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec import Struct

from service.grouped import LANES, LIMIT, Grouped
from service.kernel import Caller, Contended, TenantId, Unavailable
from service.vault.domain import Unreadable


class Asked(Struct, eq=False):
    number: int
    by: Caller = Caller(tenant=TenantId("shop"), actor="crm", request="r-1")


class Work:
    """Answers groups when it is told to."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.most = 0
        self.running = 0
        self.go = asyncio.Event()

    async def __call__(self, tenant: TenantId, group: Sequence[Asked]) -> Sequence[int]:
        self.groups.append([asked.number for asked in group])
        self.running += 1
        self.most = max(self.most, self.running)
        await self.go.wait()
        self.running -= 1
        return [asked.number * 2 for asked in group]


@pytest.fixture
def work() -> Work:
    return Work()


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def ask(grouped: Grouped[Asked, int], *numbers: int) -> list[asyncio.Task[int]]:
    return [asyncio.create_task(grouped(Asked(number))) for number in numbers]


async def test_whoever_asks_in_one_turn_shares_a_group(work: Work):
    asks = ask(Grouped(work), 1, 2, 3)
    work.go.set()

    assert await asyncio.gather(*asks) == [2, 4, 6]
    assert work.groups == [[1, 2, 3]]


async def test_whoever_comes_later_begins_beside_them_until_all_lanes_are_busy(work: Work):
    grouped: Grouped[Asked, int] = Grouped(work)
    asks = []
    for number in range(LANES + 3):
        asks += ask(grouped, number)
        await turns()
    waiting = list(work.groups)
    work.go.set()

    assert await asyncio.gather(*asks) == [number * 2 for number in range(LANES + 3)]
    assert waiting == [[number] for number in range(LANES)]
    assert work.groups[LANES:] == [list(range(LANES, LANES + 3))]
    assert work.most == LANES


async def test_a_lane_that_has_ended_is_opened_again(work: Work):
    grouped: Grouped[Asked, int] = Grouped(work)
    work.go.set()

    for number in range(4 * LANES):
        assert await asyncio.wait_for(grouped(Asked(number)), 1) == number * 2


async def test_a_crowd_goes_in_several_groups(work: Work):
    work.go.set()
    asks = ask(Grouped(work), *range(2 * LIMIT + 1))

    assert await asyncio.gather(*asks) == [number * 2 for number in range(2 * LIMIT + 1)]
    assert max(map(len, work.groups)) == LIMIT


async def test_whoever_goes_away_takes_nobody_along(work: Work):
    first, second = ask(Grouped(work), 1, 2)
    await turns()
    first.cancel()
    await turns()
    work.go.set()

    assert await second == 4


async def test_a_group_weighs_no_more_than_the_limit_unless_one_alone_does(work: Work):
    work.go.set()
    asks = ask(Grouped(work, weigh=lambda asked: asked.number), LIMIT - 1, 1, 1, 2 * LIMIT, 5)
    await asyncio.gather(*asks)

    assert work.groups == [[LIMIT - 1, 1], [1], [2 * LIMIT], [5]]


@pytest.mark.parametrize("own", [Unreadable("the key does not open"), Contended("in the way"), ValueError("a bug")])
async def test_what_may_be_the_fault_of_one_reaches_nobody_else(own: Exception):
    groups: list[list[int]] = []

    async def damaged(tenant: TenantId, group: Sequence[Asked]) -> Sequence[int]:
        groups.append([asked.number for asked in group])
        if any(asked.number == 1 for asked in group):
            raise own
        return [0] * len(group)

    answers = await asyncio.gather(*ask(Grouped(damaged), 1, 2, 3), return_exceptions=True)

    assert answers == [own, 0, 0]
    assert groups == [[1, 2, 3], [1], [2], [3]]


async def test_what_does_not_answer_is_not_asked_again_for_each():
    groups: list[list[int]] = []

    async def gone(tenant: TenantId, group: Sequence[Asked]) -> Sequence[int]:
        groups.append([asked.number for asked in group])
        raise Unavailable("the database does not answer")

    answers = await asyncio.gather(*ask(Grouped(gone), 1, 2), return_exceptions=True)

    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    assert groups == [[1, 2]]


async def test_a_tenant_is_answered_before_another_that_takes_longer():
    go_on = asyncio.Event()

    async def answer(tenant: TenantId, group: Sequence[Asked]) -> Sequence[int]:
        if tenant == "slow":
            await go_on.wait()
        return [0] * len(group)

    grouped: Grouped[Asked, int] = Grouped(answer)
    slow = asyncio.create_task(grouped(Asked(1, Caller(tenant=TenantId("slow"), actor="crm", request="r-2"))))
    [quick] = ask(grouped, 2)

    assert await asyncio.wait_for(quick, 1) == 0
    assert not slow.done()
    go_on.set()
    assert await slow == 0


async def test_work_that_is_broken_off_leaves_nobody_waiting(work: Work):
    before = asyncio.all_tasks()
    asks = ask(Grouped(work), 1, 2)
    await turns()
    for task in asyncio.all_tasks() - before - {*asks}:
        task.cancel()
    answers = await asyncio.wait_for(asyncio.gather(*asks, return_exceptions=True), 1)

    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
