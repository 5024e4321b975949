"""What the vault's bytes look like: sealed values, and keys wrapped by keys.

Layout of a sealed value, in bytes:

    1   format version (0x01)
    1   algorithm (0x01: AES-256-GCM)
    16  id of the subject key
    12  nonce, random
    n   ciphertext, as long as the plaintext
    16  tag

Its associated data is PAE of: ``volens.value`` and the two first bytes; tenant; handle
(16 bytes); field; label; version (8 bytes, big endian); id of the subject key.

Layout of a wrapped key, in bytes:

    1   format version (0x01)
    1   algorithm (0x02: AES-256-GCM-SIV, RFC 8452)
    12  nonce, random
    32  ciphertext
    16  tag

Its associated data is PAE of: ``volens.key`` and the two first bytes; then what the key
is bound to. For a subject key that is: ``subject_key``; tenant; handle; tenant key version
(8 bytes, big endian); id of the subject key. A subject key seals few values, so that random
nonces suffice; a key above wraps millions, hence the mode that survives a repeated nonce.

PAE is the pre-authentication encoding of PASETO (section 2.2.1 of its common
specification): the number of pieces, then each piece behind its length, all as 8 bytes
little endian. No two lists of pieces have the same encoding.
"""

import os
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV

from service.kernel import Handle
from service.vault.domain import KEY_BYTES, Secret, Slot, StoredSubjectKey, SubjectKey, TenantKey, Unreadable

_VALUE: Final = b"\x01\x01"
_KEY: Final = b"\x01\x02"
_NONCE: Final = 12
_TAG: Final = 16
KEY_ID: Final = 16
_HEADER: Final = len(_VALUE) + KEY_ID + _NONCE
OVERHEAD: Final = _HEADER + _TAG
"""So many bytes a sealed value is longer than its plaintext."""


def new_key() -> bytes:
    return os.urandom(KEY_BYTES)


def new_subject_key() -> SubjectKey:
    return SubjectKey(id=os.urandom(KEY_ID), secret=Secret(new_key()))


def seal(key: SubjectKey, slot: Slot, plaintext: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return _VALUE + key.id + nonce + AESGCM(key.secret.expose()).encrypt(nonce, plaintext, _place(key, slot))


def unseal(key: SubjectKey, slot: Slot, sealed: bytes) -> bytes:
    """Return the plaintext.

    Raises:
        Unreadable: for every failure alike.
    """
    # What the head says besides the nonce is compared by way of the associated data.
    nonce, body = sealed[_HEADER - _NONCE : _HEADER], sealed[_HEADER:]
    try:
        if sealed[: len(_VALUE) + KEY_ID] != _VALUE + key.id:
            raise ValueError("another format or another key")
        return AESGCM(key.secret.expose()).decrypt(nonce, body, _place(key, slot))
    except (InvalidTag, ValueError) as error:
        raise Unreadable("the value does not open") from error


def wrap(by: Secret, key: bytes, *bound_to: bytes) -> bytes:
    """Encrypt a key of 32 bytes under another, bound to what `bound_to` says."""
    nonce = os.urandom(_NONCE)
    return _KEY + nonce + AESGCMSIV(by.expose()).encrypt(nonce, Secret(key).expose(), _bound(bound_to))


def unwrap(by: Secret, wrapped: bytes, *bound_to: bytes) -> bytes:
    """Return the key that was wrapped by the same key and bound to the same.

    Raises:
        Unreadable: for every failure alike.
    """
    head, nonce, body = wrapped[:2], wrapped[2 : 2 + _NONCE], wrapped[2 + _NONCE :]
    try:
        if head != _KEY or len(body) != KEY_BYTES + _TAG:
            raise ValueError("another format")
        return AESGCMSIV(by.expose()).decrypt(nonce, body, _bound(bound_to))
    except (InvalidTag, ValueError) as error:
        raise Unreadable("the key does not open") from error


def wrap_subject_key(by: TenantKey, handle: Handle, key: SubjectKey) -> bytes:
    return wrap(by.secret, key.secret.expose(), *_owner(by, handle, key.id))


def unwrap_subject_key(by: TenantKey, handle: Handle, key_id: bytes, wrapped: bytes) -> SubjectKey:
    """Return the key of a person.

    Raises:
        Unreadable: for every failure alike.
    """
    return SubjectKey(id=key_id, secret=Secret(unwrap(by.secret, wrapped, *_owner(by, handle, key_id))))


def rewrap_subject_key(old: TenantKey, new: TenantKey, handle: Handle, key: StoredSubjectKey) -> StoredSubjectKey:
    """Return the same subject key under another tenant key.

    Raises:
        Unreadable: it doesn't open under the old one.
    """
    opened = unwrap_subject_key(old, handle, key.id, key.wrapped)
    return StoredSubjectKey(id=key.id, tenant_key_version=new.version, wrapped=wrap_subject_key(new, handle, opened))


def pae(*pieces: bytes) -> bytes:
    """Return an encoding that no other list of pieces has."""
    parts = [_length(len(pieces))]
    for piece in pieces:
        parts += (_length(len(piece)), piece)
    return b"".join(parts)


_length: Final = struct.Struct("<Q").pack
_number: Final = struct.Struct(">Q").pack


def _place(key: SubjectKey, slot: Slot) -> bytes:
    return pae(
        b"volens.value" + _VALUE,
        slot.tenant.encode(),
        slot.handle.bytes,
        slot.field.encode(),
        slot.label.encode(),
        _number(slot.version),
        key.id,
    )


def _owner(by: TenantKey, handle: Handle, key_id: bytes) -> tuple[bytes, ...]:
    return b"subject_key", by.tenant.encode(), handle.bytes, _number(by.version), key_id


def _bound(bound_to: tuple[bytes, ...]) -> bytes:
    return pae(b"volens.key" + _KEY, *bound_to)
