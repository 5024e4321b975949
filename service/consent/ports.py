from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from service.audit import AuditAppender, AuditTrail, Traces
from service.consent.domain import Appended, Notice, NoticeContent, OwnPurpose, Position, Profile, State, StoredRecord
from service.consent.sent import Sent
from service.events import Outbox
from service.kernel import Handle, SubjectId, TenantId
from service.subjects import Directory, SubjectStore
from service.vault import MovingTransaction


class RecordStore(Protocol):
    """The histories of one tenant. They only ever grow."""

    async def find(self, ids: Collection[UUID]) -> Mapping[UUID, StoredRecord]:
        """Return those of `ids` that are stored, whoever's they are."""
        ...

    async def append(self, records: Sequence[StoredRecord]) -> frozenset[UUID]:
        """Store those of `records` whose id is free, in one round trip, and return their ids."""
        ...

    async def history(self, handle: Handle, *, as_of: datetime | None = None) -> Sequence[StoredRecord]:
        """Return every record of a subject, oldest first; with `as_of`, those received by then."""
        ...

    async def page(self, handle: Handle, *, after: Position | None, limit: int) -> Sequence[StoredRecord]:
        """Return at most `limit` records of a subject that come after a position, oldest first."""
        ...

    async def handles(self, *, after: Handle | None, limit: int) -> Sequence[Handle]:
        """Return at most `limit` handles that have records or a state, in their order."""
        ...

    async def histories(self, handles: Collection[Handle]) -> Mapping[Handle, Sequence[StoredRecord]]:
        """Return every record of each of `handles`, oldest first; nothing for who has none."""
        ...


class StateStore(Protocol):
    """What the histories amount to. Can be lost: the records say it all."""

    async def read(self, handle: Handle) -> State:
        """Return the state of a subject; the empty one for a subject without records.

        Raises:
            StateUnreadable
        """
        ...

    async def several(self, handles: Collection[Handle]) -> Mapping[Handle, State | None]:
        """Return the states of those who have one. ``None`` is a state that can't be read."""
        ...

    async def lock(
        self, handles: Collection[Handle], *, fresh: AbstractSet[Handle] = frozenset()
    ) -> Mapping[Handle, State | None]:
        """Return the states of subjects whom no other transaction changes until this one ends.

        Also of those who have none yet: two first records of one subject wait for each
        other, and neither is lost. Whoever locks several locks them in one order. ``None``
        is a state that can't be read: only the records can replace it. Of handles that this
        transaction made nobody else knows yet: where they are `fresh` there is nothing to read or to hold.
        """
        ...

    async def write(self, states: Mapping[Handle, State]) -> None:
        """Store the states of locked or fresh subjects, in one round trip."""
        ...


class NoticeStore(Protocol):
    """The versions of notices. They never change."""

    async def add(self, content: NoticeContent) -> bool:
        """Store a version and return whether it was new. One that exists stays as it is."""
        ...

    async def find(self, notice: str, version: str) -> Notice | None: ...

    async def page(self, *, after: tuple[str, str] | None, limit: int) -> Sequence[Notice]:
        """Return at most `limit` versions, by notice and version, that come after one."""
        ...

    async def of_version(self, version: str) -> Sequence[Notice]:
        """Return the version of this name of every notice that has one, by the names of the notices."""
        ...


class PurposeStore(Protocol):
    """The tenant's own purposes. A mapping never changes, or records would change their meaning."""

    async def add(self, purpose: OwnPurpose) -> bool:
        """Store a purpose and return whether it was new. One that exists stays as it is."""
        ...

    async def find(self, purposes: Collection[str]) -> Mapping[str, OwnPurpose]:
        """Return those of `purposes` that are registered."""
        ...

    async def page(self, *, after: str | None, limit: int) -> Sequence[OwnPurpose]:
        """Return at most `limit` purposes whose names come after `after`, in their order."""
        ...


class AppendTransaction(Protocol):
    """What appending records may touch; stored together or not at all."""

    @property
    def subjects(self) -> Directory: ...
    @property
    def records(self) -> RecordStore: ...
    @property
    def states(self) -> StateStore: ...
    @property
    def purposes(self) -> PurposeStore: ...
    @property
    def audit(self) -> AuditAppender: ...
    @property
    def traces(self) -> Traces: ...
    @property
    def outbox(self) -> Outbox: ...

    async def together(self, *asks: Coroutine[Any, Any, Any]) -> Sequence[Any]:
        """Await all of `asks`, which ask the stores of this transaction: one round trip, in their order."""
        ...


BeginAppending = Callable[[TenantId], AbstractAsyncContextManager[AppendTransaction]]


class Writer(Protocol):
    """Stores what one request sends with whoever else's comes at the same moment, durable before it returns."""

    async def __call__(self, sent: Sent, /) -> Appended:
        """Raises what stood against this one request, or `Unavailable`."""
        ...


class ConsentTransaction(AppendTransaction, Protocol):
    """What a use case about consent may touch; stored together or not at all."""

    @property
    def subjects(self) -> SubjectStore: ...
    @property
    def notices(self) -> NoticeStore: ...
    @property
    def audit(self) -> AuditTrail: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[ConsentTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""


class MergeTransaction(ConsentTransaction, MovingTransaction, Protocol):
    """What merging two subjects may touch besides: their values."""


BeginMerge = Callable[[TenantId], AbstractAsyncContextManager[MergeTransaction]]


G_co = TypeVar("G_co", covariant=True)
"""What governs a tenant: to this slice, whatever is read beside the profiles."""


class Alongside(Protocol[G_co]):
    """One more question that the hot read asks for each tenant, in the same round trip."""

    @property
    def query(self) -> str:
        """One row. Its one parameter is `%(tenant)s`."""
        ...

    def decode(self, row: tuple[Any, ...]) -> G_co:
        """Return what the row means.

        Raises:
            Unavailable: it can't be read.
        """
        ...


class Profiles(Protocol[G_co]):
    """The hot read: what a check needs to know about a subject, and what governs the tenant.

    Nothing is remembered between calls, so a withdrawal that was acknowledged is seen by
    every later read, on every worker.
    """

    async def read(self, tenant: TenantId, subject: SubjectId) -> tuple[Profile | None, G_co]:
        """Return the profile, ``None`` for a subject who is unknown or was erased, and what governs the tenant."""
        ...

    async def governing(self, tenant: TenantId) -> G_co:
        """Return what governs the tenant, where nobody is asked about."""
        ...

    async def maps_to(self, tenant: TenantId, purpose: str) -> str | None:
        """Return the known purpose that a tenant's own one maps onto; ``None`` when it is not registered."""
        ...
