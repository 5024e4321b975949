"""Two pieces of an import are under way at once, and nobody can tell."""

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from uuid import uuid4

import msgspec

from service.ahead import in_turn, one_ahead
from service.kernel import Contended
from service.vault.envelope import seal
from service.vault.importing import LINES, ImportValues, Line
from service.vault.keys import Keys
from service.vault.normal import normalised
from service.vault.ring_file import FileRing
from service.vault.usecases import Fields
from service.vault.writing import WriteValues
from tests.builders import DAY


async def test_a_piece_that_begins_anew_is_not_held_off_by_the_next(begin, clock, caller, tmp_path):
    """PostgreSQL gives the first piece up when the next, of the same people, has prepared itself."""
    given_up = 0

    @asynccontextmanager
    async def unlucky(tenant):
        nonlocal given_up
        async with begin(tenant) as tx:
            yield tx
            if given_up < 1:
                given_up += 1
                await asyncio.sleep(0.1)
                raise Contended("others were in the way")

    async def lines():
        yield [
            b'{"subject":"s%d","field":"email","value":"v%d@mail.example"}' % (number % LINES, number)
            for number in range(2 * LINES)
        ]

    keys = Keys(FileRing.open(tmp_path / "root.keys"), begin, clock, keep=DAY)
    write = WriteValues(unlucky, keys, seal, clock)
    values = ImportValues(begin, keys, Fields(begin), normalised, write, one_ahead, partial(in_turn, patience=0.2))
    read = msgspec.json.Decoder(Line).decode
    *told, summary = [each async for each in values(lines(), read, import_id=uuid4(), by=caller)]

    assert (given_up, summary.stored) == (1, 2 * LINES)
    assert [{done.version for done in piece} for piece in told] == [{1}, {2}]
