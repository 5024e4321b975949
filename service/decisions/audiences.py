"""Everybody who may be contacted: a population, walked in the order of ids and answered as a batch is."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final

from service.consent import Channel
from service.decisions.audience_ports import Populations
from service.decisions.batches import DecideBatch, Part
from service.decisions.context import Context
from service.decisions.domain import DecisionUnavailable
from service.decisions.population import Population
from service.kernel import Caller, SubjectId, TenantId, Unavailable
from service.subjects import UnknownJurisdiction

PEOPLE: Final = 10_000
"""Who are looked at together, at most."""

_Waiting = deque[Sequence[SubjectId]]


class DecideAudience:
    """Answer one question about a whole population."""

    def __init__(self, populations: Populations, decide: DecideBatch) -> None:
        self._populations = populations
        self._decide = decide

    async def __call__(
        self,
        population: Population,
        *,
        after: SubjectId | None,
        channel: Channel,
        purpose: str,
        context: Context,
        by: Caller,
    ) -> AsyncIterator[tuple[Sequence[SubjectId], Part]]:
        """Return people behind `after` with the answers to them, chunk by chunk, each logged before it is told.

        Who comes while it runs is among them if their id is still ahead.

        Raises:
            UnknownJurisdiction, UnknownPurpose, UnknownZone: the question can't be asked like this.
            DecisionUnavailable: nobody can say, or the answers can't be logged; also while the answer is read.
        """
        if not self._decide.laws.shipped.policy.gazetteer.places.issuperset(population.residences or ()):
            raise UnknownJurisdiction("no such place; use ZZ when it is unknown", pointers=["/residence"])
        waiting = _Waiting()
        walked = self._walk(population, after, by.tenant, waiting)
        parts = await self._decide(walked, channel=channel, purpose=purpose, context=context, by=by)
        return _with_people(parts, waiting)

    async def _walk(
        self, population: Population, after: SubjectId | None, tenant: TenantId, waiting: _Waiting
    ) -> AsyncIterator[Sequence[SubjectId]]:
        while True:
            try:
                stretch = await self._populations.stretch(tenant, population, after=after, limit=PEOPLE)
            except Unavailable as error:
                raise DecisionUnavailable(str(error)) from error
            if stretch.last is None:
                return
            after = stretch.last
            if stretch.subjects:
                waiting.append(stretch.subjects)
                yield stretch.subjects


async def _with_people(
    parts: AsyncIterator[Part], waiting: _Waiting
) -> AsyncIterator[tuple[Sequence[SubjectId], Part]]:
    async for part in parts:
        yield waiting.popleft(), part
