"""What the parts of `volens work` share: each goes on until it is asked to stop, and then at once."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


async def pause(seconds: float, stop: asyncio.Event) -> None:
    """Wait so long, or until `stop` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def finished(work: Coroutine[Any, Any, Any], stop: asyncio.Event) -> bool:
    """Return whether `work` came to its end. It is cancelled, and waited for, once `stop` is set.

    What it raises is raised.
    """
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not working.done():
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        return False
    await working
    return True
