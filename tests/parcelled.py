"""What the worker does for packages that wait to be fetched, a step at a time and on the clock of a test."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from uuid_utils.compat import uuid7

from service import given
from service.decisions.artefacts import read_policy
from service.desk import statutes
from service.kernel import Clock, TenantId
from service.package_parts import files_of
from service.packager import Writer
from service.packages.keeping import KeepParcels
from service.packages.making import MakeParcels
from service.postgres import DatabaseUrls
from service.requests import MoveRequest
from service.settings import Settings
from service.transaction import Begin

KEEP = timedelta(hours=72)
LAW = statutes(given.BUILD, read_policy(given.BUILD))
NOT_MADE = {"askForPackage", "deletePackage", "fetchPackage", "readPackage"}
"""Operations on a package, of which there is none."""
OWN = {"askForPackage", "fetchPackage", "readPackage"}
BODIES = {"askForPackage": {"language": "de"}}
Tend = Callable[[TenantId], Awaitable[None]]


def tending(settings: Settings, urls: DatabaseUrls, begin: Begin, clock: Clock) -> Tend:
    """Return what does all that is to be done for a tenant."""
    files = files_of(settings)
    keep = KeepParcels(begin, LAW, files, MoveRequest(begin, clock, LAW), clock, uuid7)
    make = MakeParcels(begin, Writer(settings, urls, LAW, files, clock), files, clock, uuid7, keep=KEEP)

    async def tend(tenant: TenantId) -> None:
        await keep(tenant)
        while await make(tenant):
            pass

    return tend


def sealed(settings: Settings) -> list[Path]:
    """Return the files that lie, sealed or half done."""
    return [file for file in files_of(settings).folder.rglob("*") if file.is_file()]
