"""Look for canaries in bytes: in every case, in hex and base64 and what they hide, and for hashes of them.

Not the canaries are encoded, but the bytes are decoded: each run of hex digits from both of its halves, each run of
base64 from all four of its places, and what comes out once more. So it makes no difference where in a longer piece a
value begins, and JSON or percent signs around the marks change nothing, as they leave letters and digits alone.
Hashes are recognised by their first eight bytes.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.journeys.canaries import DIALLED, MARK, Canary

_MARKS = (
    re.compile(MARK.lower().encode() + rb"[0-9a-z]{0,7}"),
    re.compile(DIALLED.encode() + rb"[0-9]{4}"),
    re.compile(rb"617[4-9]-[0-9]{2}-[0-9]{2}"),
)
_HEX = re.compile(rb"[0-9a-fA-F]{16,}")
_LONG_HEX = re.compile(rb"[0-9a-fA-F]{48,}")
"""No base64: of its letters a third are hex digits."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{11,}")
_STANDARD = bytes.maketrans(b"-_", b"+/")
_HASHES = {"MD5": hashlib.md5, "SHA-1": hashlib.sha1, "SHA-256": hashlib.sha256}
_PREFIX = 8
DEPTH = 2


class Found(NamedTuple):
    what: str
    """The mark, in lower case, or which hash of whose value."""
    how: str
    """`plain`, or what it had to be taken out of: `hex`, `base64`, `hex base64`."""


class Searcher:
    """Finds canaries, and hashes of those it was given."""

    def __init__(self, canaries: Iterable[Canary], further: Iterable[bytes] = ()) -> None:
        self._hashes: dict[bytes, str] = {}
        for each in canaries:
            self._know(f"{each.subject} {each.name}", each.hashed())
        self._know("refused", further)

    def _know(self, whose: str, values: Iterable[bytes]) -> None:
        for value in values:
            for name, hashed in _HASHES.items():
                self._hashes[hashed(value).digest()[:_PREFIX]] = f"{name} of {whose}"

    def found(self, data: bytes) -> set[Found]:
        return {
            Found(what, " ".join(how) or "plain")
            for how, read in _readings(data, DEPTH)
            for what in (*marks(read), *self._hashes_in(read))
        }

    def _hashes_in(self, data: bytes) -> list[str]:
        known = self._hashes
        ends = range(_PREFIX, len(data) + 1)
        return [known[piece] for end in ends if (piece := data[end - _PREFIX : end]) in known]


def marks(data: bytes) -> set[str]:
    """Return the marks that stand in `data` as they are, in whatever case."""
    lower = data.lower()
    return {found.decode() for mark in _MARKS for found in mark.findall(lower)}


def _readings(data: bytes, depth: int) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """Yield `data` and all that may be encoded in it."""
    yield (), data
    if depth:
        for how, decoded in (("hex", _from_hex(data)), ("base64", _from_base64(data))):
            for each in decoded:
                for further, read in _readings(each, depth - 1):
                    yield (how, *further), read


def _from_hex(data: bytes) -> Iterator[bytes]:
    runs = _HEX.findall(data)
    for skipped in range(2) if runs else ():
        yield b"\n".join(bytes.fromhex(run[skipped : len(run) - (len(run) - skipped) % 2].decode()) for run in runs)


def _from_base64(data: bytes) -> Iterator[bytes]:
    runs = _BASE64.findall(_LONG_HEX.sub(b" ", data).translate(_STANDARD))
    for skipped in range(4) if runs else ():
        yield b"\n".join(base64.b64decode(run[skipped:] + b"A" * (-len(run[skipped:]) % 4)) for run in runs)
