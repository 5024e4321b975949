from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from service.kernel import Caller, TenantId
from service.reveals.domain import Revealed
from service.subjects import SubjectStore


class RevealLog(Protocol):
    """Everything that was ever given in plain, or masked. It only grows."""

    async def append(self, reveals: Sequence[Revealed], *, by: Caller) -> None:
        """Store reveals and their audit entries, all or none. Durable when this returns.

        Raises:
            Unavailable: they could not be stored, so nothing of them must be told.
        """
        ...


class RevealTransaction(Protocol):
    """What a use case about reveals may touch; stored together or not at all."""

    @property
    def subjects(self) -> SubjectStore: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[RevealTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""
