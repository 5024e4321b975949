"""Statements that travel together, past SQLAlchemy, whether it began their transaction or not.

What is asked in one turn of the event loop goes to PostgreSQL in one round trip, and straight through libpq: of
what a group of writes cost this process, SQLAlchemy and the waiting were most. Statements keep their order, each sees
what the ones before it did and holds what they held, and the first that fails ends the transaction.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
from msgspec import Struct
from psycopg import pq
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Unavailable
from service.wire import Rows, Statement, exchange

_COMMIT: Final[Statement] = ("COMMIT", {})
_ROLLBACK: Final[Statement] = ("ROLLBACK", {})


class _Asked(Struct, eq=False):
    statements: Sequence[Statement]
    answer: asyncio.Future[Sequence[Rows]]


class Trips:
    """Asks PostgreSQL on one connection."""

    def __init__(
        self,
        connection: "AsyncConnection | psycopg.AsyncConnection[Any]",
        *,
        first: Sequence[Statement] = (),
        every: Sequence[Statement] = (),
    ) -> None:
        """Have `first` go before the first trip, and `every` before each.

        On a connection that commits by itself a trip is a transaction, unless `first` begins one: then `commit`.
        """
        self._connection = connection
        self._first = first
        self._every = every
        self._waiting: list[_Asked] = []
        self._gone = False

    async def __call__(self, query: str, parameters: Mapping[str, Any]) -> Rows:
        """Return the rows of a statement; none where it has no such thing."""
        [rows] = await self.all((query, parameters))
        return rows

    async def all(self, *statements: Statement) -> Sequence[Rows]:
        """Return the rows of each statement."""
        asked = _Asked(statements, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if len(self._waiting) == 1:
            await self._leave()
        return await asked.answer

    @staticmethod
    async def together(*asks: Coroutine[Any, Any, Any]) -> Sequence[Any]:
        """Await all of `asks`; what each asks first travels together, in their order.

        None is left running: the first error is raised when all have ended.
        """
        answers = await asyncio.gather(*asks, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers

    async def _leave(self) -> None:
        """Take along whoever asks in this turn. What goes wrong reaches all of them."""
        together = self._waiting
        try:
            await asyncio.sleep(0)
            self._waiting = []
            rows = iter(await self._sent([statement for asked in together for statement in asked.statements]))
        except BaseException as error:
            self._waiting = []
            told = error if isinstance(error, Exception) else Unavailable("whoever asked first was broken off")
            for asked in together[1:]:
                _tell(asked, told)
            raise
        for asked in together:
            _tell(asked, [next(rows) for _ in asked.statements])

    async def _sent(self, statements: Sequence[Statement]) -> Sequence[Rows]:
        before = self._every if self._gone else [*self._first, *self._every]
        self._gone = True
        rows = await exchange(self._driver(), [*before, *statements])
        return rows[len(before) :]

    async def commit(self) -> None:
        """End the transaction that `first` began, if there was a trip at all.

        Raises:
            Unavailable: a statement failed, so nothing is stored, whoever took the error for nothing.
        """
        if not self._gone:
            return
        failed = self._driver().pgconn.transaction_status == pq.TransactionStatus.INERROR
        await exchange(self._driver(), [_COMMIT])
        if failed:
            raise Unavailable("a statement failed, and nothing was stored")

    async def roll_back(self) -> None:
        """End it, and store nothing. On a lost connection the server does so by itself."""
        if self._gone:
            with suppress(psycopg.Error):
                await exchange(self._driver(), [_ROLLBACK])

    def _driver(self) -> psycopg.AsyncConnection[Any]:
        driver: Any = self._connection
        if isinstance(driver, AsyncConnection):
            held = driver.sync_connection
            driver = None if held is None else held.connection.driver_connection
        if not isinstance(driver, psycopg.AsyncConnection):
            raise TypeError("a transaction has a connection of psycopg's")
        return driver


def _tell(asked: _Asked, answer: Sequence[Rows] | Exception) -> None:
    if asked.answer.done():
        return
    if isinstance(answer, Exception):
        asked.answer.set_exception(answer)
    else:
        asked.answer.set_result(answer)
