"""The audit log as a Merkle tree.

Before: entries, and leaves that wait for a place in a tree.
After: the place of each leaf, the tree in tiles, its signed checkpoints, and the public keys that sign them. Only the
worker writes them. Triggers hold everybody, the owner included, to what a log may do: places, checkpoints and keys
stay as they are, a tile only gains hashes, and a tree only grows.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import APP, ID, INSTANT, OWNER, WORKER, append_only, tenant_table

revision = "0020"
down_revision = "0015"
branch_labels = None
depends_on = None

ONLY_GROWS = """
    CREATE FUNCTION refuse_shrinking() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'UPDATE' THEN
            RAISE insufficient_privilege USING MESSAGE = format('%s only grows', TG_TABLE_NAME);
        ELSIF TG_TABLE_NAME = 'audit_tile' THEN
            IF (NEW.tenant, NEW.level, NEW.number) IS DISTINCT FROM (OLD.tenant, OLD.level, OLD.number)
                OR substring(NEW.hashes FROM 1 FOR octet_length(OLD.hashes)) IS DISTINCT FROM OLD.hashes
            THEN
                RAISE insufficient_privilege USING MESSAGE = 'the hashes of a tile stay';
            END IF;
        ELSIF NEW.tenant IS DISTINCT FROM OLD.tenant OR NEW.size < OLD.size THEN
            RAISE insufficient_privilege USING MESSAGE = 'a tree only grows';
        END IF;
        RETURN NEW;
    END
    $$
"""
NOT_SIGNED = """
    CREATE FUNCTION audit_halted() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT count(*) FROM audit_head WHERE halted IS NOT NULL
    $$
"""
"""With its owner's rights: readiness tells of every tenant's log, and names none."""


def upgrade() -> None:
    tenant_table(
        op,
        "audit_head",
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("halted", sa.Text),
        sa.PrimaryKeyConstraint("tenant", name="audit_head_pkey"),
        sa.CheckConstraint("size >= 0", name="audit_head_size_check"),
        app="SELECT",
        worker="SELECT, INSERT, UPDATE",
    )
    tenant_table(
        op,
        "audit_leaf",
        sa.Column("index", sa.BigInteger, nullable=False),
        sa.Column("entry", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "index", name="audit_leaf_pkey"),
        sa.UniqueConstraint("tenant", "entry", name="audit_leaf_tenant_entry_key"),
        app="SELECT",
        worker="SELECT, INSERT",
    )
    append_only(op, "audit_leaf")
    tenant_table(
        op,
        "audit_tile",
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "level", "number", name="audit_tile_pkey"),
        app="SELECT",
        worker="SELECT, INSERT, UPDATE",
    )
    tenant_table(
        op,
        "audit_checkpoint",
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "size", name="audit_checkpoint_pkey"),
        app="SELECT",
        worker="SELECT, INSERT",
    )
    append_only(op, "audit_checkpoint")
    op.execute(ONLY_GROWS)
    for table in ("audit_head", "audit_tile"):
        op.execute(
            f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_shrinking()"
        )
        op.execute(
            f"CREATE TRIGGER only_grows_whole BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.create_table(
        "log_key",
        sa.Column("public", sa.LargeBinary, nullable=False),
        sa.Column("purpose", ID, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("public", name="log_key_pkey"),
    )
    op.execute("REVOKE ALL ON log_key FROM PUBLIC")
    op.execute(f"GRANT SELECT ON log_key TO {OWNER}, {APP}")
    op.execute(f"GRANT SELECT, INSERT ON log_key TO {WORKER}")
    append_only(op, "log_key")
    op.execute(NOT_SIGNED)
    op.execute("REVOKE EXECUTE ON FUNCTION audit_halted() FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION audit_halted() TO {APP}, {WORKER}")


def downgrade() -> None:
    op.execute("DROP FUNCTION audit_halted()")
    for table in ("log_key", "audit_checkpoint", "audit_tile", "audit_leaf", "audit_head"):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_shrinking()")
