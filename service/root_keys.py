"""Where the vault's root key is, as the settings say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from service.settings import Settings
from service.vault.ports import KeyRing
from service.vault.ring_file import FILE, FileRing
from service.vault.ring_transit import transit


@asynccontextmanager
async def root_keys(settings: Settings) -> AsyncIterator[KeyRing]:
    """Lend the key ring. One in a file is made if it is missing; one elsewhere is not asked for anything yet.

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
            yield FileRing.open(place)
