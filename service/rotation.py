"""`volens keys`: what the vault's keys hang from, and how they are replaced."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import msgspec
from msgspec import Struct
from rich.console import Console

from service import given, operations
from service.databases import migrated
from service.kernel import TenantId
from service.progress import bar
from service.root_keys import root_keys, root_uses
from service.settings import Settings
from service.transaction import Begin
from service.vault.domain import RingUnavailable, RootUse
from service.vault.envelope import new_key, rewrap_subject_key, unseal
from service.vault.keys import Keys
from service.vault.reindexing import RotateIndexKey
from service.vault.ring_guard import GuardedRing
from service.vault.rotating import ReadKeys, RotateRootKey, RotateTenantKey
from service.vault.rotation import KeyVersion, RootRotated, Rotated

MARGIN: Final = timedelta(seconds=60)
"""Longer than a transaction can last that begins with a key which is forgotten at that moment."""
_LOOK: Final = 1.0
"""Seconds between two looks at the clock while waiting."""


class TenantKeys(Struct, frozen=True, kw_only=True):
    tenant: TenantId
    keys: Sequence[KeyVersion]


class KeysStatus(Struct, frozen=True, kw_only=True):
    """What hangs from what."""

    ring: str
    current: str | None
    """The version of the root key under which new keys are wrapped; ``None`` if the ring is not there."""
    fault: str | None
    """Why the vault can't be opened, or not everything in it."""
    roots: Sequence[RootUse]
    tenants: Sequence[TenantKeys]


class Vault(Struct, frozen=True, kw_only=True):
    """What the commands work with."""

    begin: Begin
    ring: GuardedRing
    tenants: Sequence[TenantId]


async def status(settings: Settings, tenant: str | None) -> KeysStatus:
    """Return what the keys hang from. Needs the ring for nothing but its own part of it."""
    async with _opened(settings, tenant) as vault:
        roots = await root_uses(vault.begin)()
        read = ReadKeys(vault.begin)
        keys = [TenantKeys(tenant=each, keys=await read(each)) for each in vault.tenants]
        try:
            current = await vault.ring.current()
        except RingUnavailable:
            current = None
        fault = await vault.ring.fault()
    return KeysStatus(ring=settings.key_ring, current=current, fault=fault, roots=roots, tenants=keys)


async def rotate_root(settings: Settings, progress_on: Console) -> RootRotated:
    """Wrap every key of every tenant under a new version of the root key."""
    async with _opened(settings, None) as vault:
        with bar(progress_on, "keys under the new root key") as advanced:
            callers = [operations.as_operator(tenant) for tenant in vault.tenants]
            return await RotateRootKey(vault.begin, vault.ring)(callers, advanced)


async def rotate_tenants(settings: Settings, tenant: str | None, progress_on: Console, *, wait: bool) -> list[Rotated]:
    """Give tenants new keys, and put the keys of their subjects under them.

    With `wait`, stay until the old ones are removed: for as long as a process may remember them.
    """
    async with _opened(settings, tenant) as vault:
        rotate = RotateTenantKey(
            vault.begin,
            vault.ring,
            new_key,
            rewrap_subject_key,
            given.utc_now,
            asyncio.sleep,
            settle=settling(settings),
        )
        steps = [
            _Step(what=f"subject keys of {each}", take=partial(rotate, by=operations.as_operator(each)))
            for each in vault.tenants
        ]
        return await _taken(steps, progress_on, wait=wait)


async def rotate_indexes(
    settings: Settings, tenant: str | None, field: str | None, progress_on: Console, *, wait: bool
) -> list[Rotated]:
    """Give blind indexes new keys, and index every value under them.

    With `wait`, stay until the old ones are removed: for as long as a process may not know the new ones.
    """
    async with _opened(settings, tenant) as vault:
        keep = timedelta(seconds=settings.vault_key_cache_seconds)
        keys = Keys(vault.ring, vault.begin, given.utc_now, keep=keep)
        rotate = RotateIndexKey(
            vault.begin, vault.ring, keys, new_key, unseal, given.utc_now, asyncio.sleep, settle=settling(settings)
        )
        steps = [
            _Step(what=f"{name} of {each}", take=partial(rotate, name, by=operations.as_operator(each)))
            for each in vault.tenants
            for name in await rotate.fields(each)
            if field in (None, name)
        ]
        return await _taken(steps, progress_on, wait=wait)


class _Step(Struct, frozen=True, kw_only=True):
    """The rotation of one key."""

    what: str
    take: Callable[..., Awaitable[Rotated | None]]


async def _taken(steps: Sequence[_Step], progress_on: Console, *, wait: bool) -> list[Rotated]:
    """Take every step; with `wait`, take them again when the replaced keys may go."""
    done: dict[str, Rotated] = {}
    for step in steps:
        with bar(progress_on, step.what) as advanced:
            if rotated := await step.take(advanced):
                done[step.what] = rotated
    while wait and (waiting := [each.settles_at for each in done.values() if each.settles_at is not None]):
        await _settled(max(waiting), progress_on)
        for step in steps:
            before = done.get(step.what)
            if before is not None and before.settles_at is not None:
                with bar(progress_on, f"late {step.what}") as advanced:
                    done[step.what] = _together(before, await step.take(advanced, finish=True))
    return list(done.values())


def settling(settings: Settings) -> timedelta:
    """Return for how long a process may go on with a key that was replaced."""
    return timedelta(seconds=settings.vault_key_cache_seconds) + MARGIN


def _together(before: Rotated, after: Rotated | None) -> Rotated:
    """Return what two calls amount to; where there was nothing to finish, somebody else has done it."""
    if after is None:
        return msgspec.structs.replace(before, settles_at=None)
    return msgspec.structs.replace(after, begun=before.begun, moved=before.moved + after.moved)


async def _settled(until: datetime, progress_on: Console) -> None:
    total = max(0, round((until - given.utc_now()).total_seconds()))
    with bar(progress_on, "seconds until nobody remembers the old keys") as advanced:
        while (left := (until - given.utc_now()).total_seconds()) > 0:
            advanced(total - round(left), total)
            await asyncio.sleep(min(left, _LOOK))


@asynccontextmanager
async def _opened(settings: Settings, tenant: str | None) -> AsyncIterator[Vault]:
    """Lend the vault of all tenants, or of one. A ring that is missing is not made.

    Raises:
        UnknownTenant, OwnerNeeded
    """
    with migrated(settings) as urls:
        wanted = operations.tenants_named(urls, tenant)
        async with operations.transactions(urls.app) as begin, root_keys(settings, make=False) as ring:
            guarded = GuardedRing(settings.key_ring, ring, root_uses(begin))
            yield Vault(begin=begin, ring=guarded, tenants=wanted)
