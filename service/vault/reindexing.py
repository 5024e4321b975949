"""A new key for a blind index: every value is indexed under it, and only then does the old one go."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from service.audit import AuditEvent
from service.kernel import Caller, Clock, Handle, TenantId
from service.vault.blind import form, index_digest
from service.vault.domain import HashKey, KeyContext, KeyPurpose, Secret, StoredKey, Unreadable
from service.vault.fields import Field, Name
from service.vault.ports import KeyAccess, KeyRing, Unseal
from service.vault.rotating import PAUSE, add_version, named
from service.vault.rotation import Rotated
from service.vault.rotation_ports import Advanced, BeginIndexing, Pause
from service.vault.values import Digest, Place

BATCH: Final = 200
"""Values that are indexed anew by one transaction: those who write for these people wait for it."""


class RotateIndexKey:
    """Give the blind index of a field a new key, and index every value under it.

    Whoever writes indexes under every version that their process knows, and whoever looks up asks under each. A process
    that doesn't know the new one yet leaves values out of its index: when no such process can be left, those are
    indexed too, and the old version goes.
    """

    def __init__(
        self,
        begin: BeginIndexing,
        ring: KeyRing,
        keys: KeyAccess,
        new_key: Callable[[], bytes],
        unseal: Unseal,
        clock: Clock,
        pause: Pause,
        *,
        settle: timedelta,
    ) -> None:
        self._begin = begin
        self._ring = ring
        self._keys = keys
        self._new_key = new_key
        self._unseal = unseal
        self._clock = clock
        self._pause = pause
        self._settle = settle

    async def fields(self, tenant: TenantId) -> Sequence[str]:
        """Return the fields whose index has a key."""
        async with self._begin(tenant) as tx:
            return sorted({key.field for key in await tx.rotation.versions(KeyPurpose.INDEX)})

    async def __call__(self, field: str, advanced: Advanced, *, by: Caller, finish: bool = False) -> Rotated | None:
        """Go on with the rotation of a field's index key, else begin one, unless it is only to `finish`.

        Returns:
            How far it got; ``None`` if the field has no index, or there was nothing to finish.

        Raises:
            RingUnavailable, Unreadable: the ring is not there, or a key of the tenant does not open.
        """
        tenant = by.tenant
        stored = await self._stored(tenant, field)
        if not stored or (finish and len(stored) == 1):
            return None
        begun = len(stored) == 1
        if begun:
            context = KeyContext(tenant=tenant, purpose=KeyPurpose.INDEX, version=stored[0].version + 1, field=field)
            await add_version(self._begin, self._ring, self._new_key, context, self._clock(), by)
            stored = await self._stored(tenant, field)
        context = KeyContext(tenant=tenant, purpose=KeyPurpose.INDEX, version=stored[0].version, field=field)
        key = HashKey(version=context.version, secret=Secret(await self._ring.unwrap(stored[0].wrapped, context)))
        # What is written from now on by whoever doesn't know the new key is not seen below.
        began = self._clock()
        moved, unreadable = await self._index(tenant, field, key, advanced)
        rotated = Rotated(
            tenant=tenant, field=field, version=key.version, begun=begun, moved=moved, unreadable=len(unreadable)
        )
        if unreadable:
            return rotated
        async with self._begin(tenant) as tx:
            newest, *older = await tx.rotation.versions(KeyPurpose.INDEX, field)
            late = await tx.rotation.count_unindexed(field, key.version)
        if newest.version != key.version or not older:
            return rotated  # somebody else has finished it
        settles_at = newest.created_at + self._settle
        if late or began < settles_at:
            return msgspec.structs.replace(rotated, settles_at=max(settles_at, began))
        return await self._finished(rotated, [each.version for each in older], by)

    async def _stored(self, tenant: TenantId, field: str) -> Sequence[StoredKey]:
        async with self._begin(tenant) as tx:
            return await tx.keys.wrapped(KeyPurpose.INDEX, field)

    async def _index(self, tenant: TenantId, field: str, key: HashKey, advanced: Advanced) -> tuple[int, set[Place]]:
        """Index what is not under the key yet; return how many values that were, and which don't open."""
        tenant_key = await self._keys.tenant_key(tenant)
        moved, unreadable = 0, set[Place]()
        left = total = await self._left(tenant, field, key)
        after: Place | None = None
        # Those who come in meanwhile are not waited for: they may come until every process knows the new key.
        while left > len(unreadable) and moved + len(unreadable) < total:
            async with self._begin(tenant) as tx:
                places = await tx.rotation.unindexed(field, key.version, after=after, limit=BATCH)
                held = await tx.rotation.hold({place.handle for place in places})
                found = [place for place in places if place.handle in held]
                kind = (await tx.values.fields())[field]
                subjects = await self._keys.subject_keys(tx.keys, tenant_key, held)
                sealed = await tx.values.find(_wanted(found))
                digests: dict[Place, Sequence[Digest]] = {}
                for value in sealed:
                    try:
                        plain = self._unseal(subjects.keys[value.handle], value.slot(tenant), value.sealed)
                        digests[value.place] = [_digest(key, kind, plain)]
                    except (Unreadable, KeyError):  # the latter: a value of somebody who never had a key
                        unreadable.add(value.place)
                gone = set(found) - {value.place for value in sealed}
                await tx.values.index(digests, gone)
            moved += len(digests)
            advanced(moved, max(total, moved))
            after = places[-1] if places else None
            if not places:
                left = await self._left(tenant, field, key)
                if left > len(unreadable):
                    await self._pause(PAUSE)
        return moved, unreadable

    async def _left(self, tenant: TenantId, field: str, key: HashKey) -> int:
        async with self._begin(tenant) as tx:
            return await tx.rotation.count_unindexed(field, key.version)

    async def _finished(self, rotated: Rotated, older: Sequence[int], by: Caller) -> Rotated:
        """Remove the entries under the older versions, and then those versions."""
        emptied = False
        while not emptied:
            async with self._begin(rotated.tenant) as tx:
                emptied = await tx.rotation.drop_entries(rotated.field, before=rotated.version)
        async with self._begin(rotated.tenant) as tx:
            removed = await tx.rotation.remove(KeyPurpose.INDEX, rotated.field, older)
            for version in removed:
                context = KeyContext(
                    tenant=rotated.tenant, purpose=KeyPurpose.INDEX, version=version, field=rotated.field
                )
                await tx.audit.append(event=AuditEvent.VAULT_KEY_DESTROYED, object_id=named(context), by=by)
        return msgspec.structs.replace(rotated, removed=removed)


def _wanted(places: Sequence[Place]) -> dict[Handle, list[Name]]:
    wanted: dict[Handle, list[Name]] = {}
    for place in places:
        wanted.setdefault(place.handle, []).append(place.name)
    return wanted


def _digest(key: HashKey, field: Field, plain: bytes) -> Digest:
    return index_digest(key, field.name, form(field.type, msgspec.msgpack.decode(plain)))
