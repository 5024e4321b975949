"""The files of exports: a folder for each tenant, each file for the user alone who runs Volens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Final

from service.kernel import TenantId

_PIECE: Final = 1 << 18


class ExportFiles:
    """Finds, reads and removes them. They are written by `service.own_files.new_own`, whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, tenant: TenantId, file: str) -> Path:
        """Return where a file is to be, in a folder that is there."""
        folder = self._folder / tenant
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder / file

    def size(self, tenant: TenantId, file: str) -> int | None:
        try:
            return (self._folder / tenant / file).stat().st_size
        except OSError:
            return None

    async def parts(self, tenant: TenantId, file: str) -> AsyncGenerator[bytes]:
        # Once open, it is whole even if somebody removes it meanwhile.
        with await asyncio.to_thread((self._folder / tenant / file).open, "rb") as opened:
            while piece := await asyncio.to_thread(opened.read, _PIECE):
                yield piece

    def remove(self, tenant: TenantId, beginning: str) -> None:
        for left in (*(self._folder / tenant).glob(f"{beginning}*"), *(self._folder / tenant).glob(f".{beginning}*")):
            left.unlink(missing_ok=True)

    def sweep(self, tenant: TenantId, *, older: float) -> None:
        """Remove what dead writers left: drafts that nobody wrote to since an instant, in POSIX seconds."""
        for left in (self._folder / tenant).glob(".*"):
            with suppress(FileNotFoundError):
                if left.stat().st_mtime < older:
                    left.unlink()
