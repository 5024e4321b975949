"""Requests that append at the same moment share a transaction, and end as if they had come one after the other."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import groupby
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from msgspec.structs import replace

from service import db
from service.consent import (
    EMPTY,
    Appended,
    AppendRecords,
    OwnPurpose,
    PutPurpose,
    RecordFromTheFuture,
    RecordIdReused,
    StoreRecords,
    fold,
    payload_of,
)
from service.consent.sent import Sent
from service.grouped import Grouped
from service.kernel import Caller, DomainError, NewId, SubjectId, TenantId, Unavailable
from service.transaction import Begin, BeginHot, Transaction, hot_opener
from tests.api.test_unavailable import NOWHERE
from tests.builders import VOCABULARY, a_submission
from tests.conftest import Database, FakeClock

ROUNDS = 6
CREATED = "subject.created"


@pytest.fixture
def hot(pool, clock: FakeClock, new_id: NewId) -> BeginHot:
    return hot_opener(pool, clock, new_id)


@pytest.fixture
def store(hot: BeginHot, clock: FakeClock) -> StoreRecords:
    return StoreRecords(hot, clock, VOCABULARY)


def of(tenant: TenantId, number: int, subject: str | None = None) -> Caller:
    own = None if subject is None else SubjectId(subject)
    return Caller(tenant=tenant, actor=f"shop-{number % 2}", request=f"r-{number}", subject=own)


def some(chance: Random, clock: FakeClock, ids: Sequence[UUID]) -> list[Any]:
    """Return what one request sends: seldom anything that stands alone, often something to be refused."""
    said = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        late = chance.random() < 0.1
        said.append(
            a_submission(
                f"s-{chance.randrange(5)}",
                record_id=chance.choice(ids),
                ts=clock() + timedelta(hours=1 if late else -chance.randrange(3)),
                action=chance.choice(("opt_in", "opt_out", "purchase")),
                brand=chance.choice(("A", "B")),
                purpose=chance.choice(("marketing", "marketing", "marketing", "x-club", "x-nobodys")),
            )
        )
    return said


def told(answer: Appended | DomainError) -> Any:
    if isinstance(answer, DomainError):
        return type(answer), answer.pointers
    return answer.stored, [(each.id, each.statement) for each in answer.records]


@pytest.fixture
def left(database: Database) -> Callable[[TenantId], dict[str, Any]]:
    """Tells all that is left of a tenant's requests, without what is drawn by lot."""

    def read(tenant: TenantId) -> dict[str, Any]:
        with psycopg.connect(database.urls.admin) as connection:

            def rows(query: str) -> list[tuple[Any, ...]]:
                return connection.execute(query, (tenant,)).fetchall()

            names = dict(rows("SELECT handle, subject FROM subject WHERE tenant = %s"))
            entries = rows(
                "SELECT request, actor, event, object_id, subject FROM audit_entry WHERE tenant = %s "
                "AND event IN ('record.stored', 'subject.created') ORDER BY id"
            )
            events = rows(
                "SELECT type, object_id, subject FROM outbox WHERE tenant = %s "
                "AND type IN ('record.stored', 'subject.created') ORDER BY id"
            )
            known = {str(handle): name for handle, name in names.items()}
            return {
                "subjects": sorted(names.values()),
                "records": sorted(
                    (id_, names[handle], received, said)
                    for id_, handle, received, said in rows(
                        "SELECT id, handle, received_at, statement FROM record WHERE tenant = %s"
                    )
                ),
                "states": sorted(
                    (names[handle], state)
                    for handle, state in rows("SELECT handle, state FROM consent_state WHERE tenant = %s")
                ),
                "entries": in_order(
                    (*who, event, known.get(what, what), names[whose]) for *who, event, what, whose in entries
                ),
                "events": in_order((event, known.get(what, what), names[whose]) for event, what, whose in events),
                "leaves": rows("SELECT count(*) FROM audit_pending WHERE tenant = %s"),
            }

    return read


