from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from service.audit import AuditTrail
from service.events import Outbox
from service.kernel import Handle, TenantId
from service.vault.domain import KeyPurpose, RootUse, StoredSubjectKey, TenantKey, Wrapped
from service.vault.moving_ports import MovingStore
from service.vault.ports import KeyStore
from service.vault.rotation import KeyVersion, RootWrapped
from service.vault.value_ports import ValueStore
from service.vault.values import Place


class RotationStore(Protocol):
    """What takes place in the database when keys are replaced."""

    async def root_uses(self) -> Sequence[RootUse]:
        """Count the keys of all tenants by what wraps them."""
        ...

    async def root_samples(self) -> Sequence[tuple[RootUse, RootWrapped]]:
        """Return the same, each with the oldest key that is wrapped so, whoever's it is."""
        ...

    async def under_root(self) -> Sequence[RootWrapped]:
        """Return every key of this tenant that the ring wrapped."""
        ...

    async def put_under_root(self, key: RootWrapped, wrapped: Wrapped) -> bool:
        """Replace how a key is wrapped, and return whether it still was as `key` says."""
        ...

    async def versions(self, purpose: KeyPurpose | None = None, field: str | None = None) -> Sequence[KeyVersion]:
        """Return what is left of each key by purpose and field, newest first, with what hangs from it."""
        ...

    async def subject_keys_before(
        self, version: int, *, after: Handle | None, limit: int
    ) -> Mapping[Handle, StoredSubjectKey]:
        """Return keys under an earlier tenant key, by handle, and hold them until this transaction ends.

        Those that others hold just now are left out: they come when asked for again.
        """
        ...

    async def count_before(self, version: int) -> int:
        """Count the subject keys under an earlier tenant key."""
        ...

    async def put_subject_keys(self, keys: Mapping[Handle, StoredSubjectKey]) -> None:
        """Replace how keys that are held are wrapped."""
        ...

    async def remove(self, purpose: KeyPurpose, field: str, versions: Collection[int]) -> Sequence[int]:
        """Remove versions of a key from which nothing hangs, and return which those were."""
        ...

    async def unindexed(self, field: str, version: int, *, after: Place | None, limit: int) -> Sequence[Place]:
        """Return places, by handle and label, that are in the index of a field and not under this version."""
        ...

    async def count_unindexed(self, field: str, version: int) -> int:
        """Count the places that are in the index of a field and not under this version."""
        ...

    async def hold(self, handles: Collection[Handle]) -> AbstractSet[Handle]:
        """Hold the keys of people until this transaction ends, and return whose those are: nobody writes meanwhile.

        Those that others hold just now are left out, and those of who was forgotten.
        """
        ...

    async def drop_entries(self, field: str, *, before: int) -> bool:
        """Remove some entries of an index under earlier versions, and return whether those were the last."""
        ...

    async def unlink(self, handle: Handle) -> None:
        """Remove what leads to the values of a person: entries of the index, and tokens."""
        ...


class RotationTransaction(Protocol):
    """What rotation may touch; stored together or not at all."""

    @property
    def keys(self) -> KeyStore: ...
    @property
    def rotation(self) -> RotationStore: ...
    @property
    def audit(self) -> AuditTrail: ...
    @property
    def outbox(self) -> Outbox: ...


class IndexTransaction(RotationTransaction, Protocol):
    """What indexing anew needs besides."""

    @property
    def values(self) -> ValueStore: ...


class ForgettingTransaction(IndexTransaction, Protocol):
    """What suppressing and forgetting need besides."""

    @property
    def moving(self) -> MovingStore: ...


BeginForgetting = Callable[[TenantId], AbstractAsyncContextManager[ForgettingTransaction]]

BeginIndexing = Callable[[TenantId], AbstractAsyncContextManager[IndexTransaction]]

Begin = Callable[[TenantId], AbstractAsyncContextManager[RotationTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""

Rewrap = Callable[[TenantKey, TenantKey, Handle, StoredSubjectKey], StoredSubjectKey]
"""Puts a subject key from one tenant key under another, or raises `Unreadable`: `envelope.rewrap_subject_key`."""

Pause = Callable[[float], Awaitable[None]]
"""Lets so many seconds pass."""

Advanced = Callable[[int, int], None]
"""Is told how many of how many are done."""
