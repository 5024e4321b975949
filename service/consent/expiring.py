"""Records that no longer need to be kept go, and what they amounted to goes with them."""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from service.consent.keeping import expendable
from service.consent.keeping_ports import BeginKeeping
from service.consent.vocabulary import Vocabulary
from service.kernel import Caller, Handle, NewId, TenantId

SUBJECTS: Final = 50
"""Histories that are read at once."""
_FIRST: Final = Handle(UUID(int=0))


class ExpireRecords:
    """Remove the records that had stopped counting by an instant, one subject at a time.

    A history that grows meanwhile is left for the next run. Killed at any moment, what is left is left to do.
    """

    def __init__(self, begin: BeginKeeping, vocabulary: Vocabulary, new_id: NewId) -> None:
        self._begin = begin
        self._vocabulary = vocabulary
        self._new_id = new_id

    async def __call__(
        self, tenant: TenantId, ended_by: datetime, advanced: Callable[[int], None], *, actor: str, dry: bool
    ) -> tuple[int, int]:
        """Return how many records went, or with `dry` would, and how many are held."""
        by = Caller(tenant=tenant, actor=actor, request=str(self._new_id()))
        removed = held = 0
        after: Handle | None = _FIRST
        while after is not None:
            async with self._begin(tenant) as tx:
                histories = await tx.old_records.histories(ended_by, after=after, limit=SUBJECTS)
            for handle, history in histories:
                gone, left = expendable(history, ended_by, self._vocabulary)
                if not gone:
                    continue
                async with self._begin(tenant) as tx:
                    went, stays = await tx.old_records.expire(
                        handle, len(history), gone, left, ended_by, dry=dry, entry=self._new_id(), by=by
                    )
                removed, held = removed + went, held + stays
                advanced(removed)
            after = histories[-1][0] if len(histories) == SUBJECTS else None
        return removed, held
