"""Every migration goes up, down and up again, and ends with the tables that the code expects."""

import importlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql

from service import db, migrate, schema
from service.postgres import EmbeddedPostgres

OURS = [f"service.{path.parent.name}.tables" for path in schema.MIGRATIONS.parent.glob("service/*/tables.py")]
EXAMPLES = {
    "ARRAY": "{}",
    "bigint": "1",
    "boolean": "true",
    "bytea": "bytes",
    "date": "2026-11-21",
    "integer": "1",
    "jsonb": "{}",
    "smallint": "1",
    "text": "x",
    "timestamp with time zone": "2026-11-21T12:00:00Z",
    "uuid": "01980000-0000-7000-8000-000000000001",
}
"""A value of each type that our columns have, as PostgreSQL writes it."""
OTHERS, SECOND = {"approved_by"}, "y"
"""Columns that name somebody else than `actor` does, and who that is."""


def load_tables() -> None:
    for module in ["service.tenants", *OURS]:
        importlib.import_module(module)


def revisions() -> list[str]:
    """Return every revision, oldest first."""
    scripts = ScriptDirectory.from_config(migrate._config()).walk_revisions()
    return [script.revision for script in reversed(list(scripts))]


def relations(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            """
            SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION SELECT nspname FROM pg_namespace WHERE nspname = 'jobs'
            UNION SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            """
        )
        return {name for (name,) in rows}


def fill(url: str) -> set[str]:
    """Store a row in every table and return which ones there were."""
    with psycopg.connect(url) as connection:
        columns = connection.execute(
            """
            SELECT table_name, array_agg(column_name::text), array_agg(data_type::text)
            FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name <> 'alembic_version'
                AND table_name NOT IN (SELECT relname FROM pg_class WHERE relispartition)
            GROUP BY table_name
            ORDER BY table_name::regclass::oid  -- older ones first: newer ones point to them
            """
        ).fetchall()
        for table, names, types in columns:
            said = [SECOND if name in OTHERS else EXAMPLES[kind] for name, kind in zip(names, types, strict=True)]
            values = ", ".join(f"'{value}'" for value in said)
            connection.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) ON CONFLICT DO NOTHING")
        return {table for table, *_ in columns}


@pytest.fixture
def empty(new_database):
    return new_database(empty=True)


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_up_down_and_up_again(empty, filled):
    migrate.upgrade(empty.owner)
    everything = relations(empty.owner)
    if filled:
        assert {"tenant", "audit_entry", "outbox"} <= fill(empty.owner)

    migrate.downgrade(empty.owner, "base")
    assert relations(empty.owner) == {"alembic_version", "alembic_version_pkc"}

    migrate.upgrade(empty.owner)
    assert relations(empty.owner) == everything


def test_each_step_can_be_taken_back_and_repeated(empty):
    for revision in revisions():
        before = relations(empty.owner)
        migrate.upgrade(empty.owner, revision)
        after = relations(empty.owner)
        migrate.downgrade(empty.owner, "-1")
        assert relations(empty.owner) - {"alembic_version", "alembic_version_pkc"} == before - {
            "alembic_version",
            "alembic_version_pkc",
        }
        migrate.upgrade(empty.owner, revision)
        assert relations(empty.owner) == after


def test_the_database_has_the_tables_that_the_code_expects(database):
    load_tables()
    engine = sa.create_engine(database.urls.owner, poolclass=sa.NullPool)
    with engine.connect() as connection:
        partitions = set(connection.scalars(sa.text("SELECT relname FROM pg_class WHERE relispartition")))
        whole = {"include_name": lambda name, kind, _: kind != "table" or name not in partitions}
        differences = compare_metadata(MigrationContext.configure(connection, opts=whole), db.metadata)

    # What `comment=` says is for readers of the code; a database without it is no different.
    assert [found for found in differences if not str(found[0]).endswith("_comment")] == []


