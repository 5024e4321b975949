"""What every process of ours begins with, and how it ends once a signal asks it to."""

import asyncio
import resource
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType
from typing import Any, Final, NoReturn, TypeVar

import uvicorn

from service.given import utc_now
from service.settings import Settings
from service.telemetry import Telemetry

T = TypeVar("T")
Asked = Callable[[], bool]
"""Whether a signal has asked for the end."""
_STOP: Final = (signal.SIGINT, signal.SIGTERM)


def leave_no_core() -> None:
    """Have a crash leave no image of our memory: keys are in it. Our children inherit that."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def telemetry_of(settings: Settings) -> Telemetry:
    telemetry = Telemetry(utc_now, level=settings.log_level)
    telemetry.adopt_library_loggers()
    return telemetry


def run_until_asked(main: Coroutine[Any, Any, None], asked: Asked) -> None:
    """Run what takes signals by `until_asked`. Before and after they wait: a half-made loop can't be cleaned up."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    try:
        if asked():
            main.close()
        else:
            run(main)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on the loop that uvicorn would choose: uvloop, where it can be had."""
    with asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner:
        return runner.run(main)


@contextmanager
def until_signalled() -> Iterator[Asked]:
    """End the block at Ctrl-C or SIGTERM, by way of its clean-up, at whatever stage it is; lend whether one came.

    SIGINT as well: a shell that starts us in the background has it ignored. The interruption gets lost where Python
    lets no exception out, in a finalizer or a callback of the garbage collector; that it came does not.
    """
    came: list[int] = []

    def interrupt(sign: int, _: FrameType | None) -> NoReturn:
        came.append(sign)
        raise KeyboardInterrupt

    before = {sign: signal.signal(sign, interrupt) for sign in _STOP}
    try:
        with suppress(KeyboardInterrupt):
            yield lambda: bool(came)
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


@asynccontextmanager
async def until_asked() -> AsyncIterator[asyncio.Event]:
    """Lend an event that signals set: while the loop runs they interrupt nothing, also not half a start."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    before = {sign: signal.getsignal(sign) for sign in _STOP}
    for sign in _STOP:
        loop.add_signal_handler(sign, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
    try:
        yield stop
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        for sign, handler in before.items():
            loop.remove_signal_handler(sign)
            signal.signal(sign, handler)
