"""Where the vault's root key is, as the settings say, and the keys that hang from it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from service.given import new_id, utc_now
from service.kernel import Clock, Unavailable
from service.settings import Settings
from service.tenants import NOBODY
from service.transaction import Begin, opener
from service.vault.domain import RootUse
from service.vault.keys import Keys
from service.vault.ports import KeyRing
from service.vault.ring_file import FILE, FileRing
from service.vault.ring_guard import GuardedRing, Uses
from service.vault.rotation import RootWrapped


@asynccontextmanager
async def guarded_root_keys(
    settings: Settings, uses: Uses, lost: Callable[[str], None] | None = None, *, make: bool = True
) -> AsyncIterator[GuardedRing]:
    """Lend the key ring for a database whose keys hang from the root keys that `uses` counts.

    One in a file is made if it is missing and nothing hangs from any: a lost file is not replaced by a new
    root key, with which nothing would open. It counts again as soon as it is put back. `lost` is told what is wrong
    with the ring now; whoever has it works on, as far as they can do without.

    Raises:
        RingUnavailable: the file is open to others or holds no ring; AWS needs a region.
    """
    try:
        make = make and not await uses()
    except Unavailable:
        make = False  # nobody can say now whether keys hang from another one; decisions go on meanwhile
    async with root_keys(settings, make=make) as ring:
        guarded = GuardedRing(settings.key_ring, ring, uses)
        if lost is not None:
            with suppress(Unavailable):  # a database that is silent now may come; whoever wraps a key asks again
                if fault := await guarded.fault():
                    lost(fault)
        yield guarded


@asynccontextmanager
async def root_keys(settings: Settings, *, make: bool = True) -> AsyncIterator[KeyRing]:
    """Lend the key ring. One in a file is made if it is missing and `make` says so; one elsewhere is not asked yet.

    Raises:
        RingUnavailable: the file is open to others or holds no ring; AWS needs a region.
    """
    match settings.key_ring:
        case "transit":
            from service.vault.ring_transit import (
                transit,  # brings an HTTP client along, which a file needs not wait for
            )

            async with transit(
                settings.key_ring_url or "",
                token=settings.key_ring_token or "",
                name=settings.key_ring_key or "",
                mount=settings.key_ring_mount or "transit",
            ) as ring:
                yield ring
        case "aws-kms":
            from service.vault.ring_aws import AwsRing  # the extra `aws`: absent where nobody needs it

            yield AwsRing.open(settings.key_ring_key or "", endpoint=settings.key_ring_url)
        case "file":
            place = settings.data / FILE if settings.key_ring_path is None else Path(settings.key_ring_path)
            yield FileRing.open(place) if make or place.exists() else FileRing(place)


class RootUses:
    """Counts the vault's keys, of all tenants, by the root key that wraps them."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self) -> Sequence[RootUse]:
        async with self._begin(NOBODY) as tx:
            return await tx.rotation.root_uses()

    async def samples(self) -> Sequence[tuple[RootUse, RootWrapped]]:
        async with self._begin(NOBODY) as tx:
            return await tx.rotation.root_samples()


def root_uses(begin: Begin) -> Uses:
    """Return what the guard of the key ring asks the database."""
    return RootUses(begin)


def vault_keys(settings: Settings, root: KeyRing, engine: AsyncEngine, clock: Clock = utc_now) -> Keys:
    """Return the vault's keys. They are unwrapped when they are first needed: nothing is asked yet."""
    keep = timedelta(seconds=settings.vault_key_cache_seconds)
    return Keys(root, opener(engine, clock, new_id), clock, keep=keep)
