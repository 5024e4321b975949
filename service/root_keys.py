"""Where the vault's root key is, as the settings say."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from service.kernel import Unavailable
from service.settings import Settings
from service.vault.ports import KeyRing
from service.vault.ring_file import FILE, FileRing
from service.vault.ring_guard import GuardedRing, Uses
from service.vault.ring_transit import transit


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
