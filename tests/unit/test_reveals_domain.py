"""What a reveal commits to, what may be read in plain, and until when."""

import hashlib
from datetime import timedelta
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from service.consent import Channel, Purpose
from service.decisions import DecisionView
from service.decisions.domain import Basis
from service.kernel import Handle, TenantId
from service.reveals.approval import LASTS, Approval, ApprovalState, ApprovalUnusable, SecondPersonNeeded
from service.reveals.domain import USE_WITHIN, Revealed, canonical, commitment, in_plain, usable_until
from service.reveals.token import digest, written
from service.vault.fields import BUILT_IN, REACHED_ON, USES
from tests.builders import NOON

ACME = TenantId("acme")
names = st.from_regex("[a-z][a-z0-9_]{0,9}(#[a-z0-9][a-z0-9_-]{0,9})?", fullmatch=True)
given_values = st.dictionaries(names, st.integers(1, 2**31 - 1), max_size=5)
ids = st.none() | st.uuids()
REVEAL = Revealed(
    id=UUID(int=1),
    handle=Handle(UUID(int=2)),
    fields={"email#work": 3, "email": 1},
    masked={},
    purpose="marketing",
    channel=Channel.EMAIL,
    decision=UUID(int=3),
    at=NOON,
    actor="shop",
    nonce=b"n" * 32,
)
APPROVAL = Approval(
    id=UUID(int=1),
    purpose="legal_claim",
    fields=("email", "name"),
    subjects=5,
    reference="7-O-12",
    requested_at=NOON,
    requested_by="first",
    expires_at=NOON + LASTS,
)


@given(fields=given_values, masked=given_values, handle=ids, decision=ids, channel=st.none() | st.sampled_from(Channel))
def test_a_reveal_is_written_as_rfc_8785_says(fields, masked, handle, decision, channel):
    reveal = replace(REVEAL, fields=fields, masked=masked, handle=handle, decision=decision, channel=channel)
    written_as = canonical(reveal, ACME)

    assert written_as == rfc8785.dumps(json.decode(written_as))


def test_the_bytes_of_a_reveal_stay_what_they_are():
    assert canonical(REVEAL, ACME) == (
        b'{"actor":"shop","approval":null,"at":"2026-11-21T12:00:00.000000Z","channel":"email",'
        b'"decision":"00000000-0000-0000-0000-000000000003","fields":{"email":1,"email#work":3},'
        b'"handle":"00000000-0000-0000-0000-000000000002","id":"00000000-0000-0000-0000-000000000001",'
        b'"masked":{},"purpose":"marketing","tenant":"acme","v":1}'
    )
    assert commitment(REVEAL, ACME) == hashlib.sha256(REVEAL.nonce + canonical(REVEAL, ACME)).digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"id": UUID(int=9)},
        {"handle": None},
        {"fields": {"email": 2, "email#work": 3}},
        {"masked": {"phone": 1}},
        {"purpose": "survey"},
        {"channel": None},
        {"decision": None},
        {"approval": UUID(int=9)},
        {"at": NOON + timedelta(microseconds=1)},
        {"actor": "mailer"},
        {"nonce": b"m" * 32},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_is_changed_changes_the_commitment(changes):
    assert commitment(replace(REVEAL, **changes), ACME) != commitment(REVEAL, ACME)
    assert commitment(REVEAL, TenantId("beta")) != commitment(REVEAL, ACME)


