from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from service.audit import HoldStore
from service.consent import ConsentTransaction
from service.downstreams import DownstreamTransaction, TaskKind
from service.kernel import Handle, TenantId
from service.requests.case import Filter, Position, Request, Standing, Via
from service.requests.identity import Challenge, Spent
from service.requests.letters import Written
from service.requests.lifecycle import Happened, Move
from service.requests.rights import Mark, Right
from service.vault import ProofTransaction, ValueTransaction


class RequestStore(Protocol):
    """The requests of one tenant, and what happened to each."""

    async def add(self, request: Request, standing: Standing, history: Sequence[Happened]) -> bool:
        """Store a request with its first moves; return whether its id was free."""
        ...

    async def find(self, request: UUID, *, hold: bool = False) -> tuple[Request, Standing] | None:
        """Return a request; with `hold`, nobody else moves it until this transaction ends."""
        ...

    async def of(self, handles: Collection[Handle]) -> Sequence[tuple[Request, Standing]]:
        """Return what a person ever asked for, the oldest first."""
        ...

    async def histories(self, requests: Collection[UUID]) -> Mapping[UUID, Sequence[Happened]]:
        """Return what happened to each of `requests`, oldest first."""
        ...

    async def move(self, request: UUID, standing: Standing, happened: Happened) -> None:
        """Store a move of a held request, and where it stands since."""
        ...

    async def open_of(
        self, handles: Collection[Handle], right: Right, law: str, via: Via, *, due_by: datetime
    ) -> UUID | None:
        """Return the open request for one right of one law that came the same way and is due by then; the first due.

        Somebody who only claims to speak for a person is not to hold up their own request.
        """
        ...

    async def count(
        self, handles: Collection[Handle], rights: Collection[Right], law: str, *, since: datetime, until: datetime
    ) -> int:
        """Return how many requests of a person for some rights were received after `since` and by `until`.

        Those count that were answered, or may be: not what was withdrawn, refused or joined another.
        """
        ...

    async def joined(self, request: UUID, *, hold: bool = False) -> Sequence[tuple[Request, Standing]]:
        """Return the requests that joined one, oldest first; with `hold`, nobody else moves them meanwhile."""
        ...

    async def marked(self, handles: Collection[Handle], mark: Mark, *, but: UUID) -> bool:
        """Return whether another request of a person says the same about them."""
        ...

    async def page(self, wanted: Filter, *, after: Position | None, limit: int) -> Sequence[tuple[Request, Standing]]:
        """Return at most `limit` requests that come after a position, by due date and id."""
        ...


class ChallengeStore(Protocol):
    """What is kept while people show who they are."""

    async def find(self, request: UUID) -> Challenge | None: ...

    async def put(self, challenge: Challenge) -> None:
        """Store a challenge in place of what there was for its request."""
        ...

    async def spent(self, handle: Handle, since: datetime) -> Spent:
        """Return what was spent on a person, whatever they asked for and whether or not that is over."""
        ...

    async def forget(self, request: UUID) -> None:
        """Remove the code of a request. That one was sent still counts for the day."""
        ...


class LetterStore(Protocol):
    """What was written about each request, without what it says."""

    async def of(self, request: UUID) -> Sequence[Written]:
        """Return what was written about a request, oldest first."""
        ...

    async def add(self, written: Written) -> bool:
        """Note a letter; return whether its id was free."""
        ...


class TellingStore(Protocol):
    """Of what others have to be told because a request moved."""

    async def note(self, request: UUID, kind: TaskKind, move: Move, at: datetime) -> None:
        """Note that those are to be told who take a kind of task. What was noted before stays as it is."""
        ...

    async def noted(self, request: UUID, kind: TaskKind) -> bool: ...

    async def take_back(self, request: UUID, *, but: Move) -> None:
        """Forget of what nobody was told yet, unless that move noted it."""
        ...

    async def waiting(self, request: UUID) -> Sequence[TaskKind]:
        """Return of what nobody was told yet, in the order of the moves."""
        ...

    async def told(self, request: UUID, kind: TaskKind, at: datetime) -> None: ...

    async def due(self) -> Sequence[tuple[TenantId, UUID]]:
        """Return the requests of all tenants of which somebody is to be told. For the worker, who sees no request."""
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


class RequestTransaction(ConsentTransaction, ProofTransaction, ValueTransaction, DownstreamTransaction, Protocol):
    """What a use case about requests may touch; stored together or not at all."""

    @property
    def requests(self) -> RequestStore: ...
    @property
    def challenges(self) -> ChallengeStore: ...
    @property
    def letters(self) -> LetterStore: ...
    @property
    def tellings(self) -> TellingStore: ...
    @property
    def tenants(self) -> Seats: ...
    @property
    def holds(self) -> HoldStore: ...
    @property
    def erasures(self) -> Erasing: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[RequestTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""
