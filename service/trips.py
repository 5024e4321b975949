"""Statements that travel together, inside a transaction that SQLAlchemy began.

What is asked in one turn of the event loop goes to PostgreSQL in one round trip, and straight through the driver: of
what a group of writes cost this process, SQLAlchemy and the waiting were most. Statements keep their order, each sees
what the ones before it did and holds what they held, and the first that fails ends the transaction.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import psycopg
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Unavailable
from service.wire import Rows, Statement, exchange


class _Asked(Struct, eq=False):
    statements: Sequence[Statement]
    answer: asyncio.Future[Sequence[Rows]]


class Trips:
    """Asks PostgreSQL on one connection."""

    def __init__(
        self, connection: "AsyncConnection | psycopg.AsyncConnection[Any]", *, first: Sequence[Statement] = ()
    ) -> None:
        """Have `first` go before every trip: on a connection that commits by itself each is a transaction."""
        self._connection = connection
        self._first = first
        self._waiting: list[_Asked] = []

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
        rows = await exchange(self._driver(), [*self._first, *statements])
        return rows[len(self._first) :]

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
