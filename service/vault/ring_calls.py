"""How a ring that lives elsewhere is called: within a time, more than once, and not while it is known to be down."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from service.vault.domain import RingUnavailable

T = TypeVar("T")

LIMIT: Final = 2.0
"""Seconds for each attempt."""
ATTEMPTS: Final = 3
FIRST_PAUSE: Final = 0.1
"""Seconds before the second attempt, at most; twice as long before each further one."""
FAILURES: Final = 5
"""So many calls in a row that fail, and the ring is left alone."""
REST: Final = 5.0
"""Seconds for which it is left alone; then one call tries it."""


class RingLost(Exception):
    """An attempt that got no answer, or one that promises a better one in a moment."""


class RingCalls:
    """Calls a ring. What doesn't end well ends as `RingUnavailable`, or as what the attempt itself raised.

    An attempt raises `RingLost` where another may succeed, and `RingUnavailable` where none
    will. Both count against the ring; any other error is an answer.
    """

    def __init__(self, *, limit: float = LIMIT, first_pause: float = FIRST_PAUSE, rest: float = REST) -> None:
        self._limit = limit
        self._first_pause = first_pause
        self._rest = rest
        self._failures = 0
        self._shut_until = 0.0

    async def __call__(self, attempt: Callable[[], Awaitable[T]]) -> T:
        now = asyncio.get_running_loop().time
        if now() < self._shut_until:
            raise RingUnavailable("the key ring failed repeatedly and is left alone for a moment")
        if self._failures >= FAILURES:
            self._shut_until = now() + self._rest  # for the others, while this call tries
        try:
            answer = await self._until_answered(attempt)
        except RingUnavailable:
            self._failures += 1
            if self._failures >= FAILURES:
                self._shut_until = now() + self._rest
            raise
        except Exception:
            self._recovered()
            raise
        self._recovered()
        return answer

    def _recovered(self) -> None:
        self._failures, self._shut_until = 0, 0.0

    async def _until_answered(self, attempt: Callable[[], Awaitable[T]]) -> T:
        for number in range(ATTEMPTS):
            if number:
                # Spread, so that those who lost it together don't come back together.
                await asyncio.sleep(random.uniform(0, self._first_pause * 2 ** (number - 1)))  # noqa: S311
            try:
                async with asyncio.timeout(self._limit):
                    return await attempt()
            except (RingLost, TimeoutError):
                continue
        raise RingUnavailable("the key ring does not answer")
