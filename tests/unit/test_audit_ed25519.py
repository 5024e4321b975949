"""Ed25519 without a library, against the vectors of its RFC and against OpenSSL."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from service.audit.ed25519 import verify_ed25519, verify_public_key
from service.audit.findings import Kind
from tests.audited import refused

RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
        "655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
        "b00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
        "c027beceea1ec40a",
    ),
]
"""Section 7.1, tests 1 to 3: public key, message, signature."""

ORDER = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_signatures_of_rfc_8032_hold(public: str, message: str, signature: str):
    verify_public_key(bytes.fromhex(public))
    verify_ed25519(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.data())
def test_a_signature_holds_here_if_it_does_for_openssl(seed: bytes, message: bytes, data: st.DataObject):
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key(), private.sign(message)
    verify_ed25519(public.public_bytes_raw(), message, signature)

    spoilt = bytearray(signature + message)
    spoilt[data.draw(st.integers(0, len(spoilt) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidSignature):
        public.verify(bytes(spoilt[:64]), bytes(spoilt[64:]))
    with refused(Kind.SIGNATURE):
        verify_ed25519(public.public_bytes_raw(), bytes(spoilt[64:]), bytes(spoilt[:64]))


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_what_is_signed_by_nobody_holds_for_no_key(public: bytes, signature: bytes):
    with refused(Kind.SIGNATURE):
        verify_ed25519(public, b"", signature)
    with pytest.raises((InvalidSignature, ValueError)):
        Ed25519PublicKey.from_public_bytes(public).verify(signature, b"")


def test_a_signature_has_no_second_spelling():
    public, _, signature = (bytes.fromhex(part) for part in RFC_8032[0])
    s = int.from_bytes(signature[32:], "little")

    for other in (s + ORDER, s + 2 * ORDER):
        with refused(Kind.SIGNATURE, "not an Ed25519 signature"):
            verify_ed25519(public, b"", signature[:32] + other.to_bytes(32, "little"))
    for other in (signature[:-1], signature + b"\x00", b""):
        with refused(Kind.SIGNATURE, "not an Ed25519 signature"):
            verify_ed25519(public, b"", other)


@pytest.mark.parametrize(
    "public",
    [
        pytest.param((P + 1).to_bytes(32, "little"), id="y is 1, spelled otherwise"),
        pytest.param((P + 3).to_bytes(32, "little"), id="y is 3, spelled otherwise"),
        pytest.param((1 | 1 << 255).to_bytes(32, "little"), id="x is 0 and odd"),
        pytest.param((P - 1 | 1 << 255).to_bytes(32, "little"), id="x is 0 and odd, y is -1"),
        pytest.param((2).to_bytes(32, "little"), id="no point"),
        pytest.param((3).to_bytes(31, "little"), id="too short"),
        pytest.param((3).to_bytes(33, "little"), id="too long"),
        pytest.param((1).to_bytes(32, "little"), id="the neutral point"),
        pytest.param((P - 1).to_bytes(32, "little"), id="order 2"),
        pytest.param((0).to_bytes(32, "little"), id="order 4"),
        pytest.param((1 << 255).to_bytes(32, "little"), id="order 4, odd"),
        pytest.param(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), id="order 8"
        ),
    ],
)  # fmt: skip
def test_an_odd_public_key_is_refused(public: bytes):
    with refused(Kind.SIGNATURE):
        verify_public_key(public)


@pytest.mark.parametrize("y", [P, P + 1, 1 | 1 << 255, P - 1 | 1 << 255])
def test_a_second_spelling_is_refused_as_such(y: int):
    with refused(Kind.SIGNATURE, "no point"):
        verify_public_key(y.to_bytes(32, "little"))
    with refused(Kind.SIGNATURE, "no point"):
        verify_ed25519(y.to_bytes(32, "little"), b"", bytes(64))


def test_even_where_everything_holds_s_is_below_the_order():
    neutral = (1).to_bytes(32, "little")

    verify_ed25519(neutral, b"", neutral + bytes(32))
    with refused(Kind.SIGNATURE, "not an Ed25519 signature"):
        verify_ed25519(neutral, b"", neutral + ORDER.to_bytes(32, "little"))
