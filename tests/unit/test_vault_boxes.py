"""A box opens where it belongs, under the key that sealed it, and as a whole."""

import os
from uuid import UUID

import msgspec
import pytest

from service.kernel import TenantId
from service.vault.boxes import open_box, seal_box
from service.vault.domain import BoxKey, BoxPlace, Secret, Unreadable

KEY = BoxKey(tenant=TenantId("acme"), secret=Secret(bytes(range(32))))
PLACE = BoxPlace(kind="downstream.task", id=UUID(int=7))


@pytest.mark.parametrize("plaintext", [b"", b"ada@mail.example", bytes(100_000)])
def test_what_was_sealed_opens(plaintext: bytes):
    sealed = seal_box(KEY, PLACE, plaintext)

    assert open_box(KEY, PLACE, sealed) == plaintext
    assert len(sealed) == len(plaintext) + 30
    assert sealed != seal_box(KEY, PLACE, plaintext)


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (msgspec.structs.replace(KEY, tenant=TenantId("other")), PLACE),
        (msgspec.structs.replace(KEY, secret=Secret(os.urandom(32))), PLACE),
        (KEY, BoxPlace(kind="downstream.secret", id=PLACE.id)),
        (KEY, BoxPlace(kind=PLACE.kind, id=UUID(int=8))),
    ],
)
def test_it_opens_nowhere_else(key: BoxKey, place: BoxPlace):
    with pytest.raises(Unreadable):
        open_box(key, place, seal_box(KEY, PLACE, b"ada@mail.example"))


def test_not_one_bit_can_be_changed_and_no_byte_be_missing():
    sealed = seal_box(KEY, PLACE, b"ada")
    for position in range(len(sealed)):
        flipped = bytearray(sealed)
        flipped[position] ^= 1
        for broken in (bytes(flipped), sealed[:position]):
            with pytest.raises(Unreadable):
                open_box(KEY, PLACE, broken)


def test_a_key_does_not_show_itself():
    assert "hidden" in repr(KEY)
