"""Records are stored with their state, audit entries and events, or nothing is."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from service.consent import (
    EMPTY,
    AppendRecords,
    NotTheirOwn,
    OwnPurpose,
    Position,
    PutPurpose,
    ReadRecords,
    ReadSubject,
    RebuildState,
    RecordFromTheFuture,
    RecordIdReused,
    UnknownPurpose,
    fold,
)
from service.kernel import Caller, SubjectId
from service.subjects import UnknownSubject
from tests.builders import DAY, VOCABULARY, a_submission, appending

TABLES = ("record", "subject", "consent_state", "audit_entry", "audit_pending", "outbox")


@pytest.fixture
def append(begin, clock) -> AppendRecords:
    return appending(begin, clock)


@pytest.fixture
def counts(database, tenant):
    """Counts the tenant's rows, as only the administrator can."""

    def count() -> dict[str, int]:
        with psycopg.connect(database.urls.admin) as connection:
            return {
                table: connection.execute(f"SELECT count(*) FROM {table} WHERE tenant = %s", (tenant,)).fetchone()[0]
                for table in TABLES
            }

    return count


@pytest.fixture
def state_of(begin, tenant):
    async def read(subject: str):
        async with begin(tenant) as tx:
            handle = await tx.subjects.handle_of(SubjectId(subject))
            return await tx.states.read(handle)

    return read


def now(clock, **changes):
    return a_submission(**{"ts": clock(), **changes})


async def test_a_record_comes_with_subject_state_audit_and_event(append, caller, clock, counts, state_of):
    sent = now(clock)
    appended = await append([sent], by=caller)

    assert appended.stored == 1
    assert [(record.id, record.received_at) for record in appended.records] == [(sent.id, clock())]
    assert counts() == {
        "record": 1, "subject": 1, "consent_state": 1, "audit_entry": 2, "audit_pending": 2, "outbox": 2,
    }  # fmt: skip
    assert [act.id for act in (await state_of("s-1")).acts] == [sent.id]


async def test_the_same_record_again_is_answered_alike_and_stored_once(append, caller, clock, counts):
    batch = [now(clock), now(clock, subject="s-2")]
    first = await append(batch, by=caller)
    before = counts()
    clock.advance(DAY)
    again = await append(batch, by=caller)

    assert (first.stored, again.stored) == (2, 0)
    assert again.records == first.records
    assert counts() == before


async def test_a_batch_may_mix_old_and_new_and_repeat_itself(append, caller, clock, counts):
    old, new = now(clock), now(clock, brand="B")
    await append([old], by=caller)
    appended = await append([new, old, new], by=caller)

    assert [record.id for record in appended.records] == [new.id, old.id, new.id]
    assert appended.stored == 1
    assert counts()["record"] == 2


@pytest.mark.parametrize("change", [{"brand": "B"}, {"evidence": None}, {"subject": "s-2"}], ids=str)
async def test_an_id_with_other_content_is_refused_and_nothing_is_stored(append, caller, clock, counts, change):
    sent = now(clock)
    await append([sent], by=caller)
    before = counts()

    with pytest.raises(RecordIdReused) as refusal:
        await append([now(clock, subject="s-3"), now(clock, record_id=sent.id, **change)], by=caller)

    assert (refusal.value.pointers, refusal.value.details) == (("/records/1/id",), {})
    assert counts() == before


async def test_a_batch_that_contradicts_itself_is_refused(append, caller, clock, counts):
    sent = now(clock)

    with pytest.raises(RecordIdReused):
        await append([sent, now(clock, record_id=sent.id, brand="B")], by=caller)

    assert set(counts().values()) == {0}


async def test_the_same_ids_sent_at_once_are_stored_once(append, caller, clock, counts):
    batch = [now(clock, subject=f"s-{number % 5}") for number in range(20)]
    appended = await asyncio.gather(*(append(batch[::step], by=caller) for step in (1, -1) * 4))

    assert sum(one.stored for one in appended) == 20
    assert counts()["record"] == 20
    assert counts()["subject"] == 5


