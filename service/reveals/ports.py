from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from service.audit import AuditTrail
from service.kernel import Caller, Handle, TenantId
from service.reveals.approval import Approval
from service.reveals.domain import Revealed
from service.reveals.token import Given, StandIn
from service.subjects import SubjectStore
from service.vault import KeyStore, Opening, Wanted


class RevealLog(Protocol):
    """Everything that was ever given in plain, or masked. It only grows."""

    async def append(self, reveals: Sequence[Revealed], *, by: Caller) -> None:
        """Store reveals and their audit entries, all or none. Durable when this returns.

        Raises:
            Unavailable: they could not be stored, so nothing of them must be told.
        """
        ...


class RevealStore(Protocol):
    """Reads what was revealed."""

    async def several(self, reveals: Collection[UUID]) -> Mapping[UUID, Revealed]:
        """Return those that there are."""

    def of(self, handles: Collection[Handle]) -> AsyncIterator[Sequence[Revealed]]:
        """Yield every reveal of a person, oldest first, some at a time."""
        ...


class ApprovalStore(Protocol):
    """What officers asked of each other."""

    async def add(self, approval: Approval) -> None: ...

    async def find(self, approval: UUID, *, hold: bool = False) -> Approval | None:
        """Return an approval; with `hold`, nobody else changes it until this transaction ends."""
        ...

    async def several(self, approvals: Collection[UUID]) -> Mapping[UUID, Approval]:
        """Return those that there are."""
        ...

    async def approve(self, approval: UUID, *, actor: str, at: datetime) -> None: ...

    async def use(self, approval: UUID, *, at: datetime) -> None: ...

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Approval]:
        """Return at most `limit` approvals that are older than `before`, newest first."""
        ...


class AloneStore(Protocol):
    """Whom officers read one by one, with nobody's approval."""

    async def admit(self, actor: str, handle: Handle, *, most: int, since: datetime, at: datetime) -> datetime | None:
        """Note that `actor` reads this person, unless it would be one more than `most` since then.

        Return nothing, or when the first of those counted was read. Who is counted already costs nothing. Of several
        at once, in whatever processes, one waits for the other's transaction.
        """
        ...


class TokenStore(Protocol):
    """Stand-ins for values, by the hashes of their tokens."""

    async def add(self, stand_in: StandIn, *, actor: str, at: datetime) -> None: ...

    async def find(self, digest: bytes) -> StandIn | None:
        """Return a stand-in that is not revoked."""
        ...

    async def of(self, handles: Collection[Handle]) -> Sequence[Given]:
        """Return every stand-in for a value of a person, also the revoked ones, oldest first."""
        ...

    async def revoke(self, digest: bytes, *, at: datetime) -> StandIn | None:
        """Revoke a stand-in for ever and return it, also one that was revoked before."""
        ...


class RevealTransaction(Protocol):
    """What a use case about reveals may touch; stored together or not at all."""

    @property
    def subjects(self) -> SubjectStore: ...
    @property
    def approvals(self) -> ApprovalStore: ...
    @property
    def alone(self) -> AloneStore: ...
    @property
    def tokens(self) -> TokenStore: ...
    @property
    def keys(self) -> KeyStore: ...
    @property
    def audit(self) -> AuditTrail: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[RevealTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""

Nonce = Callable[[], bytes]
"""Makes 32 random bytes that nobody can guess."""

Together = Callable[[Iterable[Awaitable[Any]]], Awaitable[Sequence[Any]]]
"""Awaits all at once and returns, in their order, what they return or raise."""

OpenOne = Callable[[Wanted], Awaitable[Opening]]
"""Opens what is wanted of one person, perhaps together with what others want at the same moment.

Raises:
    RingUnavailable, Unreadable
"""
