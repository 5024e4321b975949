"""What the parts of `volens work` share: each goes on until it is asked to stop, and then at once."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from service.kernel import Unavailable
from service.telemetry import Telemetry, described

LOST: Final = 2.0
"""Seconds before a lost database, or a lost key, is looked for again."""


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


async def waiting_for(
    what: str, work: Callable[[], Awaitable[None]], telemetry: Telemetry, stop: asyncio.Event
) -> None:
    """Do `work`, which goes on until `stop` is set, and begin it anew when a lost database or key ring is back.

    `what` is the event under which it is logged that it waits.
    """
    while not stop.is_set():
        try:
            await work()
        except Unavailable as error:
            telemetry.log.warning(what, **described(error))
            await pause(LOST, stop)