def in_order(lines: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Sort those who came into being with one request: their handles, by which they stand, are drawn by lot."""
    runs = groupby(lines, key=lambda line: CREATED in line)
    return [line for created, run in runs for line in (sorted(run) if created else run)]


@pytest.mark.parametrize("seed", range(25))
async def test_a_group_ends_as_if_its_requests_had_come_one_by_one(store, begin, clock, add_tenant, left, seed):
    chance = Random(seed)
    ids = [UUID(int=chance.getrandbits(128), version=4) for _ in range(12)]
    sent = [some(chance, clock, ids) for _ in range(20)]
    alone = [chance.random() < 0.2 for _ in sent]
    answers = []
    for together in (False, True):
        tenant = add_tenant()
        own = OwnPurpose(purpose="x-club", maps_to="marketing", title="Club")
        await PutPurpose(begin, clock)(own, by=of(tenant, 0))
        group = [
            Sent(submissions=said, by=of(tenant, number, said[0].subject if alone[number] else None))
            for number, said in enumerate(sent)
        ]
        before, now = group[:4], group[4:]
        answered = [(await store(tenant, [each]))[0] for each in before]
        answered += await store(tenant, now) if together else [(await store(tenant, [each]))[0] for each in now]
        answers.append(([told(answer) for answer in answered], left(tenant)))

    assert answers[0] == answers[1]


def test_the_trials_above_have_something_of_everything(clock):
    kinds: set[Any] = set()
    for seed in range(25):
        chance = Random(seed)
        ids = [UUID(int=chance.getrandbits(128), version=4) for _ in range(12)]
        said = [each for _ in range(20) for each in some(chance, clock, ids)]
        kinds |= {each.statement.purpose for each in said} | {each.statement.ts > clock() for each in said}
        kinds.add(len({each.id for each in said}) < len(said))

    assert kinds == {"marketing", "x-club", "x-nobodys", True, False}


async def test_a_request_that_is_refused_leaves_the_others_alone_and_nobody_behind(store, clock, tenant, left):
    good, other = a_submission("ann", ts=clock()), a_submission("ben", ts=clock())
    late = a_submission("nobody", ts=clock() + timedelta(hours=1))
    taken = a_submission("nobody-2", record_id=good.id, ts=clock())
    sent = [Sent(submissions=[each], by=of(tenant, n)) for n, each in enumerate((good, late, taken, other))]
    answers = await store(tenant, sent)

    assert [type(each) for each in answers] == [Appended, RecordFromTheFuture, RecordIdReused, Appended]
    assert [subject for _, subject, *_ in left(tenant)["records"]] in (["ann", "ben"], ["ben", "ann"])
    assert left(tenant)["subjects"] == ["ann", "ben"]


async def test_each_entry_commits_to_the_record_under_the_secret_of_its_own_person(
    store, begin, clock, tenant, database
):
    said = [a_submission(f"s-{n % 3}", ts=clock(), evidence=f"said {n}") for n in range(6)]
    await store(tenant, [Sent(submissions=[each], by=of(tenant, n)) for n, each in enumerate(said)])

    with psycopg.connect(database.urls.admin) as connection:
        entries = connection.execute(
            "SELECT id, object_id, commitment FROM audit_entry WHERE tenant = %s AND event = 'record.stored'", (tenant,)
        ).fetchall()
    async with begin(tenant) as tx:
        records = await tx.records.find([each.id for each in said])
        secrets = await tx.audit.secrets({record.handle for record in records.values()})
    assert len(entries) == 6
    for entry, object_id, commitment in entries:
        record = records[UUID(object_id)]
        assert payload_of(record).opened(secrets[record.handle], entry).commitment == commitment


@asynccontextmanager
async def processes(database: Database, clock: FakeClock, new_id: NewId) -> AsyncIterator[list[AppendRecords]]:
    """Lend what two processes append with: each has its own groups and connections."""
    async with db.pool(database.urls.app) as one, db.pool(database.urls.app) as other:
        yield [
            AppendRecords(Grouped(StoreRecords(hot_opener(pool, clock, new_id), clock, VOCABULARY)))
            for pool in (one, other)
        ]


async def test_processes_that_append_about_the_same_people_in_any_order_all_end(
    database, begin, clock, new_id, add_tenant, left
):
    tenants = [add_tenant(), add_tenant()]
    people = [f"s-{number}" for number in range(12)]
    batches = [
        (tenant, [a_submission(who, ts=clock(), brand=f"b-{turn}") for who in people[::step]])
        for turn in range(ROUNDS)
        for tenant in tenants
        for step in (1, -1)
    ]
    async with processes(database, clock, new_id) as both, asyncio.timeout(60):
        appended = await asyncio.gather(
            *(
                append([said] if one else batch, by=of(tenant, n))
                for n, (tenant, batch) in enumerate(batches)
                for append in both
                for one in (False, True)
                for said in (batch if one else batch[:1])
            )
        )

    stored = sum(each.stored for each in appended)
    assert stored == len(batches) * len(people)
    for tenant in tenants:
        told_of = left(tenant)
        assert len(told_of["records"]) == stored // 2
        assert len([each for each in told_of["entries"] if "record.stored" in each]) == stored // 2
        assert told_of["subjects"] == sorted(people)
        async with begin(tenant) as tx:
            for who in people:
                handle = await tx.subjects.handle_of(SubjectId(who))
                history = await tx.records.history(handle)
                assert await tx.states.read(handle) == fold(EMPTY, history, VOCABULARY)


async def hold(tx: Transaction, subject: str) -> None:
    """Keep everybody else from a person until the transaction ends."""
    handle = await tx.subjects.handle_of(SubjectId(subject))
    assert handle is not None
    await tx.states.lock([handle])


async def waiting(database: Database, least: int = 1) -> list[int]:
    """Wait until somebody waits for another transaction, and return who."""
    async with await psycopg.AsyncConnection.connect(database.urls.admin, autocommit=True) as connection:
        for _ in range(500):
            found = await connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if len(held_up := [pid for (pid,) in await found.fetchall()]) >= least:
                return held_up
            await asyncio.sleep(0.02)
    raise AssertionError("nobody waits")


async def test_what_another_stores_meanwhile_is_found_and_the_rest_of_the_group_is_stored(
    store, begin: Begin, clock, tenant, caller, database, left
):
    append = AppendRecords(Grouped(store))
    twin, theirs, mine, more = (a_submission(who, ts=clock()) for who in ("ann", "ben", "cem", "ann"))
    async with begin(tenant) as tx:
        await store.within(tx, [twin, theirs], by=caller)
        asked = [
            asyncio.create_task(append(said, by=of(tenant, n)))
            for n, said in enumerate(([twin, more], [replace(theirs, subject=SubjectId("dora"))], [mine]))
        ]
        await waiting(database)
    same, reused, stored = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 20)

    assert (same.stored, stored.stored) == (1, 1)
    assert [each.id for each in same.records] == [twin.id, more.id]
    assert isinstance(reused, RecordIdReused)
    assert left(tenant)["subjects"] == ["ann", "ben", "cem"]
    assert len(left(tenant)["records"]) == 4


async def test_a_request_that_another_process_stores_at_the_same_moment_is_no_news_to_its_group(
    store, begin: Begin, clock, tenant, caller, database, left
):
    twin, more = a_submission("ann", ts=clock()), a_submission("ann", ts=clock())
    async with begin(tenant) as tx:
        await store.within(tx, [twin], by=caller)
        group = [Sent(submissions=said, by=of(tenant, n)) for n, said in enumerate(([twin], [twin, more]))]
        asked = asyncio.create_task(store(tenant, group))
        await waiting(database)
    answers = await asyncio.wait_for(asked, 20)

    assert [told(each)[0] for each in answers] == [0, 1]
    assert [line[0] for line in left(tenant)["entries"]] == [caller.request, caller.request, "r-1"]
    assert [(each.id, each.received_at) for each in answers[1].records] == [(twin.id, clock()), (more.id, clock())]


async def test_a_group_whose_connection_is_lost_is_told_so_each_and_nothing_is_stored(
    store, begin: Begin, clock, tenant, caller, database, left
):
    append = AppendRecords(Grouped(store))
    first = a_submission("ann", ts=clock())
    await append([first], by=caller)
    before = left(tenant)
    async with begin(tenant) as tx:
        await hold(tx, "ann")
        asked = [
            asyncio.create_task(append([a_submission(who, ts=clock())], by=of(tenant, n)))
            for n, who in enumerate(("ann", "ben", "cem"))
        ]
        [held_up] = await waiting(database)
        with psycopg.connect(database.urls.admin, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (held_up,))
        answers = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 20)

    assert [type(each) for each in answers] == [Unavailable] * 3
    assert left(tenant) == before


async def test_without_a_database_each_is_told_so(clock, new_id, tenant):
    pool = db.pool(NOWHERE, wait=0.2)
    await pool.open()
    try:
        append = AppendRecords(Grouped(StoreRecords(hot_opener(pool, clock, new_id), clock, VOCABULARY)))
        answers = await asyncio.gather(
            *(append([a_submission(ts=clock())], by=of(tenant, n)) for n in range(3)), return_exceptions=True
        )
    finally:
        await pool.close()

    assert [type(each) for each in answers] == [Unavailable] * 3


async def test_whoever_goes_away_takes_nobody_along(store, begin: Begin, clock, tenant, caller, database, left):
    append = AppendRecords(Grouped(store))
    await append([a_submission("ann", ts=clock())], by=caller)
    async with begin(tenant) as tx:
        await hold(tx, "ann")
        gone, stays = (
            asyncio.create_task(append([a_submission(who, ts=clock())], by=of(tenant, n)))
            for n, who in enumerate(("ann", "ben"))
        )
        await waiting(database)
        gone.cancel()
        await asyncio.sleep(0)
    assert (await asyncio.wait_for(stays, 20)).stored == 1
    assert gone.cancelled()
