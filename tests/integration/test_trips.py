"""What is asked at once goes to PostgreSQL in one round trip, in its order, and belongs to the transaction."""

import asyncio

import psycopg
import pytest

from service.db import lease
from service.kernel import Unavailable
from service.trips import Trips

FAILS = "SELECT 1 / (%(zero)s::int)"
SLEEPS = "SELECT pg_sleep(%(seconds)s)"


async def test_what_is_asked_at_once_travels_together_and_sees_what_came_before(begin, tenant, trips):
    async with begin(tenant) as tx:
        ask = tx.trips
        trips.clear()
        told = await ask.together(
            ask("SELECT set_config('volens.note', %(note)s, true)", {"note": "a"}),
            ask.all(("SELECT current_setting('volens.note')", {}), ("SELECT %(n)s::int + 1", {"n": 1})),
            ask("SELECT set_config('volens.note', %(note)s, true)", {"note": "b"}),
        )

    assert trips == [3 + 1]
    assert told == [[("a",)], [[("a",)], [(2,)]], [("b",)]]


async def test_what_is_asked_one_after_the_other_travels_by_itself(begin, tenant, trips):
    async with begin(tenant) as tx:
        trips.clear()
        await tx.trips("SELECT 1", {})
        await tx.trips("SELECT 2", {})

    assert trips == [1, 1]


async def test_on_a_connection_that_commits_by_itself_each_trip_is_a_transaction(pool, tenant):
    async with lease(pool) as connection:
        ask = Trips(connection, every=[("SELECT set_config('volens.tenant', %(tenant)s, true)", {"tenant": tenant})])
        seen = "SELECT current_setting('volens.tenant'), current_setting('volens.note', true)"
        one, _ = await ask.together(
            ask.all(("SELECT set_config('volens.note', 'a', true)", {}), (seen, {})), ask("SELECT 1", {})
        )
        other = await ask(seen, {})
        with pytest.raises(psycopg.errors.DivisionByZero):
            await ask.together(ask("SELECT set_config('volens.note', 'b', false)", {}), ask(FAILS, {"zero": 0}))

        assert (one[1], other) == ([(tenant, "a")], [(tenant, "")])
        assert await ask(seen, {}) == [(tenant, "")]


async def test_a_trip_knows_the_tenant_of_its_transaction(begin, tenant):
    async with begin(tenant) as tx:
        assert await tx.trips("SELECT current_setting('volens.tenant')", {}) == [(tenant,)]


async def test_a_statement_that_fails_ends_the_transaction_for_all(begin, tenant):
    async def ask_all():
        async with begin(tenant) as tx:
            ask = tx.trips
            await ask.together(ask("SELECT 1", {}), ask(FAILS, {"zero": 0}), ask("SELECT 2", {}))

    with pytest.raises(psycopg.errors.DivisionByZero):
        await ask_all()


async def test_a_lock_that_is_not_to_be_had_is_unavailable(begin, tenant):
    async def lock():
        async with begin(tenant) as tx:
            await tx.trips("SELECT set_config('lock_timeout', '10', true)", {})
            await tx.trips("SELECT pg_advisory_xact_lock(%(key)s)", {"key": 4711})

    async with begin(tenant) as holder:
        await holder.trips("SELECT pg_advisory_xact_lock(%(key)s)", {"key": 4711})
        with pytest.raises(Unavailable):
            await lock()


async def test_whoever_is_broken_off_leaves_nobody_waiting_and_a_connection_that_works(begin, tenant):
    async with begin(tenant) as tx:
        ask = tx.trips
        first = asyncio.create_task(ask(SLEEPS, {"seconds": 5}))
        second = asyncio.create_task(ask("SELECT 1", {}))
        await asyncio.sleep(0.1)
        first.cancel()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(second, 5)
        await asyncio.wait([first])

    async with begin(tenant) as tx:
        assert await tx.trips("SELECT 1", {}) == [(1,)]
