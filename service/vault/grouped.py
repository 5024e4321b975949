"""Writes, lookups and openings in groups: whatever comes in one turn of the event loop shares a transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import starmap
from typing import Final, Generic, Protocol, TypeVar

from service.kernel import Caller, DomainError, TenantId, Unavailable
from service.vault.domain import Unreadable


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
"""Of a group, at most."""


class Grouped(Generic[A, R]):
    """Hands those who ask at the same moment to `together`, tenant by tenant.

    Who asks while all lanes are busy waits for the next to be free, and goes with all who waited.
    """

    def __init__(self, together: Together[A, R]) -> None:
        self._together = together
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
                group, self._waiting = self._waiting[:LIMIT], self._waiting[LIMIT:]
                await self._answer(group)
        finally:
            self._lanes.discard(asyncio.current_task())

    async def _answer(self, group: Sequence[tuple[A, asyncio.Future[R | BaseException]]]) -> None:
        answers: Mapping[A, R | BaseException] = {}
        try:
            answers = await self._answers([asked for asked, _ in group])
        finally:
            for asked, told in group:
                if not told.done():
                    told.set_result(answers.get(asked, Unavailable("the work was broken off")))

    async def _answers(self, group: Sequence[A]) -> Mapping[A, R | BaseException]:
        """Answer each tenant's by themselves: a tenant doesn't fail with another."""
        tenants: dict[TenantId, list[A]] = {}
        for asked in group:
            tenants.setdefault(asked.by.tenant, []).append(asked)
        answered = await asyncio.gather(*starmap(self._of, tenants.items()))
        return {
            asked: answer
            for each, answers in zip(tenants.values(), answered, strict=True)
            for asked, answer in zip(each, answers, strict=True)
        }

    async def _of(self, tenant: TenantId, group: Sequence[A]) -> Sequence[R | BaseException]:
        try:
            return await self._together(tenant, group)
        except Unreadable as error:
            # One damaged key is no reason to turn away whoever came at the same moment.
            return [error] if len(group) == 1 else [(await self._of(tenant, [each]))[0] for each in group]
        except Exception as error:  # noqa: BLE001  it reaches everybody it is meant for
            return [error] * len(group)
