"""The canonical bytes of an audit entry are final: these tests may grow, but what they expect may not change."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from uuid import UUID

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from service.audit import AuditEvent, Draft, Entry, canonical, leaf_hash
from service.kernel import Caller, Handle, TenantId

ASCII = st.text(st.characters(max_codepoint=127), max_size=40)
ENTRIES = st.builds(
    Entry,
    tenant=ASCII.map(TenantId),
    id=st.uuids(),
    at=st.datetimes(timezones=st.just(UTC)),
    event=st.sampled_from(AuditEvent),
    object_id=ASCII,
    subject=st.none() | st.uuids().map(Handle),
    actor=ASCII,
    request=ASCII,
    commitment=st.none() | st.binary(max_size=32),
)


def an_entry(**changes) -> Entry:
    entry = Entry(
        tenant=TenantId("acme"),
        id=UUID("01980000-0000-7000-8000-000000000001"),
        at=datetime(2026, 11, 21, 9, 0, 0, 5, tzinfo=UTC),
        event=AuditEvent.RECORD_STORED,
        object_id="r-1",
        subject=Handle(UUID("01980000-0000-4000-8000-000000000002")),
        actor="shop-backend",
        request="req-1",
        commitment=b"\x00\xff",
    )
    return msgspec.structs.replace(entry, **changes)


def test_the_bytes_of_an_entry_never_change():
    assert canonical(an_entry()) == (
        b'{"actor":"shop-backend","at":"2026-11-21T09:00:00.000005Z","commitment":"00ff","event":"record.stored",'
        b'"id":"01980000-0000-7000-8000-000000000001","object":"r-1","request":"req-1",'
        b'"subject":"01980000-0000-4000-8000-000000000002","tenant":"acme","v":1}'
    )


def test_what_an_entry_lacks_is_null_and_a_whole_second_keeps_its_decimals():
    encoded = canonical(an_entry(subject=None, commitment=None, at=datetime(2026, 11, 21, 9, tzinfo=UTC)))

    assert b'"subject":null' in encoded
    assert b'"commitment":null' in encoded
    assert b'"at":"2026-11-21T09:00:00.000000Z"' in encoded


@given(ENTRIES)
def test_the_fast_encoder_writes_what_rfc_8785_prescribes(entry: Entry):
    encoded = canonical(entry)

    assert encoded == rfc8785.dumps(msgspec.json.decode(encoded))


@given(ENTRIES)
def test_the_bytes_say_everything_about_an_entry(entry: Entry):
    read = msgspec.json.decode(canonical(entry))
    object_id, commitment = read.pop("object"), read.pop("commitment")

    assert read.pop("v") == 1
    assert entry == msgspec.convert(
        {**read, "object_id": object_id, "commitment": None if commitment is None else bytes.fromhex(commitment)}, Entry
    )


def test_the_same_instant_in_another_zone_has_the_same_bytes():
    berlin = datetime(2026, 11, 21, 10, 0, 0, 5, tzinfo=timezone(timedelta(hours=1)))

    assert canonical(an_entry(at=berlin)) == canonical(an_entry())


@pytest.mark.parametrize("field", ["object_id", "actor", "request"])
def test_a_text_outside_ascii_is_refused(field: str):
    with pytest.raises(ValueError, match="ASCII"):
        canonical(an_entry(**{field: "Zoë"}))


def test_a_leaf_is_hashed_as_rfc_6962_says():
    assert leaf_hash(b"entry") == sha256(b"\x00entry").digest()
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_an_entry_names_the_caller_who_did_it():
    caller = Caller(tenant=TenantId("acme"), actor="crm", request="req-9")
    draft = Draft(event=AuditEvent.NOTICE_STORED, object_id="n-1")
    entry = Entry.of(draft, by=caller, entry_id=UUID(int=1), at=datetime(2026, 11, 21, tzinfo=UTC))

    assert (entry.tenant, entry.actor, entry.request) == ("acme", "crm", "req-9")
