"""Standard Webhooks as it was published, and nothing that only resembles it."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from service.downstreams.domain import PAUSES, SignatureRefused, next_attempt
from service.downstreams.ed25519 import Ed25519
from service.downstreams.opendsr import inner, outer
from service.downstreams.signatures import Keys, Message, public_key, signed, v1, v1a, verify

SECRET = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
"""The reference value of the specification's own libraries."""
NOW = datetime.fromtimestamp(AT, UTC)


def a_message(**changes: str | bytes) -> Message:
    said = {"id": ID, "timestamp": str(AT), "signatures": SIGNATURE, "body": BODY} | changes
    return Message(**said)  # type: ignore[arg-type]


def test_the_published_value_is_what_we_sign():
    assert v1(SECRET, signed(ID, AT, BODY)) == SIGNATURE


def test_ed25519_is_that_of_rfc_8032():
    """Section 7.1, tests 2 and 3."""
    for seed, public, message, signature in (
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ):
        assert Ed25519().public(bytes.fromhex(seed)).hex() == public
        assert Ed25519().sign(bytes.fromhex(seed), bytes.fromhex(message)).hex() == signature


def test_signatures_and_keys_are_written_as_published():
    assert v1a(bytes(64)) == f"v1a,{'A' * 86}=="
    assert public_key(bytes(32)) == f"whpk_{'A' * 43}="
    assert Keys(bytes(32), bytes(32)).secret == f"whsec_{'A' * 43}="
    assert "A" * 10 not in repr(Keys(bytes(32), bytes(32)))


@pytest.mark.parametrize("header", [SIGNATURE, f"v1a,AAAA v2,x {SIGNATURE}", f"v1,{'A' * 43}= {SIGNATURE}"])
def test_a_good_signature_among_others_counts(header: str):
    verify(a_message(signatures=header), [bytes(24), SECRET], NOW)


@pytest.mark.parametrize("off", [timedelta(minutes=-5), timedelta(minutes=5)])
def test_a_clock_may_be_five_minutes_off(off: timedelta):
    verify(a_message(), [SECRET], NOW + off)


@pytest.mark.parametrize(
    ("changes", "off", "secret"),
    [
        ({"body": BODY + b" "}, 0, SECRET),
        ({"id": "msg_other"}, 0, SECRET),
        ({"id": "msg_p5jXN8AQM9LWM0D4loKWxJek\n"}, 0, SECRET),
        ({"id": ""}, 0, SECRET),
        ({"timestamp": str(AT + 1)}, 0, SECRET),
        ({"timestamp": f"+{AT}"}, 0, SECRET),
        ({"timestamp": "１６１４２６５３３０"}, 0, SECRET),
        ({"timestamp": "9" * 12}, 0, SECRET),
        ({"signatures": SIGNATURE.replace("v1,", "v1a,")}, 0, SECRET),
        ({"signatures": SIGNATURE.removeprefix("v1,")}, 0, SECRET),
        ({"signatures": SIGNATURE[:-1]}, 0, SECRET),
        ({"signatures": f"{'v1,AAAA ' * 16}{SIGNATURE}"}, 0, SECRET),
        ({"signatures": "v1,é"}, 0, SECRET),
        ({}, 301, SECRET),
        ({}, -301, SECRET),
        ({}, 0, bytes(24)),
    ],
)
def test_what_is_not_signed_now_by_one_of_the_secrets_is_refused(
    changes: dict[str, str | bytes], off: int, secret: bytes
):
    with pytest.raises(SignatureRefused):
        verify(a_message(**changes), [secret], NOW + timedelta(seconds=off))


def test_without_a_secret_nothing_is_signed():
    with pytest.raises(SignatureRefused):
        verify(a_message(), [], NOW)


@given(st.binary(max_size=200), st.text(max_size=40), st.text(max_size=20), st.text(max_size=80))
def test_no_headers_are_an_error_of_ours(body: bytes, message: str, timestamp: str, signatures: str):
    with pytest.raises(SignatureRefused):
        verify(Message(id=message, timestamp=timestamp, signatures=signatures, body=body), [SECRET], NOW)


def test_attempts_go_on_for_three_days_and_spread():
    assert timedelta(hours=75) < sum(PAUSES, timedelta()) < timedelta(hours=76)
    assert next_attempt(1, NOW, 0.0) == NOW + timedelta(seconds=5)
    assert next_attempt(9, NOW, 1.0) == NOW + timedelta(hours=26.4)
    assert next_attempt(10, NOW, 0.0) is None


def test_a_task_has_an_id_that_opendsr_takes_and_that_leads_back():
    for _ in range(20):
        task = uuid7()
        assert outer(task).version == 4
        assert outer(task).variant == "specified in RFC 4122"
        assert inner(outer(task)) == task
