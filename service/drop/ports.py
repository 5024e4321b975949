from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from service.drop.domain import Added, Answerable, Broker, Counts, Found, List, Status
from service.kernel import Handle, TenantId
from service.requests import RequestTransaction
from service.vault import KeyStore

Mark = tuple[List, bytes]
"""A list, and the keyed hash of one that it could have."""


class DropStore(Protocol):
    """What one tenant knows of the lists, and whom they name."""

    async def broker(self) -> Broker | None: ...

    async def register(self, broker: str, at: datetime) -> bool:
        """Store that the tenant is that broker; return whether that is news. The first time everybody is due."""
        ...

    async def accessed(self, at: datetime) -> None: ...

    async def add(self, list_: List, listed_on: date, rows: Sequence[tuple[str, bytes]], at: datetime) -> Added:
        """Store work items with their keyed hashes, and who is found by those that are new.

        An id that is known stays as it is, one that was taken back too.
        """
        ...

    async def remove(self, items: Collection[str], at: datetime) -> int:
        """Forget the hashes of work items that were taken back, and return how many were known.

        Whoever was found by them is to be followed once more.
        """
        ...

    async def due(self, limit: int) -> Sequence[Handle]:
        """Return people who are to be compared with the lists, the longest waiting first."""
        ...

    async def hold(self, handles: Collection[Handle]) -> Sequence[Handle]:
        """Return those of `handles` who are due still, and keep others from them until this transaction ends.

        Nobody is among them about whom something is being written. Hold their keys first, as who forgets them does.
        """
        ...

    async def postpone(self, handles: Collection[Handle], at: datetime) -> None:
        """Leave people due, behind everybody else."""
        ...

    async def values(self, handles: Collection[Handle]) -> Mapping[Handle, Sequence[str]]:
        """Return the names of what is kept of each, deleted ones too."""
        ...

    async def mark(self, marks: Mapping[Handle, Collection[Mark]], at: datetime) -> None:
        """Put marks in the place of those that each had, with what work items find by them. They are due no more."""
        ...

    async def unfollowed(self, limit: int) -> Sequence[Found]:
        """Return whom work items found and of whom nothing has followed yet, person by person, whole persons only."""
        ...

    async def requested(self, handle: Handle) -> UUID | None:
        """Return the request to delete somebody that another work item led to, which wasn't taken back."""
        ...

    async def settle(self, item: str, handle: Handle, *, shared: bool, request: UUID | None) -> None:
        """Store what follows from a match, before it does."""
        ...

    async def followed(self, handle: Handle, items: Collection[str], at: datetime) -> None:
        """Store that it has."""
        ...

    async def unmatch(self, handle: Handle, items: Collection[str]) -> None:
        """Remove what led to somebody by work items that were taken back."""
        ...

    async def wanted(self, request: UUID) -> bool:
        """Return whether a work item that wasn't taken back led to a request."""
        ...

    async def lists(self) -> Sequence[tuple[date, List]]:
        """Return the lists of which there are work items."""
        ...

    async def answerable(
        self, listed_on: date, list_: List, *, told: bool, after: str, limit: int
    ) -> Sequence[Answerable]:
        """Return work items after an id: those of which the platform knows nothing yet, or those it was told of."""
        ...

    async def tell(self, statuses: Mapping[str, Status], at: datetime) -> int:
        """Store what the platform was told, and return of how many known work items that was."""
        ...

    async def waiting(self) -> int:
        """Return how many people are due."""
        ...

    async def counts(self) -> Counts: ...

    async def tenants(self) -> Sequence[TenantId]:
        """Return the brokers who have work, with the rights of the worker."""
        ...


class DropTransaction(RequestTransaction, Protocol):
    """What a use case about the lists may touch; stored together or not at all."""

    @property
    def drop(self) -> DropStore: ...
    @property
    def keys(self) -> KeyStore: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[DropTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""
