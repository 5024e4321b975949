from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from service.audit import HoldStore
from service.downstreams import DownstreamTransaction, Introduced
from service.erasures.domain import Done, Erasure, Outcome
from service.kernel import Caller, Handle, SubjectId, TenantId
from service.requests import RequestTransaction
from service.vault import ForgettingTransaction


class ErasureStore(Protocol):
    """The erasures of one tenant, and what was done of each."""

    async def add(self, erasure: Erasure) -> None:
        """Store an erasure, once."""
        ...

    async def find(self, request: UUID, *, hold: bool = False) -> Erasure | None:
        """Return an erasure that was begun; with `hold`, nobody else goes on with it until this transaction ends."""
        ...

    async def widen(self, request: UUID, handles: Sequence[Handle]) -> None:
        """Store that the person has other handles by now: they were merged since the plan was made."""
        ...

    async def done(self, request: UUID) -> Sequence[Done]:
        """Return the steps that were done, in their order."""
        ...

    async def note(self, request: UUID, done: Done) -> None:
        """Store that a step was done. There is one row of each."""
        ...

    async def certify(self, request: UUID, content: bytes, at: datetime) -> None:
        """Store what is certified, and that the erasure has ended."""
        ...

    async def destroyed(self, request: UUID) -> bool:
        """Return whether there is no way back any more."""
        ...

    async def certified(self, request: UUID) -> bool: ...

    async def counts(self, handles: Collection[Handle]) -> Mapping[str, int]:
        """Count what is kept under some handles and goes when their person is erased, by what it is."""
        ...

    async def left(self, handles: Collection[Handle]) -> Mapping[str, int]:
        """Count what is still there of a person who was erased, by what it is; what is none is left out."""
        ...

    async def hides(self) -> bool:
        """Return whether the tenant wants ids of erased people hidden."""
        ...

    async def due(self) -> Sequence[tuple[TenantId, UUID]]:
        """Return the erasures of all tenants that are to go on, or of which something was kept long enough.

        With the rights of the worker.
        """
        ...

    async def reduce(
        self,
        request: UUID,
        keep: Collection[UUID],
        until: datetime | None,
        at: datetime,
        *,
        entries: Sequence[UUID],
        by: Caller,
    ) -> bool:
        """Remove the histories and facts of who was forgotten, but for the records `keep`; return whether that was so.

        It isn't while somebody holds them. The step, its entry and its event are stored with it the first time.
        `until` is when the last of what is kept may go. With the rights of the worker.
        """
        ...


class ErasureTransaction(RequestTransaction, ForgettingTransaction, DownstreamTransaction, Protocol):
    """What a step may touch; stored together or not at all."""

    @property
    def erasures(self) -> ErasureStore: ...
    @property
    def holds(self) -> HoldStore: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[ErasureTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""


class Answers(Protocol):
    """The connected systems of a tenant, within a transaction of it, and what they said."""

    async def systems(self, tx: ErasureTransaction) -> Sequence[str]:
        """Return the names of those that are told of erasures."""
        ...

    async def settled(self, tx: ErasureTransaction, request: UUID) -> Sequence[Outcome]:
        """Return what became of each task of a request."""
        ...


class Connected(Answers, Protocol):
    """The same, who can be told."""

    async def owed(self, tx: ErasureTransaction, handles: Sequence[Handle]) -> bool:
        """Return whether any of them owes an answer about a person, whatever it was asked for."""
        ...

    async def forget(self, tx: ErasureTransaction, handles: Sequence[Handle], *, by: Caller) -> None:
        """Ask none of them any more for a copy of what it holds about a person: it could be given to nobody."""
        ...

    async def introduce(self, tenant: TenantId, handles: Sequence[Handle], *, by: Caller) -> Introduced:
        """Open by what they know the person with these handles, before the transaction begins that assigns."""
        ...

    async def assign(
        self,
        tx: ErasureTransaction,
        request: UUID,
        handle: Handle,
        subjects: Sequence[SubjectId],
        introduced: Introduced,
        law: str,
        *,
        by: Caller,
    ) -> Sequence[UUID]:
        """Give each of them the task to erase whom the tenant calls so, under a law; return the ids of the tasks."""
        ...
