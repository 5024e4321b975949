"""Keys, unwrapped: tenant, index, suppression and box keys for a bounded time, subject keys for one request."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from service.kernel import Clock, Handle, TenantId, Unavailable
from service.vault.domain import (
    KEY_BYTES,
    BoxKey,
    HashKey,
    KeyContext,
    KeyPurpose,
    Secret,
    StoredKey,
    StoredSubjectKey,
    SubjectKey,
    SubjectKeys,
    TenantKey,
)
from service.vault.envelope import new_subject_key, unwrap_subject_key, wrap_subject_key
from service.vault.ports import Begin, KeyRing, SubjectKeyStore

MOST: Final = 4096
"""So many keys are remembered at once; the one that was used longest ago makes room."""

_Place = tuple[Any, ...]
"""What a remembered key is for; the tenant comes first."""


class Keys:
    """Unwraps keys with the ring and remembers those that many requests need.

    A key is remembered for `keep` at most, whatever happens: so long, at worst, does another
    process go on with a key that was replaced. Of several who ask for the same key at once,
    one asks the ring.
    """

    def __init__(self, ring: KeyRing, begin: Begin, clock: Clock, *, keep: timedelta, most: int = MOST) -> None:
        self._ring = ring
        self._begin = begin
        self._clock = clock
        self._memory = _Memory(clock, keep, most)

    async def tenant_key(self, tenant: TenantId) -> TenantKey:
        first = KeyContext(tenant=tenant, purpose=KeyPurpose.TENANT, version=1)

        async def load() -> TenantKey:
            newest, *_ = await self._stored(first)
            return await self._tenant_key(tenant, newest)

        key: TenantKey = await self._memory.get((tenant, first.purpose), load)
        return key

    async def index_keys(self, tenant: TenantId, field: str) -> Sequence[HashKey]:
        first = KeyContext(tenant=tenant, purpose=KeyPurpose.INDEX, version=1, field=field)

        async def load() -> Sequence[HashKey]:
            return [await self._hash_key(first, key) for key in await self._stored(first)]

        keys: Sequence[HashKey] = await self._memory.get((tenant, first.purpose, field), load)
        return keys

    async def suppression_key(self, tenant: TenantId) -> HashKey:
        first = KeyContext(tenant=tenant, purpose=KeyPurpose.SUPPRESSION, version=1)

        async def load() -> HashKey:
            # Hashes can't be made again without what they were made of, so there is one version for ever.
            [only] = await self._stored(first)
            return await self._hash_key(first, only)

        key: HashKey = await self._memory.get((tenant, first.purpose), load)
        return key

    async def box_key(self, tenant: TenantId) -> BoxKey:
        first = KeyContext(tenant=tenant, purpose=KeyPurpose.BOX, version=1)

        async def load() -> BoxKey:
            # As many rows as boxes would have to be sealed anew: the root key above it is what rotates.
            [only] = await self._stored(first)
            return BoxKey(tenant=tenant, secret=(await self._hash_key(first, only)).secret)

        key: BoxKey = await self._memory.get((tenant, first.purpose), load)
        return key

    async def subject_keys(
        self, store: SubjectKeyStore, tenant_key: TenantKey, handles: Collection[Handle]
    ) -> SubjectKeys:
        return await self._opened(store, tenant_key, await store.subject_keys(handles))

    async def ensure_subject_keys(
        self,
        store: SubjectKeyStore,
        tenant_key: TenantKey,
        handles: Collection[Handle],
        *,
        fresh: AbstractSet[Handle] = frozenset(),
    ) -> SubjectKeys:
        known = set(handles) - fresh
        stored = await store.subject_keys(known, hold=True) if known else {}
        made = {who: new_subject_key() for who in set(handles) - stored.keys()}
        if made:
            rows = {who: _wrapped(tenant_key, who, key) for who, key in made.items()}
            added = await store.add_subject_keys(rows, self._clock())
            if late := made.keys() - added:  # another was first: theirs counts
                stored = {**stored, **await store.subject_keys(late, hold=True)}
                if not late <= stored.keys():
                    self.forget(tenant_key.tenant)
                    raise Unavailable("the tenant's key was replaced meanwhile; asking again is safe")
                made = {who: key for who, key in made.items() if who in added}
        found = await self._opened(store, tenant_key, stored)
        return SubjectKeys(keys={**found.keys, **made}, erased=found.erased)

    def forget(self, tenant: TenantId | None = None) -> None:
        self._memory.forget(tenant)

    def __repr__(self) -> str:
        return "Keys(hidden)"

    async def _stored(self, first: KeyContext) -> Sequence[StoredKey]:
        """Return the stored keys, and make the first where there is none.

        What is returned lies committed in the database: a key that only this process knew
        would lose whatever it seals. No connection is held while the ring is asked.
        """
        async with self._begin(first.tenant) as tx:
            stored = await tx.keys.wrapped(first.purpose, first.field)
        if stored:
            return stored
        wrapped = await self._ring.wrap(os.urandom(KEY_BYTES), first)
        async with self._begin(first.tenant) as tx:
            return [await tx.keys.add_wrapped(first, wrapped, self._clock())]

    async def _tenant_key(self, tenant: TenantId, stored: StoredKey) -> TenantKey:
        context = KeyContext(tenant=tenant, purpose=KeyPurpose.TENANT, version=stored.version)
        secret = Secret(await self._ring.unwrap(stored.wrapped, context))
        return TenantKey(tenant=tenant, version=stored.version, secret=secret)

    async def _hash_key(self, first: KeyContext, stored: StoredKey) -> HashKey:
        context = msgspec.structs.replace(first, version=stored.version)
        return HashKey(version=stored.version, secret=Secret(await self._ring.unwrap(stored.wrapped, context)))

    async def _opened(
        self, store: SubjectKeyStore, tenant_key: TenantKey, stored: Mapping[Handle, StoredSubjectKey]
    ) -> SubjectKeys:
        live = {handle: key for handle, key in stored.items() if not key.destroyed}
        wrapping = {tenant_key.version: tenant_key}
        for version in {key.tenant_key_version for key in live.values()} - wrapping.keys():
            wrapping[version] = await self._other(store, tenant_key.tenant, version)
        return SubjectKeys(
            keys={
                handle: unwrap_subject_key(wrapping[key.tenant_key_version], handle, key.id, key.wrapped)
                for handle, key in live.items()
            },
            erased=stored.keys() - live.keys(),
        )

    async def _other(self, store: SubjectKeyStore, tenant: TenantId, version: int) -> TenantKey:
        """Return a tenant key that is not, or not yet, the current one."""
        place = (tenant, KeyPurpose.TENANT, version)
        known: TenantKey | None = self._memory.find(place)
        if known is None:
            # Read here and not while loading, which may outlive the caller's transaction.
            stored = [key for key in await store.wrapped(KeyPurpose.TENANT) if key.version == version]
            if not stored:  # a trigger keeps it while anything hangs from it: what was read is old
                raise Unavailable("the tenant's key was replaced meanwhile; asking again is safe")
            known = await self._memory.get(place, lambda: self._tenant_key(tenant, stored[0]))
        return known


def _wrapped(tenant_key: TenantKey, handle: Handle, key: SubjectKey) -> StoredSubjectKey:
    return StoredSubjectKey(
        id=key.id, tenant_key_version=tenant_key.version, wrapped=wrap_subject_key(tenant_key, handle, key)
    )


class _Memory:
    """Unwrapped keys, for a time and up to a number."""

    def __init__(self, clock: Clock, keep: timedelta, most: int) -> None:
        self._clock = clock
        self._keep = keep
        self._most = most
        self._known: OrderedDict[_Place, tuple[datetime, Any]] = OrderedDict()
        self._loading: dict[_Place, asyncio.Task[Any]] = {}

    def find(self, place: _Place) -> Any:
        """Return what is remembered, or ``None``."""
        since, known = self._known.get(place, (None, None))
        if since is None:
            return None
        if not since <= self._clock() < since + self._keep:  # also when the clock was set back
            del self._known[place]
            return None
        self._known.move_to_end(place)
        return known

    async def get(self, place: _Place, load: Callable[[], Awaitable[Any]]) -> Any:
        if (known := self.find(place)) is not None:
            return known
        if place not in self._loading:
            self._loading[place] = asyncio.create_task(self._load(place, load))
        return await asyncio.shield(self._loading[place])

    def forget(self, tenant: TenantId | None) -> None:
        """Drop what is known. What is being loaded still reaches those who asked, and is not remembered."""
        for held in (self._known, self._loading):
            for place in [place for place in held if tenant in (None, place[0])]:
                del held[place]

    async def _load(self, place: _Place, load: Callable[[], Awaitable[Any]]) -> Any:
        since, me = self._clock(), asyncio.current_task()
        try:
            loaded = await load()
            if self._loading.get(place) is me:
                self._remember(place, since, loaded)
            return loaded
        finally:
            if self._loading.get(place) is me:
                del self._loading[place]

    def _remember(self, place: _Place, since: datetime, loaded: Any) -> None:
        self._known[place] = (since, loaded)
        self._known.move_to_end(place)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        # Nobody may ask again, and the key must not stay for that.
        asyncio.get_running_loop().call_later(self._keep.total_seconds(), self._expire, place, since)

    def _expire(self, place: _Place, since: datetime) -> None:
        if self._known.get(place, (None,))[0] == since:
            del self._known[place]
