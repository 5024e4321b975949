"""Whatever is indexed and whatever went: everybody finds the decisions about themselves, and no others."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import count
from struct import pack
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from procrastinate.testing import InMemoryConnector

from service import db, indexing, worker
from service.audit import NOBODYS
from service.decisions.batch_places import SqlBatchPlaces
from service.decisions.narrow import NEVER
from service.decisions.packed import chunk_id, decision_id
from service.given import new_id, utc_now
from service.kernel import Handle
from service.telemetry import Telemetry
from tests.integration.expiring_child import killed
from tests.integration.indexing_child import index_chunks

LONG_AGO = datetime(2019, 6, 3, 9, tzinfo=UTC)
ONE = new_id()
PEOPLE = [
    Handle(each)
    for each in (
        ONE,
        UUID(int=ONE.int ^ 1 << 100),  # alike in all that the index has
        UUID(int=ONE.int ^ 1 << 31),  # in another part
        UUID(bytes=ONE.bytes[:10] + ONE.bytes[13:] * 2),
        new_id(),
        NOBODYS,
    )
]
ADD = """
    INSERT INTO batch (tenant, id, channel, purpose, at, revision, overlay_version, actor, request, decisions, body,
        root)
    VALUES (%s, %s, 'email', 'marketing', %s, 'r', 0, 'crm', 'r', %s, %s, '')
"""
DROP = """
    WITH trace AS (INSERT INTO expired (tenant, kind, id, at, expired_at)
        VALUES (%(tenant)s, 'batch', %(id)s, now(), now()))
    SELECT set_config('volens.expiring', 'on', true)
"""
INDEXED = """
    SELECT count(*), count(run),
        (SELECT coalesce(sum(length(body)) / 6, 0) FROM batch_index WHERE tenant = %(tenant)s),
        (SELECT count(*) FROM batch_index AS part WHERE tenant = %(tenant)s
            AND NOT EXISTS (SELECT FROM batch_run WHERE tenant = %(tenant)s AND run = part.run))
    FROM batch_run WHERE tenant = %(tenant)s
"""


class Log:
    """Chunks of a tenant, and the worker's index over them."""

    def __init__(self, urls, tenant: str) -> None:
        self.urls = urls
        self.tenant = tenant
        self.chunks: dict[UUID, Sequence[Handle]] = {}
        self.at: dict[UUID, datetime] = {}

    def add(self, people: Sequence[Handle], *, on: psycopg.Connection | None = None) -> UUID:
        """Store a chunk, committed unless a connection is given."""
        id = chunk_id(uuid4())
        at = self.at[id] = LONG_AGO + timedelta(minutes=len(self.at) // 2)
        about = (self.tenant, id, at, len(people), b"".join(each.bytes + pack(">Iq", 0, NEVER) for each in people))
        if on is not None:
            on.execute(ADD, about)
        else:
            with psycopg.connect(self.urls.admin) as connection:
                connection.execute(ADD, about)
        self.chunks[id] = people
        return id

    def drop(self, id: UUID) -> None:
        """Take a chunk away as retention does."""
        about = {"tenant": self.tenant, "id": id}
        with psycopg.connect(self.urls.admin) as connection:
            connection.execute(DROP, about)
            connection.execute("DELETE FROM batch WHERE tenant = %(tenant)s AND id = %(id)s", about)
        del self.chunks[id]

    def index(self, enough: int = 1, many: int = 1_000, most: int = 1_000_000) -> int:
        """Index as the worker does, and return how many chunks still wait."""
        telemetry = Telemetry(utc_now, stream=BytesIO())
        asyncio.run(indexing.index_batches(self.urls.worker, telemetry, enough=enough, many=many, most=most))
        with psycopg.connect(self.urls.admin) as connection:
            waiting = dict(connection.execute("SELECT tenant, count(*) FROM batch_run WHERE run IS NULL GROUP BY 1"))
        assert telemetry.registry.get_sample_value("volens_batch_chunks_unindexed") == sum(waiting.values())
        return waiting.get(self.tenant, 0)

    def about(self, *asked: Sequence[Handle]) -> Sequence[set[UUID]]:
        """Return the decisions that are found about each who asks."""

        async def found() -> Sequence[set[UUID]]:
            engine = db.engine(self.urls.app)
            async with engine.connect() as connection:
                await connection.exec_driver_sql(f"SELECT set_config('volens.tenant', '{self.tenant}', false)")
                finding = SqlBatchPlaces(connection, self.tenant)
                told = []
                for people in asked:
                    places = await finding.of(people)
                    each = [*places.known, *await finding.through(people, places.unindexed)]
                    assert all(at == self.at[chunk_id(id_)] for at, id_ in each)
                    assert len(set(each)) == len(each), "none twice"
                    told.append({id_ for _, id_ in each})
            await engine.dispose()
            return told

        return asyncio.run(found())

    def truth(self, *people: Handle) -> set[UUID]:
        return {
            decision_id(chunk, place)
            for chunk, asked in self.chunks.items()
            for place, each in enumerate(asked)
            if each in people
        }

    def examine(self) -> None:
        """Everybody finds what there is, and the index has what is in indexed chunks, once, and nothing else."""
        asked = [*([each] for each in PEOPLE[:-1]), PEOPLE[:2], PEOPLE[2:5]]
        assert self.about(*asked) == [self.truth(*people) for people in asked]
        with psycopg.connect(self.urls.admin) as connection:
            marked, indexed, noted, stray = connection.execute(INDEXED, {"tenant": self.tenant}).fetchone()
            rows = connection.execute(
                "SELECT batch FROM batch_run WHERE tenant = %s AND run IS NOT NULL", (self.tenant,)
            ).fetchall()
        assert marked == len(self.chunks)
        assert stray == 0
        assert indexed == len(rows)
        assert noted == sum(each != NOBODYS for (chunk,) in rows for each in self.chunks[chunk])


@pytest.fixture
def log(database, tenant) -> Log:
    return Log(database.urls, tenant)


asked_about = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=30)
steps = st.one_of(
    asked_about.map(lambda people: ("add", people)),
    st.tuples(st.just("index"), st.sampled_from([(1, 9, 1_000), (1, 9, 20), (1, 1, 1), (40, 3, 50)])),
    st.tuples(st.just("drop"), st.integers(0, 99)),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(asked_about, max_size=4), st.lists(steps, max_size=8))
