"""Facts are stored with their audit entry and event, or nothing is."""

import asyncio
from datetime import date, timedelta

import psycopg
import pytest

from service.kernel import SubjectId
from service.subjects import ContradictoryFacts, PutSubject, UnknownJurisdiction, UnknownZone
from tests.builders import DAY, GAZETTEER, some_facts

ANN = SubjectId("ann")


@pytest.fixture
def put(begin, clock) -> PutSubject:
    return PutSubject(begin, clock, GAZETTEER)


@pytest.fixture
def told(database, tenant):
    """Tells what was audited and announced, in order."""

    def read() -> list[list[str]]:
        with psycopg.connect(database.urls.admin) as connection:
            return [
                [
                    row[0]
                    for row in connection.execute(
                        f"SELECT {column} FROM {table} WHERE tenant = %s ORDER BY id", (tenant,)
                    )
                ]
                for table, column in (("audit_entry", "event"), ("outbox", "type"))
            ]

    return read


async def test_the_first_facts_create_the_subject(put, caller, told):
    stored = await put(ANN, some_facts(), by=caller)

    assert (stored.first, stored.subject.version, stored.subject.facts) == (True, 1, some_facts())
    assert told() == [["subject.created", "subject.stored"]] * 2


async def test_the_same_facts_again_stay_the_version_they_are(put, caller, told):
    first = await put(ANN, some_facts(), by=caller)
    again = await put(ANN, some_facts(), by=caller)

    assert (again.first, again.subject) == (False, first.subject)
    assert told() == [["subject.created", "subject.stored"]] * 2


async def test_facts_are_replaced_as_a_whole(put, caller, told):
    await put(ANN, some_facts(), by=caller)
    stored = await put(ANN, some_facts(is_customer=None, residence="FR"), by=caller)

    assert stored.subject.version == 2
    assert stored.subject.facts == some_facts(is_customer=None, residence="FR")
    assert told()[0] == ["subject.created", "subject.stored", "subject.stored"]


async def test_knowing_nothing_can_be_said(put, caller):
    stored = await put(ANN, some_facts(residence=None, time_zone=None, is_customer=None, b2b=None), by=caller)

    assert stored.subject.version == 1


async def test_of_the_same_facts_sent_at_once_one_version_is_made(put, caller, told):
    stored = await asyncio.gather(*(put(ANN, some_facts(age=40), by=caller) for _ in range(6)))

    assert {one.subject.version for one in stored} == {1}
    assert [one.first for one in stored].count(True) == 1
    assert told() == [["subject.created", "subject.stored"]] * 2


async def test_an_age_is_kept_with_the_day_it_was_declared(put, caller, clock):
    stored = await put(ANN, some_facts(age=15), by=caller)
    declared = clock()
    clock.advance(timedelta(hours=3))
    retried = await put(ANN, some_facts(age=15), by=caller)
    clock.advance(366 * DAY)
    declared_anew = await put(ANN, some_facts(age=15), by=caller)

    assert stored.subject.facts.age_declared_at == declared
    assert retried.subject == stored.subject
    assert declared_anew.subject.version == 2
    assert declared_anew.subject.facts.age_declared_at == clock()


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"residence": "XX"}, UnknownJurisdiction),
        ({"current_location": "US-ZZ"}, UnknownJurisdiction),
        ({"time_zone": "Europe/Atlantis"}, UnknownZone),
        ({"birth_date": date(2999, 1, 1)}, ContradictoryFacts),
    ],
    ids=str,
)
async def test_facts_that_cannot_be_are_refused_and_nothing_is_stored(put, caller, told, facts, error):
    with pytest.raises(error):
        await put(ANN, some_facts(**facts), by=caller)

    assert told() == [[], []]
