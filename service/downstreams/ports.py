from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct

from service.audit import AuditTrail
from service.downstreams.domain import Downstream, Fault, StoredSecret, Task, TaskKind, TaskState
from service.downstreams.files import Brought, File
from service.events import Outbox
from service.kernel import Handle, TenantId
from service.subjects import SubjectStore
from service.vault import KeyStore, TenantKey, ValueStore


class Sealed(Struct, frozen=True, kw_only=True):
    """A task, and whom it is about."""

    task: Task
    sealed: bytes
    next_at: datetime | None = None
    """When it is brought first; nothing where the system asks for it."""


class Work(Struct, frozen=True):
    """That a system has a task to be brought, or to be called silent."""

    tenant: TenantId
    system: str


class DownstreamStore(Protocol):
    """The systems of one tenant and their tasks."""

    async def put(self, downstream: Downstream, *, at: datetime, actor: str) -> Downstream | None:
        """Store a system in place of the one of its name, and return that one."""
        ...

    async def find(self, name: str, *, hold: bool = False) -> Downstream | None:
        """Return a system; with `hold`, nobody else changes it, or gives it tasks, until this transaction ends."""
        ...

    async def page(self, *, after: str | None, limit: int) -> Sequence[Downstream]:
        """Return systems by their names, from the one after `after` on."""
        ...

    async def taking(self, kind: TaskKind) -> Sequence[Downstream]:
        """Return the systems that take a kind of task, which nobody removes until this transaction ends."""
        ...

    async def drop(self, name: str) -> None:
        """Forget a system and its secrets. Its tasks stay."""
        ...

    async def add_secret(self, downstream: str, secret: StoredSecret, *, ends_at: datetime) -> None:
        """Store a secret; the one before is good until `ends_at`, and those before that no longer."""
        ...

    async def secrets(self, downstream: str, now: datetime) -> Sequence[StoredSecret]:
        """Return the secrets that are good, the newest first."""
        ...

    async def add_tasks(self, tasks: Sequence[Sealed]) -> Sequence[UUID]:
        """Store tasks of one kind for one request, and return which were new.

        A task that a system was given for the same request before stays as it is.
        """
        ...

    async def task(self, task: UUID, *, hold: bool = False) -> Task | None: ...

    async def tasks(
        self,
        *,
        states: Collection[TaskState] = (),
        system: str | None = None,
        request: UUID | None = None,
        handles: Collection[Handle] = (),
        after: UUID | None = None,
        limit: int,
    ) -> Sequence[Task]:
        """Return tasks in the order of their ids, which is that in which they were assigned."""
        ...

    async def unsettled(self, downstream: str) -> bool:
        """Return whether a system owes an answer to any task."""
        ...

    async def sealed(self, tasks: Sequence[UUID]) -> Mapping[UUID, bytes]:
        """Return whom tasks are about, sealed: of those that are not settled."""
        ...

    async def settle(self, task: UUID, state: TaskState, ground: str | None, at: datetime) -> None:
        """Store the answer to a task, and forget whom it was about."""
        ...

    async def silence(self, task: UUID, fault: Fault | None) -> None:
        """Store that a system stays silent; nothing more is brought to it by itself."""
        ...

    async def begin_again(self, task: UUID, next_at: datetime | None, silent_at: datetime) -> None:
        """Have a silent task brought once more, from the first attempt on; or let the system ask for it."""
        ...

    async def overdue(self, system: str, now: datetime, *, most: int) -> Sequence[Task]:
        """Return open tasks of a system whose time is over, held until this transaction ends."""
        ...

    async def claim(self, system: str, now: datetime, again_at: datetime, *, most: int) -> Sequence[Sealed]:
        """Return tasks that are due to be brought to a system, each counted as an attempt and due again at `again_at`.

        So whoever dies with a task in hand has lost nothing: another takes it then.
        """
        ...

    async def told(self, task: UUID, at: datetime, again_at: datetime | None) -> None:
        """Store that a system took a task, or has it still; with `again_at`, it is asked then how far it is."""
        ...

    async def failed(self, task: UUID, fault: Fault, again_at: datetime) -> None: ...

    async def burn(self, downstream: str, message: bytes, at: datetime) -> bool:
        """Remember the hash of a message's id, and return whether it is new."""
        ...

    async def forget_messages(self, before: datetime) -> None:
        """Forget ids of messages that are refused for their age anyway."""
        ...

    async def with_work(self, now: datetime) -> Sequence[Work]:
        """Return the systems of all tenants with a task that is due. For the worker, who sees no task."""
        ...


