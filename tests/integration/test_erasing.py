"""An erasure takes what it says, keeps what the law says, waits for who has to answer, and certifies nothing else."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from service import db
from service.audit.holding import LiftHold, PlaceHold
from service.audit.keeping import Reason, Wish
from service.bridges import resolver
from service.consent import Action, AppendRecords, RecordChannel, SettleMerge
from service.erasures import Outcome, Remains, Stage
from service.kernel import SubjectId
from service.requests.executing import ErasureHeld
from service.subjects import PutSubject, SubjectFacts
from service.subjects.domain import Gazetteer
from service.transaction import opener
from service.vault import MoveValues, OpenValues, SubjectErased
from service.vault.envelope import seal, unseal
from service.vault.fields import BUILT_IN, Name
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from service.vault.values import Suppressed, Write, Written
from service.vault.writing import WriteValues
from tests.erasing import POLICY, Answering, executing, record, running

ANNA = SubjectId("anna")
FACTS = SubjectFacts(residence="DE", birth_date=datetime(1986, 5, 14, tzinfo=UTC).date())
EVERYWHERE = Gazetteer(places=frozenset({"DE"}), zones=frozenset())
STEPS = ["begun", "told", "forgotten", "replaced", "reduced", "settled", "verified", "certified"]


@pytest.fixture
def place(tmp_path):
    return tmp_path / "root.keys"


@pytest.fixture
def keys(place, begin, clock):
    return Keys(FileRing.open(place), begin, clock, keep=timedelta(minutes=5))


@pytest.fixture
async def removing(database, clock, new_id):
    engine = db.engine(database.urls.worker, size=2)
    yield opener(engine, clock, new_id)
    await engine.dispose()


@pytest.fixture
def run(begin, removing, place, clock, new_id):
    def run(connected=None):
        return running(begin, removing, place, clock, new_id, connected)

    return run


@pytest.fixture
def erasing(begin, clock, new_id, caller):
    async def erasing(subject=ANNA, law=None):
        return await executing(begin, clock, new_id, caller, subject, law)

    return erasing


@pytest.fixture
def write(begin, keys, clock, caller):
    async def write(subject, name, value, **more):
        field = BUILT_IN[Name.of(name).field]
        one = Write(subject=SubjectId(subject), name=Name.of(name), field=field, value=value, by=caller, **more)
        [outcome] = await WriteValues(begin, keys, seal, clock)(caller.tenant, [one])
        return outcome

    return write


@pytest.fixture
def append(begin, clock, caller):
    async def append(*submissions):
        await AppendRecords(begin, clock, POLICY.vocabulary)(submissions, by=caller)

    return append


@pytest.fixture
async def anna(write, append, begin, clock, caller):
    """She gave an address twice and a name, lives in Germany, and agreed to mail and to calls."""
    for name, value in (("email", "first@mail.example"), ("email", "now@mail.example"), ("name", "Anna")):
        assert isinstance(await write(ANNA, name, value), Written)
    await PutSubject(begin, clock, EVERYWHERE)(ANNA, FACTS, by=caller)
    await append(record(ANNA), record(ANNA, channel=RecordChannel.PHONE), record(ANNA, Action.OBJECT, evidence=None))
    async with begin(caller.tenant) as tx:
        return await tx.subjects.handle_of(ANNA)


@pytest.fixture
def as_owner(database, tenant):
    def as_owner(query, **more):
        with psycopg.connect(database.urls.owner) as connection:
            return connection.execute(query, {"tenant": tenant} | more).fetchall()

    return as_owner


async def state_of(begin, tenant, subject=ANNA):
    async with begin(tenant) as tx:
        handle = await tx.subjects.handle_of(subject)
        return handle, None if handle is None else await tx.states.read(handle)


async def test_all_of_a_person_goes_but_what_a_law_has_kept(anna, run, erasing, begin, keys, clock, tenant):
    request = await erasing()

    assert await run()(tenant, request) is Stage.ENDED

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
    await run()(tenant, await erasing())

    handle, state = await state_of(begin, tenant)
    assert handle not in (None, anna)
    assert [act.signature.action for act in state.acts] == [Action.ERASED]
    async with begin(tenant) as tx:
        known = await tx.subjects.find(ANNA)
    assert (known.version, known.facts, known.flags.previously_erased) == (0, SubjectFacts(), True)
    assert known.flags.erasure_pending is None


async def test_an_id_that_was_erased_gets_neither_values_nor_facts(anna, run, erasing, write, begin, clock, caller):
    await run()(caller.tenant, await erasing())

    for value in ("now@mail.example", "new@mail.example"):
        assert isinstance(await write(ANNA, "email", value), SubjectErased)
    with pytest.raises(SubjectErased):
        await PutSubject(begin, clock, EVERYWHERE)(ANNA, FACTS, by=caller)
    assert isinstance(await write("bob", "email", "first@mail.example"), Suppressed)
    assert isinstance(await write("bob", "email", "first@mail.example", reenrol=True), Written)


async def test_an_id_that_is_hidden_comes_back_as_one_that_was_erased(
    anna, run, erasing, append, write, begin, tenant, database, as_owner
):
    with psycopg.connect(database.urls.owner) as connection:
        connection.execute("UPDATE tenant SET hides_erased = true WHERE id = %s", (tenant,))
    await run()(tenant, await erasing())
    assert await state_of(begin, tenant) == (None, None)
    [(digest,)] = as_owner("SELECT digest FROM subject_tombstone WHERE tenant = %(tenant)s")
    assert digest != hashlib.sha256(b"volens.subjectanna").digest()

    await append(record(ANNA), record("bob"))

    handle, state = await state_of(begin, tenant)
    assert {act.signature.action for act in state.acts} == {Action.ERASED, Action.OPT_IN}
    assert isinstance(await write(ANNA, "email", "new@mail.example"), SubjectErased)
    _, bobs = await state_of(begin, tenant, SubjectId("bob"))
    assert {act.signature.action for act in bobs.acts} == {Action.OPT_IN}
    again = await erasing()
    assert await run()(tenant, again) is Stage.ENDED, "also a second time"
    await append(record(ANNA))
    assert (await state_of(begin, tenant))[0] not in (handle, anna)


async def test_whoever_was_merged_goes_as_well(anna, run, erasing, write, append, begin, keys, clock, caller):
    await write("annie", "email", "annie@mail.example")
    await append(record("annie"))
    merge = SettleMerge(begin, MoveValues(keys, seal, unseal), clock, POLICY.vocabulary)
    request = await erasing("annie")
    await merge(SubjectId("annie"), ANNA, same=True, facts=None, by=caller)

    assert await run()(caller.tenant, request) is Stage.ENDED

    for subject in (ANNA, SubjectId("annie")):
        _, state = await state_of(begin, caller.tenant, subject)
        assert [act.signature.action for act in state.acts] == [Action.ERASED]
    for value in ("annie@mail.example", "now@mail.example"):
        assert isinstance(await write("bob", "email", value), Suppressed)


@pytest.mark.parametrize("whose", [ANNA, None])
async def test_nothing_is_done_while_somebody_holds_it(anna, run, erasing, begin, clock, caller, whose):
    hold = PlaceHold(begin, resolver(begin), clock)
    wish = Wish(name="case-7", subject=whose, since=None, until=None, reason=Reason.LITIGATION, reference=None)
    request = await erasing()
    await hold(wish, by=caller)
    with pytest.raises(ErasureHeld) as refused:
        await erasing("bob" if whose is None else ANNA, law="UK_GDPR")
    assert refused.value.details["grounds"] == ["litigation"]

    assert await run()(caller.tenant, request) is Stage.HELD
    async with begin(caller.tenant) as tx:
        assert await tx.erasures.done(request) == []
    await LiftHold(begin, clock)("case-7", by=caller)
    assert await run()(caller.tenant, request) is Stage.ENDED


async def test_a_hold_that_comes_late_keeps_what_is_left(anna, run, erasing, begin, clock, caller):
    """Between two steps: the key is gone by then, and the records stay until it is lifted."""
    request, runs = await erasing(), run()
    hold, reduce = PlaceHold(begin, resolver(begin), clock), runs._reduce

    async def placed(*arguments):
        wish = Wish(name="late", subject=None, since=None, until=None, reason=Reason.AUTHORITY, reference=None)
        await hold(wish, by=caller)
        return await reduce(*arguments)

    runs._reduce = placed
    assert await runs(caller.tenant, request) is Stage.HELD
    async with begin(caller.tenant) as tx:
        assert len(await tx.records.history(anna)) == 3
    await LiftHold(begin, clock)("late", by=caller)
    assert await run()(caller.tenant, request) is Stage.ENDED


async def test_a_silent_system_keeps_the_erasure_from_its_certificate(anna, run, erasing, begin, tenant):
    request, systems = await erasing(), Answering(Outcome(system="crm", state="open"))

    assert await run(systems)(tenant, request) is Stage.WAITING
    systems.outcomes = [Outcome(system="crm", state="silent")]
    assert await run(systems)(tenant, request) is Stage.WAITING
    async with begin(tenant) as tx:
        assert (await tx.erasures.find(request)).ended_at is None
        assert await tx.subjects.names([anna]) == {}, "nobody waits for them before that"
    systems.outcomes = [Outcome(system="crm", state="refused", ground="legal_obligation", at=datetime.now(UTC))]
    assert await run(systems)(tenant, request) is Stage.ENDED

    assert systems.told == [(request, ("anna",))]
    async with begin(tenant) as tx:
        said = json.loads((await tx.erasures.find(request)).certificate)
    [outcome] = said["downstreams"]
    assert (outcome["system"], outcome["state"], outcome["ground"]) == ("crm", "refused", "legal_obligation")


async def test_nothing_is_certified_while_something_is_left(anna, run, erasing, database, tenant, begin):
    request, systems = await erasing(), Answering(Outcome(system="crm", state="open"))
    assert await run(systems)(tenant, request) is Stage.WAITING
    systems.outcomes = []
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute(
            "INSERT INTO vault_index (tenant, field, index_version, digest, handle, label) "
            "VALUES (%s, 'email', 1, 'x', %s, '')",
            (tenant, anna),
        )
    with pytest.raises(Remains, match="1 index_entries"):
        await run(systems)(tenant, request)
    async with begin(tenant) as tx:
        assert await tx.erasures.certified(request) is False


async def test_what_a_law_kept_goes_when_its_time_is_over(anna, run, erasing, begin, clock, tenant):
    request = await erasing()
    await run()(tenant, request)
    clock.advance(timedelta(days=5 * 366))

    assert await run()(tenant, request) is Stage.ENDED

    async with begin(tenant) as tx:
        assert await tx.records.history(anna) == []


async def test_nobody_removes_the_history_of_who_is_not_forgotten(anna, erasing, database, tenant, new_id):
    request = await erasing()
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
