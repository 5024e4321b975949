"""A sealed value opens in its own place under its own key, and nowhere else. So does a wrapped key."""

import copy
import pickle
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel import Handle, TenantId
from service.vault.domain import Secret, Slot, SubjectKey, TenantKey, Unreadable
from service.vault.envelope import (
    OVERHEAD,
    new_subject_key,
    pae,
    seal,
    unseal,
    unwrap,
    unwrap_subject_key,
    wrap,
    wrap_subject_key,
)

ACME = TenantId("acme")
ANN, BEN = Handle(UUID(int=1)), Handle(UUID(int=2))
SLOT = Slot(tenant=ACME, handle=ANN, field="email", label="work", version=3)
KEY = new_subject_key()
VALUE = b"ann@mail.example"
SEALED = seal(KEY, SLOT, VALUE)

TENANT_KEY = TenantKey(tenant=ACME, version=1, secret=Secret(b"t" * 32))
WRAPPED = wrap_subject_key(TENANT_KEY, ANN, KEY)

PARTS = {"format": 0, "algorithm": 1, "key id": 2, "nonce": 18, "ciphertext": 30, "tag": len(SEALED) - 1}


def flipped(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


@given(st.binary(max_size=2000))
def test_what_is_sealed_opens_in_its_place(value):
    sealed = seal(KEY, SLOT, value)

    assert unseal(KEY, SLOT, sealed) == value
    assert len(sealed) == len(value) + OVERHEAD


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": "acme2"},
        {"handle": BEN},
        {"field": "phone"},
        {"label": ""},
        {"label": "home"},
        {"version": 2},
        {"field": "emailwork", "label": ""},
        {"field": "emai", "label": "lwork"},
    ],
    ids=str,
)
def test_a_value_opens_in_no_other_place(changes):
    with pytest.raises(Unreadable):
        unseal(KEY, msgspec.structs.replace(SLOT, **changes), SEALED)


def test_a_value_opens_under_no_other_key_and_no_other_key_id():
    for key in (
        new_subject_key(),
        SubjectKey(id=KEY.id, secret=new_subject_key().secret),
        SubjectKey(id=flipped(KEY.id, 15), secret=KEY.secret),
    ):
        with pytest.raises(Unreadable):
            unseal(key, SLOT, SEALED)


def test_the_key_id_is_bound_and_not_only_compared():
    other = SubjectKey(id=flipped(KEY.id, 0), secret=KEY.secret)

    with pytest.raises(Unreadable):
        unseal(other, SLOT, flipped(SEALED, PARTS["key id"]))


@pytest.mark.parametrize("at", range(len(SEALED)))
def test_one_flipped_bit_anywhere_closes_a_value(at):
    with pytest.raises(Unreadable):
        unseal(KEY, SLOT, flipped(SEALED, at))


@pytest.mark.parametrize("size", range(len(SEALED)))
def test_a_truncated_value_does_not_open(size):
    for cut in (SEALED[:size], SEALED[-size:] if size else b""):
        with pytest.raises(Unreadable):
            unseal(KEY, SLOT, cut)


def test_a_lengthened_value_does_not_open():
    for longer in (SEALED + b"\0", b"\0" + SEALED, SEALED + SEALED):
        with pytest.raises(Unreadable):
            unseal(KEY, SLOT, longer)


def test_two_values_that_change_places_open_in_neither():
    home = msgspec.structs.replace(SLOT, label="home")
    at_home = seal(KEY, home, VALUE)

    for slot, sealed in ((SLOT, at_home), (home, SEALED)):
        with pytest.raises(Unreadable):
            unseal(KEY, slot, sealed)


def test_the_head_of_one_value_does_not_fit_the_body_of_another():
    again = seal(KEY, SLOT, VALUE)

    with pytest.raises(Unreadable):
        unseal(KEY, SLOT, again[:30] + SEALED[30:])


def test_every_failure_says_the_same():
    def said(key, slot, sealed):
        with pytest.raises(Unreadable) as failure:
            unseal(key, slot, sealed)
        return str(failure.value), failure.value.details

    assert (
        said(KEY, SLOT, b"")
        == said(new_subject_key(), SLOT, SEALED)
        == said(KEY, msgspec.structs.replace(SLOT, version=1), SEALED)
        == said(KEY, SLOT, flipped(SEALED, PARTS["format"]))
        == said(KEY, SLOT, flipped(SEALED, PARTS["tag"]))
    )


