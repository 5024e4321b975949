"""One transaction: stored together or not at all, one tenant at a time, and mended when the database comes back."""

import asyncio
from datetime import timedelta
from time import monotonic

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import make_url, text
from sqlalchemy.exc import IntegrityError

from service import db, migrate
from service.audit import AuditEvent, Query
from service.events import Event
from service.kernel import Contended, TenantId, Unavailable
from service.postgres import EmbeddedPostgres
from service.transaction import Begin, opener

PATIENCE = timedelta(seconds=5)


async def store(begin: Begin, caller, clock) -> None:
    async with begin(caller.tenant) as tx:
        await tx.audit.append(event=AuditEvent.RECORD_STORED, object_id="r-1", by=caller)
        await tx.outbox.add([Event(type="record.stored", object_id="r-1", at=clock())])


async def fail(begin: Begin, caller, clock) -> None:
    async with begin(caller.tenant) as tx:
        await tx.audit.append(event=AuditEvent.RECORD_STORED, object_id="r-1", by=caller)
        await tx.outbox.add([Event(type="record.stored", object_id="r-1", at=clock())])
        raise RuntimeError("after everything was stored")


async def entries(begin: Begin, tenant: TenantId) -> int:
    async with begin(tenant) as tx:
        return len(await tx.audit.find(Query(), subject=None, after=None, limit=100))


def rows(database, tenant: TenantId) -> list[int]:
    with psycopg.connect(database.urls.owner) as owner:
        return [
            count
            for table in ("audit_entry", "audit_pending", "outbox")
            for (count,) in owner.execute(f"SELECT count(*) FROM {table} WHERE tenant = %s", (tenant,))
        ]


async def run(begin: Begin, tenant: TenantId, *statements: str) -> None:
    async with begin(tenant) as tx:
        for statement in statements:
            await tx.audit._connection.execute(text(statement))


async def test_all_that_a_block_stores_is_there_when_it_ends(begin, caller, clock, database):
    await store(begin, caller, clock)

    assert rows(database, caller.tenant) == [1, 1, 1]


async def test_a_block_that_raises_stores_nothing(begin, caller, clock, database):
    with pytest.raises(RuntimeError):
        await fail(begin, caller, clock)

    assert rows(database, caller.tenant) == [0, 0, 0]


async def test_a_block_that_is_cancelled_stores_nothing(begin, caller, clock, database):
    stored = asyncio.Event()

    async def linger() -> None:
        async with begin(caller.tenant) as tx:
            await tx.audit.append(event=AuditEvent.RECORD_STORED, object_id="r-1", by=caller)
            stored.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(linger())
    await stored.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert rows(database, caller.tenant) == [0, 0, 0]


async def test_a_connection_takes_no_tenant_along_to_its_next_user(database, caller, clock, new_id):
    engine = db.engine(database.urls.app, size=1)
    await store(opener(engine, clock, new_id), caller, clock)

    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM audit_entry")) == 0
    await engine.dispose()


async def test_only_the_owner_adds_tenants_and_once(database, begin, clock, new_id):
    engine = db.engine(database.urls.owner)
    as_owner = opener(engine, clock, new_id)
    tenant = TenantId("acme")
    for expected in (True, False):
        async with as_owner(tenant) as tx:
            assert await tx.tenants.add() is expected
    await engine.dispose()

    async with begin(tenant) as tx:
        assert await tx.tenants.known() is True
    async with begin(TenantId("nobody")) as tx:
        assert await tx.tenants.known() is False


async def test_an_engine_without_a_free_connection_is_unavailable(database, tenant, clock, new_id):
    engine = db.engine(database.urls.app, size=1, wait=0.1)
    begin = opener(engine, clock, new_id)
    async with begin(tenant):
        with pytest.raises(Unavailable):
            await run(begin, tenant)
    await engine.dispose()


async def test_of_two_that_stand_in_each_others_way_one_may_ask_again(begin, tenant):
    """The locks stand for rows; the application's role may lock none that these tests could use."""

    def locks(*numbers: int) -> list[str]:
        first, second = (f"SELECT pg_advisory_xact_lock({number})" for number in numbers)
        return [first, "SELECT pg_sleep(0.2)", second]

    ends = await asyncio.gather(
        run(begin, tenant, *locks(1, 2)), run(begin, tenant, *locks(2, 1)), return_exceptions=True
    )
    assert sorted(type(end) for end in ends if end) == [Contended]


async def test_a_statement_that_is_simply_wrong_is_not_called_unavailable(begin, tenant):
    insert = f"INSERT INTO outbox (tenant, id, type, at) VALUES ('{tenant}', gen_random_uuid(), 'x', now())"

    with pytest.raises(IntegrityError):
        await run(begin, tenant, insert)


async def test_one_address_serves_as_every_role_its_user_is_a_member_of(database, tenant):
    with psycopg.connect(database.urls.admin, autocommit=True) as admin:
        admin.execute("CREATE ROLE joiner LOGIN PASSWORD 'joiner' IN ROLE volens_app")
    address = make_url(database.urls.app).set(username="joiner", password="joiner")

    url = db.as_role(f"{address.render_as_string(hide_password=False)}&options=-c%20work_mem%3D8MB", "volens_app")
    engine = db.engine(url)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT current_user")) == "volens_app"
        assert await connection.scalar(text("SHOW work_mem")) == "8MB"
        assert await connection.scalar(text("SHOW timezone")) == "UTC"
    await engine.dispose()


class TestARestart:
    async def test_is_survived_by_engine_and_pool(self, tmp_path, caller, clock, new_id):
        """A request that finds the database gone is told so; once it is back, so is the service."""
        server = EmbeddedPostgres(tmp_path)
        urls = server.start()
        migrate.upgrade(urls.owner)
        engine = db.engine(urls.app, wait=1)
        begin = opener(engine, clock, new_id)
        async with db.pool(urls.app, wait=1) as pool:
            await store(begin, caller, clock)
            assert await asyncio.gather(*(one(pool) for _ in range(8))) == [1] * 8

            server.stop()
            for ask in (lambda: entries(begin, caller.tenant), lambda: one(pool)):
                for _ in range(3):
                    with pytest.raises(Unavailable):
                        await ask()
            server.start()

            assert await within(PATIENCE, lambda: entries(begin, caller.tenant)) == 1
            assert await within(PATIENCE, lambda: one(pool)) == 1
        await engine.dispose()
        server.stop()

    async def test_that_nobody_saw_costs_one_answer_and_not_one_a_connection(self, tmp_path, caller, clock, new_id):
        server = EmbeddedPostgres(tmp_path)
        urls = server.start()
        migrate.upgrade(urls.owner)
        engine = db.engine(urls.app)
        begin = opener(engine, clock, new_id)
        async with db.pool(urls.app) as pool:
            await asyncio.gather(*(entries(begin, caller.tenant) for _ in range(8)), *(one(pool) for _ in range(8)))

            server.stop()
            server.start()

            for ask in (lambda: entries(begin, caller.tenant), lambda: one(pool)):
                with pytest.raises(Unavailable):
                    await ask()
                await ask()
        await engine.dispose()
        server.stop()


async def one(pool: AsyncConnectionPool) -> int:
    async with db.lease(pool) as connection:
        (number,) = await (await connection.execute("SELECT 1 FROM pg_sleep(0.02)")).fetchone()
        return number


async def within(patience: timedelta, ask):
    """Ask until there is an answer."""
    deadline = monotonic() + patience.total_seconds()
    while True:
        try:
            return await ask()
        except Unavailable:
            assert monotonic() < deadline, "the database has been back for long"
            await asyncio.sleep(0.1)
