from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from service.audit import AuditTrail
from service.consent import NoticeStore, RecordStore, StateStore
from service.decisions import DecisionStore
from service.kernel import TenantId
from service.packages.domain import Language, Rows, SystemTold
from service.packages.wording import Words
from service.requests import RequestStore
from service.reveals import AloneStore, RevealStore, TokenStore
from service.subjects import SubjectStore
from service.vault import ValueStore

T = TypeVar("T")


class PackageTransaction(Protocol):
    """What making a package reads; what it writes is one audit entry."""

    @property
    def subjects(self) -> SubjectStore: ...
    @property
    def values(self) -> ValueStore: ...
    @property
    def records(self) -> RecordStore: ...
    @property
    def states(self) -> StateStore: ...
    @property
    def notices(self) -> NoticeStore: ...
    @property
    def requests(self) -> RequestStore: ...
    @property
    def decisions(self) -> DecisionStore: ...
    @property
    def reveals(self) -> RevealStore: ...
    @property
    def tokens(self) -> TokenStore: ...
    @property
    def alone(self) -> AloneStore: ...
    @property
    def audit(self) -> AuditTrail: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[PackageTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""


class Kept(Rows[T], Protocol[T]):
    """Rows that are being collected. They outlive the collecting, and not the block that lent them."""

    def add(self, row: T) -> None: ...


class Room(Protocol):
    """Where rows lie meanwhile."""

    def kept(self, kind: type[T]) -> Kept[T]:
        """Return rows of one kind, none so far."""
        ...


class Member(Protocol):
    """One file of an archive, being written."""

    def write(self, content: bytes, /) -> int: ...


class Archive(Protocol):
    """What a package is written to, one member after another."""

    def add(self, name: str, content: bytes) -> None: ...

    def member(self, name: str) -> AbstractContextManager[Member]:
        """Lend a member to write to, of any size. The next one waits until it ends."""
        ...


class Answered(Struct, frozen=True, kw_only=True):
    """A file in which a connected system answered, still sealed."""

    id: UUID
    system: str
    name: str
    media_type: str
    size: int
    """Bytes in plain."""


class Connected(Protocol):
    """What connected systems answered to requests."""

    async def outcomes(self, tenant: TenantId, request: UUID) -> Sequence[SystemTold]:
        """Return which were asked, and what came of it."""
        ...

    async def answers(self, tenant: TenantId, request: UUID) -> Sequence[Answered]:
        """Return what there is; a system that is silent has none."""
        ...

    def content(self, tenant: TenantId, answer: Answered) -> AsyncIterator[bytes]:
        """Yield a file in plain, some bytes at a time.

        Raises:
            Unreadable, Unavailable
        """
        ...


WordsIn = Callable[[Language], Words]
"""Returns the words of a language."""

Titles = Mapping[str, tuple[str, str]]
"""Title and citation of rules, by their ids."""

TitlesOf = Callable[[str], Awaitable[Titles]]
"""Returns those of a revision of the policy; none where it is not stored any more."""

Advanced = Callable[[int, int], None]
"""Is told how much of how much is done."""
