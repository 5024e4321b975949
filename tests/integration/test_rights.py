"""What each database role may do. Tenants are kept apart by the database, not only by a WHERE."""

from collections.abc import Iterator

import psycopg
import pytest

from service.audit import AuditEvent
from service.events import Event
from service.kernel import Caller

CROSSED = {"audit_entry", "audit_pending", "outbox"}
"""Where the worker looks across tenants."""
TREE = {"audit_checkpoint", "audit_cosignature", "audit_head", "audit_leaf", "audit_tile", "audit_timestamp"}
"""What the worker alone writes, for every tenant."""
OF_NOBODY = {"alembic_version", "log_key", "policy_activation", "policy_revision"}
"""The schema's version, the public keys of log and receipts, and the law."""
ONLY_GROW = ["audit_entry", "decision", "policy_overlay", "policy_trial_change", "record", "reveal"]
CHANGES = {"UPDATE": "UPDATE {} SET tenant = tenant", "DELETE": "DELETE FROM {}", "TRUNCATE": "TRUNCATE {}"}
BY_TIME = {"erasure_kept_until_idx", "outbox_id_idx", "permit_expires_at_idx"}
"""Indexes that serve all tenants at once: of the relay, and of what ends by itself."""


@pytest.fixture
def app(database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.urls.app, autocommit=True) as connection:
        yield connection


