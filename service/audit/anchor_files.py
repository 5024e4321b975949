"""Anchors in a file that only ever grows. Put it where others can't write: another machine, a medium written once."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.audit.anchors import LONGEST_LINE, anchor_in
from service.audit.findings import Kind, Wrong


class AnchorFile:
    """A line for each anchor, of any number of logs. It is locked while it is lent: of two that anchor, one waits."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name

    def last(self, origin: str) -> bytes | None:
        found = None
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n") or len(line) > LONGEST_LINE:
                    raise Wrong(Kind.FORMAT, f"line {number} of {self._name} is unfinished: look at it, and remove it")
                try:
                    if anchor_in(line[:-1])[2].origin == origin:
                        found = line[:-1]
                except Wrong as wrong:
                    raise Wrong(wrong.kind, f"line {number} of {self._name}: {wrong}") from None
        return found

    def add(self, origin: str, size: int, line: bytes) -> None:
        before = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError("there is no room for the whole line")
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, before)  # half a line says nothing, and would stand in the way
            raise


@contextmanager
def anchor_file(place: Path) -> Iterator[AnchorFile]:
    """Lend the file `place`, made if there is none."""
    place.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield AnchorFile(descriptor, place.name)
        folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        os.close(descriptor)
