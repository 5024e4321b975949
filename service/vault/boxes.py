"""Boxes: what is sealed under a key of the tenant's own, because no person's key may end it.

A secret of a connected system, and whom that system is told about: an erasure destroys the person's key before the
last system has answered. Whoever puts something into a box says when it is thrown away.

Layout, in bytes:

    1   format version (0x01)
    1   algorithm (0x04: AES-256-GCM-SIV, RFC 8452)
    12  nonce, random
    n   ciphertext, as long as the plaintext
    16  tag

Its associated data is PAE (`envelope`) of: ``volens.box`` and the two first bytes; tenant; kind; id (16 bytes).
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from service.vault.domain import BoxKey, BoxPlace, Unreadable
from service.vault.envelope import pae

_FORMAT: Final = b"\x01\x04"
_NONCE: Final = 12
_TAG: Final = 16


def seal_box(key: BoxKey, place: BoxPlace, plaintext: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return _FORMAT + nonce + AESGCMSIV(key.secret.expose()).encrypt(nonce, plaintext, _bound(key, place))


def open_box(key: BoxKey, place: BoxPlace, sealed: bytes) -> bytes:
    """Return the plaintext.

    Raises:
        Unreadable: for every failure alike.
    """
    head, nonce, body = sealed[:2], sealed[2 : 2 + _NONCE], sealed[2 + _NONCE :]
    try:
        if head != _FORMAT or len(body) < _TAG:
            raise ValueError("another format")
        return AESGCMSIV(key.secret.expose()).decrypt(nonce, body, _bound(key, place))
    except (InvalidTag, ValueError) as error:
        raise Unreadable("the box does not open") from error


def _bound(key: BoxKey, place: BoxPlace) -> bytes:
    return pae(b"volens.box" + _FORMAT, key.tenant.encode(), place.kind.encode(), place.id.bytes)
