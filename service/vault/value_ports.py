from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from service.audit import AuditAppender, AuditTrail, Payload
from service.events import Outbox
from service.kernel import Caller, Handle, SubjectId, TenantId
from service.vault.fields import Field, FieldType, Name
from service.vault.ports import KeyStore, SubjectKeyStore
from service.vault.values import Digest, Head, Mark, Place, Sealed, Search, Standing, Write, Written


class BlindIndex(Protocol):
    """Who has which values, by keyed hashes alone."""

    async def holders(self, digests: Collection[Digest]) -> Mapping[Digest, AbstractSet[Handle]]:
        """Return the people under each of `digests`."""
        ...


class OpenStore(Protocol):
    """Sealed values to be opened, and the fields they belong to."""

    async def fields(self) -> Mapping[str, Field]:
        """Return the tenant's fields by name: the built-in ones, and its own in their place or beside them."""
        ...

    async def find(self, wanted: Mapping[Handle, Collection[Name]], *, version: int | None = None) -> Sequence[Sealed]:
        """Return the latest version of each wanted value that is there, not deleted.

        With `version` that version, replaced or deleted since as well.
        """
        ...


class WriteStore(BlindIndex, OpenStore, Protocol):
    """Sealed values to be written."""

    async def heads(self, places: Sequence[tuple[Place, Mark | None]]) -> Sequence[Head]:
        """Return how each place stands, in the order asked, and whether its mark is suppressed."""
        ...

    async def add(self, values: Sequence[tuple[Sealed, str]]) -> bool:
        """Store versions, each with who wrote it. One with nothing sealed says that the value is no more.

        Return whether all of them were free. If not, roll back: somebody else wrote at the same time.
        """
        ...

    async def index(self, digests: Mapping[Place, Sequence[Digest]], replaced: Collection[Place]) -> None:
        """Index the latest values; what was there for the `replaced` goes.

        Until this transaction ends nobody else indexes values of these fields: whoever does at the same moment waits,
        and then sees these.
        """
        ...

    async def advance_import(self, import_id: UUID, before: int, done: int, seen: bytes, at: datetime) -> bool:
        """Store that so many lines have been dealt with; return whether it had been `before` until now."""
        ...


class ValueStore(WriteStore, Protocol):
    """The sealed values of one tenant, every version of them, and the fields they belong to."""

    async def add_field(self, field: Field, at: datetime, actor: str) -> bool:
        """Store a field, or its next version, and return whether nobody else did so meanwhile."""
        ...

    async def of(self, handle: Handle) -> Sequence[Sealed]:
        """Return the latest version of every value of a person, by field and label."""
        ...

    async def versions(self, handle: Handle) -> Sequence[Standing]:
        """Return every version of every value of a person, by field, label and version."""
        ...

    async def suppress(self, marks: Collection[Mark], at: datetime) -> None:
        """Keep what must not come back unasked. What is kept already stays."""
        ...

    async def import_done(self, import_id: UUID) -> tuple[int, bytes]:
        """Return how many lines of an import have been dealt with, and what hashes them; nothing of an old one."""
        ...


class People(Protocol):
    """The handles that subject ids became."""

    @property
    def handles(self) -> Mapping[SubjectId, Handle]: ...
    @property
    def created(self) -> AbstractSet[SubjectId]: ...
    @property
    def fresh(self) -> AbstractSet[Handle]: ...


class Names(Protocol):
    """What the tenant calls people."""

    async def names(self, handles: Collection[UUID]) -> Mapping[UUID, SubjectId]:
        """Return the id of each who has one: nobody was erased or merged into another since."""
        ...


class Directory(Names, Protocol):
    """Who has which handle, as far as the vault needs to know."""

    async def ensure(self, subjects: Sequence[SubjectId], at: datetime) -> People:
        """Return the handle of each of `subjects`; who had none gets one."""
        ...

    async def handle_of(self, subject: SubjectId) -> Handle | None: ...

    async def leave_unresolved(
        self, found: Collection[tuple[Handle, Handle, bytes]], at: datetime
    ) -> Mapping[Handle, Payload]:
        """Flag pairs that may be one person, each with a hash of what they share.

        Return who wasn't flagged before, with what the log is to commit to.
        """
        ...


class OpenTransaction(Protocol):
    """What opening values needs of a transaction."""

    @property
    def keys(self) -> SubjectKeyStore: ...
    @property
    def values(self) -> OpenStore: ...

    async def together(self, *asks: Coroutine[Any, Any, Any]) -> Sequence[Any]:
        """Await all of `asks`, which ask the stores of this transaction: one round trip, in their order."""
        ...


class WriteTransaction(OpenTransaction, Protocol):
    """What writing values touches; stored together or not at all."""

    @property
    def values(self) -> WriteStore: ...
    @property
    def subjects(self) -> Directory: ...
    @property
    def audit(self) -> AuditAppender: ...
    @property
    def outbox(self) -> Outbox: ...


class ValueTransaction(WriteTransaction, Protocol):
    """What a use case about values may touch; stored together or not at all."""

    @property
    def keys(self) -> KeyStore: ...
    @property
    def values(self) -> ValueStore: ...
    @property
    def audit(self) -> AuditTrail: ...


class SearchTransaction(Protocol):
    """What a search may touch. What is asked together is stored together, and durable once it is answered."""

    @property
    def values(self) -> BlindIndex: ...
    @property
    def subjects(self) -> Names: ...
    @property
    def audit(self) -> AuditAppender: ...

    async def together(self, *asks: Coroutine[Any, Any, Any]) -> Sequence[Any]:
        """Await all of `asks`: one round trip, in their order."""
        ...


BeginSearch = Callable[[TenantId], AbstractAsyncContextManager[SearchTransaction]]
BeginOpening = Callable[[TenantId], AbstractAsyncContextManager[OpenTransaction]]
BeginWriting = Callable[[TenantId], AbstractAsyncContextManager[WriteTransaction]]
BeginValues = Callable[[TenantId], AbstractAsyncContextManager[ValueTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""

Normalise = Callable[[FieldType, Any], Any]
"""Returns a value as it is kept, or raises `ValueRefused`."""


class Writer(Protocol):
    """Stores one value with whoever else's come at the same moment, durable before it returns."""

    async def __call__(self, write: Write, /) -> Written:
        """Raises what stood against this one write, or `Unavailable`."""
        ...


class Finder(Protocol):
    """Looks for people, together with whoever else does at the same moment."""

    async def __call__(self, search: Search, /) -> Sequence[SubjectId]: ...


class Pace(Protocol):
    """Keeps clients from asking about everybody."""

    async def __call__(self, by: Caller) -> int:
        """Return 0 if the caller may go on, else the seconds after which it may ask again."""
        ...