@pytest.mark.parametrize(
    ("name", "purpose", "plain"),
    [
        ("email", "marketing", True),
        ("email#work", "marketing", True),
        ("email", "profiling", False),
        ("national_id", "marketing", False),
        ("national_id", "legal_claim", True),
        ("unheard_of", "legal_claim", False),
    ],
)
def test_a_field_is_plain_for_the_purposes_that_it_allows(name, purpose, plain):
    assert in_plain(name, BUILT_IN, frozenset({purpose})) is plain


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("email", {"email"}),
        ("email#work", {"email"}),
        ("phone", {"phone", "phone_auto", "sms", "messaging_app", "fax"}),
        ("phone#work", {"phone", "phone_auto", "sms", "messaging_app", "fax"}),
        ("postal_address", {"post"}),
        ("device_id", {"push", "in_app", "web", "ads"}),
        ("name", {*Channel}),
        ("hotline", {"phone", "phone_auto", "sms", "messaging_app", "fax"}),
        ("nickname", {*Channel}),
    ],
)
def test_an_address_is_plain_for_contacts_on_its_channels_alone(name, channels):
    own = [
        replace(BUILT_IN["phone"], name="hotline"),
        replace(BUILT_IN["name"], name="nickname"),
    ]
    fields = {**BUILT_IN, **{field.name: field for field in own}}

    for contact in (frozenset({"marketing"}), frozenset({"x-letter", "marketing"})):
        assert {channel for channel in Channel if in_plain(name, fields, contact, channel)} == channels


@pytest.mark.parametrize("purposes", [{"targeted_ads"}, {"x-reach", "targeted_ads"}])
def test_a_use_that_contacts_nobody_is_of_no_channel(purposes):
    assert all(in_plain("device_id", BUILT_IN, frozenset(purposes), channel) for channel in Channel)


def test_channels_and_uses_are_words_of_the_vocabulary():
    assert set().union(*REACHED_ON.values()) < {*Channel}
    assert {*Purpose} > USES
    assert USES.isdisjoint(BUILT_IN["email"].purposes)


@pytest.mark.parametrize(
    ("valid_until", "expected"),
    [
        (None, NOON + USE_WITHIN),
        (NOON + 2 * USE_WITHIN, NOON + USE_WITHIN),
        (NOON + timedelta(minutes=5), NOON + timedelta(minutes=5)),
    ],
)
def test_values_are_usable_while_the_decision_holds_and_not_for_long(valid_until, expected):
    decision = DecisionView(
        id=UUID(int=1),
        decision="permit",
        basis=Basis.CONSENT,
        at=NOON,
        reasons=(),
        obligations=(),
        records=(),
        retry_after=None,
        valid_until=valid_until,
        policy_revision="sha256:…",
    )

    assert usable_until(decision, NOON) == expected
    assert usable_until(None, NOON) == NOON + USE_WITHIN


def test_an_approval_is_waiting_then_approved_then_used_or_too_old():
    approved = replace(APPROVAL, approved_at=NOON, approved_by="second")

    assert APPROVAL.state(NOON) is ApprovalState.WAITING
    assert approved.state(NOON) is ApprovalState.APPROVED
    assert approved.state(NOON + LASTS) is ApprovalState.EXPIRED
    assert replace(approved, used_at=NOON).state(NOON + LASTS) is ApprovalState.USED


def test_nobody_agrees_with_themselves():
    with pytest.raises(SecondPersonNeeded):
        APPROVAL.check_second("first", NOON)
    APPROVAL.check_second("second", NOON)


@pytest.mark.parametrize(
    "use",
    [
        {"actor": "second"},
        {"purpose": "dsr_response"},
        {"fields": ("email", "phone")},
        {"now": NOON + LASTS},
    ],
    ids=lambda use: next(iter(use)),
)
def test_an_approval_covers_what_was_agreed_on_and_nothing_else(use):
    approved = replace(APPROVAL, approved_at=NOON, approved_by="second")
    as_agreed = {"actor": "first", "purpose": "legal_claim", "fields": ("email",), "now": NOON}

    approved.check_use(**as_agreed)
    with pytest.raises(ApprovalUnusable):
        approved.check_use(**as_agreed | use)
    with pytest.raises(ApprovalUnusable):
        APPROVAL.check_use(**as_agreed)


def test_a_token_has_all_its_random_bits_and_is_kept_as_a_hash():
    token = written(bytes(range(32)))

    assert token == "vtk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert digest(token) == hashlib.sha256(token.encode()).digest()
