"""How many lookups a client may make: whoever may ask about every address can find out whom we know."""

import math

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from service.kernel import Caller, Clock


class LookupPace:
    """Counts in the memory of this process, by tenant and client."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._clock = clock
        self._item = RateLimitItemPerMinute(per_minute)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, by: Caller) -> int:
        """Return 0 if the caller may go on, else the seconds after which it may ask again."""
        if await self._limiter.hit(self._item, by.tenant, by.actor):
            return 0
        stats = await self._limiter.get_window_stats(self._item, by.tenant, by.actor)
        return min(60, max(1, math.ceil(stats.reset_time - self._clock().timestamp())))
