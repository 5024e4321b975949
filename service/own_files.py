"""Files with secrets in them: for the user who runs Volens alone, and written whole or not at all."""

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from io import BufferedRandom
from pathlib import Path

from service.kernel import DomainError


class FileExposed(DomainError):
    """A file with secrets can be read or written by others than its owner."""

    code = "file_exposed"


class FileUnusable(DomainError):
    """A file does not hold the secret that it is there for."""

    code = "file_unusable"


def read_own(place: Path) -> bytes:
    """Return what is in the file.

    Raises:
        FileExposed: its mode lets others in, or it belongs to another user.
        OSError: it can't be read.
    """
    with place.open("rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
            raise FileExposed(f"{place.name} must belong to the user who runs Volens, with mode 0600")
        return file.read()


def make_own(place: Path, content: bytes) -> None:
    """Write a file that is not there yet: of two processes that make one, the first to finish wins."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _draft(place, content) as draft, contextlib.suppress(FileExistsError):
        os.link(draft, place)


def replace_own(place: Path, content: bytes) -> None:
    """Write a file in the place of the one that is there."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _draft(place, content) as draft:
        os.replace(draft, place)


@contextlib.contextmanager
def new_own(place: Path) -> Iterator[BufferedRandom]:
    """Lend a file, to write and read, that is at `place` once the block has ended. If that raises, nothing is there.

    Raises:
        FileExistsError: something is there already. It stays as it is.
        OSError: nothing can be written there.
    """
    if place.exists():
        raise _taken(place)
    try:
        descriptor, draft = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}-")  # mode 0600
    except OSError as error:  # it names the draft, of which nobody knows
        raise OSError(error.errno, error.strerror, str(place)) from None
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, place)
        except FileExistsError:
            raise _taken(place) from None
        _sync(place.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)


@contextlib.contextmanager
def _draft(place: Path, content: bytes) -> Iterator[str]:
    """Lend a file beside `place` that is whole on disk, and see that what became of it is on disk as well."""
    descriptor, draft = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}-")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
        _sync(place.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)


def _taken(place: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, "there is such a file already, and it stays", str(place))


def _sync(place: Path) -> None:
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
