"""Rows of a package in files without a name: gone with the process, whatever ends it."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Spool(Generic[T]):
    """Rows of one kind, a line of JSON each."""

    def __init__(self, file: IO[bytes], kind: type[T]) -> None:
        self._file = file
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(kind).decode
        self._length = 0

    def add(self, row: T) -> None:
        self._file.write(self._encode(row) + b"\n")
        self._length += 1

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        """Yield the rows. One reader at a time, and nobody adds meanwhile."""
        self._file.seek(0)
        return map(self._decode, self._file)


class Files:
    """Makes spools, in a folder that holds what becomes of them as well."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack

    def kept(self, kind: type[T]) -> Spool[T]:
        return Spool(self._stack.enter_context(tempfile.TemporaryFile(dir=self._folder)), kind)


@contextmanager
def spooled(folder: Path) -> Iterator[Files]:
    """Lend spools, which are gone when the block ends."""
    with ExitStack() as stack:
        yield Files(folder, stack)
