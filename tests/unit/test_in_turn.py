"""Works follow each other: the next prepares itself while the one before ends, and ends after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from service.ahead import Turn, in_turn
from service.kernel import Contended, Unavailable


class Works:
    """Prepare themselves, wait for their turn, and end when they are told to."""

    def __init__(self, number: int) -> None:
        self.told: list[str] = []
        self.go = [asyncio.Event() for _ in range(number)]

    async def __call__(self) -> AsyncIterator:
        for number in range(len(self.go)):
            yield lambda turn, number=number: self.work(number, turn)

    async def work(self, number: int, turn: Turn) -> int:
        self.told.append(f"prepared {number}")
        await turn.mine(holding=True)
        self.told.append(f"turn of {number}")
        await self.go[number].wait()
        self.told.append(f"end of {number}")
        return number


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_prepares_itself_ahead_and_no_more():
    works = Works(3)
    answers = in_turn(works())
    first = asyncio.create_task(anext(answers))
    await turns()

    assert works.told == ["prepared 0", "turn of 0", "prepared 1"]

    works.go[0].set()
    assert await first == 0
    await turns()
    assert works.told[3:] == ["end of 0", "turn of 1"]
    await answers.aclose()


async def test_all_are_done_in_their_order():
    works = Works(5)
    for go in works.go:
        go.set()

    assert [answer async for answer in in_turn(works())] == [0, 1, 2, 3, 4]
    ends = [told for told in works.told if not told.startswith("prepared")]
    assert ends == [f"{what} of {number}" for number in range(5) for what in ("turn", "end")]


async def test_nothing_is_done_after_one_that_failed():
    done = []

    async def failing(turn: Turn) -> None:
        await turn.mine(holding=True)
        await asyncio.sleep(0.01)
        raise Unavailable("the database does not answer")

    async def after(turn: Turn) -> None:
        await turn.mine(holding=True)
        done.append("after")

    async def works() -> AsyncIterator:
        yield failing
        yield after

    with pytest.raises(Unavailable, match="does not answer"):
        _ = [answer async for answer in in_turn(works())]
    assert done == []


async def test_whoever_holds_what_the_one_before_needs_lets_go_of_it():
    held = asyncio.Lock()
    done = []

    async def begins_anew(turn: Turn) -> None:
        await turn.mine(holding=True)
        await asyncio.sleep(0.01)
        async with held:
            done.append("before")

    async def holds(turn: Turn) -> None:
        try:
            async with held:
                await turn.mine(holding=True)
        except Contended:
            await turn.mine(holding=False)
            done.append("after")

    async def works() -> AsyncIterator:
        yield begins_anew
        yield holds

    assert [answer async for answer in in_turn(works(), patience=0.05)] == [None, None]
    assert done == ["before", "after"]


async def test_whoever_stops_leaves_nothing_running():
    before = asyncio.all_tasks()
    works = Works(3)
    works.go[0].set()
    async with aclosing(in_turn(works())) as answers:
        await anext(answers)
        await turns()

    assert asyncio.all_tasks() == before
    assert "end of 1" not in works.told
