"""Writes, lookups and openings in groups: whatever comes in one turn of the event loop shares a transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import starmap
from typing import Final, Generic, Protocol, TypeVar

from service.kernel import Caller, Contended, DomainError, TenantId, Unavailable


class Asked(Protocol):
    @property
    def by(self) -> Caller: ...


A = TypeVar("A", bound=Asked)
R = TypeVar("R")

Together = Callable[[TenantId, Sequence[A]], Awaitable[Sequence[R | DomainError]]]
"""Answers many of one tenant, each with a result or with what stands against it."""


LANES: Final = 3
"""So many groups are under way at once: while PostgreSQL makes one durable, the next is worked on."""
LIMIT: Final = 100
"""What a group weighs at most, unless one alone weighs more."""


def _one(_: Asked) -> int:
    return 1


class Grouped(Generic[A, R]):
    """Hands those who ask at the same moment to `together`, tenant by tenant.

    Who asks while all lanes are busy waits for the next to be free, and goes with all who waited.
    """

    def __init__(self, together: Together[A, R], *, weigh: Callable[[A], int] = _one) -> None:
        self._together = together
        self._weigh = weigh
        self._waiting: list[tuple[A, asyncio.Future[R | BaseException]]] = []
        self._lanes: set[asyncio.Task[None] | None] = set()

    async def __call__(self, asked: A) -> R:
        told: asyncio.Future[R | BaseException] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, told))
        # All of this turn of the event loop go with the lane that its first one opens.
        if len(self._waiting) == 1 and len(self._lanes) < LANES:
            self._lanes.add(asyncio.create_task(self._lane()))
        answer = await told
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def _lane(self) -> None:
        """Answer groups until nobody waits. A task begins in the turn after the one that made it."""
        try:
            while self._waiting:
                await asyncio.sleep(0)  # whoever was answered just now may ask again, and comes along
                await self._answer(self._next())
        finally:
            self._lanes.discard(asyncio.current_task())

    def _next(self) -> Sequence[tuple[A, asyncio.Future[R | BaseException]]]:
        """Take those who have waited longest, up to the limit."""
        taken = weight = 0
        for asked, _ in self._waiting:
            weight += self._weigh(asked)
            if taken and weight > LIMIT:
                break
            taken += 1
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return group

    async def _answer(self, group: Sequence[tuple[A, asyncio.Future[R | BaseException]]]) -> None:
        """Answer each tenant's by themselves: a tenant waits for no other's, and doesn't fail with them."""
        tenants: dict[TenantId, list[tuple[A, asyncio.Future[R | BaseException]]]] = {}
        for asked, told in group:
            tenants.setdefault(asked.by.tenant, []).append((asked, told))
        try:
            await asyncio.gather(*starmap(self._tell, tenants.items()))
        finally:
            for _, told in group:
                if not told.done():
                    told.set_result(Unavailable("the work was broken off"))

    async def _tell(self, tenant: TenantId, group: Sequence[tuple[A, asyncio.Future[R | BaseException]]]) -> None:
        answers = await self._of(tenant, [asked for asked, _ in group])
        for (_, told), answer in zip(group, answers, strict=True):
            if not told.done():
                told.set_result(answer)

    async def _of(self, tenant: TenantId, group: Sequence[A]) -> Sequence[R | BaseException]:
        try:
            return await self._together(tenant, group)
        except Exception as error:  # noqa: BLE001  it reaches everybody it is meant for
            if len(group) == 1 or (isinstance(error, Unavailable) and not isinstance(error, Contended)):
                return [error] * len(group)
        # It may be one's own: no reason to turn away whoever came at the same moment.
        return [(await self._of(tenant, [each]))[0] for each in group]
