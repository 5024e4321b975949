"""The next is worked on while the one before is dealt with: one, and no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from service.ahead import one_ahead


class Source:
    """Yields numbers, and remembers which were asked for."""

    def __init__(self, number: int, error: Exception | None = None) -> None:
        self.made: list[int] = []
        self.closed = False
        self._number = number
        self._error = error

    async def __call__(self) -> AsyncIterator[int]:
        try:
            for number in range(1, self._number + 1):
                await asyncio.sleep(0)
                self.made.append(number)
                yield number
            if self._error:
                raise self._error
        finally:
            self.closed = True


async def test_all_come_in_their_order():
    assert [item async for item in one_ahead(Source(5)())] == [1, 2, 3, 4, 5]


async def test_one_is_worked_on_ahead_and_no_more():
    source = Source(5)
    async with aclosing(one_ahead(source())) as items:
        first = await anext(items)
        await asyncio.sleep(0.01)

        assert (first, source.made) == (1, [1, 2])


async def test_an_error_comes_after_what_came_before_it():
    items = one_ahead(Source(2, ValueError("cut off"))())

    assert [await anext(items), await anext(items)] == [1, 2]
    with pytest.raises(ValueError, match="cut off"):
        await anext(items)


async def test_whoever_stops_leaves_nothing_running():
    before = asyncio.all_tasks()
    items = one_ahead(Source(5)())
    await anext(items)
    await items.aclose()

    assert asyncio.all_tasks() == before
