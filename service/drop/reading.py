"""Reads what the platform hands out: a ZIP with one CSV a list, and one of what was removed.

Line by line, in constant memory, and trusting nothing: names, sizes, how far it is compressed, each line. Nothing that
a line says gets into an error.
"""

import re
import zipfile
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from datetime import date
from typing import BinaryIO, Final

from msgspec import Struct

from service.drop.domain import Item, List, ListUnusable

MOST_FILES: Final = 64
MOST_BYTES: Final = 16 * 1024**3
"""Of all files of one download, unpacked: some 280 million lines."""
MOST_RATIO: Final = 50
"""A list of hashes becomes smaller by a third, and whatever shrinks to a fiftieth is none."""
_SMALL: Final = 64 * 1024
"""Of so few bytes nobody minds how far they were compressed."""
LONGEST_LINE: Final = 128
TOLD: Final = 20
"""So many broken lines are told before the rest is left unread."""

_REMOVED: Final = "Removed"
_NAME: Final = re.compile(r"([0-9]{8})_([0-9A-Za-z]{1,20})_([A-Za-z]+)(?:_[0-9A-Za-z]{1,10})?\.csv")
_BOM: Final = b"\xef\xbb\xbf"
_HEADERS: Final = {False: b"ID,Hash", True: b"ID,Hash,ListType"}
_LISTS: Final = b"|".join(each.value.encode() for each in List)
_PAIR: Final = rb'"?([0-9A-Za-z]{12})"?,"?([0-9A-Za-z+/]{43}=)"?'
_LINES: Final = {
    False: re.compile(_PAIR + rb"\r?\n?"),
    True: re.compile(_PAIR + rb',"?(?:' + _LISTS + rb')"?\r?\n?'),
}


class Part(Struct, frozen=True, kw_only=True):
    """One file of a download."""

    name: str
    listed_on: date
    list: List | None
    """None: what consumers took back, of all lists."""


class Broken(Struct, frozen=True, kw_only=True):
    """A line that is none of its list."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError)
"""What reading a member raises: one that is broken, packed in a way that the library lacks, or encrypted."""


class Download:
    """A download, opened."""

    def __init__(self, file: BinaryIO, broker: str) -> None:
        """Open a ZIP for the broker of that id.

        Raises:
            ListUnusable
        """
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
            raise ListUnusable("it is no ZIP") from error
        members = self._zip.infolist()
        if len(members) > MOST_FILES or sum(each.file_size for each in members) > MOST_BYTES:
            raise ListUnusable(f"it has more than {MOST_FILES} files, or more than {MOST_BYTES} bytes unpacked")
        self.parts: Sequence[Part] = sorted(
            (_part(each, broker) for each in members), key=lambda part: (part.list is None, part.name)
        )
        if len({part.name for part in self.parts}) < len(self.parts):
            raise ListUnusable("it has two files of one name")

    def items(self, part: Part) -> Iterator[Item | Broken]:
        """Read one file, header and all.

        Raises:
            ListUnusable: it breaks off, or its header is another.
        """
        removed = part.list is None
        try:
            with self._zip.open(part.name) as lines:
                header = lines.readline(LONGEST_LINE).removeprefix(_BOM).replace(b'"', b"").strip()
                if header != _HEADERS[removed]:
                    raise ListUnusable(f"{part.name} must begin with {_HEADERS[removed].decode()}")
                number = 1
                while line := lines.readline(LONGEST_LINE):
                    number += 1
                    if line.strip():
                        item = _item(_LINES[removed], line)
                        yield Broken(file=part.name, line=number) if item is None else item
        except _DAMAGED as error:
            raise ListUnusable(f"{part.name} is damaged, or nobody can read it") from error

    def check(self) -> int:
        """Read everything once, and return how many lines there are.

        Raises:
            ListUnusable: naming the first broken lines.
        """
        count, broken = 0, list[Broken]()
        for part in self.parts:
            for item in self.items(part):
                if isinstance(item, Broken):
                    broken.append(item)
                    if len(broken) == TOLD:
                        break
                else:
                    count += 1
        if broken:
            told = "; ".join(map(str, broken[:TOLD]))
            raise ListUnusable(f"not an ID and a hash: {told}", lines=[str(each) for each in broken[:TOLD]])
        return count


def _part(member: zipfile.ZipInfo, broker: str) -> Part:
    said = _NAME.fullmatch(member.filename)
    try:
        if said is None:
            raise ValueError
        day, whose, what = said.groups()
        part = Part(
            name=member.filename,
            listed_on=date.fromisoformat(day),
            list=None if what == _REMOVED else List(what),
        )
    except ValueError as error:
        raise ListUnusable("a file in it is not named YYYYMMDD_BROKER_LIST.csv") from error
    if whose != broker:
        raise ListUnusable("it was made for another broker")
    if member.file_size > max(_SMALL, member.compress_size * MOST_RATIO):
        raise ListUnusable(f"{part.name} unpacks to far more than a list of hashes does")
    return part


def _item(line: re.Pattern[bytes], said: bytes) -> Item | None:
    found = line.fullmatch(said)
    if found is None:
        return None
    hashed = b64decode(found[2])
    return Item(found[1].decode(), hashed) if b64encode(hashed) == found[2] else None
