"""What the application may do to the vault's rows: wrap keys anew, mark what is gone, and nothing else."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from service.kernel import Handle
from service.vault.domain import KeyContext, KeyPurpose, StoredSubjectKey, Wrapped

KEY_TABLES = {
    "vault_tenant_key": {"ring", "ring_version", "wrapped"},
    "vault_secret_key": {"ring", "ring_version", "wrapped"},
    "vault_subject_key": {"tenant_key_version", "wrapped", "destroyed_at"},
}
CHANGEABLE = {
    **KEY_TABLES,
    "vault_field": set(),
    "vault_import": {"done", "at", "seen"},
    "vault_value": {"deleted_at"},
    "vault_index": set(),
    "vault_suppression": set(),
    "vault_token": {"revoked_at", "handle", "label"},
}
DELETABLE = {"vault_index", "vault_token", "vault_tenant_key", "vault_secret_key"}
"""Keys only when they were replaced and nothing needs them any more: see below."""


@pytest.fixture
def owner(database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.urls.owner, autocommit=True) as connection:
        yield connection


@pytest.fixture
def app(database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.urls.app, autocommit=True) as connection:
        yield connection


def columns(connection: psycopg.Connection, table: str) -> list[str]:
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", (table,)
    )
    return [name for (name,) in rows]


def test_the_tables_of_the_vault_are_these(owner):
    rows = owner.execute(r"SELECT relname FROM pg_class WHERE relname LIKE 'vault\_%' AND relkind = 'r'")

    assert {name for (name,) in rows} == CHANGEABLE.keys()


@pytest.mark.parametrize("table", sorted(CHANGEABLE))
def test_the_application_changes_only_these_columns(owner, table):
    changeable = {
        column
        for column in columns(owner, table)
        if owner.execute("SELECT has_column_privilege('volens_app', %s, %s, 'UPDATE')", (table, column)).fetchone()[0]
    }

    assert changeable == CHANGEABLE[table]


@pytest.mark.parametrize("table", sorted(CHANGEABLE))
def test_the_application_reads_and_adds_and_deletes_hardly_anywhere(owner, table):
    rights = owner.execute(
        """
        SELECT name FROM unnest(ARRAY['SELECT', 'INSERT', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS name
        WHERE has_table_privilege('volens_app', %s, name)
        """,
        (table,),
    )

    assert {right for (right,) in rights} == {"SELECT", "INSERT"} | ({"DELETE"} if table in DELETABLE else set())


@pytest.mark.parametrize("table", sorted(CHANGEABLE))
def test_the_worker_has_no_business_in_the_vault(owner, table):
    rights = owner.execute(
        "SELECT has_any_column_privilege('volens_worker', %s, 'SELECT, INSERT, UPDATE, REFERENCES')", (table,)
    )

    assert rights.fetchone() == (False,)


async def test_a_key_of_another_tenant_can_not_be_seen_or_wrapped_anew(app, begin, add_tenant, clock):
    mine, other = add_tenant(), add_tenant()
    for tenant in (mine, other):
        async with begin(tenant) as tx:
            context = KeyContext(tenant=tenant, purpose=KeyPurpose.TENANT, version=1)
            await tx.keys.add_wrapped(context, Wrapped(ring="file", version="1", body=b"w"), clock())

    with app.transaction():
        app.execute("SELECT set_config('volens.tenant', %s, true)", (mine,))
        assert app.execute("SELECT tenant FROM vault_tenant_key").fetchall() == [(mine,)]
        assert app.execute("UPDATE vault_tenant_key SET wrapped = 'x'").rowcount == 1
    async with begin(other) as tx:
        [key] = await tx.keys.wrapped(KeyPurpose.TENANT)
        assert key.wrapped.body == b"w"


async def test_a_key_that_anything_hangs_from_can_not_be_removed(app, owner, begin, tenant, clock):
    places = [
        ("vault_tenant_key", KeyPurpose.TENANT, "", 1, False),
        ("vault_tenant_key", KeyPurpose.TENANT, "", 2, True),
        ("vault_tenant_key", KeyPurpose.TENANT, "", 3, False),
        ("vault_secret_key", KeyPurpose.INDEX, "email", 1, True),
        ("vault_secret_key", KeyPurpose.INDEX, "email", 2, False),
        ("vault_secret_key", KeyPurpose.SUPPRESSION, "", 1, False),
        ("vault_secret_key", KeyPurpose.SUPPRESSION, "", 2, False),
    ]
    async with begin(tenant) as tx:
        for _, purpose, field, version, _ in places:
            context = KeyContext(tenant=tenant, purpose=purpose, version=version, field=field)
            await tx.keys.add_wrapped(context, Wrapped(ring="file", version="1", body=b"w"), clock())
        under_the_first = StoredSubjectKey(id=b"k" * 16, tenant_key_version=1, wrapped=b"k")
        await tx.keys.add_subject_keys({Handle(uuid4()): under_the_first}, clock())

    for connection in (app, owner):
        for table, purpose, field, version, removable in places:
            where = {"tenant": tenant, "version": version, "kind": purpose.value, "field": field}
            statement = f"DELETE FROM {table} WHERE tenant = %(tenant)s AND version = %(version)s"
            if table == "vault_secret_key":
                statement += " AND kind = %(kind)s AND field = %(field)s"
            with connection.transaction(force_rollback=True):
                connection.execute("SELECT set_config('volens.tenant', %s, true)", (tenant,))
                if removable:
                    assert connection.execute(statement, where).rowcount == 1
                else:
                    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="still needed"):
                        connection.execute(statement, where)
