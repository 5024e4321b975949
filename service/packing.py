"""A pack: a ZIP whose members come in the order in which they are written, all dated 1980.

So the same content gives the same bytes, whenever and wherever it is packed.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

_LEVEL: Final = 3
"""Half of an entry is hashes and ids: a higher one takes twice the time, and saves a few hundredths."""


class Pack:
    """Writes members one after another."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)

    def add(self, name: str, content: bytes) -> None:
        with self.member(name) as member:
            member.write(content)

    @contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """Lend a member to write to, of any size. The next one waits until it ends."""
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        with self._zip.open(info, "w", force_zip64=True) as member:
            yield member

    def close(self) -> None:
        """Write the directory, without which it is no ZIP."""
        self._zip.close()
