from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from service.audit import AuditTrail
from service.events import Outbox
from service.kernel import Handle, SubjectId, TenantId
from service.subjects.domain import Ensured, Flags, Subject, SubjectFacts


class SubjectStore(Protocol):
    """The subjects of one tenant: who has which handle, and every version of their facts."""

    async def ensure(self, subjects: Sequence[SubjectId], at: datetime) -> Ensured:
        """Return the handle of each of `subjects`; who had none gets one.

        Two transactions that ensure the same subject agree on one handle: the second waits
        for the first.
        """
        ...

    async def handle_of(self, subject: SubjectId) -> Handle | None:
        """Return the handle of a subject; ``None`` for one who is unknown, or was erased."""
        ...

    async def page(self, *, after: SubjectId | None, limit: int) -> Sequence[tuple[SubjectId, Handle]]:
        """Return at most `limit` subjects whose ids come after `after`, in their order."""
        ...

    async def count(self) -> int: ...

    async def names(self, handles: Collection[UUID]) -> Mapping[UUID, SubjectId]:
        """Return the id of each who has one of `handles`; who was erased has none any more."""
        ...

    async def find(self, subject: SubjectId, *, as_of: datetime | None = None) -> Subject | None:
        """Return a subject with the latest facts, or with those that had been stored by `as_of`."""
        ...

    async def lock(self, handle: Handle) -> Subject:
        """Return an ensured subject, whom no other transaction changes until this one ends."""
        ...

    async def add_version(self, handle: Handle, version: int, facts: SubjectFacts, at: datetime) -> None:
        """Store the facts of a locked subject as `version`, which is the latest from now on. Earlier ones stay."""
        ...

    async def set_flags(self, handle: Handle, flags: Flags) -> None:
        """Store what the service itself knows of a locked subject, in place of what it knew.

        Whoever calls it audits that.
        """
        ...


class SubjectTransaction(Protocol):
    """What a use case about subjects may touch; stored together or not at all."""

    @property
    def subjects(self) -> SubjectStore: ...
    @property
    def audit(self) -> AuditTrail: ...
    @property
    def outbox(self) -> Outbox: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[SubjectTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""
