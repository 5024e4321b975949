"""Lists of DROP against people who are there, who come later, and who are gone."""

import hashlib
from datetime import date, timedelta

import psycopg
import pytest

from service.audit.holding import PlaceHold
from service.audit.keeping import Reason
from service.audit.keeping import Wish as HoldWish
from service.bridges import resolver
from service.consent import Action
from service.drop import Added, Download, List, ListUnusable, NotABroker, Status, StillMatching
from service.dropping import Tools, tools
from service.kernel import Caller, SubjectId
from service.requests import PlaceNeeded, State
from service.requests.case import Filter
from service.requests.lifecycle import Move
from tests.dropped import BROKER, base64, composite, download, item

ON = date(2026, 11, 20)
EMAIL = [(item(1), base64("ann@mail.example")), (item(2), base64("nobody@mail.example"))]


@pytest.fixture
def lists(people, begin, clock, new_id) -> Tools:
    return tools(begin, people.keys, clock, new_id)


@pytest.fixture
async def placed(database, tenant):
    with psycopg.connect(database.urls.owner) as connection:
        connection.execute(
            "UPDATE tenant SET place = 'US-CA', time_zone = 'America/Los_Angeles' WHERE id = %s", (tenant,)
        )


@pytest.fixture
async def broker(lists, placed, caller):
    assert await lists.register(BROKER, by=caller)


async def taken_in(lists: Tools, file, caller) -> Added:
    added = await lists.take_in(lambda broker: Download(file, broker), lambda done, total: None, by=caller)
    await lists.settle(by=caller)
    return added


async def told(lists: Tools, caller, list_: List = List.EMAIL, *, amend: bool = False) -> dict[str, Status | None]:
    return {each: status async for each, status in lists.answers(caller.tenant, ON, list_, amend=amend)}


async def requests(begin, tenant):
    """Return every request, and where it stands."""
    async with begin(tenant) as tx:
        return [each for state in State for each in await tx.requests.page(Filter(state=state), after=None, limit=100)]


async def requests_of(begin, tenant, subject):
    """Return what is asked about somebody: the law, how it came, and where it stands."""
    async with begin(tenant) as tx:
        handle = await tx.subjects.handle_of(SubjectId(subject))
    found = await requests(begin, tenant)
    return [(each.law, each.said.via, at.state) for each, at in found if each.handle == handle]


async def request_id(begin, tenant):
    ((request, _),) = await requests(begin, tenant)
    return request.id


async def test_who_says_nothing_is_no_broker_and_needs_a_place(lists, people, caller):
    with pytest.raises(NotABroker):
        await taken_in(lists, download({"Email": EMAIL}), caller)
    with pytest.raises(PlaceNeeded):
        await lists.register(BROKER, by=caller)


async def test_who_is_found_is_opted_out_at_once_and_asked_to_be_deleted(lists, people, begin, caller, broker):
    await people.write("ann", "email", "Ann@Mail.Example")
    await people.write("bob", "email", "bob@mail.example")

    added = await taken_in(lists, download({"Email": EMAIL}), caller)

    assert (added.new, added.known) == (2, 0)
    assert await people.acts("ann") == {Action.DROP_LISTED}
    assert await people.acts("bob") == set()
    assert await requests_of(begin, caller.tenant, "ann") == [("DELETE_ACT", "drop", State.ACCEPTED)]
    assert await told(lists, caller) == {item(1): None, item(2): Status.NOT_FOUND}


async def test_the_same_list_again_changes_nothing(lists, people, begin, caller, broker):
    await people.write("ann", "email", "ann@mail.example")
    await taken_in(lists, download({"Email": EMAIL}), caller)

    again = await taken_in(lists, download({"Email": EMAIL}), caller)

    assert (again.new, again.known) == (0, 2)
    assert len(await requests_of(begin, caller.tenant, "ann")) == 1


async def test_several_lists_lead_to_one_request(lists, people, begin, caller, broker):
    await people.write("ann", "email", "ann@mail.example")
    await people.write("ann", "phone", "+14155559317")
    await people.write("ann", "name", "Ann Lee")
    await people.write("ann", "birth_date", "1986-05-14")
    await people.write("ann", "postal_address", {"lines": ["1 Market St"], "country": "US", "postcode": "94105-1234"})
    ndz = composite("ann", "lee", "19860514", "94105")

    await taken_in(
        lists,
        download({"Email": EMAIL, "Phone": [(item(3), base64("4155559317"))], "NDZ": [(item(4), ndz)]}),
        caller,
    )

    assert len(await requests_of(begin, caller.tenant, "ann")) == 1
    assert await told(lists, caller, List.NDZ) == {item(4): None}
    _, counts = await lists.progress(caller.tenant)
    assert (counts.people, counts.unfollowed, counts.waiting) == (1, 0, 0)


