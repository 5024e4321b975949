from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from service.audit.domain import AuditEvent, Draft, Entry, Position, Query, Secret
from service.kernel import Caller, Handle, SubjectId, TenantId


class AuditAppender(Protocol):
    """What was done in this tenant's name, to be added to."""

    async def append(
        self,
        *,
        event: AuditEvent,
        object_id: str,
        by: Caller,
        subject: Handle | None = None,
        commitment: bytes | None = None,
    ) -> None:
        """Add one entry, and the leaf from which the tree will grow, to the transaction that it tells of."""
        ...

    async def append_many(self, drafts: Sequence[Draft], *, by: Caller) -> None:
        """Add an entry for each draft: a round trip, and one more where a draft has a payload."""
        ...

    async def append_each(
        self, drafts: Sequence[tuple[Caller, Draft]], *, secrets: Mapping[Handle, Secret] | None = None
    ) -> None:
        """Add an entry for each draft, of what different callers did, as `append_many` does.

        Whoever read the `secrets` of those whom the payloads are about saves the second round trip.
        """
        ...

    async def secrets(self, handles: Collection[Handle]) -> Mapping[Handle, Secret]:
        """Return the secrets of those subjects who have one: who was erased has none any more."""
        ...


class AuditTrail(AuditAppender, Protocol):
    """The same, to be read as well. It only ever grows."""

    async def destroy_secrets(self, handle: Handle) -> AbstractSet[Handle]:
        """Destroy the secret of a subject, and of those who were merged into this one; return whose there were."""
        ...

    async def find(
        self, query: Query, *, subject: Handle | None, after: Position | None, limit: int
    ) -> Sequence[Entry]:
        """Return at most `limit` entries that come after a position, by (time, id).

        `subject` is the handle of the subject whom `query` names.
        """
        ...


class SubjectLog(Protocol):
    """What the log says about people."""

    async def about(
        self,
        handles: Collection[Handle],
        events: Collection[AuditEvent],
        *,
        since: datetime | None,
        until: datetime | None,
        after: Position | None,
        newest_first: bool,
        limit: int,
    ) -> Sequence[Entry]:
        """Return at most `limit` entries that name one of `handles`, from `since` to before `until`, by (time, id).

        They come after a position in that order, or in the reverse one if it is `newest_first`.
        """
        ...

    async def of_batches(self, batches: Mapping[UUID, datetime]) -> Mapping[UUID, UUID]:
        """Return the entry of each chunk of decisions, by its id and when it was decided."""
        ...


class AuditTransaction(Protocol):
    """What reading the log needs of a transaction."""

    @property
    def audit(self) -> AuditTrail: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[AuditTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""

SubjectResolver = Callable[[TenantId, SubjectId], Awaitable[Handle | None]]
"""Finds the handle of a tenant's subject. None for one who is unknown, or was erased."""
