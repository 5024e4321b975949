"""What `service.consent.StateStore` promises, kept by the real adapter."""

import asyncio
from uuid import uuid4

import psycopg
import pytest

from service.consent import EMPTY, State, StateUnreadable, fold
from service.kernel import Handle, TenantId
from tests.builders import DAY, NOON, VOCABULARY, a_record


def some_state(days: int = 0) -> State:
    return fold(EMPTY, [a_record(brand="Kaffee & Söhne", ts=NOON + days * DAY), a_record(action="opt_out")], VOCABULARY)


def damage(database, handle: Handle, *, state: bytes = b"{", version: int = 1) -> None:
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute(
            "UPDATE consent_state SET state = %s, version = %s WHERE handle = %s", (state, version, handle)
        )


async def test_who_never_said_anything_has_the_empty_state(begin, tenant):
    async with begin(tenant) as tx:
        assert await tx.states.read(Handle(uuid4())) == EMPTY


async def test_a_state_comes_back_as_it_was_written(begin, tenant):
    one, other = Handle(uuid4()), Handle(uuid4())
    states = {one: some_state(), other: some_state(1)}
    async with begin(tenant) as tx:
        assert await tx.states.lock([one, other]) == {one: EMPTY, other: EMPTY}
        await tx.states.write(states)
    async with begin(tenant) as tx:
        assert await tx.states.lock([other, one]) == states
        assert await tx.states.read(one) == states[one]


async def test_a_first_fold_is_not_lost_to_another_first_fold(begin, tenant):
    handle = Handle(uuid4())
    records = [a_record(brand=f"brand {number}") for number in range(8)]

    async def append(record) -> None:
        async with begin(tenant) as tx:
            states = await tx.states.lock([handle])
            await asyncio.sleep(0.01)
            await tx.states.write({handle: fold(states[handle], [record], VOCABULARY)})

    await asyncio.gather(*map(append, records))

    async with begin(tenant) as tx:
        assert await tx.states.read(handle) == fold(EMPTY, records, VOCABULARY)


async def test_transactions_that_lock_the_same_subjects_in_any_order_all_end(begin, tenant):
    handles = [Handle(uuid4()) for _ in range(20)]

    async def lock(order) -> None:
        async with begin(tenant) as tx:
            states = await tx.states.lock(order)
            await tx.states.write({handle: state or EMPTY for handle, state in states.items()})

    async with asyncio.timeout(10):
        await asyncio.gather(*(lock(handles[::step]) for step in (1, -1) * 6))


@pytest.mark.parametrize("damaged", [{"state": b"{"}, {"version": 99}])
async def test_a_state_that_cannot_be_read_is_not_taken_for_an_empty_one(begin, tenant, database, damaged):
    handle = Handle(uuid4())
    async with begin(tenant) as tx:
        await tx.states.lock([handle])
    damage(database, handle, **damaged)

    async with begin(tenant) as tx:
        assert await tx.states.lock([handle]) == {handle: None}
        with pytest.raises(StateUnreadable):
            await tx.states.read(handle)


async def test_another_tenant_sees_none_of_it(begin, tenant, add_tenant):
    handle = Handle(uuid4())
    async with begin(tenant) as tx:
        await tx.states.lock([handle])
        await tx.states.write({handle: some_state()})
    async with begin(TenantId(add_tenant())) as tx:
        assert await tx.states.read(handle) == EMPTY
        await tx.states.write({handle: EMPTY})
    async with begin(tenant) as tx:
        assert await tx.states.read(handle) != EMPTY