def test_each_sealing_draws_a_nonce_of_its_own_from_the_system(monkeypatch):
    drawn = [bytes([number]) * 12 for number in range(3)]
    asked = []

    def urandom(size):
        asked.append(size)
        return drawn[len(asked) - 1]

    monkeypatch.setattr("service.vault.envelope.os.urandom", urandom)
    sealed = [seal(KEY, SLOT, VALUE)[18:30], seal(KEY, SLOT, VALUE)[18:30]]
    wrapped = wrap(TENANT_KEY.secret, b"k" * 32)[2:14]

    assert (asked, [*sealed, wrapped]) == ([12, 12, 12], drawn)


def test_a_subject_key_unwraps_for_its_owner():
    key = unwrap_subject_key(TENANT_KEY, ANN, KEY.id, WRAPPED)

    assert (key.id, key.secret) == (KEY.id, KEY.secret)


@pytest.mark.parametrize(
    ("changes", "handle", "key_id"),
    [
        ({"tenant": TenantId("acme2")}, ANN, KEY.id),
        ({"version": 2}, ANN, KEY.id),
        ({"secret": Secret(b"u" * 32)}, ANN, KEY.id),
        ({}, BEN, KEY.id),
        ({}, ANN, flipped(KEY.id, 0)),
    ],
    ids=["tenant", "version of the tenant key", "tenant key", "handle", "key id"],
)
def test_a_subject_key_unwraps_for_nobody_else(changes, handle, key_id):
    by = msgspec.structs.replace(TENANT_KEY, **changes)
    with pytest.raises(Unreadable):
        unwrap_subject_key(by, handle, key_id, WRAPPED)


@pytest.mark.parametrize("at", range(len(WRAPPED)))
def test_one_flipped_bit_anywhere_closes_a_wrapped_key(at):
    with pytest.raises(Unreadable):
        unwrap_subject_key(TENANT_KEY, ANN, KEY.id, flipped(WRAPPED, at))


@pytest.mark.parametrize("size", range(len(WRAPPED)))
def test_a_truncated_key_does_not_unwrap(size):
    with pytest.raises(Unreadable):
        unwrap_subject_key(TENANT_KEY, ANN, KEY.id, WRAPPED[:size])


def test_a_sealed_value_is_no_wrapped_key_and_the_other_way_round():
    key = SubjectKey(id=b"i" * 16, secret=TENANT_KEY.secret)
    sealed = seal(key, SLOT, b"k" * 32)

    for wrapped in (sealed, sealed[:2] + sealed[18:], WRAPPED[:2] + sealed[18:]):
        with pytest.raises(Unreadable):
            unwrap(TENANT_KEY.secret, wrapped, b"subject_key")
    with pytest.raises(Unreadable):
        unseal(key, SLOT, WRAPPED)


pieces = st.lists(st.binary(max_size=12), max_size=5)


@given(pieces, pieces)
def test_no_two_lists_of_pieces_are_encoded_alike(one, other):
    assert (pae(*one) == pae(*other)) == (one == other)


def test_pieces_are_encoded_as_paseto_does():
    """The examples of PASETO's common specification, section 2.2.1."""
    assert pae() == b"\x00" * 8
    assert pae(b"") == b"\x01" + b"\x00" * 15
    assert pae(b"test") == b"\x01" + b"\x00" * 7 + b"\x04" + b"\x00" * 7 + b"test"


def test_a_secret_shows_itself_to_nobody():
    secret = Secret(b"hunter2-hunter2-hunter2-hunter2-")
    key = TenantKey(tenant=ACME, version=1, secret=secret)

    for shown in (repr(secret), str(secret), f"{secret}", repr(key), repr(SubjectKey(id=b"", secret=secret))):
        assert "hunter" not in shown
    for smuggle in (pickle.dumps, copy.deepcopy, msgspec.json.encode, msgspec.msgpack.encode, hash):
        for held in (secret, key):
            with pytest.raises(TypeError):
                smuggle(held)


def test_secrets_are_equal_when_their_bytes_are():
    assert Secret(b"a" * 32) == Secret(b"a" * 32)
    assert Secret(b"a" * 32) != Secret(b"b" * 32)
    assert Secret(b"a" * 32) != b"a" * 32


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_has_32_bytes(size):
    with pytest.raises(Unreadable):
        Secret(b"k" * size)
