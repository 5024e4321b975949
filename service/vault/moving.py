"""Move values from one person to another, who turned out to be the same."""

import hmac
from collections.abc import Container, Sequence
from datetime import datetime
from itertools import count, groupby
from operator import attrgetter
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from service.kernel import Handle, TenantId
from service.vault.domain import Slot, SubjectErased, SubjectKey, TenantKey, Unreadable
from service.vault.fields import Name
from service.vault.moving_ports import MovingTransaction, Version
from service.vault.ports import KeyAccess, Seal, Unseal

_LABEL: Final = "merged"
_LONGEST: Final = 40
"""Characters of a label that stay when it gets an ending."""


class _Owner(Struct, frozen=True):
    """Whose values they are, and the key that they are under."""

    tenant: TenantId
    handle: Handle
    key: SubjectKey

    def slot(self, version: Version) -> Slot:
        name = version.name
        return Slot(tenant=self.tenant, handle=self.handle, field=name.field, label=name.label, version=version.version)


class MoveValues:
    """Seal the values of one person anew, under the key of another, and destroy the key that they were under."""

    def __init__(self, keys: KeyAccess, seal: Seal, unseal: Unseal) -> None:
        self._keys = keys
        self._seal = seal
        self._unseal = unseal

    async def tenant_key(self, tenant: TenantId) -> TenantKey:
        """Return what a call needs. Ask before the transaction begins: a ring may have to answer.

        Raises:
            RingUnavailable
        """
        return await self._keys.tenant_key(tenant)

    async def __call__(
        self, tx: MovingTransaction, tenant_key: TenantKey, *, source: Handle, target: Handle, at: datetime
    ) -> int:
        """Return how many values were moved, with all their versions, their index and their tokens.

        A name that the other has too gets a label, or one more; where both have the same value under it, it is there
        already. Afterwards nobody gets a new key under `source`.

        Raises:
            SubjectErased: one of the two was; nothing was moved.
            Unreadable: a value does not open. Roll back.
        """
        found = await self._keys.subject_keys(tx.keys, tenant_key, [source, target])
        if found.erased:
            raise SubjectErased("what was kept about one of the two is gone for good")
        # Waits for whoever writes under the old key, and comes before the values are read, so that none is missed.
        await tx.keys.destroy_subject_key(source, at)
        history = await tx.moving.history(source)
        names: dict[Name, Name] = {}
        if history:
            old = found.keys.get(source)
            if old is None:
                raise Unreadable("the value does not open")
            ensured = await self._keys.ensure_subject_keys(tx.keys, tenant_key, [target])
            if target in ensured.erased:
                raise SubjectErased("what was kept about one of the two is gone for good")
            tenant = tenant_key.tenant
            giver, taker = _Owner(tenant, source, old), _Owner(tenant, target, ensured.keys[target])
            names = await self._move(tx, giver, taker, history)
        await tx.moving.hand_over(source, target, names)
        return len(names)

    async def _move(
        self, tx: MovingTransaction, giver: "_Owner", taker: "_Owner", history: Sequence[Version]
    ) -> dict[Name, Name]:
        taken = {each.name: each for each in await tx.moving.history(taker.handle)}
        values = {name: list(versions) for name, versions in groupby(history, attrgetter("name"))}
        names: dict[Name, Name] = {}
        for name, versions in values.items():
            if name in taken and len(versions) == 1 and self._same(giver, versions[0], taker, taken[name]):
                names[name] = name
                continue
            names[name] = _free(name, {*taken, *values, *names.values()}) if name in taken else name
            await tx.moving.add(taker.handle, [self._anew(giver, taker, each, names[name]) for each in versions])
        return names

    def _same(self, giver: _Owner, given: Version, taker: _Owner, held: Version) -> bool:
        """Return whether the latest versions say the same. One that was deleted is like no other."""
        if not given.sealed or not held.sealed:
            return False
        plain, other = (
            self._unseal(each.key, each.slot(version), version.sealed)
            for each, version in ((giver, given), (taker, held))
        )
        return hmac.compare_digest(plain, other)

    def _anew(self, giver: _Owner, taker: _Owner, version: Version, name: Name) -> Version:
        moved = replace(version, name=name)
        if not version.sealed:
            return moved
        plain = self._unseal(giver.key, giver.slot(version), version.sealed)
        return replace(moved, sealed=self._seal(taker.key, taker.slot(moved), plain))


def _free(name: Name, taken: Container[Name]) -> Name:
    """Return a name for a value whose own is taken: ``email#merged``, ``email#work-merged``, ``email#merged-2`` …"""
    label = f"{name.label[:_LONGEST]}-{_LABEL}" if name.label else _LABEL
    candidates = (Name(name.field, label if number == 1 else f"{label}-{number}") for number in count(1))
    return next(candidate for candidate in candidates if candidate not in taken)
