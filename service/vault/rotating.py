"""Keys are replaced while everything goes on, in small steps that anybody may continue.

How far a rotation has got is in no place of its own: whatever hangs from an earlier version is left to do. So it can
be killed at any moment and run twice at once.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from service.audit import AuditEvent
from service.kernel import Caller, Clock, Handle, TenantId
from service.vault.domain import KeyContext, KeyPurpose, Secret, StoredKey, TenantKey, Unreadable
from service.vault.ports import KeyRing
from service.vault.rotation import KeyVersion, RootRotated, RootWrapped, Rotated
from service.vault.rotation_ports import Advanced, Begin, Pause, Rewrap

BATCH: Final = 500
"""Subject keys that are wrapped anew by one transaction: those who write under them wait for it."""
PAUSE: Final = 0.05
"""Seconds before those are asked for again whom others held."""


class ReadKeys:
    """Show the versions of a tenant's keys, and what hangs from them."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, tenant: TenantId) -> Sequence[KeyVersion]:
        async with self._begin(tenant) as tx:
            return await tx.rotation.versions()


class RotateRootKey:
    """Have the ring make a new version of the root key, and wrap every key anew that it wraps.

    The earlier versions stay in the ring: only its operator removes them.
    """

    def __init__(self, begin: Begin, ring: KeyRing) -> None:
        self._begin = begin
        self._ring = ring

    async def __call__(self, by: Sequence[Caller], advanced: Advanced) -> RootRotated:
        """Go on with a rotation that is under way, else begin one; `by` has one caller for each tenant.

        Raises:
            RingUnavailable
        """
        current, keys = await self._ring.current(), [await self._keys(each.tenant) for each in by]
        total = sum(map(len, keys))
        if begun := all(key.wrapped.version == current for each in keys for key in each):
            current = await self._ring.rotate()
        moved, unreadable = 0, set[KeyContext]()
        for caller in [*by, *by]:  # twice: a key may have been on its way under the version before
            left = [key for key in await self._keys(caller.tenant) if key.wrapped.version != current]
            found, closed = await self._move(caller, left)
            moved, unreadable = moved + found, unreadable | closed
            advanced(moved + len(unreadable), max(total, moved + len(unreadable)))
        return RootRotated(version=current, begun=begun, moved=moved, unreadable=len(unreadable))

    async def _keys(self, tenant: TenantId) -> Sequence[RootWrapped]:
        async with self._begin(tenant) as tx:
            return await tx.rotation.under_root()

    async def _move(self, by: Caller, left: Sequence[RootWrapped]) -> tuple[int, set[KeyContext]]:
        """Wrap the keys of a tenant anew; return how many that were, and which don't open."""
        anew, moved, unreadable = [], 0, set[KeyContext]()
        for key in left:  # the ring is asked while no transaction waits for it
            try:
                plain = await self._ring.unwrap(key.wrapped, key.context)
            except Unreadable:
                unreadable.add(key.context)
                continue
            anew.append((key, await self._ring.wrap(plain, key.context)))
        async with self._begin(by.tenant) as tx:
            for key, wrapped in anew:
                moved += await tx.rotation.put_under_root(key, wrapped)
            if moved:
                version = anew[0][1].version
                await tx.audit.append(event=AuditEvent.VAULT_KEY_ROTATED, object_id=f"root_key:{version}", by=by)
        return moved, unreadable


