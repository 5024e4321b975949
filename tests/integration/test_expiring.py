"""What was replaced goes when its field's retention has ended; the latest version never does."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import psycopg
import pytest

from service import db
from service.audit.domain import AuditEvent, Entry, canonical, leaf_hash
from service.kernel import SubjectId
from service.subjects import Flags
from service.transaction import opener
from service.vault import expiring
from service.vault.expiring import ExpireVersions
from service.vault.fields import BUILT_IN
from service.vault.retention import Expired
from tests.builders import DAY
from tests.integration.expiring_child import VERSIONS, expire_versions, killed

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
KEEP = 30


@pytest.fixture(autouse=True)
def _in_the_past(clock):
    """The database believes no clock that is ahead of its own."""
    clock.now = LONG_AGO + 1000 * DAY


@pytest.fixture
async def worker(database, clock, new_id):
    engine = db.engine(database.urls.worker)
    yield opener(engine, clock, new_id)
    await engine.dispose()


@pytest.fixture
def run(worker, clock, new_id, tenant):
    async def run(*, dry: bool = False, only=tenant) -> list[Expired]:
        done = await ExpireVersions(worker, clock, new_id)(lambda *_: None, actor="worker", tenant=only, dry=dry)
        return list(done)

    return run


@pytest.fixture
def sql(database):
    """Runs a statement as the administrator, whom nothing holds."""
    with psycopg.connect(database.urls.admin, autocommit=True) as connection:
        yield lambda statement, *values: connection.execute(statement, values)


@pytest.fixture
def keep_for(begin, clock):
    async def keep_for(tenant, days, field="email") -> None:
        async with begin(tenant) as tx:
            changed = msgspec.structs.replace(BUILT_IN[field], retention_days=days)
            assert await tx.values.add_field(changed, clock(), "officer")

    return keep_for


@pytest.fixture
def versions(sql, tenant):
    """Stores versions of a value, each by its instant; `None` for the sealed bytes of a deletion."""

    def versions(*at, handle=None, field="email", label="", deleted=(), of=tenant):
        handle = handle or uuid4()
        for number, instant in enumerate(at, 1):
            sql(
                "INSERT INTO vault_value VALUES (%s, %s, %s, %s, %s, %s, %s, 'crm', %s)",
                *(of, handle, field, label, number, b"" if number in deleted else b"sealed", instant),
                instant if number in deleted else None,
            )
        return handle

    return versions


@pytest.fixture
def left(sql, tenant):
    def left(handle=None, of=tenant) -> list[int]:
        found = sql(
            "SELECT version FROM vault_value WHERE tenant = %s AND (%s::uuid IS NULL OR handle = %s) ORDER BY version",
            *(of, handle, handle),
        )
        return [version for (version,) in found]

    return left


async def test_a_version_goes_once_its_retention_has_ended_counted_from_when_it_was_replaced(
    run, keep_for, versions, left, clock, tenant
):
    await keep_for(tenant, KEEP)
    just_over, not_yet = clock() - KEEP * DAY, clock() - KEEP * DAY + timedelta(microseconds=1)
    replaced = versions(LONG_AGO, LONG_AGO + DAY, just_over, not_yet)
    alone = versions(LONG_AGO)

    [done] = await run()

    assert (done.field, done.retention_days, done.removed, done.held) == ("email", KEEP, 2, 0)
    assert left(replaced) == [3, 4], "the third was replaced less than thirty days ago"
    assert left(alone) == [1], "what was never replaced stays, however old"
    clock.advance(timedelta(microseconds=1))
    assert [each.removed for each in await run()] == [1]
    clock.advance(1000 * DAY)
    assert [each.removed for each in await run()] == [0]
    assert left(replaced) == [4]


async def test_what_was_deleted_goes_and_the_deletion_stays_so_that_no_number_is_taken_twice(
    run, keep_for, versions, left, tenant
):
    await keep_for(tenant, 0)
    deleted = versions(LONG_AGO, LONG_AGO, deleted={2})
    back_again = versions(LONG_AGO, LONG_AGO, LONG_AGO, deleted={2})

    await run()

    assert left(deleted) == [2]
    assert left(back_again) == [3]


async def test_each_label_and_field_and_tenant_has_its_own_versions_and_its_own_retention(
    run, keep_for, versions, left, tenant, add_tenant
):
    other = add_tenant()
    await keep_for(tenant, KEEP)
    handle = versions(LONG_AGO, LONG_AGO)
    versions(LONG_AGO, LONG_AGO, handle=handle, label="work")
    phone = versions(LONG_AGO, LONG_AGO, field="phone")
    theirs = versions(LONG_AGO, LONG_AGO, of=other)

    [done] = await run()

    assert done.removed == 2
    assert left(handle) == [2, 2]
    assert left(phone) == [1, 2]
    assert left(theirs, of=other) == [1, 2]


async def test_the_latest_word_about_a_field_counts(run, keep_for, versions, left, tenant):
    await keep_for(tenant, 0)
    await keep_for(tenant, None)
    versions(LONG_AGO, LONG_AGO)

    assert await run() == []
    assert left() == [1, 2]


async def test_a_dry_run_says_what_would_go_and_leaves_it_there(run, keep_for, versions, left, tenant, sql):
    await keep_for(tenant, KEEP)
    for _ in range(5):
        versions(LONG_AGO, LONG_AGO, LONG_AGO)

    asked = await run(dry=True)

    assert len(left()) == 15
    assert trace(sql, tenant) == []
    assert asked == await run()
    assert [each.removed for each in asked] == [10]


async def test_nothing_goes_of_people_whose_data_are_restricted(run, keep_for, versions, left, begin, tenant, clock):
    await keep_for(tenant, KEEP)
    ann, ben = SubjectId("ann"), SubjectId("ben")
    async with begin(tenant) as tx:
        handles = (await tx.subjects.ensure([ann, ben], clock())).handles
        await tx.subjects.set_flags(handles[ann], Flags(restricted=True))
        await tx.subjects.set_flags(handles[ben], Flags(restricted=False, merge_unresolved=True))
    for handle in handles.values():
        versions(LONG_AGO, LONG_AGO, handle=handle)

    found = await run(dry=True)
    done = await run()

    assert found == done
    assert [(each.removed, each.held) for each in done] == [(1, 1)]
    assert (left(handles[ann]), left(handles[ben])) == ([1, 2], [2])
    async with begin(tenant) as tx:
        await tx.subjects.set_flags(handles[ann], Flags())
    assert [(each.removed, each.held) for each in await run()] == [(1, 0)]


def trace(sql, tenant) -> list[Entry]:
    rows = sql(
        """
        SELECT entry.id, entry.at, event, object_id, subject, actor, request, commitment, canonical, leaf
        FROM audit_entry AS entry JOIN audit_pending USING (tenant, id)
        WHERE entry.tenant = %s AND event = 'vault.versions_expired' ORDER BY entry.id
        """,
        tenant,
    ).fetchall()
    entries = []
    for entry_id, at, event, object_id, subject, actor, request, commitment, written, leaf in rows:
        entry = Entry(
            tenant=tenant, id=entry_id, at=at, event=AuditEvent(event), object_id=object_id, subject=subject,
            actor=actor, request=request, commitment=commitment,
        )  # fmt: skip
        assert (written, leaf) == (canonical(entry), leaf_hash(written)), "as the application writes them"
        entries.append(entry)
    return entries


async def test_the_audit_log_says_how_many_went_and_names_nobody(
    run, keep_for, versions, tenant, sql, clock, monkeypatch
):
    monkeypatch.setattr(expiring, "BATCH", 4)
    await keep_for(tenant, KEEP)
    for _ in range(10):
        versions(LONG_AGO, LONG_AGO)

    await run()
    await run()

    entries = trace(sql, tenant)
    assert [entry.object_id for entry in entries] == ["email/4", "email/4", "email/2"]
    assert {(entry.at, entry.actor, entry.subject) for entry in entries} == {(clock(), "worker", None)}
    assert len({entry.request for entry in entries}) == 1, "what was done at one go has one request id"


async def test_two_at_once_remove_each_version_once(run, keep_for, versions, left, tenant, sql, monkeypatch):
    monkeypatch.setattr(expiring, "BATCH", 5)
    await keep_for(tenant, KEEP)
    for _ in range(60):
        versions(LONG_AGO, LONG_AGO)

    done = await asyncio.gather(*(run() for _ in range(4)))

    assert sum(each.removed for [each] in done) + sum(each.removed for each in await run()) == 60
    assert sum(int(entry.object_id.partition("/")[2]) for entry in trace(sql, tenant)) == 60
    assert left() == [2] * 60


async def test_what_others_hold_is_left_to_them(run, keep_for, versions, tenant, worker, new_id, caller, clock):
    await keep_for(tenant, KEEP)
    versions(LONG_AGO, LONG_AGO)
    by = msgspec.structs.replace(caller, actor="worker", request=str(new_id()))

    async with worker(tenant) as tx:
        held = await tx.retention.expire("email", clock(), after=None, limit=5, entry=new_id(), by=by)
        [meanwhile] = await asyncio.wait_for(run(), 5)

    assert (held.removed, meanwhile.removed) == (1, 0)


async def test_the_latest_version_stays_while_others_write(run, keep_for, versions, left, tenant, sql):
    await keep_for(tenant, 0)
    handle = versions(LONG_AGO)

    async def write() -> None:
        for version in range(2, 40):
            await asyncio.to_thread(
                sql, "INSERT INTO vault_value VALUES (%s, %s, 'email', '', %s, 's', %s, 'crm')",
                *(tenant, handle, version, LONG_AGO),
            )  # fmt: skip

    writing = asyncio.create_task(write())
    while not writing.done():
        seen = max(left(handle))
        await run()
        assert max(left(handle)) >= seen
    await writing
    await run()

    assert left(handle) == [39]


async def test_one_that_is_killed_at_any_step_loses_nothing_and_the_next_does_the_rest(
    run, keep_for, versions, left, add_tenant, database, sql
):
    at = set()
    for steps in range(100):
        tenant = add_tenant()
        await keep_for(tenant, KEEP)
        for _ in range(2 * VERSIONS + 5):
            versions(LONG_AGO, LONG_AGO, of=tenant)
        where = await asyncio.to_thread(killed, expire_versions, database.urls.worker, tenant, steps)
        at.add(where)
        gone = 2 * (2 * VERSIONS + 5) - len(left(of=tenant))
        told = [int(entry.object_id.partition("/")[2]) for entry in trace(sql, tenant)]

        assert gone == sum(told), "each commit has its trace, and nothing else has one"
        [rest] = await run(only=tenant)
        assert gone + rest.removed == 2 * VERSIONS + 5
        assert left(of=tenant) == [2] * (2 * VERSIONS + 5)
        if where == "done":
            break
    assert at == {"before a commit", "after a commit", "done"}
    assert steps >= 2 * 4, "a look at the fields, and three pieces"


def test_no_built_in_field_has_a_retention_of_its_own_for_the_database_would_not_know_it():
    assert {field.retention_days for field in BUILT_IN.values()} == {None}


CALL = """
    SELECT removed FROM vault_expire(
        %(tenant)s, 'email', %(at)s, 100, false, '-infinity', gen_random_uuid(), '', 0,
        gen_random_uuid(), gen_random_uuid(), %(actor)s
    )
"""


async def test_nobody_but_the_worker_removes_a_version(database, tenant):
    with psycopg.connect(database.urls.app, autocommit=True) as app:
        for statement in (
            CALL % {"tenant": "'t'", "at": "now()", "actor": "'worker'"},
            "SELECT vault_retained()",
            "DELETE FROM vault_value",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)
    with psycopg.connect(database.urls.worker, autocommit=True) as worker:
        for statement in ("DELETE FROM vault_value", "SELECT 1 FROM vault_value", "SELECT 1 FROM vault_field"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                worker.execute(statement)


async def test_the_worker_can_not_remove_early_or_in_anybody_elses_name(database, keep_for, versions, left, tenant):
    await keep_for(tenant, 36_500)
    versions(LONG_AGO, LONG_AGO)
    with psycopg.connect(database.urls.worker, autocommit=True) as worker:
        by = {"tenant": tenant, "at": datetime(2400, 1, 1, tzinfo=UTC), "actor": "worker"}
        assert worker.execute(CALL, by).fetchone() == (0,)
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            worker.execute(CALL, by | {"actor": "crm"})
    assert left() == [1, 2]
