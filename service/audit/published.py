"""What was published, beside the database: a restored one is known by it."""

from pathlib import Path
from typing import Final

from service.kernel import TenantId
from service.own_files import make_own, read_own, replace_own

FOLDER: Final = "checkpoints"
"""The usual name, in the data folder."""


class PublishedFiles:
    """A file for each tenant, with its newest checkpoint."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def recall(self, tenant: TenantId) -> str | None:
        try:
            return read_own(self._place(tenant)).decode()
        except FileNotFoundError:
            return None

    def tenants(self) -> list[TenantId]:
        """Return those whose logs were published."""
        if not self._folder.exists():
            return []
        return sorted(TenantId(file.name) for file in self._folder.iterdir() if "." not in file.name)

    def keep(self, tenant: TenantId, note: str) -> None:
        replace_own(self._place(tenant), note.encode())

    def set_aside(self, tenant: TenantId) -> Path | None:
        """Keep the newest checkpoint under another name, where nothing compares with it; return where it is."""
        note = self.recall(tenant)
        if note is None:
            return None
        size = note.split("\n")[1]
        aside = self._folder / f"{tenant}.{size}.lost"
        make_own(aside, note.encode())
        self._place(tenant).unlink()
        return aside

    def _place(self, tenant: TenantId) -> Path:
        return self._folder / tenant
