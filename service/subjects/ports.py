from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from service.audit import AuditTrail, Payload
from service.events import Outbox
from service.kernel import Handle, SubjectId, TenantId
from service.subjects.domain import Ensured, FactsVersion, Flags, Named, Subject, SubjectFacts


class Directory(Protocol):
    """Who has which handle, of one tenant's subjects."""

    async def held(self, subjects: Sequence[SubjectId]) -> Mapping[SubjectId, Handle]:
        """Return the handle of each of `subjects` who has one. Until this transaction ends nobody merges them."""
        ...

    async def create(self, subjects: Sequence[SubjectId], at: datetime) -> Ensured:
        """Return the handle of each of `subjects`, who had none: a new one, unless another was first meanwhile."""
        ...

    async def ensure(self, subjects: Sequence[SubjectId], at: datetime) -> Ensured:
        """Return the handle of each of `subjects`; who had none gets one.

        Two transactions that ensure the same subject agree on one handle: the second waits
        for the first. Until this one ends nobody merges them.
        """
        ...

    async def former(self, handle: Handle) -> AbstractSet[Handle]:
        """Return the handles that were merged into one. What is kept under them stays there."""
        ...


class SubjectStore(Directory, Protocol):
    """The subjects of one tenant: who has which handle, and every version of their facts."""

    async def handle_of(self, subject: SubjectId) -> Handle | None:
        """Return the handle of a subject; ``None`` for one who is unknown, or was erased."""
        ...

    async def page(self, *, after: SubjectId | None, limit: int) -> Sequence[tuple[SubjectId, Handle]]:
        """Return at most `limit` subjects whose ids come after `after`, in their order; each once, without aliases."""
        ...

    async def count(self) -> int: ...

    async def names(self, handles: Collection[UUID]) -> Mapping[UUID, SubjectId]:
        """Return the id of each who has one of `handles`, not an alias; who was erased has none any more."""
        ...

    async def find(self, subject: SubjectId, *, as_of: datetime | None = None) -> Subject | None:
        """Return a subject with the latest facts, or with those that had been stored by `as_of`."""
        ...

    async def lock(self, handle: Handle) -> Subject:
        """Return an ensured subject, whom no other transaction changes until this one ends.

        Raises:
            Contended: they were merged with another or erased at this moment.
        """
        ...

    async def lock_current(self, handle: Handle) -> Subject | None:
        """Return who has `handle` now, as `lock` does; ``None`` for one who was erased."""
        ...

    async def versions(self, handles: Collection[Handle]) -> Mapping[Handle, Sequence[tuple[int, SubjectFacts]]]:
        """Return every version of the facts that were stored under each handle, oldest first."""
        ...

    async def add_version(self, handle: Handle, version: int, facts: SubjectFacts, at: datetime) -> None:
        """Store the facts of a locked subject as `version`, which is the latest from now on. Earlier ones stay."""
        ...

    async def dated_versions(self, handle: Handle) -> Sequence[FactsVersion]:
        """Return every version of the facts of a person, oldest first."""
        ...

    async def set_flags(self, handle: Handle, flags: Flags) -> None:
        """Store what the service itself knows of a locked subject, in place of what it knew.

        Whoever calls it audits that.
        """
        ...

    async def handles(self, *, after: Handle | None, limit: int) -> Sequence[Handle]:
        """Return at most `limit` handles that somebody has, or of whom facts are kept, in their order."""
        ...

    async def standing(self, handles: Collection[Handle]) -> Sequence[Subject]:
        """Return what every row about one of `handles` says: of who has several ids, several that say the same."""
        ...

    async def merges(self, handles: Collection[Handle]) -> Mapping[Handle, Sequence[datetime]]:
        """Return when each of `handles` was found to be the same person as another."""
        ...

    async def current(self, handle: Handle) -> Handle | None:
        """Return the handle that a person has now who had `handle`; ``None`` for one who was erased."""
        ...

    async def hold(self, subjects: Collection[SubjectId]) -> Mapping[SubjectId, Named]:
        """Return whom each id names, and keep everybody else from them, under all their names, until this ends.

        Raises:
            Unavailable: they were merged with others at this moment. Asking again is safe.
        """
        ...

    async def aliases(self, handle: Handle) -> AbstractSet[SubjectId]:
        """Return every id that names a handle."""
        ...

    async def merge(self, other: Handle, into: Subject, at: datetime) -> None:
        """Let the ids of a held subject name another held one from now on, as aliases; also in pairs yet to settle."""
        ...

    async def settle(self, one: Handle, other: Handle, at: datetime, *, same: bool) -> bool:
        """Keep whether two are one person, and return whether that is news."""
        ...

    async def leave_unresolved(
        self, found: Collection[tuple[Handle, Handle, bytes]], at: datetime
    ) -> Mapping[Handle, Payload]:
        """Flag pairs that may be one person, and return who wasn't flagged before, with what to commit to.

        Each with a hash of what makes one think so: a pair about which that was settled stays settled.
        """
        ...

    async def part(self, fresh: Mapping[SubjectId, Handle], flags: Flags) -> None:
        """Let each of these held ids name a new handle of which `flags` are known, and nothing else.

        The old one has no name then.
        """
        ...

    async def hide(self, subject: SubjectId, at: datetime) -> None:
        """Forget an id that was parted from an erased person. What it names, should it come back, is kept by its hash.

        The handle that it names has to be one that gets no key.
        """
        ...

    async def drop_pairs(self, handles: Collection[Handle]) -> None:
        """Forget who was found to be, or may be, the same person as those of `handles`."""
        ...

    async def unsettled(self, handle: Handle) -> bool:
        """Return whether it is open if a subject and some other one are the same person."""
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
