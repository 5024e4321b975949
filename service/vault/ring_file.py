"""A key ring in a file, for one machine. Whoever can read the file can read the vault.

The file is JSON, readable and writable by its owner alone:

    {"format": "volens.ring/1", "current": "<version>", "keys": {"<version>": "<64 hex digits>", …}}

A version is a random word, so that two rings never mean different keys by the same one, and
their `keys` can be put together by hand. A wrapped key has the layout of `envelope.wrap`, bound
to ``ring``, the version and every member of the context as ``name=value``, sorted by name.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from service.own_files import FileExposed, make_own, read_own, replace_own
from service.vault.domain import KEY_BYTES, KeyContext, RingUnavailable, Secret, Unreadable, Wrapped
from service.vault.envelope import unwrap, wrap

RING: Final = "file"
FILE: Final = "root.keys"
"""The usual name, in the data folder."""

_FORMAT: Final = "volens.ring/1"


class _Contents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    current: str
    keys: dict[str, str]

    def __repr__(self) -> str:
        return "_Contents(hidden)"

    def key(self, version: str) -> Secret:
        return Secret(bytes.fromhex(self.keys[version]))


class FileRing:
    """Wraps by the keys in a file, which it reads anew for every call: a rotation by another process counts at once."""

    def __init__(self, place: Path) -> None:
        self._place = place

    @classmethod
    def open(cls, place: Path) -> "FileRing":
        """Return the ring in the file `place`, made with a first key if there is none.

        Not for a file that was lost: `FileRing(place)` is unavailable until somebody puts it back.

        Raises:
            RingUnavailable: the file's mode lets others in, it belongs to another user, or it holds no ring.
        """
        if not place.exists():
            _make(place)
        _read(place)
        return cls(place)

    async def wrap(self, key: bytes, context: KeyContext) -> Wrapped:
        contents = await self._contents()
        version = contents.current
        return Wrapped(ring=RING, version=version, body=wrap(contents.key(version), key, *_bound_to(version, context)))

    async def unwrap(self, wrapped: Wrapped, context: KeyContext) -> bytes:
        contents = await self._contents()
        if wrapped.ring != RING or wrapped.version not in contents.keys:
            raise Unreadable("the key does not open")
        return unwrap(contents.key(wrapped.version), wrapped.body, *_bound_to(wrapped.version, context))

    async def check(self) -> None:
        await self._contents()

    async def current(self) -> str:
        return (await self._contents()).current

    async def knows(self, version: str) -> bool:
        return version in (await self._contents()).keys

    async def rotate(self) -> str:
        return await asyncio.to_thread(_rotate, self._place)

    async def _contents(self) -> _Contents:
        return await asyncio.to_thread(_read, self._place)


def _bound_to(version: str, context: KeyContext) -> list[bytes]:
    members = (f"{name}={value}" for name, value in sorted(context.bound().items()))
    return [b"ring", version.encode(), *(member.encode() for member in members)]


def _read(place: Path) -> _Contents:
    try:
        written = read_own(place)
    except FileExposed as error:
        raise RingUnavailable(str(error)) from None
    except OSError as error:
        raise RingUnavailable("the key ring's file can't be read") from error
    try:
        contents = msgspec.json.decode(written, type=_Contents)
        for version in (contents.current, *contents.keys):
            contents.key(version)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, KeyError, Unreadable):
        raise RingUnavailable("the key ring's file holds no ring") from None
    if contents.format != _FORMAT:
        raise RingUnavailable("the key ring's file has another format")
    return contents


def _make(place: Path) -> None:
    make_own(place, _written(_with_new_key({})))


def _rotate(place: Path) -> str:
    """Add a key while no other process does."""
    with _locked(place):
        contents = _with_new_key(_read(place).keys)
        replace_own(place, _written(contents))
    return contents.current


def _written(contents: _Contents) -> bytes:
    return msgspec.json.format(msgspec.json.encode(contents), indent=2)


def _with_new_key(keys: dict[str, str]) -> _Contents:
    version = os.urandom(6).hex()
    return _Contents(format=_FORMAT, current=version, keys={**keys, version: os.urandom(KEY_BYTES).hex()})


@contextlib.contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Lock the file that `place` names now; a rotation that ended meanwhile has put another there."""
    while True:
        try:
            file = place.open("rb")
        except OSError as error:
            raise RingUnavailable("the key ring's file can't be read") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_ino == place.stat().st_ino:
                yield
                return
