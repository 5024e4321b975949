"""Permits, until they are over.

Before: decisions are not signed.
After: a row for each permit that was given, with a hash of all that may end it. The worker may remove those that are
over, and sees none. Old code runs unchanged.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import ID, INSTANT, WORKER, tenant_table

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

EXPIRE = """
    CREATE FUNCTION expire_permits(over_since timestamptz) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        WITH gone AS (DELETE FROM permit WHERE expires_at < over_since RETURNING 1) SELECT count(*) FROM gone
    $$
"""
"""With its owner's rights: the worker reads no permit."""


def upgrade() -> None:
    tenant_table(
        op,
        "permit",
        sa.Column("jti", sa.Uuid, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("decision", sa.Uuid, nullable=False),
        sa.Column("stamp", sa.LargeBinary, nullable=False),
        sa.Column("kid", ID, nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("burned_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "jti", name="permit_pkey"),
        app="SELECT, INSERT, UPDATE (burned_at)",
    )
    op.create_index("permit_tenant_expires_at_idx", "permit", ["tenant", "expires_at"])
    op.create_index("permit_expires_at_idx", "permit", ["expires_at"])
    op.execute(EXPIRE)
    op.execute("REVOKE EXECUTE ON FUNCTION expire_permits(timestamptz) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION expire_permits(timestamptz) TO {WORKER}")


def downgrade() -> None:
    """Permits that were given are unknown from then on: nobody can say that they are good."""
    op.execute("DROP FUNCTION expire_permits(timestamptz)")
    op.drop_table("permit")
