from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from service.consent.imported import Chunk
from service.consent.ports import ConsentTransaction
from service.kernel import Caller, DomainError, SubjectId, TenantId


class ImportStore(Protocol):
    """How far imports have got, and the trees over what they brought."""

    async def progress(self, import_id: UUID) -> tuple[int, bytes]:
        """Return how many lines have been dealt with, and what hashes them."""
        ...

    async def advance(self, import_id: UUID, before: int, done: int, seen: bytes, at: datetime) -> bool:
        """Store that so many lines have been dealt with; return whether it had been `before` until now."""
        ...

    async def add(self, chunk: Chunk) -> None: ...

    async def brought(self, import_id: UUID, records: Mapping[UUID, datetime]) -> frozenset[UUID]:
        """Return those of `records`, with when they arrived, that came with an import."""
        ...

    async def chunk(self, chunk_id: UUID) -> Chunk | None: ...

    async def chunk_of(self, record: UUID, received_at: datetime) -> Chunk | None:
        """Return the chunk in which a record came; None for one that came by itself."""
        ...


class ImportTransaction(ConsentTransaction, Protocol):
    """What a piece of an import touches; stored together or not at all."""

    @property
    def imports(self) -> ImportStore: ...


BeginImport = Callable[[TenantId], AbstractAsyncContextManager[ImportTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""


class Find(Protocol):
    """Looks for people by values in the vault."""

    async def __call__(
        self, wanted: Sequence[tuple[str, Any]], *, by: Caller
    ) -> Sequence[Sequence[SubjectId] | DomainError]:
        """Return whom each field and value found, or what stands against looking for it."""
        ...
