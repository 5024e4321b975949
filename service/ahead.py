"""Work on the next while the one before is dealt with."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, TypeVar

from service.kernel import Contended, Unavailable

T = TypeVar("T")

PATIENCE: Final = 2.0
"""Seconds that a work waits for the one before while it holds what that may need to begin anew."""


async def one_ahead(items: AsyncIterator[T]) -> AsyncGenerator[T]:
    """Yield `items`, and ask for each before it is wanted: of one at a time, and none is kept beyond that."""

    async def next_one() -> T | None:
        return await anext(items, None)

    coming = asyncio.create_task(next_one())
    try:
        while (item := await coming) is not None:
            coming = asyncio.create_task(next_one())
            yield item
    finally:
        coming.cancel()
        await asyncio.wait([coming])


async def _first_of(work: "asyncio.Task[Any]", event: asyncio.Event, patience: float | None = None) -> bool:
    """Wait for either, and return whether the work has ended."""
    happens = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({work, happens}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    finally:
        happens.cancel()
    return work.done()


class Turn:
    """The place of a work among those that follow each other."""

    def __init__(self, before: "tuple[asyncio.Task[Any], Turn] | None", patience: float) -> None:
        self._patience = patience
        self.prepared = asyncio.Event()
        self.anew = asyncio.Event()
        """Holds nothing, and may have to wait for what the next holds."""
        self._before: tuple[asyncio.Task[Any], asyncio.Event] | None = None
        if before is not None:  # not the turn itself, which would keep all that were before it
            self._before = before[0], before[1].anew

    def ready(self) -> None:
        """Let the next begin."""
        self.anew.clear()
        self.prepared.set()

    async def mine(self, *, holding: bool) -> None:
        """Wait until the work before has ended; of those that wait for others the later one gives up."""
        if holding:
            self.ready()
        else:
            self.prepared.clear()
            self.anew.set()
        if self._before is None:
            return
        before, begins_anew = self._before
        if not holding:
            await asyncio.wait({before})
        elif not await _first_of(before, begins_anew, self._patience):
            raise Contended("the one before may wait for what is held")
        if before.cancelled() or before.exception() is not None:
            raise Unavailable("the one before was not done")


async def in_turn(
    works: AsyncIterator[Callable[[Turn], Awaitable[T]]], *, patience: float = PATIENCE
) -> AsyncGenerator[T]:
    """Do `works`, and yield what each returns, in their order: two at a time, the later one once the other is ready.

    An error comes after what came before it, and ends those under way.
    """
    under_way: set[asyncio.Task[T]] = set()

    async def begun() -> AsyncGenerator[asyncio.Task[T]]:
        before: tuple[asyncio.Task[T], Turn] | None = None
        async for work in works:
            if before is not None:  # who begins anew is not prepared any more
                await _first_of(before[0], before[1].prepared)
            turn = Turn(before, patience)
            task = asyncio.ensure_future(work(turn))
            under_way.add(task)
            before = task, turn
            yield task

    try:
        async with aclosing(one_ahead(begun())) as tasks:
            async for task in tasks:
                answer = await task
                under_way.discard(task)
                yield answer
    finally:
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)
