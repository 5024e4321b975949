"""What the database layer refuses, and which failures it calls a lost database."""

from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
from psycopg_pool import PoolTimeout
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, OperationalError

from service.db import UtcDateTime, answering, as_role
from service.kernel import Contended, Unavailable

DIALECT = postgresql.dialect()
BERLIN = timezone(timedelta(hours=1))


def test_a_naive_time_is_refused():
    with pytest.raises(ValueError, match="naive"):
        UtcDateTime().process_bind_param(datetime(2026, 11, 21, 9), DIALECT)


def test_a_time_comes_back_as_utc_whatever_the_session_speaks():
    read = UtcDateTime().process_result_value(datetime(2026, 11, 21, 10, tzinfo=BERLIN), DIALECT)

    assert (read, read.tzinfo) == (datetime(2026, 11, 21, 9, tzinfo=UTC), UTC)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("server closed the connection"),
        psycopg.errors.AdminShutdown("terminating connection"),
        PoolTimeout("no connection"),
        OperationalError("SELECT 1", {}, psycopg.OperationalError("gone")),
        DBAPIError("SELECT 1", {}, psycopg.InterfaceError("gone"), connection_invalidated=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_database_that_does_not_answer_is_unavailable_and_nothing_of_it_is_told(error: Exception):
    with pytest.raises(Unavailable, match=r"^the database does not answer$"), answering():
        raise error


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.SerializationFailure("could not serialize access"),
        psycopg.errors.DeadlockDetected("deadlock detected"),
        OperationalError("SELECT 1", {}, psycopg.errors.DeadlockDetected("deadlock detected")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_transaction_that_was_given_up_may_begin_anew(error: Exception):
    with pytest.raises(Contended, match=r"^others were in the way; asking again is safe$"), answering():
        raise error


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.UniqueViolation("duplicate key"),
        DBAPIError("SELECT", {}, psycopg.errors.SyntaxError("no")),
        KeyError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_other_error_stays_what_it_is(error: Exception):
    with pytest.raises(type(error)), answering():
        raise error


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p%40@h:5432/d", "postgresql://u:p%40@h:5432/d?options=-c%20role%3Dr"),
        ("postgresql://u@/d?host=/run", "postgresql://u@/d?host=/run&options=-c%20role%3Dr"),
        ("postgresql://u@h/d?options=-c%20a%3Db", "postgresql://u@h/d?options=-c%20a%3Db%20-c%20role%3Dr"),
    ],
)
def test_an_address_takes_a_role_on_and_keeps_what_it_said(url: str, expected: str):
    assert as_role(url, "r") == expected