async def test_one_id_sent_at_once_for_two_people_goes_to_one_of_them(append, caller, clock, counts):
    record_id = uuid4()
    outcomes = await asyncio.gather(
        *(append([now(clock, record_id=record_id, subject=f"s-{n}")], by=caller) for n in range(6)),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes].count(RecordIdReused) == 5
    assert counts()["record"] == counts()["subject"] == 1


async def test_records_that_arrive_at_once_all_reach_the_state(append, caller, clock, state_of):
    batches = [[now(clock, brand=f"b-{n}", action="opt_out"), now(clock, subject="s-2")] for n in range(10)]
    await asyncio.gather(*(append(batch, by=caller) for batch in batches))

    assert {act.id for act in (await state_of("s-1")).acts} == {batch[0].id for batch in batches}


@pytest.mark.parametrize("action", ["opt_in", "opt_in_pending", "parental_consent", "purchase", "unrestrict"])
@pytest.mark.parametrize("member", ["ts", "original_ts"])
async def test_what_is_no_refusal_cannot_come_from_the_future(append, caller, clock, counts, action, member):
    skewed = {member: clock() + timedelta(minutes=5)}
    await append([now(clock, action=action, **skewed)], by=caller)
    before = counts()

    with pytest.raises(RecordFromTheFuture) as refusal:
        await append(
            [now(clock), now(clock, action=action, **{member: clock() + timedelta(minutes=5, microseconds=1)})],
            by=caller,
        )

    assert (refusal.value.pointers, refusal.value.details) == (("/records/1",), {})
    assert counts() == before


@pytest.mark.parametrize("action", ["opt_out", "object", "restrict", "erase_request", "dnc_listed"])
async def test_a_refusal_from_the_future_counts_from_its_arrival(append, caller, clock, state_of, action):
    await append([now(clock, action=action, ts=clock() + 30 * DAY)], by=caller)

    assert [act.at for act in (await state_of("s-1")).acts] == [clock()]


async def test_a_purpose_of_the_tenant_must_be_registered(append, begin, caller, clock, counts):
    with pytest.raises(UnknownPurpose) as refusal:
        await append([now(clock, purpose="x-coffee"), now(clock)], by=caller)
    assert (refusal.value.pointers, refusal.value.details) == (("/records/0/purpose",), {})
    assert set(counts().values()) == {0}

    await PutPurpose(begin, clock)(OwnPurpose(purpose="x-coffee", maps_to="marketing", title="Coffee"), by=caller)

    assert (await append([now(clock, purpose="x-coffee")], by=caller)).stored == 1


def themselves(caller: Caller, subject: str) -> Caller:
    return Caller(tenant=caller.tenant, actor="self", request=caller.request, subject=SubjectId(subject))


async def test_people_record_their_own_acts(append, caller, clock):
    appended = await append([now(clock), now(clock, action="object")], by=themselves(caller, "s-1"))

    assert appended.stored == 2


async def test_people_find_nobody_else(append, caller, clock, counts):
    with pytest.raises(UnknownSubject):
        await append([now(clock), now(clock, subject="s-2")], by=themselves(caller, "s-1"))

    assert set(counts().values()) == {0}


@pytest.mark.parametrize(
    "change",
    [
        {"action": "unrestrict"},
        {"action": "parental_consent"},
        {"action": "purchase"},
        {"action": "erased"},
        {"subject_ref": "s-2"},
        {"original_ts": True},
    ],
    ids=str,
)
async def test_people_cannot_state_what_is_for_others(append, caller, clock, counts, change):
    if "original_ts" in change:
        change = {"original_ts": clock() - DAY}
    with pytest.raises(NotTheirOwn):
        await append([now(clock, **change)], by=themselves(caller, "s-1"))

    assert set(counts().values()) == {0}


