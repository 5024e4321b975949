"""The decision log in months: nothing is lost on the way there, nobody goes past the table, and look-ups read one."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import event

from service import migrate, retention
from service.decisions.store import SqlDecisionStore
from service.given import utc_now
from service.telemetry import Telemetry

ADD = """
    INSERT INTO {} (tenant, id, channel, purpose, at, decided_at, permit, revision, facts_hash, verdict_hash,
        records, actor, request)
    SELECT 'acme', unnest(%s::uuid[]), 'email', 'marketing', now(), now(), false, 'r', 'asked', 'told', '{{}}',
        'crm', 'r'
"""
EVERYTHING = "SELECT count(*), md5(string_agg(decision::text, '' ORDER BY id)) FROM decision"
PLACES = "SELECT tableoid::regclass::text, count(*) FROM decision GROUP BY 1"
MONTHS = "0044"
"""The revision that made them."""
KEEP = "SELECT made, dropped FROM keep_decision_months()"


def month(ahead: int, day: int = 1) -> datetime:
    now = utc_now()
    years, months = divmod(now.month - 1 + ahead, 12)
    return datetime(now.year + years, months + 1, day, tzinfo=UTC)


def named(ahead: int) -> str:
    return f"decision_{month(ahead):%Y_%m}"


def made_at(at: datetime) -> UUID:
    """Return a UUIDv7 of that instant."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | uuid4().int & (1 << 62) - 1)


def ids() -> Sequence[UUID]:
    """Return ids of months before and to come, the first and last of this one, and some without a time."""
    edges = [month(0), month(1) - timedelta(milliseconds=1), month(1)]
    return [*map(made_at, edges), *(made_at(month(ahead, 15)) for ahead in (-20, -1, 2, 9)), uuid4(), uuid4()]


@pytest.fixture
def urls(new_database):
    return new_database()


@pytest.fixture
def admin(urls):
    with psycopg.connect(urls.admin, autocommit=True) as connection:
        yield connection


@pytest.fixture
def worker(urls):
    with psycopg.connect(urls.worker, autocommit=True) as connection:
        yield connection


def aged(admin) -> str:
    """Have what there is lie in the month before, as it does when a month has gone by; return its name."""
    admin.execute(f"ALTER TABLE decision DETACH PARTITION {named(0)}")
    admin.execute(f"ALTER TABLE {named(0)} RENAME TO {named(-1)}")
    until = admin.execute("SELECT first_id_of(%s)", (month(0).replace(tzinfo=None),)).fetchone()[0]
    admin.execute(f"ALTER TABLE decision ATTACH PARTITION {named(-1)} FOR VALUES FROM (MINVALUE) TO ('{until}')")
    return named(-1)


def test_up_and_down_again_every_row_is_there_as_it_was(new_database):
    urls = new_database(empty=True)
    earlier = ScriptDirectory.from_config(migrate._config()).get_revision(MONTHS).down_revision
    migrate.upgrade(urls.owner, earlier)
    with psycopg.connect(urls.admin, autocommit=True) as admin:
        admin.execute(ADD.format("decision"), (list(ids()),))
        before = admin.execute(EVERYTHING).fetchone()
        migrate.upgrade(urls.owner, MONTHS)
        assert admin.execute(EVERYTHING).fetchone() == before
        places = dict(admin.execute(PLACES).fetchall())
        assert places[named(0)] >= 4, "what there was is the partition of this month, uncopied"
        assert {places[named(1)], places[named(2)]} == {1}
        migrate.downgrade(urls.owner, earlier)
        assert admin.execute(EVERYTHING).fetchone() == before
        assert admin.execute("SELECT count(*) FROM pg_inherits").fetchone() == (0,)


def test_each_row_lies_in_its_month_and_one_of_no_month_is_not_lost(admin):
    admin.execute(ADD.format("decision"), (list(ids()),))
    assert admin.execute("SELECT count(*) FROM decision").fetchone() == (len(ids()),)
    of = dict(admin.execute("SELECT id, tableoid::regclass::text FROM decision").fetchall())
    later = [place for id_, place in of.items() if id_.version == 7 and id_ > made_at(month(4))]
    assert later == ["decision_other"]
    assert [place for id_, place in of.items() if made_at(month(2)) < id_ < made_at(month(3))] == [named(2)]


