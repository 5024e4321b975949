"""What is past its period goes, and its entries stay."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from service.audit.keeping import Content, Outcome, Period
from service.audit.keeping_ports import ContentStore
from service.kernel import Caller, Clock, NewId, TenantId

BATCH: Final = 1_000
"""Rows that one transaction looks at."""
_NO_TENANT: Final = TenantId("")
ORDER: Final = (Content.DECISION, Content.BATCH, Content.FACTS, Content.SUBJECT, Content.REQUEST, Content.EVENT)
"""Facts after the decisions that point to them."""


class ExpiringTransaction(Protocol):
    @property
    def content(self) -> ContentStore: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[ExpiringTransaction]]
Advanced = Callable[[TenantId, Content, int], None]
"""Is told how much of a kind is gone by now."""


class ExpireContent:
    """Remove what is past its period, in small steps; records go by themselves (`consent/expiring.py`).

    How far it has got is in no place: what is left is left to do. So it can be killed at any moment, called again,
    and run twice at once.
    """

    def __init__(self, begin: Begin, periods: Sequence[Period], clock: Clock, new_id: NewId) -> None:
        self._begin = begin
        self._periods: Mapping[Content, Period] = {period.content: period for period in periods}
        self._clock = clock
        self._new_id = new_id

    async def tenants(self) -> Sequence[TenantId]:
        async with self._begin(_NO_TENANT) as tx:
            return await tx.content.tenants()

    async def __call__(self, tenant: TenantId, advanced: Advanced, *, actor: str, dry: bool) -> Sequence[Outcome]:
        """Return of each kind what was removed; with `dry`, what would be. `actor` is `worker` or `operator`."""
        return [await self._of(tenant, content, advanced, actor, dry=dry) for content in ORDER]

    async def _of(self, tenant: TenantId, content: Content, advanced: Advanced, actor: str, *, dry: bool) -> Outcome:
        by = Caller(tenant=tenant, actor=actor, request=str(self._new_id()))
        ended_by = self._periods[content].ended_by(self._clock())
        removed = held = 0
        after, more = "", True
        while more:
            async with self._begin(tenant) as tx:
                step = await tx.content.expire(
                    content, ended_by, after=after, limit=BATCH, dry=dry, entry=self._new_id(), by=by
                )
            removed, held, after, more = removed + step.removed, held + step.held, step.last, bool(step.last)
            advanced(tenant, content, removed)
        return Outcome(tenant=tenant, content=content, ended_by=ended_by, removed=removed, held=held)
