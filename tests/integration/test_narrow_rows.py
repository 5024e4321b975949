"""A narrow row says nothing that is not true any more: what changes a person takes it away, or keeps it from coming."""

import asyncio
from zoneinfo import ZoneInfo

import pytest
from psycopg_pool import AsyncConnectionPool

from service.consent import EMPTY, fold
from service.decisions.narrow import narrowed
from service.decisions.narrow_rows import SqlNarrowRows
from service.kernel import SubjectId
from service.policies.governing import Governing
from service.subjects import Flags
from service.transaction import Transaction
from tests.builders import DAY, NOON, VOCABULARY, a_record, some_facts

ANN = SubjectId("ann")


async def says_no(tx: Transaction, handle) -> None:
    states = await tx.states.lock([handle])
    refusal = a_record(action="opt_out", method="one_click")
    await tx.states.write({handle: fold(states[handle] or EMPTY, [refusal], VOCABULARY)})


async def is_flagged(tx: Transaction, handle) -> None:
    await tx.subjects.lock(handle)
    await tx.subjects.set_flags(handle, Flags(objected=True))


async def moves(tx: Transaction, handle) -> None:
    await tx.subjects.lock(handle)
    await tx.subjects.add_version(handle, 2, some_facts(residence="FR"), NOON + DAY)


CHANGES = pytest.mark.parametrize("change", [says_no, is_flagged, moves])
FIRST = pytest.mark.parametrize("first", [True, False], ids=["first record", "later record"])


@pytest.fixture
def rows(pool: AsyncConnectionPool) -> SqlNarrowRows:
    return SqlNarrowRows(pool, Governing())


@pytest.fixture
async def ann(begin, tenant, first):
    async with begin(tenant) as tx:
        handle = (await tx.subjects.ensure([ANN], NOON)).handles[ANN]
        await tx.subjects.add_version(handle, 1, some_facts(), NOON)
        if not first:
            await tx.states.lock([handle])
            await tx.states.write({handle: fold(EMPTY, [a_record()], VOCABULARY)})
    return handle


async def has_row(rows: SqlNarrowRows, tenant) -> bool:
    _, _, [row] = await rows.read(tenant, [ANN])
    return row is not None


async def read_at_length(rows: SqlNarrowRows, tenant):
    known = (await rows.known(tenant, [ANN]))[ANN]
    profile = known.profile
    return ANN, known, narrowed(profile.facts, profile.flags, profile.state, ZoneInfo)


@FIRST
@CHANGES
async def test_a_change_takes_the_row_away(rows, begin, tenant, ann, change):
    await rows.keep(tenant, [await read_at_length(rows, tenant)])
    assert await has_row(rows, tenant)

    async with begin(tenant) as tx:
        await change(tx, ann)

    assert not await has_row(rows, tenant)


@FIRST
@CHANGES
async def test_what_was_read_before_a_change_is_not_kept_after_it(rows, begin, tenant, ann, change):
    read = await read_at_length(rows, tenant)
    async with begin(tenant) as tx:
        await change(tx, ann)

    await rows.keep(tenant, [read])

    assert not await has_row(rows, tenant)


@FIRST
@CHANGES
async def test_what_is_being_changed_meanwhile_is_not_kept(rows, begin, tenant, ann, change):
    read = await read_at_length(rows, tenant)
    async with begin(tenant) as tx:
        await change(tx, ann)
        keeping = asyncio.create_task(rows.keep(tenant, [read]))
        await asyncio.wait([keeping], timeout=0.5)
    await keeping

    assert not await has_row(rows, tenant)
