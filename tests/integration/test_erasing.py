"""An erasure takes what it says, keeps what the law says, waits for who has to answer, and certifies nothing else."""

import hashlib
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from service.audit.holding import LiftHold, PlaceHold
from service.audit.keeping import Reason, Wish
from service.bridges import resolver
from service.consent import Action, RecordChannel, SettleMerge
from service.erasures import Outcome, Remains, Stage
from service.kernel import SubjectId
from service.requests.executing import ErasureHeld
from service.subjects import PutSubject, SubjectFacts
from service.vault import MoveValues, OpenValues, SubjectErased
from service.vault.envelope import seal, unseal
from service.vault.values import Suppressed, Written
from tests.erasing import EVERYWHERE, FACTS, POLICY, Answering, record, running

ANNA = SubjectId("anna")
STEPS = ["begun", "told", "forgotten", "replaced", "reduced", "settled", "verified", "certified"]


@pytest.fixture
def keys(people):
    return people.keys


@pytest.fixture
def run(people):
    return people.run


@pytest.fixture
def write(people):
    return people.write


@pytest.fixture
def append(people):
    return people.say


@pytest.fixture
def erasing(people):
    return people.ask


@pytest.fixture
async def anna(people):
    return await people.whole(ANNA)


async def state_of(begin, tenant, subject=ANNA):
    async with begin(tenant) as tx:
        handle = await tx.subjects.handle_of(subject)
        return handle, None if handle is None else await tx.states.read(handle)


async def test_all_of_a_person_goes_but_what_a_law_has_kept(anna, run, erasing, begin, keys, clock, tenant):
    request = await erasing(ANNA)

    assert await run(request) is Stage.ENDED

    async with begin(tenant) as tx:
        done = {one.step: one.told for one in await tx.erasures.done(request)}
        kept = await tx.records.history(anna)
        assert await tx.subjects.versions([anna]) == {}
        assert await tx.subjects.names([anna]) == {}
        assert await tx.audit.secrets([anna]) == {}
    assert list(done) == STEPS
    assert done["forgotten"] == {"index_entries": 1, "suppressed": 2, "tokens": 0, "values": 3}
    assert (done["replaced"], done["reduced"]) == ({"subject_ids": 1}, {"facts": 1, "records": 2})
    assert [each.statement.channel for each in kept] == [RecordChannel.PHONE], "UWG s.7a"
    opening = await OpenValues(begin, keys, unseal, clock)(tenant, {anna: ["email", "name"]})
    assert (opening.values, opening.erased) == ({anna: {}}, {anna})


async def test_the_id_of_an_erased_person_stands_for_the_erasure_alone(anna, run, erasing, begin, tenant):
    await run(await erasing(ANNA))

    handle, state = await state_of(begin, tenant)
    assert handle not in (None, anna)
    assert [act.signature.action for act in state.acts] == [Action.ERASED]
    async with begin(tenant) as tx:
        known = await tx.subjects.find(ANNA)
    assert (known.version, known.facts, known.flags.previously_erased) == (0, SubjectFacts(), True)
    assert known.flags.erasure_pending is None


async def test_an_id_that_was_erased_gets_neither_values_nor_facts(anna, run, erasing, write, begin, clock, caller):
    await run(await erasing(ANNA))

    for value in ("anna@new.example", "new@mail.example"):
        assert isinstance(await write(ANNA, "email", value), SubjectErased)
    with pytest.raises(SubjectErased):
        await PutSubject(begin, clock, EVERYWHERE)(ANNA, FACTS, by=caller)
    assert isinstance(await write("bob", "email", "anna@old.example"), Suppressed)
    assert isinstance(await write("bob", "email", "anna@old.example", reenrol=True), Written)


async def test_an_id_that_is_hidden_comes_back_as_one_that_was_erased(
    anna, run, erasing, append, write, begin, tenant, database
):
    with psycopg.connect(database.urls.owner, autocommit=True) as connection:
        connection.execute("UPDATE tenant SET hides_erased = true WHERE id = %s", (tenant,))
        await run(await erasing(ANNA))
        assert await state_of(begin, tenant) == (None, None)
        [(digest,)] = connection.execute("SELECT digest FROM subject_tombstone WHERE tenant = %s", (tenant,)).fetchall()
    assert digest != hashlib.sha256(b"volens.subjectanna").digest()

    await append(record(ANNA), record("bob"))

    handle, state = await state_of(begin, tenant)
    assert {act.signature.action for act in state.acts} == {Action.ERASED, Action.OPT_IN}
    assert isinstance(await write(ANNA, "email", "new@mail.example"), SubjectErased)
    _, bobs = await state_of(begin, tenant, SubjectId("bob"))
    assert {act.signature.action for act in bobs.acts} == {Action.OPT_IN}
    again = await erasing(ANNA)
    assert await run(again) is Stage.ENDED, "also a second time"
    await append(record(ANNA))
    assert (await state_of(begin, tenant))[0] not in (handle, anna)