class RotateTenantKey:
    """Give a tenant a new key, put the key of every subject under it, and remove the old one.

    Subject keys stay what they are, and so do the values. Whoever writes meanwhile may still put a subject key under
    the old one, for as long as a process remembers it: only when that time is over is it removed.
    """

    def __init__(
        self,
        begin: Begin,
        ring: KeyRing,
        new_key: Callable[[], bytes],
        rewrap: Rewrap,
        clock: Clock,
        pause: Pause,
        *,
        settle: timedelta,
    ) -> None:
        self._begin = begin
        self._ring = ring
        self._new_key = new_key
        self._rewrap = rewrap
        self._clock = clock
        self._pause = pause
        self._settle = settle

    async def __call__(self, advanced: Advanced, *, by: Caller, finish: bool = False) -> Rotated | None:
        """Go on with the tenant's rotation, else begin one, unless it is only to `finish`.

        Returns:
            How far it got; ``None`` if the tenant has no key, or there was nothing to finish.

        Raises:
            RingUnavailable, Unreadable: the ring is not there, or a key of the tenant does not open.
        """
        tenant = by.tenant
        async with self._begin(tenant) as tx:
            stored = await tx.keys.wrapped(KeyPurpose.TENANT)
        if not stored or (finish and len(stored) == 1):
            return None
        begun = len(stored) == 1
        if begun:
            context = KeyContext(tenant=tenant, purpose=KeyPurpose.TENANT, version=stored[0].version + 1)
            await add_version(self._begin, self._ring, self._new_key, context, self._clock(), by)
            async with self._begin(tenant) as tx:
                stored = await tx.keys.wrapped(KeyPurpose.TENANT)
        keys = {key.version: await self._opened(tenant, key) for key in stored}
        moved, unreadable = await self._move(keys, keys[stored[0].version], advanced)
        rotated = Rotated(
            tenant=tenant, version=stored[0].version, begun=begun, moved=moved, unreadable=len(unreadable)
        )
        return await removing(self._begin, rotated, KeyPurpose.TENANT, self._clock(), self._settle, by)

    async def _opened(self, tenant: TenantId, stored: StoredKey) -> TenantKey:
        context = KeyContext(tenant=tenant, purpose=KeyPurpose.TENANT, version=stored.version)
        secret = Secret(await self._ring.unwrap(stored.wrapped, context))
        return TenantKey(tenant=tenant, version=stored.version, secret=secret)

    async def _move(self, keys: dict[int, TenantKey], newest: TenantKey, advanced: Advanced) -> tuple[int, set[Handle]]:
        """Put everything under the newest key, and return how many that were, and who has a key that doesn't open."""
        unreadable: set[Handle] = set()
        moved, left = 0, await self._left(newest)
        total, after = left, None
        # Those who come in meanwhile are not waited for: they may come for as long as a process remembers the old key.
        while left > len(unreadable) and moved + len(unreadable) < total:
            async with self._begin(newest.tenant) as tx:
                batch = await tx.rotation.subject_keys_before(newest.version, after=after, limit=BATCH)
                anew = {}
                for handle, key in batch.items():
                    try:
                        anew[handle] = self._rewrap(keys[key.tenant_key_version], newest, handle, key)
                    except (Unreadable, KeyError):  # the latter: under a tenant key that is gone
                        unreadable.add(handle)
                await tx.rotation.put_subject_keys(anew)
            moved += len(anew)
            advanced(moved, max(total, moved))
            after = max(batch) if batch else None
            if not batch:
                left = await self._left(newest)
                if left > len(unreadable):
                    await self._pause(PAUSE)
        return moved, unreadable

    async def _left(self, newest: TenantKey) -> int:
        async with self._begin(newest.tenant) as tx:
            return await tx.rotation.count_before(newest.version)


async def add_version(
    begin: Begin, ring: KeyRing, new_key: Callable[[], bytes], context: KeyContext, at: datetime, by: Caller
) -> None:
    """Store a further version of a key, unless somebody else has stored it."""
    wrapped = await ring.wrap(new_key(), context)
    async with begin(context.tenant) as tx:
        if (await tx.keys.add_wrapped(context, wrapped, at)).wrapped == wrapped:
            await tx.audit.append(event=AuditEvent.VAULT_KEY_ROTATED, object_id=named(context), by=by)


async def removing(
    begin: Begin, rotated: Rotated, purpose: KeyPurpose, now: datetime, settle: timedelta, by: Caller
) -> Rotated:
    """Remove the versions before, once nobody remembers them; return what became of them."""
    async with begin(rotated.tenant) as tx:
        newest, *older = await tx.rotation.versions(purpose, rotated.field)
        if newest.version != rotated.version or not older:
            return rotated  # somebody else has finished it
        if now < newest.created_at + settle:
            return msgspec.structs.replace(rotated, settles_at=newest.created_at + settle)
        removed = await tx.rotation.remove(purpose, rotated.field, [key.version for key in older])
        for version in removed:
            context = KeyContext(tenant=rotated.tenant, purpose=purpose, version=version, field=rotated.field)
            await tx.audit.append(event=AuditEvent.VAULT_KEY_DESTROYED, object_id=named(context), by=by)
    late = None if len(removed) == len(older) or rotated.unreadable else now
    return msgspec.structs.replace(rotated, removed=removed, settles_at=late)


def named(context: KeyContext) -> str:
    """Return what the audit log calls a key: ``tenant_key:2``, ``index_key.email:3``."""
    field = f".{context.field}" if context.field else ""
    return f"{context.purpose.value}{field}:{context.version}"
