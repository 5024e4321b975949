"""Files sealed under a person's key, in chunks: what was packed for them is gone with the key, as their values are.

Layout, in bytes:

    1   format version (0x01)
    1   algorithm (0x03: AES-256-GCM in chunks, under a key derived for this file)
    16  id of the subject key
    32  salt, random
    n   chunks, each of 65,536 bytes of the file and 16 of tag; the last may be shorter, or empty

The key of a file is HKDF-SHA-256 of the subject key with that salt; the information is PAE (`envelope`) of:
``volens.parcel`` and the two first bytes; tenant; handle (16 bytes); id of the file (16 bytes); id of the subject key.
The nonce of a chunk is its number (11 bytes, big endian, from 0) and 1 for the last one, 0 for any other. So a chunk
that is missing, changed, moved or of another file doesn't open, and neither does a file that ends too early (the STREAM
construction of Hoang, Reyhanitabar, Rogaway and Vizar).
"""

import os
from collections.abc import Iterable, Iterator
from typing import IO, Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from service.kernel import Handle, TenantId
from service.vault.domain import KEY_BYTES, SubjectKey, Unreadable
from service.vault.envelope import KEY_ID, pae

CHUNK: Final = 65_536
_FORMAT: Final = b"\x01\x03"
_SALT: Final = 32
_TAG: Final = 16
_HEAD: Final = len(_FORMAT) + KEY_ID + _SALT


class ParcelPlace(Struct, frozen=True, kw_only=True):
    """Where a file belongs. It opens there and nowhere else."""

    tenant: TenantId
    handle: Handle
    file: UUID


def seal_parcel(key: SubjectKey, place: ParcelPlace, parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the sealed file, of which `parts` are the plaintext, of any size. Holds about a chunk and a part."""
    salt = os.urandom(_SALT)
    cipher = _cipher(key, place, salt)
    yield _FORMAT + key.id + salt
    held, number = bytearray(), 0
    for part in parts:
        held += part
        while len(held) > CHUNK:  # a full one may still turn out to be the last
            yield cipher.encrypt(_nonce(number, last=False), bytes(held[:CHUNK]), None)
            del held[:CHUNK]
            number += 1
    yield cipher.encrypt(_nonce(number, last=True), bytes(held), None)


def unseal_parcel(key: SubjectKey, place: ParcelPlace, file: IO[bytes]) -> Iterator[bytes]:
    """Yield the plaintext, a chunk at a time. It is whole only once this has ended: until then, hand out nothing.

    Raises:
        Unreadable: for every failure alike, perhaps after some chunks.
    """
    head = file.read(_HEAD)
    if len(head) != _HEAD or head[: len(_FORMAT) + KEY_ID] != _FORMAT + key.id:
        raise Unreadable("the file does not open")
    cipher = _cipher(key, place, head[-_SALT:])
    number, chunk = 0, file.read(CHUNK + _TAG)
    while True:
        following = file.read(CHUNK + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), chunk, None)
        except (InvalidTag, ValueError) as error:
            raise Unreadable("the file does not open") from error
        if not following:
            return
        number, chunk = number + 1, following


def _cipher(key: SubjectKey, place: ParcelPlace, salt: bytes) -> AESGCM:
    bound = pae(b"volens.parcel" + _FORMAT, place.tenant.encode(), place.handle.bytes, place.file.bytes, key.id)
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt, bound).derive(key.secret.expose()))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
