"""A file sealed for a person opens whole, in its own place, under their key, or not at all."""

import io
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from service.kernel import Handle, TenantId
from service.vault.domain import SubjectKey, Unreadable
from service.vault.envelope import new_subject_key
from service.vault.parcel import CHUNK, ParcelPlace, seal_parcel, unseal_parcel

KEY = new_subject_key()
PLACE = ParcelPlace(tenant=TenantId("acme"), handle=Handle(UUID(int=1)), file=UUID(int=2))
HEAD, SEALED_CHUNK = 50, CHUNK + 16
PLAIN = bytes(range(256)) * (CHUNK // 256) * 2 + b"the end"


def sealed(plain: bytes = PLAIN, place: ParcelPlace = PLACE, key: SubjectKey = KEY) -> bytes:
    return b"".join(seal_parcel(key, place, [plain]))


def opened(body: bytes, place: ParcelPlace = PLACE, key: SubjectKey = KEY) -> bytes:
    return b"".join(unseal_parcel(key, place, io.BytesIO(body)))


def chunks(body: bytes) -> list[bytes]:
    return [body[at : at + SEALED_CHUNK] for at in range(HEAD, len(body), SEALED_CHUNK)]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5])
def test_a_file_of_any_size_opens(size: int):
    plain = b"x" * size
    body = sealed(plain)

    assert opened(body) == plain
    assert len(body) == HEAD + size + 16 * max(1, -(-size // CHUNK))


@settings(max_examples=30)
@given(st.lists(st.integers(0, 3 * CHUNK).map(lambda size: b"x" * size), max_size=5))
def test_in_which_parts_it_came_makes_no_difference(parts: list[bytes]):
    assert opened(b"".join(seal_parcel(KEY, PLACE, parts))) == b"".join(parts)


@pytest.mark.parametrize("at", [0, 1, 2, 18, 49, HEAD, HEAD + CHUNK, HEAD + SEALED_CHUNK, -17, -1])
def test_a_flipped_bit_closes_it(at: int):
    body = bytearray(sealed())
    body[at] ^= 1

    with pytest.raises(Unreadable):
        opened(bytes(body))


@pytest.mark.parametrize(
    "keep", [0, 1, HEAD - 1, HEAD, HEAD + 1, HEAD + SEALED_CHUNK, HEAD + 2 * SEALED_CHUNK, -1, -7, -23]
)
def test_one_that_ends_too_early_does_not_open(keep: int):
    with pytest.raises(Unreadable):
        opened(sealed()[:keep])


def test_one_that_goes_on_does_not_open():
    for more in (b"x", chunks(sealed())[-1], chunks(sealed())[0]):
        with pytest.raises(Unreadable):
            opened(sealed() + more)


def test_chunks_in_another_order_do_not_open():
    body = sealed()
    first, second, last = chunks(body)

    for order in ((second, first, last), (first, first, last), (second, last), (last,), (first, last)):
        with pytest.raises(Unreadable):
            opened(body[:HEAD] + b"".join(order))


def test_a_chunk_of_another_sealing_of_the_same_file_does_not_open():
    one, two = sealed(), sealed()
    mixed = one[:HEAD] + chunks(one)[0] + chunks(two)[1] + chunks(one)[2]

    assert one != two
    with pytest.raises(Unreadable):
        opened(mixed)


@pytest.mark.parametrize(
    "changes", [{"tenant": TenantId("acme2")}, {"handle": Handle(UUID(int=9))}, {"file": UUID(int=9)}]
)
def test_it_opens_in_its_own_place_alone(changes):
    with pytest.raises(Unreadable):
        opened(sealed(), replace(PLACE, **changes))


def test_another_key_does_not_open_it_also_under_the_same_id():
    with pytest.raises(Unreadable):
        opened(sealed(), key=new_subject_key())
    with pytest.raises(Unreadable):
        opened(sealed(), key=replace(new_subject_key(), id=KEY.id))


def test_the_layout_is_that_of_the_docstring():
    """Opened here with nothing of the module but its words."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    from service.vault.envelope import pae

    body = sealed()
    assert body[:2] == b"\x01\x03"
    assert body[2:18] == KEY.id
    bound = pae(b"volens.parcel\x01\x03", b"acme", PLACE.handle.bytes, PLACE.file.bytes, KEY.id)
    cipher = AESGCM(HKDF(SHA256(), 32, body[18:50], bound).derive(KEY.secret.expose()))
    numbers = [(number, number == 2) for number in range(3)]
    plain = [
        cipher.decrypt(number.to_bytes(11, "big") + bytes([last]), chunk, None)
        for (number, last), chunk in zip(numbers, chunks(body), strict=True)
    ]

    assert b"".join(plain) == PLAIN
