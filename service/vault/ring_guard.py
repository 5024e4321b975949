"""A key ring that was lost or exchanged is noticed before anything new hangs from the wrong root key."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from service.vault.domain import KeyContext, RingUnavailable, RootUse, Unreadable, Wrapped
from service.vault.ports import KeyRing
from service.vault.rotation import RootWrapped

PROVEN: Final = 60.0
"""Seconds for which a ring that opened a key of a version is believed to open the others."""


class Uses(Protocol):
    """Counts the keys in the database by what wraps them."""

    async def __call__(self) -> Sequence[RootUse]: ...

    async def samples(self) -> Sequence[tuple[RootUse, RootWrapped]]:
        """Return the same with a few of the keys, the oldest of each version first: one key a row."""
        ...


class GuardedRing:
    """Wraps nothing new while keys lie in the database that this ring does not know.

    What was wrapped under another root key would open again when that came back; with new keys under
    this one, neither ring alone would open everything. Unwrapping needs no guard: it fails by itself.

    That a ring has a version of the same name says nothing: every key of `transit` begins at ``v1``. It has to open
    the oldest key of each version, or most of the oldest few, and for `proven` seconds, or until something does not
    open, it is not asked again.
    """

    def __init__(self, kind: str, ring: KeyRing, uses: Uses, *, proven: float = PROVEN) -> None:
        self._kind = kind
        self._ring = ring
        self._uses = uses
        self._proven = proven
        self._opened: dict[tuple[str, str], float] = {}
        """When a key of a ring's version opened."""

    async def fault(self) -> str | None:
        """Return what an operator has to know, or ``None`` where this ring has every root key that is in use.

        Not for clients: it counts the keys of all tenants.
        """
        uses = await self._uses()
        for use in uses:
            wrapped = _hanging(use)
            if use.ring != self._kind:
                return f"{wrapped}, and VOLENS_KEY_RING is `{self._kind}`"
            try:
                if not await self._ring.knows(use.version):
                    return f"{wrapped} under version {use.version} of the root key, which this ring does not have"
            except RingUnavailable as error:
                return f"{wrapped}, which is not there: {error}"
        if all(map(self._is_proven, uses)):
            return None
        samples: dict[RootUse, list[RootWrapped]] = {}
        for use, key in await self._uses.samples():
            samples.setdefault(use, []).append(key)
        for use, keys in samples.items():
            if fault := await self._unopened(use, keys):
                return fault
        return None

    async def wrap(self, key: bytes, context: KeyContext) -> Wrapped:
        await self._refuse_strangers()
        return await self._ring.wrap(key, context)

    async def unwrap(self, wrapped: Wrapped, context: KeyContext) -> bytes:
        try:
            return await self._ring.unwrap(wrapped, context)
        except (Unreadable, RingUnavailable):
            self._opened.clear()  # another may be in its place by now
            raise

    async def check(self) -> None:
        await self._ring.check()

    async def current(self) -> str:
        return await self._ring.current()

    async def knows(self, version: str) -> bool:
        return await self._ring.knows(version)

    async def rotate(self) -> str:
        await self._refuse_strangers()
        return await self._ring.rotate()

    async def _refuse_strangers(self) -> None:
        if await self.fault() is not None:
            raise RingUnavailable("the key ring is not the one that the vault's keys hang from")

    def _is_proven(self, use: RootUse) -> bool:
        at = self._opened.get((use.ring, use.version))
        return at is not None and asyncio.get_running_loop().time() < at + self._proven

    async def _unopened(self, use: RootUse, keys: Sequence[RootWrapped]) -> str | None:
        """Return what stands against the ring where it does not open these keys, which others hang beside.

        The oldest settles it if it opens. If not it may be damaged, which is nobody's trouble but its tenant's: then
        most of the others have to open.
        """
        now = asyncio.get_running_loop().time()
        opened = 0
        for tried, key in enumerate(keys, start=1):
            try:
                await self.unwrap(key.wrapped, key.context)
            except Unreadable:
                continue
            except RingUnavailable as error:
                return f"{_hanging(use)}, which is not there: {error}"
            opened += 1
            if tried == 1:
                break
        else:
            if 2 * opened <= len(keys):
                return f"{_hanging(use)} under version {use.version} of the root key, which this ring does not open"
        self._opened[use.ring, use.version] = now
        return None


def _hanging(use: RootUse) -> str:
    return f"{use.keys} keys of the vault are wrapped by the key ring `{use.ring}`"
