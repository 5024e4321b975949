from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from service.audit import AuditTrail
from service.exports.domain import Claimed, Counted, Export, Filter, Made, Order, State, Wanted
from service.kernel import TenantId
from service.subjects import SubjectStore


class ExportStore(Protocol):
    """The exports and the saved filters of one tenant. What was asked for stays; what became of it moves on."""

    async def add(
        self, export: UUID, order: Order, state: State, *, at: datetime, actor: str, request: str
    ) -> None: ...

    async def unfinished(self, since: datetime) -> int:
        """Return how many exports are under way; those that nobody agreed to were asked for since an instant."""
        ...

    async def find(self, export: UUID, *, hold: bool = False) -> Export | None:
        """Return an export; with `hold`, nobody else changes it until this transaction ends."""
        ...

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Export]:
        """Return exports, the newest first, from the one before `before` on."""
        ...

    async def approve(self, export: UUID, *, actor: str, at: datetime) -> None:
        """Store who agreed, whom it waits for no longer."""
        ...

    async def settle(self, export: UUID, state: State, *, at: datetime) -> None:
        """Store that an export is over, whoever has it. Its link is worth nothing from now on."""
        ...

    async def claim(self, runner: UUID, now: datetime) -> Claimed | None:
        """Return the oldest export that nobody writes, which is the runner's from now on."""
        ...

    async def advance(self, export: UUID, runner: UUID, *, done: int, total: int | None, now: datetime) -> bool:
        """Store how far an export got, and return whether it is still the runner's."""
        ...

    async def end(self, export: UUID, runner: UUID, made: Made, *, now: datetime, expires_at: datetime) -> bool:
        """Store what was written, and return whether it was still the runner's."""
        ...

    async def fail(self, export: UUID, runner: UUID, fault: str, now: datetime) -> None: ...

    async def release(self, export: UUID, runner: UUID) -> None:
        """Leave an export to whoever looks next."""
        ...

    async def over(self, now: datetime) -> Sequence[UUID]:
        """Return the exports whose file, or whose time to be agreed to, is over, and isn't yet said to be."""
        ...

    async def with_work(self, now: datetime) -> Sequence[TenantId]:
        """Return the tenants who have an export to be written or to be over. For the worker, who sees all of them."""
        ...

    async def link(self, export: UUID, digest: bytes, *, actor: str, expires_at: datetime) -> None:
        """Let one link lead to the file, in place of the one before."""
        ...

    async def linked(self, export: UUID, digest: bytes) -> tuple[str, datetime] | None:
        """Return for whom a link was made, and until when it is good."""
        ...

    async def put_filter(self, kept: Filter) -> bool:
        """Store a filter in place of the one of its name, and return whether the name was new."""
        ...

    async def filters(self, *, after: str | None = None, limit: int = 1, name: str | None = None) -> Sequence[Filter]:
        """Return filters by their names: those after one, or the one of a name."""
        ...

    async def drop_filter(self, name: str) -> bool:
        """Forget a filter, and return whether there was one."""
        ...


class ExportTransaction(Protocol):
    """What a use case about exports may touch; stored together or not at all."""

    @property
    def exports(self) -> ExportStore: ...
    @property
    def subjects(self) -> SubjectStore: ...
    @property
    def audit(self) -> AuditTrail: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[ExportTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""

Count = Callable[[TenantId, Wanted], Awaitable[Counted]]
"""Counts entries that have their place."""

IsRecipient = Callable[[str], bool]
"""Whether a text is a key that can be encrypted to."""

MakeKey = Callable[[], bytes]
"""Makes 32 random bytes that nobody can guess."""


class Progress:
    """How far writing got, and whether to go on: shared by who writes and who watches."""

    def __init__(self) -> None:
        self.done = 0
        self.total: int | None = None
        self.stopped = False


class Writing(Protocol):
    """Writes the file of an export."""

    async def __call__(self, tenant: TenantId, export: Claimed, progress: Progress) -> Made:
        """Return what was written. The file is whole and on disk then, under the name that `export` says, and else not.

        Raises:
            ExportFailed: it can't be written. The message says why.
            Unavailable: whoever looks next begins anew.
        """
        ...


class ExportFailed(Exception):
    """An export can't be written. The message is shown to whoever asked for it."""


class Files(Protocol):
    """The files of exports, in a folder that all processes share."""

    def size(self, tenant: TenantId, file: str) -> int | None:
        """Return how many bytes the file has; nothing where it isn't."""
        ...

    def parts(self, tenant: TenantId, file: str) -> AsyncGenerator[bytes]:
        """Yield what is in the file, piece by piece."""
        ...

    def remove(self, tenant: TenantId, beginning: str) -> None:
        """Remove the files whose names begin like this, and what a writer that died left of them."""
        ...

    def sweep(self, tenant: TenantId, *, older: float) -> None:
        """Remove what dead writers left: drafts that nobody wrote to since an instant, in POSIX seconds."""
        ...
