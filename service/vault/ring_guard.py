"""A key ring that was lost or exchanged is noticed before anything new hangs from the wrong root key."""

from collections.abc import Awaitable, Callable, Sequence

from service.vault.domain import KeyContext, RingUnavailable, RootUse, Wrapped
from service.vault.ports import KeyRing

Uses = Callable[[], Awaitable[Sequence[RootUse]]]
"""Counts the keys in the database by what wraps them."""


class GuardedRing:
    """Wraps nothing new while keys lie in the database that this ring does not know.

    What was wrapped under another root key would open again when that came back; with new keys under
    this one, neither ring alone would open everything. Unwrapping needs no guard: it fails by itself.
    """

    def __init__(self, kind: str, ring: KeyRing, uses: Uses) -> None:
        self._kind = kind
        self._ring = ring
        self._uses = uses

    async def fault(self) -> str | None:
        """Return what an operator has to know, or ``None`` where this ring has every root key that is in use.

        Not for clients: it counts the keys of all tenants.
        """
        for use in await self._uses():
            wrapped = f"{use.keys} keys of the vault are wrapped by the key ring `{use.ring}`"
            if use.ring != self._kind:
                return f"{wrapped}, and VOLENS_KEY_RING is `{self._kind}`"
            try:
                if not await self._ring.knows(use.version):
                    return f"{wrapped} under version {use.version} of the root key, which this ring does not have"
            except RingUnavailable as error:
                return f"{wrapped}, which is not there: {error}"
        return None

    async def wrap(self, key: bytes, context: KeyContext) -> Wrapped:
        await self._refuse_strangers()
        return await self._ring.wrap(key, context)

    async def unwrap(self, wrapped: Wrapped, context: KeyContext) -> bytes:
        return await self._ring.unwrap(wrapped, context)

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
