"""What every table and every connection has in common. Knows no slice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Column, DateTime, Dialect, MetaData, Text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.types import TypeDecorator

from service.kernel import Contended, Unavailable

TENANT_SETTING: Final = "volens.tenant"
"""Names the one tenant a connection may see. NULL before its first use, ``''`` after a local one: compare as text."""

metadata: Final = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

Id: Final = Text(collation="C")
"""Text that names something. Sorted by bytes: the order of a locale may change with the operating system."""


class UtcDateTime(TypeDecorator[datetime]):
    """A ``timestamptz`` that is UTC on both sides. A naive time is refused: nobody can say when it was."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.utcoffset() is None:
            raise ValueError("a naive time can't be stored")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


def tenant_column() -> Column[str]:
    """Return the first key column of every table that row-level security guards."""
    return Column("tenant", Id, primary_key=True)


def engine(url: str, *, size: int = 8, wait: float = 5.0) -> AsyncEngine:
    """Return an engine whose pool survives a restart of the database.

    Connections are not tested before use, which would cost a round trip each:
    the first statement that finds its connection gone empties the pool, fails
    as `Unavailable`, and the next one connects anew.
    """
    return create_async_engine(url, pool_size=size, max_overflow=0, pool_timeout=wait, connect_args=_session(url))


def pool(url: str, *, size: int = 4, wait: float = 5.0) -> AsyncConnectionPool:
    """Return a pool for hot statements, still closed. Its connections commit each statement by themselves.

    Attempts to connect end soon: they come at ever longer intervals, and one
    that began during a long loss would keep the pool empty long after it.
    """
    return AsyncConnectionPool(
        url,
        min_size=1,
        max_size=size,
        timeout=wait,
        reconnect_timeout=1.0,
        open=False,
        kwargs={**_session(url), "autocommit": True},
    )


def as_role(url: str, role: str) -> str:
    """Return `url` for connections that take on `role`, of which its user must be a member."""
    parts = urlsplit(url)
    others = [pair for pair in parts.query.split("&") if pair and not pair.startswith("options=")]
    options = quote(f"{conninfo_to_dict(url).get('options', '')} -c role={role}".strip())
    return urlunsplit(parts._replace(query="&".join([*others, f"options={options}"])))


def _session(url: str) -> dict[str, Any]:
    own = conninfo_to_dict(url).get("options", "")
    ours = "-c timezone=UTC -c statement_timeout=30s -c lock_timeout=5s"
    return {
        "connect_timeout": 5,
        "application_name": "volens",
        "options": f"{own} {ours}".strip(),
        # `wire` prepares what is hot. psycopg, once it had prepared something, would drop that with its own.
        "prepare_threshold": None,
    }


_GIVEN_UP: Final = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
"""PostgreSQL chose this transaction out of several that wait for each other."""


@contextmanager
def answering() -> Iterator[None]:
    """Turn every way in which a database fails to answer into `Unavailable`.

    A database lost during COMMIT may have stored the work or not. The client's
    own ids make asking again safe either way.
    """
    try:
        yield
    except _GIVEN_UP as error:
        raise Contended("others were in the way; asking again is safe") from error
    except (psycopg.OperationalError, OperationalError, NoFreeConnection) as error:
        if isinstance(getattr(error, "orig", None), _GIVEN_UP):
            raise Contended("others were in the way; asking again is safe") from error
        raise Unavailable("the database does not answer") from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise Unavailable("the database does not answer") from error


@asynccontextmanager
async def lease(source: AsyncConnectionPool) -> AsyncIterator[psycopg.AsyncConnection]:
    """Lend a connection of `source`; a lost database becomes `Unavailable`.

    Whoever begins a transaction ends it; one that is left open is rolled back. After a loss
    the idle connections are tested, so that one restart doesn't fail as many requests as there
    are connections.
    """
    with answering():
        try:
            connection = await source.getconn()
            try:
                yield connection
            finally:
                await source.putconn(connection)
        except psycopg.OperationalError:
            if not source.closed:
                await source.check()
            raise


K = TypeVar("K")
V = TypeVar("V")


class Coalescer(Generic[K, V]):
    """Answers the callers of one event-loop turn together, by one `flush`.

    A key never joins a flush that has already begun: its answer would be older
    than the question, and a withdrawal acknowledged in between would be missed.
    While a flush runs, keys wait and go out together with the next: what a
    flush costs is shared by more of them than if two ran at once.
    A key that `flush` doesn't answer is ``None``; its error reaches every
    caller it was asked for.
    """

    def __init__(self, flush: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], *, limit: int = 1_000) -> None:
        self._flush = flush
        self._limit = limit
        self._waiting: dict[K, list[asyncio.Future[V | None]]] = {}
        self._flushing: asyncio.Task[None] | None = None

    async def __call__(self, key: K) -> V | None:
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(answer)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._all())
        return await answer

    async def _all(self) -> None:
        """Flush until nobody waits. A task begins in the turn after the one that made it."""
        try:
            while self._waiting:
                await asyncio.sleep(0)  # whoever was answered by the last flush may ask again, and comes along
                keys = list(self._waiting)[: self._limit]
                await self._ask({key: self._waiting.pop(key) for key in keys})
        finally:
            self._flushing = None

    async def _ask(self, callers: dict[K, list[asyncio.Future[V | None]]]) -> None:
        try:
            found = await self._flush(list(callers))
        except BaseException as error:
            for answer in (answer for answers in callers.values() for answer in answers if not answer.done()):
                answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            for key, answers in callers.items():
                for answer in answers:
                    if not answer.done():
                        answer.set_result(found.get(key))
