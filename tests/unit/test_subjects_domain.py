from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from service.subjects import NO_FACTS, ContradictoryFacts, SubjectFacts, UnknownJurisdiction, UnknownZone
from service.subjects.domain import check_consistency, dated
from tests.builders import DAY, GAZETTEER, NOON, some_facts


def test_nothing_is_known_of_nobody():
    assert msgspec.json.encode(NO_FACTS) == b"{}"


def test_null_is_as_unknown_as_a_missing_member():
    said = b'{"residence":null,"age":null,"last_sent_at":null,"is_customer":null}'

    assert msgspec.json.decode(said, type=SubjectFacts) == NO_FACTS


@pytest.mark.parametrize(
    "said",
    [
        {"residence": "de"},
        {"residence": "DE\n"},
        {"residence": "Germany"},
        {"residence": "DE-"},
        {"time_zone": "Europe/Berlin "},
        {"time_zone": "../../etc/passwd"},
        {"age": 131},
        {"age": -1},
        {"age": 14.5},
        {"birth_date": "2012-02-30"},
        {"birth_date": "2012-02-29T00:00:00Z"},
        {"last_sent_at": "2026-11-21T12:00:00"},
        {"is_customer": "yes"},
        {"signals": {"gpc": 1}},
        {"signals": {"gcp": True}},
        {"signals": {"number_reassigned_after": "2026-08-01T00:00:00Z"}},
        {"subscriber_type": ""},
        {"email": "ann@shop.example"},
    ],
    ids=str,
)
def test_facts_of_the_wrong_shape_are_refused(said):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(said, SubjectFacts)


@pytest.mark.parametrize("field", ["residence", "current_location", "previous_residence", "establishment_of_employer"])
def test_a_place_that_exists_nowhere_is_pointed_to(field):
    with pytest.raises(UnknownJurisdiction) as refusal:
        GAZETTEER.check(some_facts(**{field: "QQ"}))

    assert (refusal.value.pointers, refusal.value.details) == ((f"/{field}",), {})


def test_that_a_place_is_unknown_can_be_said():
    GAZETTEER.check(some_facts(residence="ZZ", time_zone=None))


def test_a_zone_that_exists_nowhere_is_refused():
    with pytest.raises(UnknownZone):
        GAZETTEER.check(some_facts(time_zone="Mars/Olympus"))


@pytest.mark.parametrize(
    "facts",
    [
        {"birth_date": date(2012, 2, 29)},
        {"birth_date": date(2012, 2, 29), "age": 14},
        {"birth_date": date(2012, 2, 29), "age": 13},
        {"birth_date": date(2012, 2, 29), "age": 12, "age_declared_at": datetime(2025, 1, 1, tzinfo=UTC)},
        {"age": 0},
        {"age": 130, "age_declared_at": NOON},
    ],
    ids=str,
)
def test_facts_that_can_be_true_together_pass(facts):
    check_consistency(some_facts(**facts), NOON)


@pytest.mark.parametrize(
    ("facts", "pointers"),
    [
        ({"birth_date": date(2012, 2, 29), "age": 40}, ("/age", "/birth_date")),
        ({"birth_date": date(2012, 2, 29), "age": 12}, ("/age", "/birth_date")),
        ({"birth_date": date(2026, 11, 23)}, ("/birth_date",)),
        ({"age_declared_at": NOON}, ("/age_declared_at",)),
        ({"age": 40, "age_declared_at": NOON + 2 * DAY}, ("/age_declared_at",)),
    ],
    ids=str,
)
def test_facts_that_contradict_each_other_are_pointed_to_and_not_repeated(facts, pointers):
    with pytest.raises(ContradictoryFacts) as refusal:
        check_consistency(some_facts(**facts), NOON)

    assert (refusal.value.pointers, refusal.value.details) == (pointers, {})


def test_a_person_may_have_been_born_where_it_is_tomorrow_already():
    check_consistency(some_facts(birth_date=date(2026, 11, 22)), NOON)


def test_a_stated_day_of_declaration_stands():
    stated = some_facts(age=15, age_declared_at=NOON - 400 * DAY)

    assert dated(stated, NO_FACTS, NOON) == stated


def test_an_age_declared_again_on_another_day_is_new():
    before = some_facts(age=15, age_declared_at=NOON - DAY)

    assert dated(some_facts(age=15), before, NOON).age_declared_at == NOON


def test_another_age_declared_on_the_same_day_is_new():
    before = some_facts(age=16, age_declared_at=NOON - timedelta(hours=1))

    assert dated(some_facts(age=15), before, NOON).age_declared_at == NOON


def test_facts_without_an_age_are_not_dated():
    assert dated(some_facts(), some_facts(age=15, age_declared_at=NOON), NOON) == some_facts()