class DownstreamTransaction(Protocol):
    """What a use case about connected systems may touch; stored together or not at all."""

    @property
    def downstreams(self) -> DownstreamStore: ...
    @property
    def audit(self) -> AuditTrail: ...
    @property
    def outbox(self) -> Outbox: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[DownstreamTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""


class Lying(Struct, frozen=True, kw_only=True):
    """A file that a system brought, and what it calls it, sealed."""

    brought: Brought
    about: bytes


class BroughtStore(Protocol):
    """The files that systems brought, sealed."""

    async def find(self, file: UUID) -> Brought | None: ...

    async def count(self, task: UUID) -> int:
        """Return how many files were brought for a task."""
        ...

    async def add(self, brought: Brought, about: bytes, sealed: bytes) -> bool:
        """Store a file, and return whether its id was free."""
        ...

    async def of(self, request: UUID) -> Sequence[Lying]:
        """Return what was brought for a request, in the order of the ids."""
        ...

    async def sealed(self, file: UUID) -> bytes | None: ...

    async def drop_over(self) -> Sequence[Brought]:
        """Remove what may lie no longer, and return what that was."""
        ...

    async def awaited(self, request: UUID) -> bool:
        """Return whether a system may still bring something for a request: it is neither over time nor has answered."""
        ...


class TakingTransaction(DownstreamTransaction, Protocol):
    """What taking a file may touch; stored together or not at all."""

    @property
    def brought(self) -> BroughtStore: ...
    @property
    def subjects(self) -> SubjectStore: ...
    @property
    def keys(self) -> KeyStore: ...


BeginTaking = Callable[[TenantId], AbstractAsyncContextManager[TakingTransaction]]
"""Opens such a transaction."""


class FileSafe(Protocol):
    """Seals files under the key of their person."""

    async def tenant_key(self, tenant: TenantId) -> TenantKey:
        """Return what the calls need. Ask before the transaction begins: a ring may have to answer.

        Raises:
            RingUnavailable
        """
        ...

    async def sealed(
        self, tx: TakingTransaction, tenant_key: TenantKey, brought: Brought, file: File
    ) -> tuple[bytes, bytes]:
        """Return what a file is called, and what it says, sealed each.

        Raises:
            SubjectErased
        """
        ...

    async def opened(self, tx: TakingTransaction, tenant_key: TenantKey, brought: Brought) -> File | None:
        """Return a file that lies; nothing, if it is gone with its key.

        Raises:
            Unreadable
        """
        ...


class IntroducingTransaction(Protocol):
    """What is read to find out by what systems know a person."""

    @property
    def downstreams(self) -> DownstreamStore: ...
    @property
    def values(self) -> ValueStore: ...


BeginIntroducing = Callable[[TenantId], AbstractAsyncContextManager[IntroducingTransaction]]
"""Opens such a transaction."""


class Signing(Protocol):
    """What Ed25519 needs that no pure Python should do."""

    def public(self, seed: bytes) -> bytes:
        """Return the public key of a private one, 32 bytes each."""
        ...

    def sign(self, seed: bytes, message: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        ...


RandomBytes = Callable[[int], bytes]
"""Makes so many bytes that nobody can guess."""

Allowed = Callable[[str], None]
"""Refuses an address where nothing may be sent: raises DownstreamUnusable."""


Certified = Callable[[str, str, datetime], None]
"""Refuses a certificate (PEM) that isn't one of a domain, in force now: raises DownstreamUnusable."""


class Reply(Struct, frozen=True, kw_only=True):
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class NotReached(Exception):
    """Nothing came back that is an answer."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Send(Protocol):
    """Asks a system over HTTP, within a time and a length, where it may be asked."""

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Raises: NotReached"""
        ...


Verifies = Callable[[str, str, str, bytes, datetime], None]
"""Returns if a body is signed by a certificate (PEM) of a domain: certificate, domain, signature, body, now.

Raises:
    SignatureRefused
"""


class Together(Protocol):
    async def __call__(self, *asks: Coroutine[Any, Any, Any]) -> Sequence[Any]:
        """Await all of `asks` at once. None is left running: the first error is raised when all have ended."""
        ...


Chance = Callable[[], float]
"""From 0 to 1, anew each time."""
