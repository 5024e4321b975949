"""What growing, proving and examining a tree need of where it lies."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from service.audit.domain import AuditEvent, Opened
from service.audit.signing import Signer
from service.audit.tiles import Tile
from service.kernel import TenantId

# --- growing ----------------------------------------------------------------------------------


class LogHalted(Exception):
    """A tenant's log is not what was signed before, so nothing more is signed until an operator says what happened.

    No request can cause it, and none waits for it.
    """


class Head(Struct, frozen=True, kw_only=True):
    """How far a tree has grown."""

    size: int
    halted: str | None
    """Why nothing more is signed."""


class Leaf(Struct, frozen=True):
    """An entry that waits for its place."""

    entry: UUID
    hash: bytes


class GrowingLog(Protocol):
    """One tenant's tree, in a transaction of whoever may add to it."""

    async def hold(self) -> Head:
        """Return the head. Nobody else adds to this tree until the transaction ends."""
        ...

    async def waiting(self, most: int) -> Sequence[Leaf]:
        """Take away at most so many leaves that wait, oldest first."""
        ...

    async def tiles(self, wanted: Sequence[Tile]) -> Mapping[Tile, bytes]:
        """Return the hashes of tiles, each at least as wide as it is wanted.

        Raises:
            LogHalted: one is missing or narrower.
        """
        ...

    async def place(self, first: int, leaves: Sequence[Leaf], tiles: Mapping[Tile, bytes]) -> None:
        """Store the places from `first` on, and what they made of the tree."""
        ...

    async def sign(self, size: int, note: str, at: datetime) -> None:
        """Store the checkpoint of the tree as it is now, which makes its size the head's."""
        ...

    async def halt(self, why: str) -> None:
        """Say that nothing more is to be signed."""
        ...

    async def go_on(self) -> None:
        """Say that an operator knows what happened."""
        ...


class Published(Protocol):
    """The newest checkpoint that left this machine's hands, kept beside the database and not in it."""

    async def recall(self, tenant: TenantId) -> str | None: ...
    async def keep(self, tenant: TenantId, note: str) -> None: ...


BeginGrowing = Callable[[TenantId], AbstractAsyncContextManager[GrowingLog]]
"""Opens a transaction as the worker: commits when the block ends, rolls back when it raises."""

SignerOf = Callable[[str], Signer]
"""Returns the key by which the log of an origin signs now."""

ReceiptSigner = Callable[[str], Awaitable[Signer]]
"""Returns the key by which receipts of an origin are signed now. Raises Unavailable: there is none that counts."""


# --- examining --------------------------------------------------------------------------------


class Placed(Struct, frozen=True):
    """An entry in its place."""

    index: int
    entry: UUID
    canonical: bytes | None
    """None where the entry is gone."""
    shown: bytes | None
    """The bytes of the entry as the log shows it. None where that is none."""


class StoredLog(Protocol):
    """One tenant's log, as it lies in the database at one instant."""

    async def head(self) -> Head | None:
        """Return nothing where the log has not begun."""
        ...

    def placed(self) -> AsyncIterator[Sequence[Placed]]:
        """Yield the entries by their places, some at a time."""
        ...

    async def checkpoints(self) -> Sequence[str]:
        """Return everything that was signed, by size."""
        ...

    async def cosignatures(self) -> Sequence[tuple[int, str, str]]:
        """Return what witnesses signed: the size, their key as name+id, and the line."""
        ...

    async def timestamps(self) -> Sequence[tuple[int, bytes]]:
        """Return what an authority stamped: the size and the token."""
        ...

    async def held(self, wanted: Sequence[Tile]) -> Mapping[Tile, bytes]:
        """Return those tiles that are there."""
        ...

    async def counted(self) -> tuple[int, int]:
        """Return how many entries wait for a place, and how many have none and don't wait."""
        ...


BeginExamining = Callable[[TenantId], AbstractAsyncContextManager[StoredLog]]
Advanced = Callable[[int, int], None]
"""Is told how many entries of how many were looked at."""


# --- proving ----------------------------------------------------------------------------------


class Tree(Protocol):
    """One tenant's tree, to read."""

    async def place(self, entry: UUID) -> int | None: ...
    async def places(self, entries: Collection[UUID]) -> Mapping[UUID, int]:
        """Return the places of those that have one."""
        ...

    async def canonical(self, entry: UUID) -> bytes | None:
        """Return the bytes of an entry, which its leaf is the hash of."""
        ...

    async def telling_of(self, event: AuditEvent, object_id: str, since: datetime, until: datetime) -> UUID | None:
        """Return the first entry between two instants that tells this of an object."""
        ...

    async def checkpoint(self, size: int | None, cosigners: int = 0) -> str | None:
        """Return what was signed at a size, or last, with the lines of witnesses. At least so many witnesses signed."""
        ...

    async def timestamp(self, size: int | None) -> tuple[str, bytes] | None:
        """Return the first checkpoint of so many entries or more that has a time-stamp, or the last, and its token."""
        ...

    async def tiles(self, wanted: Sequence[Tile]) -> Mapping[Tile, bytes]:
        """Return the hashes of those tiles that are there, each with as many as it has."""
        ...

    async def entries(self, first: int, after: int) -> Sequence[bytes]:
        """Return the canonical bytes of the entries [first, after) in their order. What is gone is left out."""
        ...

    async def entries_at(self, places: Sequence[int]) -> Sequence[bytes]:
        """Return the canonical bytes of the entries at these places, in their order. What is gone is left out."""
        ...

    async def around(self, since: datetime, until: datetime, size: int) -> tuple[int, int] | None:
        """Return the shortest range of the first `size` entries with all that were made from `since` to before `until`.

        Transactions overtake one another, so at its edges it may have entries of a moment before or after.
        None where there is no such entry.
        """
        ...


class TreeTransaction(Protocol):
    @property
    def tree(self) -> Tree: ...


BeginReading = Callable[[TenantId], AbstractAsyncContextManager[TreeTransaction]]


class Member(Struct, frozen=True, kw_only=True):
    """One of many that share an entry."""

    index: int
    size: int
    path: Sequence[bytes]
    """From its leaf to the root (RFC 9162, section 2.1.3.1)."""
    opened: Opened | None
    """None once the person was erased."""
    heading: bytes | None = None
    """What the entry commits to, if that isn't the root."""


class Sought(Struct, frozen=True, kw_only=True):
    """By what the entry of something is found."""

    event: AuditEvent
    object_id: UUID
    at: datetime
    """When it was stored."""
    member: Member | None = None
    """Where the entry tells of others as well."""


Seek = Callable[[TenantId, UUID], Awaitable[Sought | None]]
"""Says what the entry of something is. None where there is no such thing."""


class KeyPurpose(StrEnum):
    """What a key signs."""

    LOG = "log"
    RECEIPTS = "receipts"


class PublicKey(Struct, frozen=True):
    """The public half of a key, and since when it signs."""

    public: bytes
    purpose: KeyPurpose
    since: datetime


class LogKeyStore(Protocol):
    """The public keys of every log of this installation."""

    async def public(self) -> Sequence[PublicKey]:
        """Return all of them, the oldest first."""
        ...

    async def state_first_of_receipts(self, public: bytes) -> None:
        """Let receipts be signed by this key, if they never were by one. Nothing is changed where they were."""
        ...


class KeyTransaction(Protocol):
    @property
    def log_keys(self) -> LogKeyStore: ...


BeginReadingKeys = Callable[[TenantId], AbstractAsyncContextManager[KeyTransaction]]
