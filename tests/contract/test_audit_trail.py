"""What `service.audit.AuditTrail` promises, kept by the real adapter."""

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from service.audit import AuditEvent, Draft, Entry, Position, Query, ReadEntries, canonical, leaf_hash
from service.kernel import Handle, SubjectId

RECORD, NOTICE = AuditEvent.RECORD_STORED, AuditEvent.NOTICE_STORED
ADA, BOB = Handle(UUID(int=1)), Handle(UUID(int=2))


async def stored(begin, tenant, query: Query | None = None, **where) -> list[Entry]:
    async with begin(tenant) as tx:
        return list(await tx.audit.find(query or Query(), **{"subject": None, "after": None, "limit": 1_000, **where}))


async def objects(begin, tenant, query: Query, **where) -> list[str]:
    return [entry.object_id for entry in await stored(begin, tenant, query, **where)]


def pending(database, tenant) -> dict[UUID, bytes]:
    with psycopg.connect(database.urls.worker) as connection:
        return dict(connection.execute("SELECT id, leaf FROM audit_pending WHERE tenant = %s", (tenant,)).fetchall())


@pytest.fixture
async def three(begin, tenant, caller, clock):
    """Store three entries a minute apart: two about Ada, one by another actor."""
    other = type(caller)(tenant=tenant, actor="crm", request="req-2")
    for number, (event, subject, by) in enumerate([(RECORD, ADA, caller), (NOTICE, None, other), (RECORD, ADA, other)]):
        async with begin(tenant) as tx:
            await tx.audit.append(event=event, object_id=f"o-{number}", subject=subject, by=by)
        clock.advance(timedelta(minutes=1))


async def test_an_entry_says_what_was_done_when_by_whom_and_in_which_request(begin, tenant, caller, clock):
    async with begin(tenant) as tx:
        await tx.audit.append(event=RECORD, object_id="r-1", subject=ADA, by=caller, commitment=b"\x00\xff")

    (entry,) = await stored(begin, tenant)
    assert entry == Entry(
        tenant=tenant,
        id=entry.id,
        at=clock(),
        event=RECORD,
        object_id="r-1",
        subject=ADA,
        actor=caller.actor,
        request=caller.request,
        commitment=b"\x00\xff",
    )


async def test_every_entry_waits_for_the_tree_with_the_hash_of_its_stored_bytes(begin, tenant, caller, database):
    async with begin(tenant) as tx:
        await tx.audit.append(event=RECORD, object_id='a "quoted" \\ text\n', by=caller)
        await tx.audit.append_many([Draft(event=NOTICE, object_id=f"n-{n}", subject=BOB) for n in range(20)], by=caller)

    entries = await stored(begin, tenant)
    assert pending(database, tenant) == {entry.id: leaf_hash(canonical(entry)) for entry in entries}
    with psycopg.connect(database.urls.worker) as connection:
        kept = connection.execute("SELECT id, canonical FROM audit_entry WHERE tenant = %s", (tenant,)).fetchall()
    assert dict(kept) == {entry.id: canonical(entry) for entry in entries}


async def test_many_are_stored_in_the_order_given(begin, tenant, caller):
    drafts = [Draft(event=RECORD, object_id=f"r-{number}") for number in range(1_000)]
    async with begin(tenant) as tx:
        await tx.audit.append_many(drafts, by=caller)

    assert await objects(begin, tenant, Query()) == [draft.object_id for draft in drafts]


async def test_none_at_all_is_allowed(begin, tenant, caller):
    async with begin(tenant) as tx:
        await tx.audit.append_many([], by=caller)

    assert await stored(begin, tenant) == []


async def test_an_entry_is_gone_with_the_work_that_failed(begin, tenant, caller, database):
    async def work() -> None:
        async with begin(tenant) as tx:
            await tx.audit.append(event=RECORD, object_id="r-1", by=caller)
            raise RuntimeError("the work failed")

    with pytest.raises(RuntimeError):
        await work()

    assert await stored(begin, tenant) == []
    assert pending(database, tenant) == {}


@pytest.mark.usefixtures("three")
async def test_each_filter_leaves_what_it_names(begin, tenant, clock):
    start = clock() - timedelta(minutes=3)

    assert await objects(begin, tenant, Query()) == ["o-0", "o-1", "o-2"]
    assert await objects(begin, tenant, Query(event=NOTICE)) == ["o-1"]
    assert await objects(begin, tenant, Query(actor="crm")) == ["o-1", "o-2"]
    assert await objects(begin, tenant, Query(subject=SubjectId("ada")), subject=ADA) == ["o-0", "o-2"]
    assert await objects(begin, tenant, Query(since=start + timedelta(minutes=1))) == ["o-1", "o-2"]
    assert await objects(begin, tenant, Query(until=start + timedelta(minutes=1))) == ["o-0"]
    assert await objects(begin, tenant, Query(event=RECORD, actor="crm")) == ["o-2"]


@pytest.mark.usefixtures("three")
async def test_another_tenant_sees_none_of_them(begin, add_tenant):
    assert await stored(begin, add_tenant()) == []


async def test_a_subject_without_a_handle_matches_nothing(begin, tenant, caller):
    """Entries about nobody must not be taken for those about an unknown subject."""
    async with begin(tenant) as tx:
        await tx.audit.append(event=NOTICE, object_id="n-1", by=caller)

    assert await objects(begin, tenant, Query(subject=SubjectId("nobody")), subject=None) == []


async def test_pages_hold_every_entry_once_even_within_one_instant(begin, tenant, caller):
    async with begin(tenant) as tx:
        await tx.audit.append_many([Draft(event=RECORD, object_id=str(number)) for number in range(7)], by=caller)

    read = ReadEntries(begin, no_resolver)
    seen: list[str] = []
    after: Position | None = None
    for expected in (3, 3, 1):
        page = await read(Query(), after=after, limit=3, by=caller)
        assert len(page.entries) == expected
        seen += [entry.object_id for entry in page.entries]
        after = page.next

    assert after is None
    assert seen == [str(number) for number in range(7)]


async def test_the_subject_is_found_by_the_tenants_own_id(begin, tenant, caller, three):
    async def resolve(asked, subject):
        return ADA if (asked, subject) == (tenant, "ada") else None

    read = ReadEntries(begin, resolve)
    about_ada = await read(Query(subject=SubjectId("ada")), after=None, limit=10, by=caller)
    about_bob = await read(Query(subject=SubjectId("bob")), after=None, limit=10, by=caller)

    assert [entry.object_id for entry in about_ada.entries] == ["o-0", "o-2"]
    assert (about_bob.entries, about_bob.next) == ([], None)


async def no_resolver(tenant, subject):
    raise AssertionError(f"nobody asked for a subject: {tenant}, {subject}")
