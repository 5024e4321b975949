"""The keys by which the log signs, in a file of their own, and those of receipts in another.

A file is JSON, for its owner alone: {"format": "volens.log/1", "keys": ["<64 hex digits>", …]}, each an Ed25519
seed (RFC 8032), the newest last. Whoever has it can sign another history; who only has the database can't.
"""

from collections.abc import Container, Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from service.audit.notes import LOG, Key
from service.audit.signing import Signer
from service.own_files import FileUnusable, make_own, read_own, replace_own

FILE: Final = "log.keys"
"""The usual name, in the data folder."""
RECEIPTS_FILE: Final = "receipts.keys"
"""That of the keys of receipts."""
_FORMAT: Final = "volens.log/1"


class _Contents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    keys: list[str]

    def __repr__(self) -> str:
        return "_Contents(hidden)"


class LogKeys:
    """Signs with the newest key of a file."""

    def __init__(self, keys: Sequence[Ed25519PrivateKey]) -> None:
        self._keys = keys

    @classmethod
    def open(cls, place: Path, *, make: bool) -> "LogKeys":
        """Return the keys in the file `place`, made with a first one if there is none and `make` says so.

        Raises:
            FileUnusable: there is none, or it holds no keys.
            FileExposed: its mode lets others in, or it belongs to another user.
        """
        if make and not place.exists():
            make_own(place, _written([Ed25519PrivateKey.generate()]))
        return cls(_read(place))

    @property
    def public(self) -> Sequence[bytes]:
        """The public half of each, the newest last."""
        return [key.public_key().public_bytes_raw() for key in self._keys]

    def signer(self, name: str) -> Signer:
        """Return the newest key under a name: that of an origin."""
        return Signer(key=Key(name, LOG, self.public[-1]), sign=self._keys[-1].sign)

    def among(self, known: Container[bytes]) -> "LogKeys":
        """Return those whose public half is known.

        Raises:
            FileUnusable: none is.
        """
        ours = [key for key, public in zip(self._keys, self.public, strict=True) if public in known]
        if not ours:
            raise FileUnusable("the file holds no key that others know")
        return LogKeys(ours)

    def __repr__(self) -> str:
        return "LogKeys(hidden)"


def add_key(place: Path) -> bytes:
    """Add a key to the file `place`, which is the one to sign with from the next start on; return its public half.

    Raises:
        FileUnusable, FileExposed: there is no file to which it could be added.
    """
    added = Ed25519PrivateKey.generate()
    replace_own(place, _written([*_read(place), added]))
    return added.public_key().public_bytes_raw()


def _written(keys: Sequence[Ed25519PrivateKey]) -> bytes:
    contents = _Contents(format=_FORMAT, keys=[key.private_bytes_raw().hex() for key in keys])
    return msgspec.json.format(msgspec.json.encode(contents), indent=2)


def _read(place: Path) -> list[Ed25519PrivateKey]:
    try:
        contents = msgspec.json.decode(read_own(place), type=_Contents)
        keys = [Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)) for seed in contents.keys]
    except FileNotFoundError:
        raise FileUnusable(f"there is no {place.name}: put the file back that was there") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        raise FileUnusable(f"{place.name} holds no keys of the log") from None
    if contents.format != _FORMAT or not keys:
        raise FileUnusable(f"{place.name} holds no keys of the log")
    return keys