def test_nobody_but_its_owner_reaches_a_partition_past_the_table(admin, urls, worker):
    partitions = [
        name
        for (name,) in admin.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'decision'::regclass"
        )
    ]
    assert len(partitions) == 5
    with psycopg.connect(urls.app, autocommit=True) as app:
        app.execute("SELECT set_config('volens.tenant', 'acme', false)")
        for partition in partitions:
            for statement in (f"SELECT FROM {partition}", f"DELETE FROM {partition}", f"TRUNCATE {partition}"):
                for connection in (app, worker):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        connection.execute(statement)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(ADD.format(partition), ([uuid4()],))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(KEEP)


def test_rows_of_a_partition_stay_as_the_rows_of_the_table_do(admin, urls):
    admin.execute(ADD.format("decision"), ([made_at(month(ahead)) for ahead in range(6)],))
    with psycopg.connect(urls.owner, autocommit=True) as owner:
        for partition in (named(0), named(1), "decision_other"):
            for change in ("UPDATE {} SET permit = true", "DELETE FROM {}", "TRUNCATE {}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only grows"):
                    owner.execute(change.format(partition))
            owner.execute("SELECT set_config('volens.expiring', 'on', false)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only with a trace"):
                owner.execute(f"DELETE FROM {partition}")
            owner.execute("SELECT set_config('volens.expiring', '', false)")


def test_every_partition_has_the_indexes_of_the_table(admin):
    rows = admin.execute(
        """
        SELECT partition.inhrelid::regclass::text, count(*) FROM pg_inherits AS partition
        JOIN pg_index ON indrelid = partition.inhrelid
        JOIN pg_inherits AS attached ON attached.inhrelid = indexrelid
        WHERE partition.inhparent = 'decision'::regclass AND indisvalid GROUP BY 1
        """
    ).fetchall()
    assert dict(rows) == dict.fromkeys([*map(named, range(4)), "decision_other"], 3)


async def test_months_that_nobody_made_take_their_rows_out_of_the_rest(admin, urls, worker):
    for ahead in range(1, 4):
        admin.execute(f"DROP TABLE {named(ahead)}")
    admin.execute(ADD.format("decision"), (list(ids()),))
    before = admin.execute(EVERYTHING).fetchone()
    log = BytesIO()
    await retention.keep_months(urls.worker, Telemetry(utc_now, stream=log))

    assert b'"log_months_made"' in log.getvalue()
    assert b'"count":3' in log.getvalue()
    assert admin.execute(EVERYTHING).fetchone() == before
    places = dict(admin.execute(PLACES).fetchall())
    assert (places[named(1)], places[named(2)]) == (1, 1)
    assert worker.execute(KEEP).fetchone() == ([], []), "and there is nothing left to do"


def test_a_month_goes_when_it_is_past_and_empty_and_never_with_a_row(admin, worker):
    admin.execute(ADD.format("decision"), ([made_at(month(-1))],))
    past = aged(admin)
    assert worker.execute(KEEP).fetchone() == ([named(0)], [])
    admin.execute(f"ALTER TABLE {past} DISABLE TRIGGER USER")
    admin.execute(f"DELETE FROM {past}")
    assert worker.execute(KEEP).fetchone() == ([], [past])
    admin.execute(ADD.format("decision"), ([made_at(month(-1))],))
    assert admin.execute(PLACES).fetchall() == [("decision_other", 1)], "who comes too late is not turned away"


async def test_a_month_that_somebody_reads_is_dropped_another_day(admin, urls, worker):
    past = aged(admin)
    with psycopg.connect(urls.app) as reader:
        reader.execute("SELECT FROM decision")
        await asyncio.wait_for(retention.keep_months(urls.worker, Telemetry(utc_now, stream=BytesIO())), 5)
        assert admin.execute("SELECT to_regclass(%s) IS NOT NULL", (past,)).fetchone() == (True,)
    assert worker.execute(KEEP).fetchone() == ([named(0)], [past])


async def test_ids_of_one_month_are_looked_up_in_one_partition(admin, engine, tenant):
    said = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *told: said.append(told[2:4]))
    async with engine.connect() as connection:
        await SqlDecisionStore(connection, tenant).several([made_at(month(1, day)) for day in (3, 4, 5)])
    [(query, values)] = [each for each in said if "FROM decision JOIN" in " ".join(each[0].split())]
    admin.execute("SET plan_cache_mode = force_generic_plan")
    plan = "\n".join(line for (line,) in admin.execute(f"EXPLAIN (ANALYZE) {query}", values))
    assert {name for name in map(named, range(4)) if name in plan} == {named(1)}, plan
    assert "decision_other" not in plan
