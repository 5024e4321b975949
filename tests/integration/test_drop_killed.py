"""Wherever taking a list in is killed, and whatever happens beside it, the outcome is the same."""

import asyncio
from datetime import date, timedelta
from functools import partial
from itertools import count

import msgspec
import psycopg
import pytest

from service import given
from service.consent import Action, StoreRecords
from service.drop import Download, Follow, List, Status
from service.drop.artefacts import read_rules
from service.dropping import tools
from service.given import utc_now
from service.requests import Move, MoveRequest, OpenRequest, State
from service.requests.case import Filter
from tests.dropped import BROKER, base64, download, item
from tests.erasing import LAW, POLICY
from tests.integration.dropping_child import take_in
from tests.integration.expiring_child import killed

ON = date(2026, 11, 20)
SHARED = "+14155559317"


@pytest.fixture
async def broker(begin, people, clock, new_id, database, tenant, caller):
    with psycopg.connect(database.urls.owner) as connection:
        connection.execute(
            "UPDATE tenant SET place = 'US-CA', time_zone = 'America/Los_Angeles' WHERE id = %s", (tenant,)
        )
    lists = tools(begin, people.keys, clock, new_id)
    await lists.register(BROKER, by=caller)
    return lists


async def accepted(begin, tenant):
    async with begin(tenant) as tx:
        return [
            (request.handle, standing.state)
            for state in State
            for request, standing in await tx.requests.page(Filter(state=state), after=None, limit=1000)
        ]


async def test_killed_at_any_step_a_list_comes_to_the_same(
    people, broker, begin, database, tenant, caller, clock, tmp_path
):
    for steps in count(1, 3):
        clock.now = utc_now() - timedelta(hours=1)  # what these clients did was before the child's real time
        one, other, mine = f"one-{steps}", f"other-{steps}", f"mine-{steps}"
        await people.write(mine, "email", f"{mine}@mail.example")
        number = f"+1415{steps:07}"
        for name in (one, other):
            await people.write(name, "phone", number)
        ids = [item(steps * 10 + place) for place in range(3)]
        lists = {
            "Email": [(ids[0], base64(f"{mine}@mail.example")), (ids[1], base64(f"nobody-{steps}"))],
            "Phone": [(ids[2], base64(number[-10:]))],
        }
        place = tmp_path / f"{steps}.zip"
        place.write_bytes(download(lists).getvalue())

        where = killed(partial(take_in, people.ring, place), database.urls.app, tenant, steps)
        clock.now = utc_now()
        with place.open("rb") as file:
            await broker.take_in(partial(Download, file), lambda done, total: None, by=caller)
        await broker.settle(by=caller)

        assert [await people.acts(name) for name in (mine, one, other)] == [
            {Action.DROP_LISTED},
            {Action.DROP_UNVERIFIED},
            {Action.DROP_UNVERIFIED},
        ]
        handle = await people.handle(mine)
        assert [state for whose, state in await accepted(begin, tenant) if whose == handle] == [State.ACCEPTED]
        told = {
            each: status
            for list_ in (List.EMAIL, List.PHONE)
            async for each, status in broker.answers(tenant, ON, list_, amend=False)
        }
        assert {each: told[each] for each in ids} == {ids[0]: None, ids[1]: Status.NOT_FOUND, ids[2]: Status.OPTED_OUT}
        async with begin(tenant) as tx:
            for name in (mine, one, other):
                assert len(await tx.records.history(await people.handle(name))) == 1
        if where == "done":
            assert steps > 10
            return


async def test_of_a_list_and_a_value_that_come_at_one_moment_neither_misses_the_other(
    people, broker, begin, tenant, caller
):
    names = [f"p-{number}" for number in range(40)]

    async def write() -> None:
        for name in names:
            await people.write(name, "email", f"{name}@mail.example")

    async def compare() -> None:
        for _ in range(40):
            await broker.mark(tenant)
            await asyncio.sleep(0)

    async def take() -> None:
        for number, name in enumerate(reversed(names)):
            file = download({"Email": [(item(number), base64(f"{name}@mail.example"))]})
            await broker.take_in(partial(Download, file), lambda done, total: None, by=caller)

    await asyncio.gather(write(), compare(), take())
    await broker.settle(by=caller)

    assert len(await accepted(begin, tenant)) == len(names)


async def test_two_who_follow_at_once_ask_once(people, broker, begin, tenant, caller):
    names = [f"t-{number}" for number in range(12)]
    for name in names:
        await people.write(name, "email", f"{name}@mail.example")
    file = download({"Email": [(item(number), base64(f"{name}@mail.example")) for number, name in enumerate(names)]})
    await broker.take_in(partial(Download, file), lambda done, total: None, by=caller)
    while await broker.mark(tenant):
        continue

    due, same = await broker.follow.due(tenant), await broker.follow.due(tenant)
    await asyncio.gather(*[broker.follow(person, by=caller) for each in zip(due, same, strict=True) for person in each])

    assert [state for _, state in await accepted(begin, tenant)] == [State.ACCEPTED] * len(names)


async def test_who_is_erased_while_they_are_compared_keeps_no_mark(people, broker, begin, tenant, caller):
    names = [f"gone-{number}" for number in range(12)]
    for name in names:
        await people.whole(name)

    async def compare() -> None:
        while await broker.mark(tenant):
            continue

    async def erase() -> None:
        for name in names:
            await people.erase(name)

    await asyncio.gather(erase(), compare())
    await broker.settle(by=caller)

    async with begin(tenant) as tx:
        left = await tx.trips("SELECT count(*) FROM drop_mark", {})
    assert left == [(0,)]


async def test_who_took_it_back_while_an_officer_moved_their_request_is_not_deleted(
    people, broker, begin, tenant, caller, clock, new_id
):
    await people.write("ann", "email", "ann@mail.example")
    line = (item(1), base64("ann@mail.example"))
    await broker.take_in(partial(Download, download({"Email": [line]})), lambda done, total: None, by=caller)
    await broker.settle(by=caller)
    async with begin(tenant) as tx:
        ((request, _),) = await tx.requests.page(Filter(), after=None, limit=2)
    move = MoveRequest(begin, clock, LAW)

    async def beaten(request_id, step, *, version, **said):
        """Move a request on right after an officer did."""
        if step is Move.WITHDRAW and version == 2:
            await people.move(request_id, Move.ACKNOWLEDGE, version=version)
        return await move(request_id, step, version=version, **said)

    append = StoreRecords(begin, clock, POLICY.vocabulary)
    open_request = OpenRequest(begin, clock, new_id, LAW, append)
    follow = Follow(begin, read_rules(given.BUILD), append, open_request, beaten, clock, new_id)
    slow = msgspec.structs.replace(broker, follow=follow)
    back = download({}, [(*line, "Email")], day="20261122")
    await slow.take_in(partial(Download, back), lambda done, total: None, by=caller)
    await slow.settle(by=caller)

    async with begin(tenant) as tx:
        found = await tx.requests.find(request.id)
    assert found is not None
    assert found[1].state is State.WITHDRAWN
    assert (await broker.carry_out(by=caller)).begun == 0
