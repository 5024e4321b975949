"""A pack: a ZIP whose members come in the order in which they are written, all dated 1980.

So the same content gives the same bytes, whenever and wherever it is packed.
"""

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from service.audit.manifests import MANIFEST

_LEVEL: Final = 3
"""Half of an entry is hashes and ids: a higher one takes twice the time, and saves a few hundredths."""


class Member:
    """Takes the content of a member, and says what it was."""

    def __init__(self, member: IO[bytes]) -> None:
        self._member = member
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, content: bytes) -> int:
        self._digest.update(content)
        self._size += len(content)
        return self._member.write(content)

    def line(self, name: str) -> str:
        """Return its line in the manifest."""
        return f"{self._digest.hexdigest()} {self._size} {name}\n"


class Pack:
    """Writes members one after another, and remembers what they are."""

    def __init__(self, file: IO[bytes]) -> None:
        self._lines: list[str] = []
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)

    def add(self, name: str, content: bytes) -> None:
        with self.member(name) as member:
            member.write(content)

    @contextmanager
    def member(self, name: str) -> Iterator[Member]:
        """Lend a member to write to, of any size. The next one waits until it ends."""
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        with self._zip.open(info, "w", force_zip64=True) as file:
            member = Member(file)
            yield member
        self._lines.append(member.line(name))

    def manifest(self, origin: str) -> str:
        """Return the text of a manifest of all that was written so far."""
        return f"{MANIFEST}\n{origin}\n{''.join(self._lines)}"

    def close(self) -> None:
        """Write the directory, without which it is no ZIP."""
        self._zip.close()
