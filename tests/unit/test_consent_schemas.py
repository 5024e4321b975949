"""What a record on the wire may be, and what it means."""

import subprocess
import sys
from datetime import UTC, datetime

import msgspec
import pytest
from msgspec import UNSET

from service.consent import Channel, NoticeContent, RecordChannel, UnacceptableNotice
from service.consent.schemas import NoticePut, PurposePut, RecordCreate, RecordsCreate, RecordView
from tests.builders import a_record, a_record_body

IDENTIFIER = "0198a3a0-0000-7000-8000-000000000001"


def read(**changes) -> RecordCreate:
    return msgspec.convert(a_record_body(**changes), RecordCreate)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "r-1"},
        {"id": ...},
        {"subject": "ada@shop.example"},
        {"subject": "+49 30 901820"},
        {"subject": "s-1\n"},
        {"subject": ...},
        {"ts": "2026-11-20T12:00:00"},
        {"ts": 0},
        {"ts": ...},
        {"channel": "carrier_pigeon"},
        {"channel": "email\n"},
        {"channel": []},
        {"channel": ["email", "any"]},
        {"channel": ...},
        {"purpose": "newsletter"},
        {"purpose": "x-"},
        {"purpose": "x-Newsletter"},
        {"purpose": "x-" + "a" * 61},
        {"purpose": "marketing\n"},
        {"action": "opted_in"},
        {"action": ...},
        {"method": "m" * 101},
        {"evidence": "e" * 4097},
        {"notice_version": "v" * 201},
        {"brand": "b" * 201},
        {"named_controllers": ["c"] * 51},
        {"named_controllers": "ShopCo"},
        {"two_step": "true"},
        {"hours_consent": "18:00-24:00"},
        {"hours_consent": "6pm"},
        {"address": "ada@shop.example"},
        {"address": "491701234567"},
        {"address": "+4915112345678"},
        {"subject_ref": "ada@shop.example"},
        {"subject_ref": "+4915112345678"},
        {"subject_ref": "anna\n"},
        {"expires_at": "2027-01-01"},
        {"received_at": "2026-11-20T12:00:00Z"},
        {"emial": "x"},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_malformed_record_is_refused(changes):
    with pytest.raises(msgspec.ValidationError):
        read(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "x-coffee-club"},
        {"purpose": "donation"},
        {"purpose": "all", "channel": "all"},
        {"purpose": ..., "method": ..., "evidence": ..., "notice_version": None},
        {"method": "some method nobody listed"},
        {"evidence": "e" * 4096},
        {"address": IDENTIFIER},
        {"incentive": True},
        {"named_controllers": []},
        {"hours_consent": "18:00-21:00"},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_what_the_vocabulary_has_can_be_said(changes):
    read(**changes)


def test_a_missing_evidence_is_not_the_same_as_none():
    assert read(evidence=...).to_submission().statement.evidence is UNSET
    assert read(evidence=None).to_submission().statement.evidence is None


def test_the_same_instant_in_another_zone_is_the_same_record():
    body = a_record_body(ts="2026-11-20T12:00:00Z", channel=["sms", "email", "sms"])
    same = {**body, "ts": "2026-11-20T13:00:00+01:00", "channel": ["email", "sms"]}
    one, other = (msgspec.convert(said, RecordCreate).to_submission() for said in (body, same))

    assert one == other
    assert one.statement.ts == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert msgspec.json.encode(one.statement) == msgspec.json.encode(other.statement)


def test_a_batch_holds_one_record_to_a_thousand():
    for count in (0, 1001):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"records": [a_record_body()] * count}, RecordsCreate)
    assert len(msgspec.convert({"records": [a_record_body()] * 1000}, RecordsCreate).records) == 1000


def test_a_record_is_shown_as_it_was_sent():
    shown = msgspec.to_builtins(RecordView.of(a_record(channel=["email", "sms"], evidence=None, two_step=False)))

    assert list(shown["channel"]) == ["email", "sms"]
    assert shown["evidence"] is None
    assert shown["two_step"] is False
    assert "brand" not in shown


def test_a_record_channel_is_a_channel_or_says_that_it_names_none():
    assert {*RecordChannel} - {*Channel} == {"any", "all"}
    assert {*Channel} <= {*RecordChannel}


def test_a_purpose_maps_onto_a_known_one():
    assert (
        msgspec.convert({"maps_to": "marketing", "title": "Coffee"}, PurposePut).to_purpose("x-c").maps_to
        == "marketing"
    )
    for maps_to in ("x-other", "any", "contract"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"maps_to": maps_to, "title": "Coffee"}, PurposePut)


def a_content(**changes) -> NoticeContent:
    said = {"texts": {"de": "Ja."}, "purposes": ["marketing"], "channels": ["sms", "email"], **changes}
    return msgspec.convert(said, NoticePut).to_content("newsletter", "v1")


def test_the_hash_of_a_notice_covers_everything_but_the_order_of_its_lists():
    plain = a_content().sha256()

    assert a_content(channels=["email", "sms", "sms"]).sha256() == plain
    for change in ({"texts": {"de": "Ja!"}}, {"purposes": []}, {"material_change": True}, {"controllers": ["ShopCo"]}):
        assert a_content(**change).sha256() != plain


@pytest.mark.parametrize("texts", [{}, {"german": "Ja."}, {"DE": "Ja."}, {"de\n": "Ja."}, {"": "Ja."}], ids=str)
def test_a_notice_says_something_in_a_language(texts):
    with pytest.raises(UnacceptableNotice):
        a_content(texts=texts).check()


def test_languages_are_named_by_their_tags():
    a_content(texts={"de": "Ja.", "pt-BR": "Sim.", "zh-Hant-TW": "是"}).check()


def test_reading_records_does_not_corrupt_memory():
    """msgspec 0.22 does, for a union of a string with a pattern and an array."""
    probe = (
        "import msgspec; from service.consent import schemas, Statement, NoticeContent; "
        "from service.subjects import SubjectFacts\n"
        "for model in (schemas.RecordsCreate, schemas.NoticePut, schemas.PurposePut, Statement, SubjectFacts):\n"
        '    for body in (b\'{}\', b\'{"records":[{"channel":["email"]}]}\', b\'{"channel":"email"}\'):\n'
        "        try: msgspec.json.decode(body, type=model)\n"
        "        except msgspec.ValidationError: pass\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", probe], env={"PYTHONMALLOC": "debug", "PYTHONPATH": "."}, capture_output=True, text=True
    )

    assert (child.returncode, child.stderr) == (0, "")
