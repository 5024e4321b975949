"""What `service.consent.RecordStore` promises, kept by the real adapter."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from msgspec import UNSET

from service.consent import Channel, Position, RecordChannel, StoredRecord
from service.kernel import Handle
from tests.builders import DAY, NOON, a_statement


def stored(**changes) -> StoredRecord:
    own = {name: changes.pop(name) for name in ("id", "handle", "received_at") if name in changes}
    return StoredRecord(
        **{"id": uuid4(), "handle": Handle(uuid4()), "received_at": NOON, **own}, statement=a_statement(**changes)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"evidence": UNSET},
        {"evidence": None},
        {"evidence": "'bitte keine Werbung mehr'\n\x01 \\u0000 ü 🙂"},
        {"channel": RecordChannel.ALL},
        {"channel": (Channel.EMAIL, Channel.PHONE)},
        {"named_controllers": ()},
        {"named_controllers": ("LeadCo", "Shop, Co")},
        {"incentive": True},
        {"incentive": "5% voucher"},
        {"purpose": None, "method": None, "notice_version": None},
        {"original_ts": NOON - 400 * DAY, "expires_at": NOON + DAY},
        {"two_step": False, "dark_pattern": True},
    ],
    ids=str,
)
async def test_a_record_comes_back_as_it_was_sent(begin, tenant, change):
    record = stored(**change)
    async with begin(tenant) as tx:
        assert await tx.records.append([record]) == {record.id}
    async with begin(tenant) as tx:
        assert await tx.records.find([record.id]) == {record.id: record}


async def test_an_id_is_taken_once(begin, tenant):
    first = stored()
    other = stored(id=first.id, brand="B")
    new = stored()
    async with begin(tenant) as tx:
        await tx.records.append([first])
    async with begin(tenant) as tx:
        assert await tx.records.append([other, new]) == {new.id}
        assert await tx.records.find([first.id, new.id, uuid4()]) == {first.id: first, new.id: new}


async def test_of_two_transactions_that_race_for_ids_each_id_goes_to_one(begin, tenant):
    ids = [uuid4() for _ in range(50)]

    async def append(order):
        async with begin(tenant) as tx:
            return await tx.records.append([stored(id=record_id) for record_id in order])

    won = await asyncio.gather(append(ids), append(ids[::-1]), append(ids))

    assert sorted(record_id for one in won for record_id in one) == sorted(ids)


async def test_nothing_can_be_looked_for(begin, tenant):
    async with begin(tenant) as tx:
        assert await tx.records.find([]) == {}


async def test_a_history_is_oldest_first_whatever_the_order_of_arrival(begin, tenant):
    handle = Handle(uuid4())
    records = [stored(handle=handle, ts=NOON + number * DAY, id=UUID(int=100 - number)) for number in (0, 1, 2)]
    together = stored(handle=handle, ts=NOON + 2 * DAY, id=UUID(int=200))
    async with begin(tenant) as tx:
        await tx.records.append([records[2], together, stored()])
        await tx.records.append([records[1], records[0]])

        assert list(await tx.records.history(handle)) == [*records, together]
        assert list(await tx.records.history(Handle(uuid4()))) == []


async def test_a_history_as_of_an_instant_holds_what_had_been_received(begin, tenant):
    handle = Handle(uuid4())
    early = stored(handle=handle, ts=NOON, received_at=NOON + DAY)
    late = stored(handle=handle, ts=NOON - DAY, received_at=NOON + 2 * DAY)
    async with begin(tenant) as tx:
        await tx.records.append([early, late])

        assert list(await tx.records.history(handle, as_of=NOON + DAY)) == [early]
        assert list(await tx.records.history(handle, as_of=NOON + DAY - timedelta(microseconds=1))) == []


async def test_pages_add_up_to_the_history(begin, tenant):
    handle = Handle(uuid4())
    async with begin(tenant) as tx:
        # Three records an instant: a page may end between equals.
        await tx.records.append([stored(handle=handle, ts=NOON + (n // 3) * DAY) for n in range(10)])
        history = list(await tx.records.history(handle))
        pages, after = [], None
        while page := await tx.records.page(handle, after=after, limit=4):
            pages.append(list(page))
            after = Position(ts=page[-1].statement.ts, id=page[-1].id)

    assert [len(page) for page in pages] == [4, 4, 2]
    assert [record for page in pages for record in page] == history


async def test_handles_with_records_are_listed_once(begin, tenant):
    handles = sorted(Handle(uuid4()) for _ in range(5))
    async with begin(tenant) as tx:
        await tx.records.append([stored(handle=handle) for handle in handles for _ in range(3)])

        assert list(await tx.records.handles(after=None, limit=3)) == handles[:3]
        assert list(await tx.records.handles(after=handles[2], limit=3)) == handles[3:]


async def test_another_tenant_sees_none_of_it_and_may_use_the_same_ids(begin, tenant, add_tenant):
    record = stored()
    async with begin(tenant) as tx:
        await tx.records.append([record])
    async with begin(add_tenant()) as tx:
        assert await tx.records.find([record.id]) == {}
        assert list(await tx.records.history(record.handle)) == []
        assert await tx.records.append([record]) == {record.id}