async def test_nothing_is_stored_when_the_event_cannot_be(append, caller, clock, counts, database, tenant):
    with psycopg.connect(database.urls.admin, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON outbox FROM volens_app")
        try:
            with pytest.raises(Exception, match="permission denied"):
                await append([now(clock)], by=caller)
        finally:
            connection.execute("GRANT INSERT ON outbox TO volens_app")

    assert set(counts().values()) == {0}


async def test_a_damaged_state_is_replaced_by_what_the_records_say(append, caller, clock, database, state_of, tenant):
    refusal, permission = now(clock, action="opt_out"), now(clock)
    await append([refusal], by=caller)
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("UPDATE consent_state SET state = '{' WHERE tenant = %s", (tenant,))
    await append([permission], by=caller)

    assert {act.id for act in (await state_of("s-1")).acts} == {refusal.id, permission.id}


async def test_a_history_is_read_page_by_page(append, begin, caller, clock):
    sent = [now(clock, ts=clock() - number * DAY) for number in range(5)]
    await append(sent, by=caller)
    read = ReadRecords(begin)
    first = await read(SubjectId("s-1"), after=None, limit=3, by=caller)
    second = await read(SubjectId("s-1"), after=first.next, limit=3, by=caller)

    assert first.next == Position(ts=first.records[-1].ts, id=first.records[-1].id)
    assert second.next is None
    assert [record.id for record in (*first.records, *second.records)] == [one.id for one in reversed(sent)]
    with pytest.raises(UnknownSubject):
        await read(SubjectId("s-2"), after=None, limit=3, by=caller)


async def test_as_of_shows_what_had_been_received_by_then(append, begin, caller, clock):
    early = now(clock)
    await append([early], by=caller)
    then = clock()
    clock.advance(DAY)
    await append([now(clock, action="opt_out", ts=then - DAY)], by=caller)
    read = ReadSubject(begin, VOCABULARY)

    def acts(overview):
        return [act.id for act in overview.state.acts]

    assert acts(await read(SubjectId("s-1"), as_of=then, by=caller)) == [early.id]
    assert acts(await read(SubjectId("s-1"), as_of=then - DAY, by=caller)) == []
    assert len(acts(await read(SubjectId("s-1"), as_of=None, by=caller))) == 2
    with pytest.raises(UnknownSubject):
        await read(SubjectId("s-2"), as_of=None, by=caller)


async def test_a_rebuild_finds_and_repairs_what_differs(append, begin, caller, clock, counts, database, tenant):
    for number in range(7):
        await append([now(clock, subject=f"s-{number}", brand=brand) for brand in ("A", "B")], by=caller)
    rebuild = RebuildState(begin, VOCABULARY)
    whole = await rebuild(check=True, by=caller)
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute(
            """
            UPDATE consent_state SET state = '{}' WHERE tenant = %s AND handle IN
            (SELECT handle FROM subject WHERE subject IN ('s-1', 's-2'))
            """,
            (tenant,),
        )
        connection.execute(
            """
            DELETE FROM consent_state WHERE handle =
            (SELECT handle FROM subject WHERE tenant = %s AND subject = 's-3')
            """,
            (tenant,),
        )
    audited = counts()["audit_entry"]
    checked = await rebuild(check=True, by=caller)
    repaired = await rebuild(check=False, by=caller)
    after = await rebuild(check=True, by=caller)

    assert [(one.subjects, one.differing) for one in (whole, checked, repaired, after)] == [
        (7, 0), (7, 3), (7, 3), (7, 0),
    ]  # fmt: skip
    assert counts()["audit_entry"] == audited + 3


async def test_the_stored_state_is_the_fold_of_the_stored_records(append, begin, caller, clock, tenant):
    for number in range(30):
        await append([now(clock, action=("opt_in", "opt_out")[number % 2], brand=f"b-{number % 4}")], by=caller)
        clock.advance(timedelta(hours=1))

    async with begin(tenant) as tx:
        handle = await tx.subjects.handle_of(SubjectId("s-1"))
        assert await tx.states.read(handle) == fold(EMPTY, await tx.records.history(handle), VOCABULARY)
