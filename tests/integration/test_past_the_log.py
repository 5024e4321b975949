"""What the database itself keeps anybody from doing past the log, and what an upgrade mends."""

import threading
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from service import migrate, operations, schema
from service.audit import AuditEvent
from service.audit.holding import LiftHold, PlaceHold
from service.audit.keeping import Reason, Wish

WISH = Wish(name="case-7", subject=None, since=None, until=None, reason=Reason.AUDIT, reference=None)
STATES = "UPDATE audit_hold SET {} WHERE name = 'case-7'"
FACTS = "SELECT removed FROM expire_facts(%s, now() - interval '1 year', 100, false, '', %s, %s, 'worker')"
DECISION = """
    INSERT INTO decision (tenant, id, channel, purpose, at, decided_at, permit, revision, facts_hash, verdict_hash,
        records, actor, request)
    VALUES (%s, gen_random_uuid(), 'email', 'marketing', now(), now(), false, 'r', 'asked', '', '{}', 'crm', 'r')
"""


@pytest.fixture
def as_app(database, tenant):
    """Runs a statement with the rights of the application, in the tenant's name."""
    with psycopg.connect(database.urls.app, autocommit=True) as connection:
        connection.execute("SELECT set_config('volens.tenant', %s, false)", (tenant,))
        yield connection


@pytest.fixture
async def held(begin, clock, caller):
    async def nobody(*_):
        raise AssertionError("nobody is named")

    await PlaceHold(begin, nobody, clock)(WISH, by=caller)
    return PlaceHold(begin, nobody, clock), LiftHold(begin, clock)


# --- holds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "lifted_at = now()",
        "until = now()",
        "handle = gen_random_uuid()",
        "reason = 'litigation'",
        "lifted_at = now(), until = now()",
        "placed_by = 'me'",
        "name = 'other'",
        "tenant = 'other'",
    ],
)
@pytest.mark.parametrize("role", ["app", "owner"])
async def test_nobody_changes_a_hold_without_an_entry(held, as_app, database, role, change):
    with psycopg.connect(database.urls.owner) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
        (as_app if role == "app" else owner).execute(STATES.format(change))


async def test_a_hold_that_was_lifted_is_not_placed_anew_without_an_entry_and_none_is_removed(
    held, as_app, database, caller, clock
):
    place, lift = held
    clock.advance(timedelta(hours=1))
    await lift("case-7", by=caller)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="being placed anew"):
        as_app.execute(STATES.format("lifted_at = now() + interval '1 hour'"))
    clock.advance(timedelta(hours=1))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="with an entry"):
        as_app.execute(STATES.format("lifted_at = NULL"))
    for statement in ("DELETE FROM audit_hold", "TRUNCATE audit_hold"):
        with psycopg.connect(database.urls.owner) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(statement)

    again, new = await place(WISH, by=caller)
    assert (new, again.lifted_at) == (True, None)


async def test_an_old_entry_lifts_no_new_hold(held, as_app, caller, clock):
    place, lift = held
    clock.advance(timedelta(hours=1))
    await lift("case-7", by=caller)
    clock.advance(timedelta(hours=1))
    await place(WISH, by=caller)

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="with an entry"):
        as_app.execute(STATES.format("lifted_at = now()"))


# --- facts and decisions ------------------------------------------------------------------------


def test_facts_do_not_go_while_a_decision_that_points_to_them_is_being_stored(database, tenant, as_app):
    """The writer found its facts stored; they are to be there when its decision is."""
    as_app.execute("INSERT INTO facts VALUES (%s, 'asked', '{}')", (tenant,))
    with psycopg.connect(database.urls.app) as writer, psycopg.connect(database.urls.worker) as worker:
        writer.execute("SELECT set_config('volens.tenant', %s, true)", (tenant,))
        writer.execute("INSERT INTO facts VALUES (%s, 'asked', '{}') ON CONFLICT DO NOTHING", (tenant,))
        removing = threading.Thread(target=worker.execute, args=(FACTS, (tenant, uuid4(), uuid4())))
        removing.start()
        removing.join(1)
        assert removing.is_alive(), "it waits for the writer"
        writer.execute(DECISION, (tenant,))
        writer.commit()
        removing.join(10)
        worker.commit()

    assert as_app.execute("SELECT count(*) FROM facts").fetchone() == (1,)


def test_two_removals_of_facts_do_not_wait_for_each_other(database, tenant, as_app):
    as_app.execute("INSERT INTO facts VALUES (%s, 'asked', '{}')", (tenant,))
    removed: list[int] = []

    def remove() -> None:
        with psycopg.connect(database.urls.worker) as worker:
            removed.append(worker.execute(FACTS, (tenant, uuid4(), uuid4())).fetchone()[0])

    both = [threading.Thread(target=remove) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(20)

    assert sorted(removed) == [0, 1]


# --- secrets ------------------------------------------------------------------------------------


def test_who_was_erased_before_there_were_secrets_has_none_after_the_upgrade(new_database):
    urls = new_database(empty=True)
    erased, merged, living = uuid4(), uuid4(), uuid4()
    migrate.upgrade(urls.owner, "0022")
    with psycopg.connect(urls.admin) as admin:
        for name, handle in (("erased", erased), ("merged", merged), ("living", living)):
            admin.execute(
                "INSERT INTO subject (tenant, subject, handle, created_at, version, facts) "
                "VALUES ('demo', %s, %s, now(), 0, '{}')",
                (name, handle),
            )
            admin.execute(
                "INSERT INTO vault_subject_key (tenant, handle, key_id, tenant_key_version, wrapped, created_at, "
                "destroyed_at) VALUES ('demo', %s, '', 1, '', now(), %s)",
                (handle, "2026-01-01Z" if handle == erased else None),
            )
        admin.execute(
            "INSERT INTO subject_pair VALUES ('demo', %s, %s, '', now(), now(), true)", sorted((erased, merged))
        )
    migrate.upgrade(urls.owner, "0031")
    with psycopg.connect(urls.admin) as admin:
        assert admin.execute("SELECT count(*) FROM commitment_secret").fetchone() == (3,)

    migrate.upgrade(urls.owner)

    with psycopg.connect(urls.admin) as admin:
        assert admin.execute("SELECT handle FROM commitment_secret").fetchall() == [(living,)]


async def test_secrets_are_not_taken_away_while_entries_commit_under_them(new_database, caller):
    urls = new_database(empty=True)
    migrate.upgrade(urls.owner)
    async with operations.transactions(urls.app) as begin, begin(caller.tenant) as tx:
        await tx.audit.append(event=AuditEvent.RECORD_STORED, object_id="r-1", by=caller, commitment=bytes(32))

    with pytest.raises(RuntimeError, match="nothing could prove"):
        migrate.downgrade(urls.owner, "0022")

    with psycopg.connect(urls.admin) as admin:
        assert admin.execute("SELECT count(*) FROM commitment_secret").fetchone() == (0,)
        assert admin.execute("SELECT version_num FROM alembic_version").fetchone() == (schema.head(),)
