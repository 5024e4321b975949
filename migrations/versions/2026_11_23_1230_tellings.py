"""Of what others are told because a request moved, by what they know people, and the files that they bring.

Before: connected systems are told of erasures alone, by the tenant's ids.
After: two tables and a column. A move notes of what others are to be told, and the worker tells them; the file that a
system brings lies sealed until the package is over. What may lie no longer is one judgement, `brought_over`. The
worker learns which tenants have work, and nothing of what it is. Old code runs unchanged, and tells nobody.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.support import APP, ID, INSTANT, WORKER, tenant_table

revision = "0039"
down_revision = "0036"
branch_labels = None
depends_on = None

TELLINGS = """
    CREATE FUNCTION request_tellings() RETURNS TABLE (tenant text, request uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT DISTINCT tenant, request FROM request_telling WHERE told_at IS NULL ORDER BY 1, 2
    $$
"""
"""With its owner's rights: the worker reads no request."""
FUNCTIONS = {"request_tellings()": WORKER}


def upgrade() -> None:
    op.add_column("downstream", sa.Column("identities", JSONB, nullable=False, server_default="[]"))
    op.execute(f"GRANT UPDATE (identities) ON downstream TO {APP}")
    tenant_table(
        op,
        "request_telling",
        sa.Column("request", sa.Uuid, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("move", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("told_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "request", "kind", name="request_telling_pkey"),
        sa.ForeignKeyConstraint(
            ["tenant", "request"],
            ["request.tenant", "request.id"],
            name="request_telling_tenant_request_fkey",
            ondelete="CASCADE",
        ),
        app="SELECT, INSERT, DELETE, UPDATE (told_at)",
    )
    op.create_index(
        "request_telling_tenant_waiting_idx",
        "request_telling",
        ["tenant", "request"],
        postgresql_where=sa.text("told_at IS NULL"),
    )
    op.execute(TELLINGS)
    for function, role in FUNCTIONS.items():
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {role}")


def downgrade() -> None:
    """Of what nobody was told yet nobody is told. What lies sealed goes."""
    for function in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("request_telling")
    op.drop_column("downstream", "identities")
