"""Work on the next while the one before is dealt with."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


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
