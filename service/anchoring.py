"""`volens audit anchor`: checkpoints where whoever keeps the log can't change them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from service import operations
from service.audit.anchor_files import anchor_file
from service.audit.anchoring import Anchored, AnchorLog, Anchors
from service.audit.findings import Wrong
from service.audit.proving import CheckpointUnknown
from service.databases import migrated
from service.given import utc_now
from service.kernel import DomainError, TenantId
from service.settings import Settings

FOLDER = "anchors"
"""The usual name, in the data folder."""
S3 = "s3://"


class AnchorRefused(DomainError):
    """The log does not go on from what is anchored, or what is anchored can't be read. Nothing was added."""

    code = "anchor_refused"


class PlaceUnusable(DomainError):
    """There is no place of this name to which anchors could be added."""

    code = "place_unusable"


async def anchor(settings: Settings, tenant: str | None, to: str | None, lock_days: int | None) -> Sequence[Anchored]:
    """Add what each log signed last, or that of one tenant, to the anchors at `to`: a file, a folder, s3://BUCKET/….

    Raises:
        AnchorRefused, PlaceUnusable, UnknownTenant, Unavailable
    """
    done = []
    place = to or str(settings.data / FOLDER) + "/"
    with migrated(settings) as urls:
        tenants = operations.tenants_named(urls, tenant)
        async with operations.transactions(urls.app) as begin:
            for each in tenants:
                try:
                    with _opened(place, each, lock_days) as anchors:
                        done.append(await AnchorLog(settings.log_name, begin, begin, anchors, utc_now)(each))
                except CheckpointUnknown:
                    if tenant is not None:
                        raise
                except Wrong as wrong:
                    raise AnchorRefused(f"{each}: {wrong}; nothing was added") from None
                except OSError as error:
                    raise PlaceUnusable(f"{place} can't be written: {error.strerror or error}") from None
    return done


@contextmanager
def _opened(place: str, tenant: TenantId, lock_days: int | None) -> Iterator[Anchors]:
    """Lend the anchors of a tenant: in a folder it has a file of its own."""
    if place.startswith(S3):
        if find_spec("boto3") is None:
            raise PlaceUnusable("s3:// needs the extra `aws`: install volens[aws]")
        from service.audit.anchor_s3 import AnchorBucket  # the extra may be missing

        yield AnchorBucket.open(place, utc_now, lock_days)
        return
    if lock_days is not None:
        raise PlaceUnusable("only an object store can be told to lock")
    path = Path(place)
    with anchor_file(path / f"{tenant}.anchors" if place.endswith("/") or path.is_dir() else path) as anchors:
        yield anchors