@pytest.fixture
def worker(database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.urls.worker, autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.urls.owner, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def two_tenants(begin, add_tenant, clock) -> list[str]:
    """Store an audit entry and an event for each of two tenants."""
    tenants = [add_tenant(), add_tenant()]
    for tenant in tenants:
        async with begin(tenant) as tx:
            by = Caller(tenant=tenant, actor="crm", request="req-1")
            await tx.audit.append(event=AuditEvent.RECORD_STORED, object_id="r-1", by=by)
            await tx.outbox.add([Event(type="record.stored", object_id="r-1", at=clock())])
    return tenants


def tables(connection: psycopg.Connection, condition: str = "true") -> set[str]:
    rows = connection.execute(
        f"""
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND {condition}
        """
    )
    return {name for (name,) in rows}


def with_tenant(connection: psycopg.Connection) -> set[str]:
    return tables(connection, "EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'tenant')")


def visible(connection: psycopg.Connection, table: str) -> set[str]:
    return {tenant for (tenant,) in connection.execute(f"SELECT DISTINCT tenant FROM {table}")}


def test_row_level_security_binds_every_role(owner):
    roles = owner.execute(
        """
        SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles
        WHERE rolname IN ('volens_owner', 'volens_app', 'volens_worker')
        """
    )

    assert dict(roles.fetchall()) == {"volens_owner": False, "volens_app": False, "volens_worker": False}


def test_row_level_security_is_forced_on_every_table_of_tenants(owner):
    guarded = tables(owner, "relrowsecurity AND relforcerowsecurity")

    assert with_tenant(owner) >= CROSSED
    assert guarded == with_tenant(owner) | {"tenant"}
    assert tables(owner) - guarded == OF_NOBODY


def test_every_key_begins_with_the_tenant(owner):
    rows = owner.execute(
        """
        SELECT i.indexrelid::regclass::text, a.attname
        FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid::regclass::text = ANY(%s)
        """,
        (list(with_tenant(owner)),),
    )

    assert {index for index, column in rows if column != "tenant"} == BY_TIME


@pytest.mark.parametrize("table", ["audit_entry", "outbox"])
def test_a_query_that_forgets_the_tenant_sees_one_tenant(app, two_tenants, table):
    for tenant in two_tenants:
        with app.transaction():
            app.execute("SELECT set_config('volens.tenant', %s, true)", (tenant,))
            assert visible(app, table) == {tenant}


@pytest.mark.parametrize("table", ["audit_entry", "outbox"])
def test_without_a_tenant_nothing_is_seen(app, two_tenants, table):
    assert visible(app, table) == set()

    with app.transaction():
        app.execute("SELECT set_config('volens.tenant', %s, true)", (two_tenants[0],))
    assert visible(app, table) == set(), "after a local setting it is empty, not unset"


def test_nothing_can_be_written_in_another_tenants_name(app, two_tenants):
    mine, other = two_tenants
    add = "INSERT INTO outbox (tenant, id, type, object_id, at) VALUES (%s, gen_random_uuid(), 'x', 'y', now())"
    with app.transaction(force_rollback=True):
        app.execute("SELECT set_config('volens.tenant', %s, true)", (mine,))
        app.execute(add, (mine,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level"):
            app.execute(add, (other,))


def test_a_tenant_sees_its_own_row_in_the_list_of_tenants_alone(app, two_tenants):
    with app.transaction():
        app.execute("SELECT set_config('volens.tenant', %s, true)", (two_tenants[0],))
        assert app.execute("SELECT id FROM tenant").fetchall() == [(two_tenants[0],)]


@pytest.mark.parametrize("table", ONLY_GROW)
@pytest.mark.parametrize("change", CHANGES)
def test_the_application_can_not_change_what_only_grows(app, table, change):
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
        app.execute(CHANGES[change].format(table))


@pytest.mark.parametrize("table", ONLY_GROW)
@pytest.mark.parametrize("change", CHANGES)
def test_nor_can_the_owner(owner, table, change):
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only grows"):
        owner.execute(CHANGES[change].format(table))


@pytest.mark.parametrize("role", ["app", "worker"])
def test_who_serves_can_not_let_another_policy_govern(request, role):
    connection = request.getfixturevalue(role)
    for statement in (
        "INSERT INTO policy_revision (revision, module, data, rules, at) VALUES ('r', '', '', '', now())",
        "INSERT INTO policy_activation (revision, at, actor) VALUES ('r', now(), 'a hand')",
        "DELETE FROM policy_activation",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            connection.execute(statement)


@pytest.mark.parametrize("table", ["policy_revision", "policy_activation"])
def test_what_governed_then_can_not_be_changed_by_the_owner(owner, table):
    owner.execute(
        "INSERT INTO policy_revision VALUES ('whole', '', '', '', now(), sha256(sha256('')||sha256('')||sha256('')))"
        " ON CONFLICT DO NOTHING"
    )
    for change in (f"UPDATE {table} SET revision = 'r'", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only grows"):
            owner.execute(change)


@pytest.mark.parametrize("table", [*sorted(TREE), "log_key"])
def test_the_application_can_not_write_the_tree_or_say_whose_signature_counts(app, table):
    for statement in (f"INSERT INTO {table} DEFAULT VALUES", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            app.execute(statement)


def test_the_application_can_not_look_at_the_leaves_it_adds(app):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("SELECT 1 FROM audit_pending")


def test_the_worker_sees_audit_and_outbox_of_every_tenant_and_no_other_table(worker, owner, two_tenants):
    for table in CROSSED:
        assert visible(worker, table) >= set(two_tenants)

    for table in tables(owner) - CROSSED - TREE - OF_NOBODY - {"audit_export"}:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            worker.execute(f"SELECT 1 FROM {table}")


def test_the_worker_learns_who_has_exports_and_not_of_what(worker):
    worker.execute("SELECT tenant, state, created_at, beat_at, expires_at FROM audit_export")
    for column in ("plan", "actor", "made", "link_hash", "fault"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            worker.execute(f"SELECT {column} FROM audit_export")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        worker.execute("UPDATE audit_export SET state = 'waiting'")


def test_the_application_changes_nothing_of_what_was_asked_to_be_exported(app):
    for column in ("plan", "created_at", "actor", "request", "id", "tenant"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(f"UPDATE audit_export SET {column} = {column}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("DELETE FROM audit_export")


def test_the_worker_learns_which_systems_have_tasks_and_not_of_what(worker):
    worker.execute("SELECT tenant, system FROM downstream_due(now())")
    worker.execute("SELECT state, tasks FROM downstream_counts()")
    for table in ("downstream", "downstream_secret", "downstream_task", "downstream_message"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            worker.execute(f"SELECT 1 FROM {table}")


def test_the_application_changes_nothing_of_what_a_system_was_told_to_do(app):
    for column in ("id", "system", "request", "handle", "kind", "assigned_at"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(f"UPDATE downstream_task SET {column} = {column}")
    for statement in ("DELETE FROM downstream_task", "SELECT downstream_due(now())"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement)


def test_the_owner_sees_everything_or_a_dump_would_be_empty(owner, two_tenants):
    for table in CROSSED:
        assert visible(owner, table) >= set(two_tenants)


@pytest.mark.parametrize("statement", ["SET ROLE volens_owner", "CREATE TABLE mine ()", "CREATE SCHEMA mine"])
@pytest.mark.parametrize("role", ["app", "worker"])
def test_a_role_that_serves_can_not_become_or_make_more(request, role, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        request.getfixturevalue(role).execute(statement)
