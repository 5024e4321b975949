from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from service.audit import HoldStore
from service.consent import ConsentTransaction
from service.kernel import Handle, TenantId
from service.requests.case import Filter, Position, Request, Standing, Via
from service.requests.lifecycle import Happened
from service.requests.rights import Mark, Right


class RequestStore(Protocol):
    """The requests of one tenant, and what happened to each."""

    async def add(self, request: Request, standing: Standing, history: Sequence[Happened]) -> bool:
        """Store a request with its first moves; return whether its id was free."""
        ...

    async def find(self, request: UUID, *, hold: bool = False) -> tuple[Request, Standing] | None:
        """Return a request; with `hold`, nobody else moves it until this transaction ends."""
        ...

    async def histories(self, requests: Collection[UUID]) -> Mapping[UUID, Sequence[Happened]]:
        """Return what happened to each of `requests`, oldest first."""
        ...

    async def move(self, request: UUID, standing: Standing, happened: Happened) -> None:
        """Store a move of a held request, and where it stands since."""
        ...

    async def open_of(self, handles: Collection[Handle], right: Right, law: str, via: Via) -> UUID | None:
        """Return the oldest open request of a person for one right of one law that came the same way.

        Somebody who only claims to speak for a person is not to hold up their own request.
        """
        ...

    async def marked(self, handles: Collection[Handle], mark: Mark, *, but: UUID) -> bool:
        """Return whether another request of a person says the same about them."""
        ...

    async def page(self, wanted: Filter, *, after: Position | None, limit: int) -> Sequence[tuple[Request, Standing]]:
        """Return at most `limit` requests that come after a position, by due date and id."""
        ...


class Seats(Protocol):
    """Where the transaction's own tenant is."""

    async def seat(self) -> tuple[str, str] | None:
        """Return place and time zone of the controller; ``None`` while nobody has said them."""
        ...


class Erasing(Protocol):
    """How far erasures are that requests ask for."""

    async def destroyed(self, request: UUID) -> bool:
        """Return whether there is no way back any more."""
        ...

    async def certified(self, request: UUID) -> bool: ...


class RequestTransaction(ConsentTransaction, Protocol):
    """What a use case about requests may touch; stored together or not at all."""

    @property
    def requests(self) -> RequestStore: ...
    @property
    def tenants(self) -> Seats: ...
    @property
    def holds(self) -> HoldStore: ...
    @property
    def erasures(self) -> Erasing: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[RequestTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""
