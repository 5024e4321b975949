"""What the lists of California's DROP name, and who was found by them.

Before: lists for data brokers can't be taken in.
After: five tables, empty for tenants that aren't registered brokers. Of those that are, every write of a value puts
its person into `drop_due`, in the same transaction, and the marks of somebody go with their key. The worker learns
which tenants have work, and nothing of what it is. Old code runs unchanged.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import ID, INSTANT, WORKER, tenant_table

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

WRITTEN = """
    CREATE FUNCTION drop_value_written() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        INSERT INTO drop_due (tenant, handle, at)
        SELECT DISTINCT written.tenant, written.handle, clock_timestamp() FROM written
        JOIN drop_broker ON drop_broker.tenant = written.tenant
        ORDER BY 2
        ON CONFLICT (tenant, handle) DO UPDATE SET at = excluded.at;
        RETURN NULL;
    END $$
"""
"""Holds the row of who is due already: whoever is comparing them leaves them alone until the value can be seen."""

FORGOTTEN = """
    CREATE FUNCTION drop_person_forgotten() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        DELETE FROM drop_mark WHERE tenant = NEW.tenant AND handle = NEW.handle;
        DELETE FROM drop_due WHERE tenant = NEW.tenant AND handle = NEW.handle;
        RETURN NULL;
    END $$
"""
WAITING = """
    CREATE FUNCTION drop_waiting() RETURNS TABLE (tenant text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT drop_broker.tenant FROM drop_broker
        WHERE EXISTS (SELECT FROM drop_due WHERE drop_due.tenant = drop_broker.tenant)
            OR EXISTS (
                SELECT FROM drop_match WHERE drop_match.tenant = drop_broker.tenant AND followed_at IS NULL
            )
        ORDER BY 1
    $$
"""
"""With its owner's rights: the worker reads no match."""
FUNCTIONS = ("drop_value_written()", "drop_person_forgotten()", "drop_waiting()")
TABLES = ("drop_match", "drop_due", "drop_mark", "drop_item", "drop_broker")


def upgrade() -> None:
    tenant_table(
        op,
        "drop_broker",
        sa.Column("broker", ID, nullable=False),
        sa.Column("registered_at", INSTANT, nullable=False),
        sa.Column("accessed_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", name="drop_broker_pkey"),
        app="SELECT, INSERT, UPDATE",
    )
    tenant_table(
        op,
        "drop_item",
        sa.Column("id", ID, nullable=False),
        sa.Column("list", ID, nullable=False),
        sa.Column("listed_on", sa.Date, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("removed_at", INSTANT),
        sa.Column("status", sa.SmallInteger),
        sa.Column("told_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "id", name="drop_item_pkey"),
        app="SELECT, INSERT, UPDATE (digest, removed_at, status, told_at)",
    )
    op.create_index("drop_item_tenant_list_digest_idx", "drop_item", ["tenant", "list", "digest"])
    op.create_index(
        "drop_item_unanswered_idx", "drop_item", ["tenant", "list", "id"], postgresql_where=sa.text("status IS NULL")
    )
    tenant_table(
        op,
        "drop_mark",
        sa.Column("list", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "list", "digest", "handle", name="drop_mark_pkey"),
        app="SELECT, INSERT, DELETE",
    )
    op.create_index("drop_mark_tenant_handle_idx", "drop_mark", ["tenant", "handle"])
    tenant_table(
        op,
        "drop_due",
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "handle", name="drop_due_pkey"),
        app="SELECT, INSERT, UPDATE (at), DELETE",
    )
    tenant_table(
        op,
        "drop_match",
        sa.Column("item", ID, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("shared", sa.Boolean),
        sa.Column("request", sa.Uuid),
        sa.Column("followed_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "item", "handle", name="drop_match_pkey"),
        app="SELECT, INSERT, UPDATE (shared, request, followed_at), DELETE",
    )
    op.create_index("drop_match_tenant_handle_idx", "drop_match", ["tenant", "handle"])
    op.create_index(
        "drop_match_unfollowed_idx",
        "drop_match",
        ["tenant", "handle"],
        postgresql_where=sa.text("followed_at IS NULL"),
    )
    for statement in (WRITTEN, FORGOTTEN, WAITING):
        op.execute(statement)
    for function in FUNCTIONS:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION drop_waiting() TO {WORKER}")
    op.execute(
        """
        CREATE TRIGGER drop_written AFTER INSERT ON vault_value REFERENCING NEW TABLE AS written
        FOR EACH STATEMENT EXECUTE FUNCTION drop_value_written()
        """
    )
    op.execute(
        """
        CREATE TRIGGER drop_forgotten AFTER INSERT OR UPDATE OF destroyed_at ON vault_subject_key
        FOR EACH ROW WHEN (NEW.destroyed_at IS NOT NULL) EXECUTE FUNCTION drop_person_forgotten()
        """
    )


def downgrade() -> None:
    """Lists have to be fetched anew after that, and nobody knows what the platform was told."""
    op.execute("DROP TRIGGER drop_forgotten ON vault_subject_key")
    op.execute("DROP TRIGGER drop_written ON vault_value")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    for table in TABLES:
        op.drop_table(table)
