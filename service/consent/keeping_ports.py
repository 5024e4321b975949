from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from service.consent.domain import State, StoredRecord
from service.kernel import Caller, Handle, TenantId


class OldRecordStore(Protocol):
    """Histories in which something is old enough to be looked at."""

    async def histories(
        self, ended_by: datetime, *, after: Handle, limit: int
    ) -> Sequence[tuple[Handle, Sequence[StoredRecord]]]:
        """Return the whole histories of the next `limit` subjects of whom anything was received by then."""
        ...

    async def expire(
        self,
        handle: Handle,
        history: int,
        gone: Collection[UUID],
        left: State,
        ended_by: datetime,
        *,
        dry: bool,
        entry: UUID,
        by: Caller,
    ) -> tuple[int, int]:
        """Remove records of one subject, and let `left` be the state; return how many went, and how many are held.

        Nothing happens where the history is no longer of so many records. With `dry`, nothing happens at all.
        """
        ...


class KeepingTransaction(Protocol):
    @property
    def old_records(self) -> OldRecordStore: ...


BeginKeeping = Callable[[TenantId], AbstractAsyncContextManager[KeepingTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""
