"""Statements that go straight through libpq leave the connection as good as psycopg's own would."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from service import db
from service.kernel import Unavailable
from service.wire import exchange
from tests.conftest import Database

SLEEPS = "SELECT pg_sleep(%(seconds)s)"
ME = "SELECT pg_backend_pid()"
Connection = psycopg.AsyncConnection[Any]


@pytest.fixture
async def connection(pool) -> AsyncIterator[Connection]:
    async with pool.connection() as connection:
        yield connection


async def asked(connection: Connection, query: str, **parameters: Any) -> Any:
    """Return the first value of the first row."""
    [[row, *_]] = await exchange(connection, [(query, parameters)])
    return row[0]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("uuid", UUID(int=7)),
        ("timestamptz", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("bytea", b"\x00\xff"),
        ("text", "100 % 'quoted' \\ ünï"),
        ("bool", True),
        ("int", 2**31 - 1),
        ("bigint", 2**40),
        ("text", None),
    ],
)
async def test_values_come_back_as_they_were_sent(connection: Connection, type_: str, value: object):
    for _ in range(2):  # prepared, then known
        assert await asked(connection, f"SELECT %(value)s::{type_}", value=value) == value


async def test_a_parameter_named_twice_is_sent_once_and_a_percent_sign_stays(connection: Connection):
    assert await asked(connection, "SELECT %(one)s || '%%' || %(two)s || %(one)s", one="a", two="b") == "a%ba"


async def test_one_text_takes_parameters_of_different_types(connection: Connection):
    query = "SELECT pg_typeof(%(value)s)::text"

    assert [await asked(connection, query, value=value) for value in (1, 2**40, UUID(int=1), 1)] == [
        "smallint", "bigint", "uuid", "smallint",
    ]  # fmt: skip


async def test_a_statement_that_fails_undoes_its_trip_and_nothing_else(connection: Connection):
    await connection.execute("CREATE TEMP TABLE note (word text)")
    insert = "INSERT INTO note VALUES (%(word)s)"
    await exchange(connection, [(insert, {"word": "kept"})])

    with pytest.raises(psycopg.errors.DivisionByZero):
        await exchange(
            connection, [(insert, {"word": "lost"}), ("SELECT 1 / %(zero)s::int", {"zero": 0}), ("SELECT 'never'", {})]
        )

    assert await asked(connection, "SELECT string_agg(word, ',') FROM note") == "kept"
    assert await asked(connection, "SELECT 'never'") == "never"  # it was not prepared by then, and is now
    assert await exchange(connection, [(insert, {"word": "more"})]) == [[]]


async def test_a_text_that_is_no_sql_is_not_taken_for_prepared(connection: Connection):
    for _ in range(2):
        with pytest.raises(psycopg.errors.SyntaxError):
            await exchange(connection, [("SELEKT 1", {})])

    assert await asked(connection, "SELECT 1") == 1


async def test_a_table_that_changes_costs_one_failure(connection: Connection):
    await connection.execute("CREATE TEMP TABLE changing AS SELECT 1 AS number")
    query = "SELECT * FROM changing"
    assert await exchange(connection, [(query, {})]) == [[(1,)]]
    await connection.execute("ALTER TABLE changing ADD COLUMN word text DEFAULT 'a'")

    with pytest.raises(psycopg.errors.FeatureNotSupported):
        await exchange(connection, [(query, {})])

    assert await exchange(connection, [(query, {})]) == [[(1, "a")]]


async def test_more_than_a_socket_takes_at_once_gets_there_and_back(connection: Connection):
    much = "x" * (32 * 1024 * 1024)

    echoes = await exchange(connection, [("SELECT %(much)s::text", {"much": much})] * 2)

    assert [rows[0][0] == much for rows in echoes] == [True, True]


async def test_whoever_is_cancelled_leaves_the_connection_to_the_next(connection: Connection):
    trip = asyncio.create_task(exchange(connection, [(SLEEPS, {"seconds": 0.5}), (ME, {})]))
    await asyncio.sleep(0.1)
    trip.cancel()

    with pytest.raises(asyncio.CancelledError):
        await trip
    assert await asked(connection, "SELECT %(word)s::text", word="mine") == "mine"


async def test_two_on_one_connection_go_one_after_the_other(connection: Connection):
    slow = asyncio.create_task(asked(connection, "SELECT 'slow' FROM pg_sleep(0.2)"))
    await asyncio.sleep(0)

    assert await asked(connection, "SELECT 'quick'") == "quick"
    assert slow.done()
    assert await slow == "slow"


async def test_a_lost_connection_is_an_error_at_once_and_is_not_used_again(pool):
    lost: list[int] = []

    async def lose() -> None:
        async with db.lease(pool) as connection:
            lost.append(await asked(connection, ME))
            await exchange(connection, [("SELECT pg_terminate_backend(pg_backend_pid())", {}), (ME, {})])

    with pytest.raises(Unavailable):
        await lose()
    async with db.lease(pool) as connection:
        assert await asked(connection, ME) not in lost


async def test_on_a_connection_that_does_not_commit_by_itself_a_transaction_begins(database: Database):
    async with await psycopg.AsyncConnection.connect(database.urls.app) as other:
        await exchange(other, [("SELECT set_config('volens.note', 'a', true)", {})])

        assert other.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        assert await asked(other, "SELECT current_setting('volens.note')") == "a"
        await other.rollback()
        assert await asked(other, "SELECT current_setting('volens.note', true)") in (None, "")


async def test_a_transaction_is_as_isolated_as_its_connection_says(database: Database):
    async with await psycopg.AsyncConnection.connect(database.urls.app) as other:
        await other.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)

        assert await asked(other, "SELECT current_setting('transaction_isolation')") == "repeatable read"


async def test_a_parameter_that_cannot_be_written_leaves_the_connection_as_it_was(connection: Connection):
    with pytest.raises(psycopg.DataError):
        await exchange(connection, [("SELECT 1", {}), ("SELECT %(text)s::text", {"text": "\0"})])

    assert await asked(connection, "SELECT 'next'") == "next"


async def test_whoever_is_cancelled_while_a_statement_fails_leaves_nothing_that_is_not_prepared(connection: Connection):
    never = "SELECT 'never before'"
    trip = asyncio.create_task(
        exchange(connection, [(SLEEPS, {"seconds": 0.3}), ("SELECT 1 / %(zero)s::int", {"zero": 0}), (never, {})])
    )
    await asyncio.sleep(0.1)
    trip.cancel()

    with pytest.raises(asyncio.CancelledError):
        await trip
    assert await asked(connection, never) == "never before"


async def test_whoever_is_cancelled_twice_leaves_no_connection(pool):
    async with pool.connection() as connection:
        trip = asyncio.create_task(exchange(connection, [(SLEEPS, {"seconds": 5})]))
        for _ in range(2):
            await asyncio.sleep(0.1)
            trip.cancel()

        with pytest.raises(asyncio.CancelledError):
            await trip
        assert connection.closed
    async with db.lease(pool) as other:
        assert await asked(other, "SELECT 'next'") == "next"
