"""How long content is kept, and which records had stopped counting."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.audit.keeping import Content, Period, UnusablePeriods, checked
from service.consent import EMPTY, Action, RecordChannel, Statement, StoredRecord, fold
from service.consent.keeping import expendable
from service.kernel import Handle
from service.retention import PERIODS, read_periods
from tests.builders import NOON, VOCABULARY, a_record
from tests.unit.test_consent_fold_properties import TIGHT, a_varied_record, histories, hour

HANDLE = Handle(a_record().id)


def stored(history) -> list[StoredRecord]:
    return [
        StoredRecord(
            id=record.id,
            handle=HANDLE,
            received_at=record.received_at,
            statement=Statement(**{name: getattr(record, name) for name in Statement.__struct_fields__}),
        )
        for record in history
    ]


varied = a_varied_record(
    action=st.sampled_from(
        [Action.OPT_IN, Action.OPT_IN, Action.OPT_OUT, Action.OBJECT, Action.PURCHASE, Action.CALL_ATTEMPT,
         Action.RESTRICT, Action.OPT_IN_SALE, Action.OPT_OUT_SALE]
    ),
    brand=st.sampled_from([None, None, "A"]),
    expires_at=st.none() | st.integers(5, 16).map(hour),
)  # fmt: skip
any_history = histories(varied, 25).map(stored)
ends = st.integers(0, 12).map(hour)


@given(st.sampled_from([VOCABULARY, TIGHT]), any_history, ends)
@settings(max_examples=300)
def test_a_state_loses_permissions_of_what_goes_and_nothing_else(vocabulary, history, ended_by):
    go, left = expendable(history, ended_by, vocabulary)
    before = fold(EMPTY, history, vocabulary)

    assert left == fold(EMPTY, [record for record in history if record.id not in go], vocabulary)
    assert set(left.acts) <= set(before.acts)
    assert set(left.spare) <= set(before.spare)
    assert left.attempts == before.attempts
    lost = set(before.acts) - set(left.acts)
    assert {act.id for act in lost} <= go
    assert not any(act.signature.action in vocabulary.refusals for act in lost)


@given(any_history, ends)
def test_no_refusal_goes_and_nothing_that_came_later(history, ended_by):
    go, _ = expendable(history, ended_by, VOCABULARY)

    for record in history:
        if record.id in go:
            assert record.received_at <= ended_by
            assert record.statement.action in VOCABULARY.answered_by.keys() - VOCABULARY.refusals


@given(st.sampled_from([VOCABULARY, TIGHT]), any_history, ends)
def test_what_is_left_has_nothing_more_to_go(vocabulary, history, ended_by):
    go, left = expendable(history, ended_by, vocabulary)
    again, same = expendable([record for record in history if record.id not in go], ended_by, vocabulary)

    assert not any(record.statement.action in vocabulary.refusals for record in history if record.id in again)
    assert set(same.acts) <= set(left.acts)


def said(action: Action, at: int, **changes) -> StoredRecord:
    ts = hour(at)
    fields = {"channel": RecordChannel.EMAIL, "purpose": "marketing", "brand": None, **changes}
    return stored([a_record(action=action, ts=ts, received_at=ts, **fields)])[0]


@pytest.mark.parametrize(
    ("given_", "refused", "goes"),
    [
        ({}, {}, True),
        ({}, {"channel": RecordChannel.ALL}, True),
        ({}, {"purpose": "all"}, True),
        ({"brand": "A"}, {}, True),
        ({}, {"brand": "A"}, False),
        ({}, {"channel": RecordChannel.SMS}, False),
        ({}, {"purpose": "profiling"}, False),
        ({}, {"expires_at": hour(9)}, False),
        ({"channel": RecordChannel.ANY}, {}, False),
        ({"purpose": "all"}, {}, False),
        ({}, {"scope": "programme"}, False),
    ],
)
def test_a_consent_goes_when_a_refusal_answers_all_of_it(given_, refused, goes):
    agreed, withdrawn = said(Action.OPT_IN, 1, **given_), said(Action.OPT_OUT, 2, **refused)

    assert expendable([agreed, withdrawn], hour(3), VOCABULARY)[0] == ({agreed.id} if goes else set())
    assert expendable([agreed, withdrawn], hour(1), VOCABULARY)[0] == set(), "not before the withdrawal is as old"
    later = said(Action.OPT_IN, 3, **given_)
    assert later.id not in expendable([agreed, withdrawn, later], hour(3), VOCABULARY)[0], "it is relied on"


def test_what_may_end_is_no_refusal_rests_on_rules_and_is_said_once():
    rows = json.loads((PERIODS.parent / "data" / "keeping.json").read_text())
    catalogue = {rule["id"] for rule in json.loads((PERIODS.parent / "catalogue.json").read_text())}
    named = [action for row in rows for action in row["actions"]]

    assert len(named) == len(set(named)) == len(VOCABULARY.answered_by)
    assert not set(named) & VOCABULARY.refusals
    assert {rule for row in rows for rule in row["rules"]} <= catalogue
    assert {each for refusals in VOCABULARY.answered_by.values() for each in refusals} <= VOCABULARY.refusals


def test_under_a_policy_that_does_not_say_what_may_end_nothing_does():
    agreed, withdrawn = said(Action.OPT_IN, 1), said(Action.OPT_OUT, 2)
    silent = msgspec.structs.replace(VOCABULARY, answered_by={})

    assert expendable([agreed, withdrawn], hour(3), silent)[0] == set()


def test_what_answers_a_consent_is_what_the_policy_says():
    agreed, withdrawn = said(Action.OPT_IN, 1), said(Action.OPT_OUT, 2)
    other = msgspec.structs.replace(VOCABULARY, answered_by={"opt_in": frozenset({"complaint"})})

    assert expendable([agreed, withdrawn], hour(3), VOCABULARY)[0] == {agreed.id}
    assert expendable([agreed, withdrawn], hour(3), other)[0] == set()


def test_the_periods_have_their_sources_and_none_is_missing():
    periods = read_periods(PERIODS)

    assert {period.content for period in periods} == set(Content)
    assert all(period.source and period.begins for period in periods)
    years = {period.content: period.length for period in periods if period.unit == "years"}
    assert years[Content.RECORD] >= 5, "UWG s.7a, 16 CFR 310.5"
    assert years[Content.DECISION] >= 5


def test_a_table_that_is_not_whole_or_too_short_stops_everything(tmp_path):
    whole = list(read_periods(PERIODS))
    now = datetime.now(UTC)
    short = msgspec.structs.replace(whole[0], unit="days", length=30)
    for periods in (whole[1:], [*whole, whole[0]], [short, *whole[1:]]):
        with pytest.raises(UnusablePeriods):
            checked(periods, now)
    for text in ("", "[]", '[{"content": "decision"}]'):
        (tmp_path / "retention.json").write_text(text)
        with pytest.raises(UnusablePeriods):
            read_periods(tmp_path / "retention.json")


def test_a_period_of_years_ends_on_the_same_day_or_the_one_before():
    period = Period(content=Content.RECORD, unit="years", length=5, begins="-", source="-")

    assert period.ended_by(NOON) == NOON.replace(year=NOON.year - 5)
    assert period.ended_by(datetime(2028, 2, 29, tzinfo=UTC)) == datetime(2023, 2, 28, tzinfo=UTC)
    days = msgspec.structs.replace(period, unit="days", length=90)
    assert days.ended_by(NOON) == NOON - timedelta(days=90)
