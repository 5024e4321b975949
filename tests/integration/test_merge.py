"""Two subjects who are one person: records, state, facts, flags, values and names become one, or nothing changes."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from msgspec import UNSET

from service import db
from service.consent import ReadRecords, ReadSubject, RebuildState, SettleMerge
from service.consent.profiles import ProfileReader
from service.kernel import SubjectId
from service.subjects import (
    AlreadyMerged,
    Flags,
    MergeContradictory,
    MergeWithItself,
    PutSubject,
    Signals,
    SubjectFacts,
    UnknownSubject,
)
from service.vault import MoveValues, OpenValues, SubjectErased
from service.vault.envelope import seal, unseal
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from tests.builders import DAY, GAZETTEER, VOCABULARY, a_submission, appending
from tests.integration.test_consent_profiles import Beside
from tests.vaulted import putter

ANN, BEN, CEM, DAN = map(SubjectId, ("ann", "ben", "cem", "dan"))


@pytest.fixture
def keys(tmp_path, begin, clock) -> Keys:
    return Keys(FileRing.open(tmp_path / "root.keys"), begin, clock, keep=timedelta(minutes=5))


@pytest.fixture
def settle(begin, keys, clock, caller):
    settle_merge = SettleMerge(begin, MoveValues(keys, seal, unseal), clock, VOCABULARY)

    async def run(subject=ANN, other=BEN, *, same=True, facts=None):
        return await settle_merge(subject, other, same=same, facts=facts, by=caller)

    return run


@pytest.fixture
def append(begin, clock, caller):
    store = appending(begin, clock)

    async def one(subject, **changes):
        submission = a_submission(subject, **{"ts": clock(), **changes})
        return (await store([submission], by=caller)).records[0]

    return one


@pytest.fixture
def put(begin, clock, caller):
    store = PutSubject(begin, clock, GAZETTEER)

    async def facts(subject, **known):
        return (await store(subject, SubjectFacts(**known), by=caller)).subject

    return facts


@pytest.fixture
def put_values(tmp_path, engine, begin, clock, tenant):
    return putter(tmp_path / "root.keys", engine, begin, clock, tenant)


@pytest.fixture
async def read(database, tenant, pool):
    """Read a profile as a check does, by this process and by another."""
    async with db.pool(database.urls.app) as other:
        readers = [ProfileReader(each, Beside()) for each in (pool, other)]

        async def both(subject):
            one, two = [(await reader.read(tenant, subject))[0] for reader in readers]
            assert one == two
            return one

        yield both


@pytest.fixture
def set_flags(begin, tenant):
    async def put(subject, flags):
        async with begin(tenant) as tx:
            handle = await tx.subjects.handle_of(subject)
            await tx.subjects.set_flags(handle, flags)

    return put


@pytest.fixture
def told(database, tenant):
    """Tells what was audited and announced."""

    def read(*events: str) -> list[list[str]]:
        with psycopg.connect(database.urls.admin) as connection:
            return [
                connection.execute(
                    f"SELECT {columns} FROM {table} WHERE tenant = %s AND {column} = ANY(%s) ORDER BY id",
                    (tenant, list(events)),
                ).fetchall()
                for table, column, columns in (
                    ("audit_entry", "event", "event, object_id, subject"),
                    ("outbox", "type", "type, object_id, subject"),
                )
            ]

    return read


def actions(profile) -> list[str]:
    return [act.signature.action.value for act in profile.state.acts]


async def test_from_then_on_both_ids_answer_for_one_person(settle, append, put, read):
    ann = await put(ANN, residence="DE")
    await append(BEN, action="opt_out")
    merged = await settle()

    assert merged.stands.handle == ann.handle
    assert await read(BEN) == await read(ANN)
    assert actions(await read(ANN)) == ["opt_out"]


async def test_what_comes_in_under_the_old_id_reaches_the_survivor(settle, append, put, read):
    await append(ANN)
    await append(BEN, action="object")
    await settle()
    await append(BEN, action="opt_out")
    await put(BEN, residence="FR")

    assert actions(await read(ANN)).count("opt_out") == 1
    assert (await read(ANN)).facts.residence == (await read(BEN)).facts.residence == "FR"
    assert await read(BEN) == await read(ANN)


async def test_every_refusal_comes_along_and_permissions_with_evidence(settle, append, clock, caller, begin):
    own = await append(ANN, evidence=UNSET, brand="own")
    clock.advance(DAY)
    refused = await append(BEN, action="opt_out", evidence=UNSET)
    proven = await append(BEN, brand="proven")
    for evidence in (UNSET, None, ""):
        await append(BEN, brand="unproven", evidence=evidence)
    counted = await append(BEN, action="call_attempt", purpose=UNSET, evidence=UNSET)
    clock.advance(DAY)
    await settle()

    history = await ReadRecords(begin)(ANN, after=None, limit=100, by=caller)
    kept = {(record.action.value, record.brand): record for record in history.records}
    assert kept.keys() == {("opt_in", "own"), ("opt_out", None), ("opt_in", "proven"), ("call_attempt", None)}
    assert kept["opt_in", "own"].id == own.id
    for record in (refused, proven, counted):
        said = record.statement
        copy = kept[said.action.value, said.brand]
        assert copy.id != record.id
        assert (copy.ts, copy.received_at, copy.evidence) == (said.ts, record.received_at, said.evidence)


async def test_the_state_is_that_of_the_union(settle, append, put, clock, begin, caller):
    for subject in (ANN, BEN, CEM):
        for action in ("opt_in", "opt_out", "opt_in"):
            await append(subject, action=action, brand=str(subject))
            clock.advance(DAY)
    await settle(ANN, BEN)
    await settle(ANN, CEM)

    rebuilt = await RebuildState(begin, VOCABULARY)(check=True, by=caller)
    assert (rebuilt.subjects, rebuilt.differing) == (3, 0)


async def test_a_record_of_before_can_be_sent_again_under_the_old_id(settle, append, put, begin, clock, caller):
    sent = a_submission(BEN, ts=clock())
    store = appending(begin, clock)
    await store([sent], by=caller)
    await put(ANN)
    await settle()

    again = await store([sent], by=caller)
    assert (again.stored, again.records[0].id) == (0, sent.id)


async def test_unknown_facts_are_filled_and_refusing_signals_win(settle, put, read):
    await put(ANN, residence="DE", signals=Signals(gpc=False, tps_listed=True))
    await put(BEN, time_zone="Europe/Berlin", age=40, signals=Signals(gpc=True, consumer_known=False))
    merged = await settle()

    known = (await read(BEN)).facts
    assert merged.stands.facts == known
    assert (known.residence, known.time_zone, known.age) == ("DE", "Europe/Berlin", 40)
    assert known.signals == Signals(gpc=True, tps_listed=True, consumer_known=False)
    assert merged.stands.version == 2


async def test_facts_that_contradict_each_other_need_a_choice(settle, put, read, told, append):
    await put(ANN, residence="DE", b2b=False, is_customer=True)
    await put(BEN, residence="FR", b2b=True, subscriber_type="individual")
    before = await read(BEN)

    with pytest.raises(MergeContradictory) as refusal:
        await settle()
    assert sorted(refusal.value.pointers) == ["/b2b", "/residence"]
    assert await read(BEN) == before
    assert told("subject.merged") == [[], []]

    await settle(facts="theirs")
    known = (await read(ANN)).facts
    assert (known.residence, known.b2b, known.is_customer, known.subscriber_type) == ("FR", True, True, "individual")


async def test_a_birth_date_and_an_age_that_contradict_each_other_need_a_choice_too(settle, put, clock):
    await put(ANN, birth_date=clock().date().replace(year=2014))
    await put(BEN, age=40)

    with pytest.raises(MergeContradictory):
        await settle()
    assert (await settle(facts="ours")).stands.facts == SubjectFacts(birth_date=clock().date().replace(year=2014))


async def test_flags_of_either_side_hold(settle, put, read, set_flags, clock):
    await put(ANN)
    await put(BEN)
    await set_flags(ANN, Flags(restricted=True, restricted_at=clock() - DAY))
    await set_flags(BEN, Flags(suppressed=True, restricted=True, restricted_at=clock(), drop_match="unverified"))
    await settle()

    flags = Flags(restricted=True, restricted_at=clock(), suppressed=True, drop_match="unverified")
    assert (await read(ANN)).flags == (await read(BEN)).flags == flags


async def test_the_values_move_under_the_survivors_key(settle, put_values, begin, keys, tenant, clock):
    ann = await put_values(ANN, {"email": "ann@mail.example", "name": "Ann Ash"})
    ben = await put_values(
        BEN, {"email": "ann@mail.example", "name": "A. Ash", "phone": "+4930123456", "email#work": "ann@work.example"}
    )
    await put_values(BEN, {"phone": "+4930654321"}, version=2)
    async with begin(tenant) as tx:
        before = {each.name: each.at for each in await tx.moving.history(ben)}
    clock.advance(DAY)
    await settle()

    opening = await OpenValues(begin, keys, unseal, clock)(
        tenant, {ann: ["email", "email#merged", "email#work", "name", "name#merged", "phone"], ben: ["phone"]}
    )
    assert {name: (each.version, each.value) for name, each in opening.values[ann].items()} == {
        "email": (1, "ann@mail.example"),
        "email#work": (1, "ann@work.example"),
        "name": (1, "Ann Ash"),
        "name#merged": (1, "A. Ash"),
        "phone": (2, "+4930654321"),
    }
    assert opening.erased == {ben}
    async with begin(tenant) as tx:
        assert {each.at for each in await tx.moving.history(ann)} == set(before.values())


async def test_the_index_and_the_tokens_come_along(settle, put_values, engine, begin, tenant, database, clock):
    ann = await put_values(ANN, {"email": "a@mail.example"})
    ben = await put_values(BEN, {"email": "b@mail.example", "phone": "+4930123456"})
    with psycopg.connect(database.urls.admin, autocommit=True) as admin:
        for field in ("email", "phone"):
            admin.execute("INSERT INTO vault_index VALUES (%s, %s, 1, %s, %s, '')", (tenant, field, field, ben))
            admin.execute(
                "INSERT INTO vault_token VALUES (%s, %s, %s, %s, '', 'marketing', 'shop', now(), 'crm')",
                (tenant, field, ben, field),
            )
        await settle()
        for table in ("vault_index", "vault_token"):
            rows = admin.execute(f"SELECT handle, field, label FROM {table} WHERE tenant = %s", (tenant,)).fetchall()
            assert set(rows) == {(ann, "email", "merged"), (ann, "phone", "")}


async def test_a_merge_is_told_once(settle, put, told):
    ann, ben = await put(ANN), await put(BEN)
    await settle()
    await settle()

    assert told("subject.merged", "subject.stored")[0][-1] == ("subject.merged", str(ben.handle), ann.handle)
    assert told("subject.merged") == [[("subject.merged", str(ben.handle), ann.handle)]] * 2


async def test_the_same_again_changes_nothing(settle, append, read, clock):
    await append(ANN)
    await append(BEN, action="opt_out")
    await settle()
    once = await read(ANN)
    clock.advance(DAY)
    await settle()

    assert await read(ANN) == once


async def test_who_can_not_be_merged(settle, put, begin, tenant, set_flags, clock):
    for subject in (ANN, BEN, CEM, DAN):
        await put(subject)
    await settle(ANN, BEN)

    for subject, other, pointers in ((CEM, BEN, ("/with",)), (BEN, CEM, ())):
        for same in (True, False):
            with pytest.raises(AlreadyMerged) as refusal:
                await settle(subject, other, same=same)
            assert refusal.value.pointers == pointers
    with pytest.raises(AlreadyMerged):
        await settle(ANN, BEN, same=False)
    with pytest.raises(MergeWithItself):
        await settle(ANN, ANN)
    for subject, other in ((ANN, "eve"), ("eve", ANN)):
        with pytest.raises(UnknownSubject):
            await settle(subject, SubjectId(other))
    await set_flags(CEM, Flags(erased=True))
    async with begin(tenant) as tx:
        await tx.keys.destroy_subject_key(await tx.subjects.handle_of(DAN), clock())
    for gone in (CEM, DAN):
        for subject, other in ((ANN, gone), (gone, ANN)):
            with pytest.raises(SubjectErased):
                await settle(subject, other)


async def test_an_alias_comes_along_when_its_survivor_is_merged(settle, append, read, begin, tenant):
    for subject in (ANN, BEN, CEM):
        await append(subject, brand=str(subject))
    handles = [(await read(subject)).handle for subject in (ANN, BEN, CEM)]
    await settle(BEN, CEM)
    await settle(ANN, BEN)

    assert {(await read(subject)).handle for subject in (ANN, BEN, CEM)} == {handles[0]}
    async with begin(tenant) as tx:
        assert await tx.subjects.former(handles[0]) == set(handles[1:])
        assert await tx.subjects.names(handles) == {handles[0]: ANN}
        assert await tx.subjects.page(after=None, limit=9) == [(ANN, handles[0])]
        assert await tx.subjects.count() == 1


async def test_what_is_sent_while_a_merge_runs_reaches_the_survivor(settle, append, read, begin, tenant):
    await append(ANN)
    await append(BEN)
    refusals = [append(subject, action="opt_out", brand=str(n)) for n in range(20) for subject in (ANN, BEN)]
    halves = len(refusals) // 2
    await asyncio.gather(*refusals[:halves], settle(), *refusals[halves:])

    profile = await read(ANN)
    assert {act.signature.brand for act in profile.state.acts if act.signature.action == "opt_out"} == {
        str(n) for n in range(20)
    }
    assert await read(BEN) == profile


async def test_two_merges_at_once_end_like_one_after_the_other(settle, append, read):
    for subject in (ANN, BEN):
        await append(subject, action="opt_out")
    outcomes = await asyncio.gather(settle(ANN, BEN), settle(BEN, ANN), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes].count(AlreadyMerged) <= 1
    assert (await read(ANN)).handle == (await read(BEN)).handle


async def test_nothing_is_merged_when_the_event_can_not_be_stored(settle, append, put_values, read, database):
    await append(ANN)
    await put_values(BEN, {"email": "ben@mail.example"})
    before = await read(BEN)
    with psycopg.connect(database.urls.admin, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON outbox FROM volens_app")
        try:
            with pytest.raises(Exception, match="permission denied"):
                await settle()
        finally:
            connection.execute("GRANT INSERT ON outbox TO volens_app")

    assert await read(BEN) == before


async def test_an_overview_of_an_alias_shows_the_survivor(settle, append, put, begin, caller, clock):
    await put(ANN, residence="DE")
    await append(BEN, action="opt_out")
    await settle()

    overview = await ReadSubject(begin, VOCABULARY)(BEN, as_of=None, by=caller)
    assert overview.facts.residence == "DE"
    assert [act.signature.action for act in overview.state.acts] == ["opt_out"]


async def test_who_is_told_apart_stays_two(settle, put, read, told):
    ann, ben = await put(ANN), await put(BEN)
    await settle(same=False)
    await settle(same=False)

    assert told("subject.told_apart") == [[("subject.told_apart", str(ben.handle), ann.handle)]] * 2
    assert (await read(ANN)).handle != (await read(BEN)).handle
    await settle(same=True)
    assert (await read(ANN)).handle == (await read(BEN)).handle