async def test_who_comes_later_is_found_then(lists, people, begin, caller, broker):
    await taken_in(lists, download({"Email": EMAIL}), caller)
    await lists.tell([(item(1), Status.NOT_FOUND)], by=caller)

    await people.write("ann", "email", "ann@mail.example")
    with pytest.raises(StillMatching):
        await lists.answers.ready(caller.tenant)
    await lists.settle(by=caller)

    assert await people.acts("ann") == {Action.DROP_LISTED}
    assert await requests_of(begin, caller.tenant, "ann") == [("DELETE_ACT", "drop", State.ACCEPTED)]


async def test_those_who_were_there_before_the_broker_are_compared_as_well(lists, people, begin, caller, placed):
    await people.write("ann", "email", "ann@mail.example")
    await lists.register(BROKER, by=caller)

    await taken_in(lists, download({"Email": EMAIL}), caller)

    assert len(await requests_of(begin, caller.tenant, "ann")) == 1


async def test_what_several_have_opts_all_of_them_out_and_deletes_nobody(lists, people, begin, caller, broker):
    for name in ("ann", "bob"):
        await people.write(name, "phone", "+14155559317")

    await taken_in(lists, download({"Phone": [(item(3), base64("4155559317"))]}), caller)

    assert [await people.acts(name) for name in ("ann", "bob")] == [{Action.DROP_UNVERIFIED}] * 2
    assert await requests_of(begin, caller.tenant, "ann") == []
    assert await told(lists, caller, List.PHONE) == {item(3): Status.OPTED_OUT}


async def test_who_is_deleted_is_told_so_and_leaves_no_mark(lists, people, begin, caller, broker, engine):
    await people.write("ann", "email", "ann@mail.example")
    handle = await people.handle("ann")
    await taken_in(lists, download({"Email": EMAIL}), caller)
    asked = await request_id(begin, caller.tenant)

    assert (await lists.carry_out(by=caller)).begun == 1
    await people.run(asked)
    done = await lists.carry_out(by=caller)

    assert (done.answered, done.waiting) == (1, 0)
    assert await told(lists, caller) == {item(1): Status.DELETED, item(2): Status.NOT_FOUND}
    async with begin(caller.tenant) as tx:
        assert await tx.drop.due(10) == []
        found = await tx.drop.answerable(ON, List.EMAIL, told=False, after="", limit=10)
    assert [len(each.outcomes) for each in found] == [1, 0]
    assert await marks(begin, caller.tenant, handle) == 0


async def marks(begin, tenant, handle) -> int:
    async with begin(tenant) as tx:
        found = await tx.trips("SELECT count(*) FROM drop_mark WHERE handle = %(handle)s", {"handle": handle})
    return found[0][0]


async def test_whoever_was_deleted_does_not_come_back_by_the_address(lists, people, begin, caller, broker):
    await people.write("ann", "email", "ann@mail.example")
    await taken_in(lists, download({"Email": EMAIL}), caller)
    await lists.carry_out(by=caller)
    await people.run(await request_id(begin, caller.tenant))

    refused = await people.write("zoe", "email", "ann@mail.example")
    await people.write("zoe", "email", "ann@mail.example", reenrol=True)
    await lists.settle(by=caller)

    assert getattr(refused, "code", None) == "suppressed"
    assert await people.acts("zoe") == {Action.DROP_LISTED}


async def test_what_the_controller_exempts_is_told_so(lists, people, begin, caller, broker):
    await people.write("ann", "email", "ann@mail.example")
    await taken_in(lists, download({"Email": EMAIL}), caller)
    asked = await request_id(begin, caller.tenant)

    await people.move(asked, Move.REFUSE, version=2, reason="direct_relationship")

    assert (await told(lists, caller))[item(1)] is Status.EXEMPTED
    assert await people.acts("ann") == {Action.DROP_LISTED}


async def test_a_later_answer_amends_the_first(lists, people, begin, caller, broker):
    await taken_in(lists, download({"Email": EMAIL}), caller)
    await lists.tell((await told(lists, caller)).items(), by=caller)
    await people.write("ann", "email", "ann@mail.example")
    await lists.settle(by=caller)
    assert await told(lists, caller) == {}
    assert await told(lists, caller, amend=True) == {item(1): None}

    await people.move(await request_id(begin, caller.tenant), Move.REFUSE, version=2, reason="identity_unproven")

    assert await told(lists, caller, amend=True) == {item(1): Status.OPTED_OUT}