async def test_whoever_was_merged_goes_as_well(anna, run, erasing, write, append, begin, keys, clock, caller):
    await write("annie", "email", "annie@mail.example")
    await append(record("annie"))
    merge = SettleMerge(begin, MoveValues(keys, seal, unseal), clock, POLICY.vocabulary)
    request = await erasing("annie")
    await merge(SubjectId("annie"), ANNA, same=True, facts=None, by=caller)

    assert await run(request) is Stage.ENDED

    for subject in (ANNA, SubjectId("annie")):
        _, state = await state_of(begin, caller.tenant, subject)
        assert [act.signature.action for act in state.acts] == [Action.ERASED]
    for value in ("annie@mail.example", "anna@new.example"):
        assert isinstance(await write("bob", "email", value), Suppressed)


@pytest.mark.parametrize("whose", [ANNA, None])
async def test_nothing_is_done_while_somebody_holds_it(anna, run, erasing, begin, clock, caller, whose):
    hold = PlaceHold(begin, resolver(begin), clock)
    wish = Wish(name="case-7", subject=whose, since=None, until=None, reason=Reason.LITIGATION, reference=None)
    request = await erasing(ANNA)
    await hold(wish, by=caller)
    with pytest.raises(ErasureHeld) as refused:
        await erasing("bob" if whose is None else ANNA, law="UK_GDPR")
    assert refused.value.details["grounds"] == ["litigation"]

    assert await run(request) is Stage.HELD
    async with begin(caller.tenant) as tx:
        assert await tx.erasures.done(request) == []
    await LiftHold(begin, clock)("case-7", by=caller)
    assert await run(request) is Stage.ENDED


async def test_a_hold_that_comes_late_keeps_what_is_left(anna, people, begin, clock, caller, new_id):
    """After the key was destroyed: the records stay until it is lifted."""
    hold = PlaceHold(begin, resolver(begin), clock)
    wish = Wish(name="late", subject=None, since=None, until=None, reason=Reason.AUTHORITY, reference=None)

    @asynccontextmanager
    async def removing(tenant):
        await hold(wish, by=caller)
        async with people.begin_removing(tenant) as tx:
            yield tx

    request = await people.ask(ANNA)
    assert await running(begin, removing, people.ring, clock, new_id)(caller.tenant, request) is Stage.HELD
    async with begin(caller.tenant) as tx:
        assert len(await tx.records.history(anna)) == 3
    await LiftHold(begin, clock)("late", by=caller)
    assert await people.run(request) is Stage.ENDED


async def test_a_silent_system_keeps_the_erasure_from_its_certificate(anna, run, erasing, begin, tenant):
    request, systems = await erasing(ANNA), Answering(Outcome(system="crm", state="open"))

    assert await run(request, systems) is Stage.WAITING
    systems.outcomes = [Outcome(system="crm", state="silent")]
    assert await run(request, systems) is Stage.WAITING
    async with begin(tenant) as tx:
        assert (await tx.erasures.find(request)).ended_at is None
        assert await tx.subjects.names([anna]) == {}, "nobody waits for them before that"
    systems.outcomes = [Outcome(system="crm", state="refused", ground="legal_obligation", at=datetime.now(UTC))]
    assert await run(request, systems) is Stage.ENDED

    assert systems.told == [(request, ("anna",))]
    async with begin(tenant) as tx:
        said = json.loads((await tx.erasures.find(request)).certificate)
    [outcome] = said["downstreams"]
    assert (outcome["system"], outcome["state"], outcome["ground"]) == ("crm", "refused", "legal_obligation")


async def test_nothing_is_certified_while_something_is_left(anna, run, erasing, database, tenant, begin):
    request, systems = await erasing(ANNA), Answering(Outcome(system="crm", state="open"))
    assert await run(request, systems) is Stage.WAITING
    systems.outcomes = []
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute(
            "INSERT INTO vault_index (tenant, field, index_version, digest, handle, label) "
            "VALUES (%s, 'email', 1, 'x', %s, '')",
            (tenant, anna),
        )
    with pytest.raises(Remains, match="1 index_entries"):
        await run(request, systems)
    async with begin(tenant) as tx:
        assert await tx.erasures.certified(request) is False


async def test_what_a_law_kept_goes_when_its_time_is_over(anna, run, erasing, begin, clock, tenant):
    request = await erasing(ANNA)
    await run(request)
    clock.advance(timedelta(days=5 * 366))

    assert await run(request) is Stage.ENDED

    async with begin(tenant) as tx:
        assert await tx.records.history(anna) == []


async def test_nobody_removes_the_history_of_who_is_not_forgotten(anna, erasing, database, tenant, new_id):
    request = await erasing(ANNA)
    with psycopg.connect(database.urls.worker) as worker, pytest.raises(psycopg.errors.InsufficientPrivilege):
        worker.execute(
            "SELECT erasure_reduce(%s, %s, '{}', NULL, now(), %s, %s, 'worker')",
            (tenant, request, [new_id() for _ in range(3)], new_id()),
        )


async def test_the_application_removes_no_history_and_hides_nobody_who_was_not_erased(anna, database, tenant):
    with psycopg.connect(database.urls.app) as connection:
        connection.execute("SELECT set_config('volens.tenant', %s, false)", (tenant,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only an id that was erased"):
            connection.execute("SELECT subject_hide('anna', now())")
    with psycopg.connect(database.urls.app) as connection:
        connection.execute("SELECT set_config('volens.tenant', %s, false)", (tenant,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            connection.execute("SELECT erasure_reduce(%s, NULL, '{}', NULL, now(), '{}', NULL, 'worker')", (tenant,))
