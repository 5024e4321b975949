from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from service.kernel import Handle, TenantId
from service.vault.domain import (
    BoxKey,
    BoxPlace,
    HashKey,
    KeyContext,
    KeyPurpose,
    Slot,
    StoredKey,
    StoredSubjectKey,
    SubjectKey,
    SubjectKeys,
    TenantKey,
    Wrapped,
)


class KeyRing(Protocol):
    """Holds the root key and never gives it away.

    Every call raises:
        RingUnavailable: the ring doesn't answer. There is no second best.
    """

    async def wrap(self, key: bytes, context: KeyContext) -> Wrapped:
        """Encrypt a key of 32 bytes under the current root key, bound to `context`."""
        ...

    async def unwrap(self, wrapped: Wrapped, context: KeyContext) -> bytes:
        """Return the key that was wrapped for the same `context`, under whichever version of the root key.

        Raises:
            Unreadable: for every failure alike.
        """
        ...

    async def check(self) -> None:
        """Return if the ring would serve now."""
        ...

    async def current(self) -> str:
        """Return the version of the root key under which new keys are wrapped."""
        ...

    async def knows(self, version: str) -> bool:
        """Return whether this ring has that version of the root key."""
        ...

    async def rotate(self) -> str:
        """Add a version of the root key, current from now on, and return it. Earlier ones still unwrap."""
        ...


class SubjectKeyStore(Protocol):
    """The wrapped keys of people, and those that wrap them."""

    async def wrapped(self, purpose: KeyPurpose, field: str = "") -> Sequence[StoredKey]:
        """Return every version of the key for this purpose and field, newest first."""
        ...

    async def subject_keys(
        self, handles: Collection[Handle], *, hold: bool = False
    ) -> Mapping[Handle, StoredSubjectKey]:
        """Return the keys of those who have or had one.

        With `hold`, nobody destroys them until this transaction ends.
        """
        ...

    async def add_subject_keys(self, keys: Mapping[Handle, StoredSubjectKey], at: datetime) -> AbstractSet[Handle]:
        """Store keys for those who never had one, and return who they were.

        What is there stays, also the mark of a destroyed one. A key under a tenant key that is gone is not stored.
        """
        ...


class KeyStore(SubjectKeyStore, Protocol):
    """The wrapped keys of one tenant."""

    async def add_wrapped(self, context: KeyContext, wrapped: Wrapped, at: datetime) -> StoredKey:
        """Store a key and return the one that is there for `context`: the first that was stored, by whomever."""
        ...

    async def destroy_subject_key(self, handle: Handle, at: datetime) -> bool:
        """Overwrite the key of a person for ever, and return whether it was there.

        Waits for the transactions that hold it. Nobody gets a new key under this handle, also who never had one.
        """
        ...


class KeyTransaction(Protocol):
    """What making a key needs of a transaction."""

    @property
    def keys(self) -> KeyStore: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[KeyTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""


class KeyAccess(Protocol):
    """Keys, unwrapped.

    `tenant_key`, `index_keys`, `suppression_key` and `box_key` open a transaction of their own on a miss: ask for
    them before yours begins, or two connections are needed where there may be one.

    Every call raises:
        RingUnavailable: the ring doesn't answer.
        Unreadable: a stored key does not open.
    """

    async def tenant_key(self, tenant: TenantId) -> TenantKey:
        """Return the tenant's current key, making it on first use."""
        ...

    async def index_keys(self, tenant: TenantId, field: str) -> Sequence[HashKey]:
        """Return the keys of the blind index of a field, newest first, making one on first use.

        Index new values under each of them, and look up under each of them: older ones are in use until
        everything is indexed under the newest.
        """
        ...

    async def suppression_key(self, tenant: TenantId) -> HashKey:
        """Return the one key for suppression hashes, making it on first use."""
        ...

    async def box_key(self, tenant: TenantId) -> BoxKey:
        """Return the one key for boxes, making it on first use."""
        ...

    async def subject_keys(
        self, store: SubjectKeyStore, tenant_key: TenantKey, handles: Collection[Handle]
    ) -> SubjectKeys:
        """Return the keys of those who have one, to read with: also of those under an older tenant key."""
        ...

    async def ensure_subject_keys(
        self,
        store: SubjectKeyStore,
        tenant_key: TenantKey,
        handles: Collection[Handle],
        *,
        fresh: AbstractSet[Handle] = frozenset(),
    ) -> SubjectKeys:
        """Return keys to write with; who never had one gets one, stored with `store`'s transaction.

        Until that ends nobody destroys them. Who was erased gets none. Whose handle is `fresh` from this transaction
        has none yet, and nobody else knows of them.
        """
        ...

    def forget(self, tenant: TenantId | None = None) -> None:
        """Drop every cached key, or those of one tenant."""
        ...


Seal = Callable[[SubjectKey, Slot, bytes], bytes]
"""Seals a plaintext for its slot: `envelope.seal`."""

Unseal = Callable[[SubjectKey, Slot, bytes], bytes]
"""Opens what was sealed for the same slot, or raises `Unreadable`: `envelope.unseal`."""

SealBox = Callable[[BoxKey, BoxPlace, bytes], bytes]
"""Seals a plaintext for its place: `boxes.seal_box`."""

OpenBox = Callable[[BoxKey, BoxPlace, bytes], bytes]
"""Opens what was sealed for the same place, or raises `Unreadable`: `boxes.open_box`."""