def test_everybody_finds_what_there_is_about_them(database, add_tenant, before, steps):
    log = Log(database.urls, add_tenant())
    for people in before:
        log.add(people)
    for step, how in steps:
        if step == "add":
            log.add(how)
        elif step == "index":
            log.index(*how)
        elif log.chunks:
            log.drop(sorted(log.chunks)[how % len(log.chunks)])
    log.examine()


def test_a_run_is_made_of_what_is_worth_it(log):
    for _ in range(3):
        log.add([NOBODYS] * 4)
    assert log.index(enough=13) == 3
    assert log.index(enough=100, many=4) == 3
    assert log.index(enough=12) == 0
    log.add([NOBODYS])
    assert log.index(enough=2) == 1
    assert log.index(enough=2, many=1) == 0


def test_a_large_run_lies_in_many_parts(log, database):
    crowd = [Handle(new_id()) for _ in range(3_000)]
    log.add([*crowd, PEOPLE[0]])
    log.add([PEOPLE[0], *crowd[::-1]])
    log.index()

    with psycopg.connect(database.urls.admin) as connection:
        buckets = [
            row[0] for row in connection.execute("SELECT bucket FROM batch_index WHERE tenant = %s", [log.tenant])
        ]
    assert sorted(buckets) == list(range(32, 64))
    assert log.about([crowd[7]], PEOPLE[:1]) == [log.truth(crowd[7]), log.truth(PEOPLE[0])]


def test_a_chunk_that_commits_late_is_not_passed_over(log, database):
    with psycopg.connect(database.urls.admin) as late:
        log.add(PEOPLE, on=late)
        log.add(PEOPLE)
        log.index()
        late.commit()
    log.examine()
    assert log.index() == 0
    log.examine()


def test_two_workers_at_once_take_different_chunks(log, database):
    first, *_ = sorted(log.add(PEOPLE) for _ in range(3))
    with psycopg.connect(database.urls.worker) as other:
        assert other.execute("SELECT indexed FROM index_batches(1, 1, 1)").fetchone() == (1,)
        assert log.index() == 2, "those that the other looked at"
        other.commit()
    assert log.index() == 0
    log.examine()
    log.drop(first)
    log.examine()


async def test_a_chunk_that_goes_while_it_is_indexed_leaves_nothing(log, database):
    gone, _ = log.add(PEOPLE), log.add(PEOPLE)
    with psycopg.connect(database.urls.worker) as other:
        other.execute("SELECT index_batches(1, 9, 1000)")
        going = asyncio.create_task(asyncio.to_thread(log.drop, gone))
        await asyncio.sleep(0.5)
        assert not going.done()
        other.commit()
    await going
    await asyncio.to_thread(log.examine)
    assert await asyncio.to_thread(log.index) == 0
    await asyncio.to_thread(log.examine)


def test_killed_at_any_step_the_worker_leaves_nothing_half(log, database):
    told = set()
    for number in count():
        for chunk in list(log.chunks):
            log.drop(chunk)
        for _ in range(3):
            log.add(PEOPLE[:3])
        told.add(where := killed(index_chunks, database.urls.worker, log.tenant, number))
        log.examine()
        if where == "done":
            break
        log.index()
        log.examine()
    assert told == {"before a commit", "after a commit", "done"}


async def test_the_worker_indexes_each_minute_and_needs_no_lock_that_a_killed_one_would_hold(log, database):
    with psycopg.connect(database.urls.admin) as connection:
        for _ in range(indexing.MANY):
            log.add(PEOPLE[:1], on=connection)
    telemetry = Telemetry(utc_now, stream=BytesIO())
    jobs = worker.build(database.urls.worker, telemetry).with_connector(InMemoryConnector())
    [planned] = [each for each in jobs.periodic_registry.periodic_tasks.values() if each.task.name == "index_batches"]

    await jobs.tasks["index_batches"](timestamp=0)

    assert (planned.cron, planned.task.lock) == ("* * * * *", None)
    with psycopg.connect(database.urls.admin) as connection:
        waiting = "SELECT count(*) FROM batch_run WHERE tenant = %s AND run IS NULL"
        assert connection.execute(waiting, (log.tenant,)).fetchone() == (0,)
    await asyncio.to_thread(log.examine)


@pytest.mark.parametrize("table", ["batch_run", "batch_index"])
def test_the_service_reads_the_index_and_changes_nothing_of_it(database, table):
    for url, statements in {
        database.urls.app: ("INSERT INTO {} DEFAULT VALUES", "DELETE FROM {}", "SELECT index_batches(1, 1, 1) FROM {}"),
        database.urls.worker: ("SELECT FROM {}", "DELETE FROM {}"),
    }.items():
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.format(table))
