"""The sealed files of packages: a folder for each tenant, each file for the user alone who runs Volens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from typing import IO

from service.kernel import TenantId
from service.own_files import new_own


class SealedFolder:
    """Makes, opens and removes them. One that is being made is not there under its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def new(self, tenant: TenantId, file: str) -> Iterator[tuple[BufferedRandom, Path]]:
        """Lend a file to write, which is there once the block has ended well, and the folder that it is in."""
        place = self.folder / tenant / file
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with new_own(place) as made:
            yield made, place.parent

    def open(self, tenant: TenantId, file: str) -> IO[bytes]:
        """Raises: OSError"""
        return (self.folder / tenant / file).open("rb")

    def remove(self, tenant: TenantId, beginning: str) -> None:
        folder = self.folder / tenant
        for left in (*folder.glob(f"{beginning}*"), *folder.glob(f".{beginning}*")):
            left.unlink(missing_ok=True)

    def lying(self, tenant: TenantId) -> Sequence[str]:
        return [file.name for file in (self.folder / tenant).glob("*")]

    def tenants(self) -> Sequence[TenantId]:
        """Return the tenants of whom there may be files."""
        return [TenantId(folder.name) for folder in self.folder.glob("*")]
