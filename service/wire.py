"""Statements straight through libpq: one round trip, each prepared once on a connection, with psycopg's types.

psycopg's own pipeline costs this process three times as much, in cursors and in generators.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg
from psycopg import IsolationLevel, pq
from psycopg.abc import Buffer
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq.abc import PGresult

Rows = Sequence[tuple[Any, ...]]
Statement = tuple[str, Mapping[str, Any]]
"""A text, one of few, and its parameters, which it names `%(name)s`."""

_Shape = tuple[bytes, tuple[int, ...]]
"""What is prepared: a text, and the types of its parameters."""
_Asked = tuple[_Shape, Sequence[Buffer | None], Sequence[pq.Format] | None]
"""With its parameters as they travel."""

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_GONE: Final = (psycopg.errors.InvalidSqlStatementName, psycopg.errors.FeatureNotSupported)
"""What was prepared is not there any more, or is of a table that has changed."""
_numbers: Final = count()
_prepared: Final = WeakKeyDictionary[psycopg.AsyncConnection[Any], dict[_Shape, bytes]]()


async def exchange(connection: psycopg.AsyncConnection[Any], statements: Sequence[Statement]) -> Sequence[Rows]:
    """Return the rows of each statement; none where it has no such thing.

    They are sent at once, and each sees what the ones before it did. On a connection that commits by itself they are
    a transaction; on another they are part of the one under way, or begin it, as isolated as the connection says. With
    the first that fails it ends.
    Who is cancelled hears of it when the server has answered, so the connection stays good.

    Raises:
        psycopg.Error: what the server said of the first that failed, or the connection is lost.
    """
    async with connection.lock:
        begins = not connection.autocommit and connection.pgconn.transaction_status == pq.TransactionStatus.IDLE
        first: list[Statement] = [(_begin(connection.isolation_level), {})] if begins else []
        rows = await _Trip(connection).made([*first, *statements])
    return rows[len(first) :]


class _Trip:
    """One exchange on one connection."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._pg = connection.pgconn
        self._socket = self._pg.socket
        self._loop = asyncio.get_running_loop()
        self._types = Transformer.from_context(connection)
        self._names = _prepared.setdefault(connection, {})
        self._sent: list[_Shape | None] = []
        """Of each command what it prepares; a statement prepares nothing."""
        self._results: list[PGresult] = []
        self._lost: psycopg.Error | None = None
        self._over = False
        self._waiter = self._loop.create_future()

    async def made(self, statements: Sequence[Statement]) -> Sequence[Rows]:
        asked = [self._asked(*each) for each in statements]  # what can't be written as a parameter has sent nothing yet
        self._pg.enter_pipeline_mode()
        for each in asked:
            self._send(*each)
        self._pg.pipeline_sync()
        try:
            self._loop.add_reader(self._socket, self._read)
            self._write()
            await self._answered()
        finally:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            failure = self._close()
        if failure is not None:
            raise failure
        return [self._rows(result) for result, shape in zip(self._results, self._sent, strict=True) if shape is None]

    def _asked(self, query: str, parameters: Mapping[str, Any]) -> _Asked:
        text, names = _numbered(query)
        values = self._types.dump_sequence([parameters[name] for name in names], [PyFormat.AUTO] * len(names))
        return (text, self._types.types or ()), values, self._types.formats

    def _send(self, shape: _Shape, values: Sequence[Buffer | None], formats: Sequence[pq.Format] | None) -> None:
        name = self._names.get(shape)
        if name is None:
            name = self._names[shape] = b"volens_%d" % next(_numbers)
            self._pg.send_prepare(name, *shape)
            self._sent.append(shape)
        self._pg.send_query_prepared(name, values, formats, pq.Format.BINARY)
        self._sent.append(None)

    def _write(self) -> None:
        """Send what the socket takes now, and the rest when it takes more."""
        try:
            if self._pg.flush():
                self._loop.add_writer(self._socket, self._write)
            else:
                self._loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._end(error)

    def _read(self) -> None:
        try:
            self._pg.consume_input()
            while not self._over and not self._pg.is_busy():
                result = self._pg.get_result()
                if result is None:  # between two commands, or there is nobody who would answer the next
                    if self._pg.status == pq.ConnStatus.BAD:
                        raise psycopg.OperationalError("the connection is lost")
                    continue
                if result.status == pq.ExecStatus.PIPELINE_SYNC:
                    self._end()
                else:
                    self._results.append(result)
        except psycopg.Error as error:
            self._end(error)

    def _end(self, error: psycopg.Error | None = None) -> None:
        self._over, self._lost = True, self._lost or error
        if not self._waiter.done():
            self._waiter.set_result(None)

    async def _answered(self) -> None:
        try:
            await self._waiter
        except asyncio.CancelledError:
            while not self._over:
                self._waiter = self._loop.create_future()
                await self._waiter
            raise

    def _close(self) -> psycopg.Error | None:
        """Leave the connection as it was, and remember nothing as prepared that isn't; return what went wrong.

        One whose answers are not all there is of no use to anybody any more.
        """
        if not self._over or self._lost is not None:
            self._pg.finish()
            return self._lost
        self._pg.exit_pipeline_mode()
        failed = next((each for each in self._results if each.status == pq.ExecStatus.FATAL_ERROR), None)
        if failed is None:
            return None
        for result, shape in zip(self._results, self._sent, strict=True):
            if shape is not None and result.status != pq.ExecStatus.COMMAND_OK:
                del self._names[shape]
        error = error_from_result(failed)
        if isinstance(error, _GONE):
            self._names.clear()
        return error

    def _rows(self, result: PGresult) -> Rows:
        if result.status != pq.ExecStatus.TUPLES_OK:
            return []
        self._types.set_pgresult(result, format=pq.Format.BINARY)
        return self._types.load_rows(0, result.ntuples, tuple)


def _begin(level: IsolationLevel | None) -> str:
    return "BEGIN" if level is None else f"BEGIN ISOLATION LEVEL {level.name.replace('_', ' ')}"


@lru_cache(maxsize=1_024)
def _numbered(query: str) -> tuple[bytes, tuple[str, ...]]:
    """Return a text as PostgreSQL writes it, `$1`, and the names of the parameters in that order."""
    names = dict[str, str]()
    text = _PARAMETER.sub(lambda found: names.setdefault(found[1], f"${len(names) + 1}"), query)
    return text.replace("%%", "%").encode(), tuple(names)
