from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from service.kernel import Caller, TenantId
from service.vault.retention import Piece, Reached, Retained


class RetentionStore(Protocol):
    """Versions that were replaced. Reads none of them out."""

    async def retained(self) -> Sequence[Retained]:
        """Return the fields of all tenants that have a retention."""
        ...

    async def expire(
        self, field: str, at: datetime, *, after: Reached | None, limit: int, entry: UUID, by: Caller
    ) -> Piece:
        """Remove versions of this tenant that are past the field's retention, of the next `limit` that were replaced.

        The audit entry that says how many is stored with it, under the id `entry`. The latest version of a value
        is never removed, nothing of people whose data are restricted, and nothing early, though `at` were to come.
        What others remove just now is left to them.
        """
        ...

    async def over(self, field: str, at: datetime, *, after: Reached | None, limit: int) -> Piece:
        """Return what `expire` would find, and change nothing."""
        ...


class RetentionTransaction(Protocol):
    @property
    def retention(self) -> RetentionStore: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[RetentionTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""

Advanced = Callable[[Retained, int], None]
"""Is told of a field how many versions are gone by now."""
