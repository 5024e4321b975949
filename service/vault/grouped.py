"""Writes and lookups in groups: whatever comes in one turn of the event loop shares a transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import starmap
from typing import Generic, Protocol, TypeVar

from service.db import Coalescer
from service.kernel import Caller, DomainError, TenantId
from service.vault.domain import Unreadable


class Asked(Protocol):
    @property
    def by(self) -> Caller: ...


A = TypeVar("A", bound=Asked)
R = TypeVar("R")

Together = Callable[[TenantId, Sequence[A]], Awaitable[Sequence[R | DomainError]]]
"""Answers many of one tenant, each with a result or with what stands against it."""


class Grouped(Generic[A, R]):
    """Hands those who ask at the same moment to `together`, tenant by tenant."""

    def __init__(self, together: Together[A, R]) -> None:
        self._together = together
        self._coalesced: Coalescer[A, R | BaseException] = Coalescer(self._flush, limit=100)

    async def __call__(self, asked: A) -> R:
        answer = await self._coalesced(asked)
        if answer is None:
            raise AssertionError("everybody in a group is answered")
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def _flush(self, group: Sequence[A]) -> Mapping[A, R | BaseException]:
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
