"""Forget a person: without the key, whatever is sealed under it is noise, in every process and at once.

And without the secret, what the audit log committed to can be neither shown nor guessed. The log stays as it is.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from service.audit import AuditEvent, Draft
from service.events import Event
from service.kernel import Caller, Clock, Handle, TenantId, Unavailable
from service.vault.blind import form, suppression_mark
from service.vault.domain import HashKey, Slot, SubjectErased, SubjectKey, TenantKey
from service.vault.fields import MATCHED, Field
from service.vault.moving_ports import Version
from service.vault.ports import KeyAccess, Unseal
from service.vault.rotation_ports import Begin, BeginForgetting, ForgettingTransaction, RotationTransaction
from service.vault.values import Mark


class Opening(Struct, frozen=True):
    """The keys by which addresses are opened and suppressed."""

    suppression: HashKey
    tenant_key: TenantKey


class DestroyKey:
    """Destroy a person's key and secret, and with them what leads to their values: the blind index, and tokens.

    Suppresses nothing: that is `Forget`, which has to open the values first.
    """

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, handle: Handle, *, by: Caller) -> bool:
        """Return whether there was a key; again is safe. The log gets an entry for each handle that they had.

        Waits for who is writing under it: what they store is unreadable by the time this returns, as is everything
        before it. Whoever comes later finds the mark. Needs no key ring: people can be forgotten while it is lost.
        Suppressions stay, for they are what keeps the person forgotten.
        """
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            was_there = await tx.keys.destroy_subject_key(handle, now)
            await _close(tx, handle, was_there=was_there, by=by, at=now)
        return was_there


class Suppress:
    """Remember a person's addresses as ones that must not come back unasked, and keep the person."""

    def __init__(self, begin: BeginForgetting, keys: KeyAccess, unseal: Unseal, clock: Clock) -> None:
        self._begin = begin
        self._keys = keys
        self._unseal = unseal
        self._clock = clock

    async def __call__(self, handle: Handle, *, by: Caller) -> int:
        """Return how many addresses, numbers and ids are suppressed now, those of replaced and deleted versions too.

        Raises:
            SubjectErased: it is too late, nothing opens any more.
            RingUnavailable, Unreadable
        """
        key, tenant_key = await self._keys.suppression_key(by.tenant), await self._keys.tenant_key(by.tenant)
        async with self._begin(by.tenant) as tx:
            found = await self._keys.subject_keys(tx.keys, tenant_key, [handle])
            if handle in found.erased:
                raise SubjectErased("what was kept about this person is gone for good")
            history = await tx.moving.history(handle)
            opened = _Marks(by.tenant, handle, await tx.values.fields(), self._unseal)
            marks = opened.of(history, found.keys.get(handle), key)
            await tx.values.suppress(marks, self._clock())
            await tx.audit.append(event=AuditEvent.VAULT_SUPPRESSED, object_id=str(handle), by=by, subject=handle)
        return len(marks)


class Forget:
    """Suppress whatever a person was reached and known by, and destroy their key: both, or nothing of it."""

    def __init__(self, begin: BeginForgetting, keys: KeyAccess, unseal: Unseal, clock: Clock) -> None:
        self._begin = begin
        self._keys = keys
        self._unseal = unseal
        self._clock = clock

    async def __call__(self, handle: Handle, *, by: Caller) -> int:
        """Return how many addresses, numbers and ids were suppressed, of every version that is still kept.

        One transaction, so a crash leaves either all of it or none. Again is safe: then there is nothing to open, and
        what was suppressed stays.

        Raises:
            RingUnavailable: nothing was done. `DestroyKey` needs no ring, and suppresses nothing.
            Unreadable: one of the values does not open; likewise.
            Unavailable: somebody writes their first value at this moment. Asking again is safe.
        """
        opening = await self.opening(by.tenant)
        async with self._begin(by.tenant) as tx:
            return await self.within(tx, opening, handle, by=by)

    async def opening(self, tenant: TenantId) -> "Opening":
        """Return what `within` needs. Ask before the transaction begins: a ring may have to answer.

        Raises:
            RingUnavailable
        """
        return Opening(await self._keys.suppression_key(tenant), await self._keys.tenant_key(tenant))

    async def within(self, tx: ForgettingTransaction, opening: "Opening", handle: Handle, *, by: Caller) -> int:
        """Do the same as a part of a larger transaction, which has to end when this raises."""
        now = self._clock()
        found = await self._keys.subject_keys(tx.keys, opening.tenant_key, [handle])
        # Waits for whoever writes, and comes before the values are read, so that none is missed. The key that
        # opens them is in our hands.
        was_there = await tx.keys.destroy_subject_key(handle, now)
        history = [] if handle in found.erased else await tx.moving.history(handle)
        if history and handle not in found.keys:
            raise Unavailable("somebody writes about this person at this moment")
        opened = _Marks(by.tenant, handle, await tx.values.fields(), self._unseal)
        marks = opened.of(history, found.keys.get(handle), opening.suppression)
        if marks:
            await tx.values.suppress(marks, now)
            await tx.audit.append(event=AuditEvent.VAULT_SUPPRESSED, object_id=str(handle), by=by, subject=handle)
        await _close(tx, handle, was_there=was_there, by=by, at=now)
        return len(marks)


class _Marks:
    """Opens what a person can be matched by, to hash it."""

    def __init__(self, tenant: TenantId, handle: Handle, fields: Mapping[str, Field], unseal: Unseal) -> None:
        self._tenant = tenant
        self._handle = handle
        self._fields = fields
        self._unseal = unseal

    def of(self, history: Sequence[Version], key: SubjectKey | None, suppression: HashKey) -> set[Mark]:
        """Return the marks of all versions; without a key there are none.

        Raises:
            Unreadable
        """
        marks = set()
        for each in history:
            kind = self._fields[each.name.field].type
            if key is not None and each.sealed and kind in MATCHED:
                slot = Slot(
                    tenant=self._tenant,
                    handle=self._handle,
                    field=each.name.field,
                    label=each.name.label,
                    version=each.version,
                )
                value = msgspec.msgpack.decode(self._unseal(key, slot, each.sealed))
                marks.add(suppression_mark(suppression, kind, form(kind, value)))
        return marks


async def _close(tx: RotationTransaction, handle: Handle, *, was_there: bool, by: Caller, at: datetime) -> None:
    """Remove what leads to the values, and the secret, and tell of it.

    The key has to be gone: whoever writes holds it, and so what they add to the index is there to be seen.
    """
    await tx.rotation.unlink(handle)
    gone = set(await tx.audit.destroy_secrets(handle))
    if was_there:
        gone.add(handle)
    event = AuditEvent.VAULT_KEY_DESTROYED
    await tx.audit.append_many([Draft(event=event, object_id=str(each), subject=each) for each in sorted(gone)], by=by)
    if gone:
        await tx.outbox.add([Event(type=event.value, object_id=str(handle), subject=handle, at=at)])