async def test_what_a_consumer_took_back_is_withdrawn_and_stays_so(lists, people, begin, caller, broker):
    await people.write("ann", "email", "ann@mail.example")
    await taken_in(lists, download({"Email": EMAIL}), caller)

    await taken_in(lists, download({}, [(*EMAIL[0], "Email")], day="20261122"), caller)
    await taken_in(lists, download({"Email": EMAIL}), caller)

    assert await requests_of(begin, caller.tenant, "ann") == [("DELETE_ACT", "drop", State.WITHDRAWN)]
    assert await told(lists, caller) == {item(2): Status.NOT_FOUND}


async def test_an_id_that_stands_for_another_hash_goes_on_doing_so(lists, people, caller, broker):
    await taken_in(lists, download({"Email": EMAIL}), caller)

    added = await taken_in(lists, download({"Email": [(item(1), base64("bob@mail.example"))]}), caller)

    assert (added.new, added.known, added.contradicting) == (0, 0, 1)


async def test_a_broken_line_keeps_the_whole_download_out(lists, people, caller, broker):
    with pytest.raises(ListUnusable):
        await taken_in(lists, download({"Email": [*EMAIL, ("short", "hash")]}), caller)

    _, counts = await lists.progress(caller.tenant)
    assert counts.items == 0


async def test_nobody_finds_an_address_or_its_hash_anywhere_in_the_database(lists, people, database, caller, broker):
    await people.write("ann", "email", "ann@mail.example")
    await taken_in(lists, download({"Email": EMAIL}, [(item(7), base64("gone@mail.example"), "Email")]), caller)

    with psycopg.connect(database.urls.admin) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'jobs')"
        )
        rows = [
            row
            for schema, table in tables.fetchall()
            for (row,) in connection.execute(f'SELECT kept::text FROM {schema}."{table}" AS kept').fetchall()
        ]
    assert any(f"({caller.tenant},{item(2)},Email" in row for row in rows)
    for name in ("ann", "nobody", "gone"):
        hashed = hashlib.sha256(f"{name}@mail.example".encode())
        for trace in (
            f"{name}@mail",
            f"{name}@mail".encode().hex(),
            base64(f"{name}@mail.example"),
            hashed.hexdigest(),
        ):
            assert [row for row in rows if trace in row] == []


async def test_a_merge_leaves_one_who_has_it(lists, people, begin, caller, broker):
    for name in ("ann", "bob"):
        await people.write(name, "email", "ann@mail.example")
    await lists.settle(by=caller)
    await people.merge("ann", "bob")

    await taken_in(lists, download({"Email": EMAIL}), caller)

    assert await told(lists, caller) == {item(1): None, item(2): Status.NOT_FOUND}


async def test_the_clock_of_the_request_runs_from_being_found(lists, people, begin, clock, caller, broker):
    await people.write("ann", "email", "ann@mail.example")
    await taken_in(lists, download({"Email": EMAIL}), caller)

    ((request, standing),) = await requests(begin, caller.tenant)
    assert request.received_at == clock()
    assert standing.due_on == clock().date() + timedelta(days=45)


async def test_two_brokers_have_nothing_of_each_other(people, begin, lists, add_tenant, caller, broker, clock, new_id):
    other = Caller(tenant=add_tenant(), actor="other", request="req-2")
    await people.write("ann", "email", "ann@mail.example")
    async with begin(other.tenant) as tx:
        await tx.drop.register("9999", clock())

    await taken_in(lists, download({"Email": EMAIL}, broker="9999"), other)

    assert await people.acts("ann") == set()
    _, counts = await lists.progress(caller.tenant)
    assert (counts.items, counts.people) == (0, 0)
    assert await told(lists, other) == {item(1): Status.NOT_FOUND, item(2): Status.NOT_FOUND}


async def test_whose_value_does_not_open_is_never_told_to_be_nobody(lists, people, database, caller, broker):
    await people.write("ann", "email", "ann@mail.example")
    await people.write("bob", "email", "bob@mail.example")
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute(
            "UPDATE vault_value SET sealed = decode('00', 'hex') || sealed WHERE handle = %s",
            (await people.handle("ann"),),
        )

    await taken_in(lists, download({"Email": [*EMAIL, (item(3), base64("bob@mail.example"))]}), caller)

    assert await people.acts("bob") == {Action.DROP_LISTED}
    with pytest.raises(StillMatching):
        await lists.answers.ready(caller.tenant)


async def test_what_a_hold_stands_against_is_tried_again(lists, people, begin, clock, new_id, caller, broker):
    await people.write("ann", "email", "ann@mail.example")
    await taken_in(lists, download({"Email": EMAIL}), caller)
    held = HoldWish(
        name="claim", subject=SubjectId("ann"), since=None, until=None, reason=Reason.LITIGATION, reference=None
    )
    await PlaceHold(begin, resolver(begin), clock)(held, by=caller)

    done = await lists.carry_out(by=caller)

    assert (done.begun, done.held) == (0, 1)