def test_texts_that_name_something_sort_by_bytes_on_both_sides(database):
    """`compare_metadata` does not look at collations."""
    load_tables()
    expected = {
        (table.name, column.name)
        for table in db.metadata.tables.values()
        for column in table.columns
        if getattr(column.type.dialect_impl(postgresql.dialect()), "collation", None) == "C"
    }
    with psycopg.connect(database.urls.owner) as connection:
        rows = connection.execute(
            """
            SELECT table_name, column_name FROM information_schema.columns
            WHERE table_schema = 'public' AND collation_name = 'C' AND table_name <> 'alembic_version'
                AND table_name NOT IN (SELECT relname FROM pg_class WHERE relispartition)
            """
        )
        assert set(rows) == expected


async def test_a_database_is_at_head_or_it_is_not(empty):
    engine = db.engine(empty.app)

    async def at_head() -> bool:
        async with engine.connect() as connection:
            return await schema.at_head(connection)

    assert await at_head() is False
    migrate.upgrade(empty.owner, revisions()[-2])
    assert await at_head() is False
    migrate.upgrade(empty.owner)
    assert await at_head() is True
    await engine.dispose()


def test_two_at_once_do_the_work_once(empty):
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as processes:
        list(processes.map(migrate.upgrade, [empty.owner] * 3))

    assert "audit_entry" in relations(empty.owner)


def test_an_upgrade_that_fails_leaves_nothing_behind(empty):
    with psycopg.connect(empty.owner) as connection:
        connection.execute("CREATE TABLE outbox ()")

    with pytest.raises(sa.exc.ProgrammingError, match="already exists"):
        migrate.upgrade(empty.owner)
    assert relations(empty.owner) == {"outbox"}


def test_a_migration_gives_up_rather_than_wait_for_a_lock(empty):
    migrate.upgrade(empty.owner)
    with psycopg.connect(empty.owner) as reader:
        reader.execute("SELECT 1 FROM audit_entry")

        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            migrate.downgrade(empty.owner, "base")


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Start a server of our own, where nobody has made the roles yet: they belong to a server, not to a database."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("bare"))
    urls = server.start()
    with psycopg.connect(urls.admin, autocommit=True) as admin:
        admin.execute("CREATE DATABASE plain OWNER volens_owner")
        for role in ("volens_app", "volens_worker"):
            admin.execute(f"DROP OWNED BY {role}")
            admin.execute(f"DROP ROLE {role}")
    yield {name: at_plain(getattr(urls, name)) for name in ("admin", "owner")}
    server.stop()


def at_plain(url: str) -> str:
    return sa.make_url(url).set(database="plain").render_as_string(hide_password=False)


def test_without_the_roles_a_plain_owner_is_told_which_to_ask_for(bare):
    with pytest.raises(RuntimeError, match=r"CREATE ROLE volens_app.*CREATE ROLE volens_worker"):
        migrate.upgrade(bare["owner"])


def test_an_owner_who_may_makes_the_roles_and_can_take_them_on(bare):
    with psycopg.connect(bare["admin"], autocommit=True) as admin:
        admin.execute("ALTER ROLE volens_owner CREATEROLE")
    migrate.upgrade(bare["owner"])

    for role in ("volens_app", "volens_worker"):
        with psycopg.connect(db.as_role(bare["owner"], role)) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (role,)
    migrate.downgrade(bare["owner"], "base")


def test_an_administrator_may_migrate_too(bare):
    migrate.upgrade(bare["admin"])
    fill(bare["admin"])
    migrate.downgrade(bare["admin"], "base")
    with psycopg.connect(bare["admin"]) as admin:
        admin.execute("DROP TABLE alembic_version")


def test_a_role_that_the_guard_would_not_bind_is_refused(bare):
    with psycopg.connect(bare["admin"], autocommit=True) as admin:
        admin.execute("ALTER ROLE volens_app BYPASSRLS")

    with pytest.raises(RuntimeError, match="would not bind volens_app"):
        migrate.upgrade(bare["owner"])
