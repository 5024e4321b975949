"""What was published, beside the database: a restored one is known by it."""

import asyncio
import re
from itertools import count
from pathlib import Path
from typing import Final

from service.kernel import TenantId
from service.own_files import read_own, replace_own

FOLDER: Final = "checkpoints"
"""The usual name, in the data folder."""
_TENANT: Final = re.compile("[a-z0-9][a-z0-9-]{0,62}")


class PublishedFiles:
    """A file for each tenant, with its newest checkpoint.

    A disk may take long, and `volens up` answers requests on the same event loop: files are read and written in
    threads.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def recall(self, tenant: TenantId) -> str | None:
        try:
            kept = await asyncio.to_thread(read_own, self._place(tenant))
        except FileNotFoundError:
            return None
        return kept.decode(errors="replace")  # what is damaged is no checkpoint

    def tenants(self) -> list[TenantId]:
        """Return those whose logs were published. Files by other names are nobody's."""
        if not self._folder.exists():
            return []
        return sorted(TenantId(file.name) for file in self._folder.iterdir() if _TENANT.fullmatch(file.name))

    async def keep(self, tenant: TenantId, note: str) -> None:
        await asyncio.to_thread(replace_own, self._place(tenant), note.encode())

    def set_aside(self, tenant: TenantId) -> Path | None:
        """Keep the newest checkpoint under another name, where nothing compares with it; return where it is."""
        place = self._place(tenant)
        for aside in (self._folder / f"{tenant}.{number}.lost" for number in count(1)):
            try:
                aside.hardlink_to(place)
            except FileExistsError:  # of a loss before this one, and evidence as well
                continue
            except FileNotFoundError:
                break
            place.unlink()
            return aside
        return None

    def _place(self, tenant: TenantId) -> Path:
        return self._folder / tenant
