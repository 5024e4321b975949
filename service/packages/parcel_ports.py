from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from service.downstreams import TakingTransaction
from service.kernel import Caller, Handle, TenantId
from service.packages.domain import Language
from service.packages.parcels import Fate, Parcel, ParcelState
from service.requests import RequestTransaction
from service.reveals import AloneStore, ApprovalStore
from service.vault import ValueStore


class ParcelStore(Protocol):
    """The packages of one tenant that wait to be fetched, one a request."""

    async def find(self, request: UUID, *, hold: bool = False) -> Parcel | None:
        """Return the package of a request; with `hold`, nobody else changes it until this transaction ends."""
        ...

    async def put(
        self, request: UUID, id: UUID, handle: Handle, language: Language, *, at: datetime, by: Caller
    ) -> None:
        """Let a package wait to be made, in the place of the one before."""
        ...

    async def due(self, rights: Collection[str]) -> Sequence[UUID]:
        """Return the requests for one of these rights that are carried out and have no package.

        Not those of which a connected system may still bring something.
        """
        ...

    async def claim(self, holder: UUID, now: datetime) -> Parcel | None:
        """Return the oldest package that nobody makes, which is the holder's from now on."""
        ...

    async def take(self, parcel: Parcel, holder: UUID, *, now: datetime, expires_at: datetime) -> Parcel | None:
        """Lend a package to whoever fetches it, and return it as it is then; nothing if somebody else was first."""
        ...

    async def beat(self, parcel: Parcel, now: datetime) -> bool:
        """Store that the holder is at work, and return whether it still is the holder."""
        ...

    async def release(self, parcel: Parcel) -> None:
        """Leave a package to whoever looks next."""
        ...

    async def end(self, parcel: Parcel, *, size: int, made_at: datetime, expires_at: datetime) -> bool:
        """Store that a package is ready, and return whether it was still the holder's."""
        ...

    async def fail(self, parcel: Parcel, fault: str) -> None: ...

    async def fetched(self, parcel: Parcel, *, by_owner: bool) -> bool:
        """Store that a package was handed out, and return whether it was still the holder's."""
        ...

    async def settle(self, parcel: Parcel, state: ParcelState) -> None:
        """Store that a package is over, whoever has it."""
        ...

    async def over(self, now: datetime) -> Sequence[tuple[Parcel, Fate]]:
        """Return the packages that may not lie any longer, each with the reason."""
        ...

    async def handed_over(self) -> Sequence[UUID]:
        """Return the requests that are carried out although the person has fetched the answer."""
        ...

    async def lying(self) -> Collection[str]:
        """Return the names of the files that there may be."""
        ...

    async def with_work(self, rights: Collection[str], now: datetime) -> Sequence[TenantId]:
        """Return the tenants with something to do. For the worker, who sees none of their rows."""
        ...


class ParcelTransaction(RequestTransaction, TakingTransaction, Protocol):
    """What a use case about waiting packages may touch; stored together or not at all."""

    @property
    def parcels(self) -> ParcelStore: ...
    @property
    def approvals(self) -> ApprovalStore: ...
    @property
    def alone(self) -> AloneStore: ...
    @property
    def values(self) -> ValueStore: ...


BeginParcel = Callable[[TenantId], AbstractAsyncContextManager[ParcelTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""


class Written(Struct, frozen=True, kw_only=True):
    """A sealed file that lies on disk."""

    made_at: datetime
    size: int
    """Bytes in plain."""


class Writing(Protocol):
    """Writes the sealed file of a package."""

    async def __call__(self, tenant: TenantId, parcel: Parcel) -> Written:
        """Return once the file is whole and on disk under the name that `parcel` says, and else leave none.

        Raises:
            NotWritten: it can't be written. The message says why.
            Unavailable: whoever looks next begins anew.
        """
        ...


class NotWritten(Exception):
    """A package can't be written. The message is shown to staff."""


class Opening(Protocol):
    """Opens sealed files."""

    async def __call__(self, tenant: TenantId, parcel: Parcel) -> AsyncGenerator[bytes]:
        """Return the parts of a package in plain, all of which were seen to open. Nothing is held until the first.

        Raises:
            SubjectErased
            Unreadable: it doesn't open, or the file isn't there.
            RingUnavailable, Unavailable
        """
        ...


class SealedFiles(Protocol):
    """The folder of sealed files, which all processes share."""

    def remove(self, tenant: TenantId, beginning: str) -> None:
        """Remove the files whose names begin like this, and what a maker that died left of them."""
        ...

    def lying(self, tenant: TenantId) -> Sequence[str]:
        """Return the names of all files of a tenant."""
        ...
