"""Requests that come through the protocols of others, who is told how far they are, and agents' tokens.

Before: requests come by the API alone.
After: three tables. A row of a request goes with its case. The worker learns which tenants have something to tell,
and nothing of what it is. Old code runs unchanged.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import ID, INSTANT, WORKER, tenant_table

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

DUE = """
    CREATE FUNCTION door_due(now_at timestamptz) RETURNS TABLE (tenant text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT DISTINCT callback.tenant
        FROM door_callback AS callback
        JOIN request ON request.tenant = callback.tenant AND request.id = callback.request
        WHERE NOT callback.ended AND request.version > callback.told
            AND (callback.next_at IS NULL OR callback.next_at <= now_at)
        ORDER BY 1
    $$
"""
"""With its owner's rights: the worker reads no request."""

TOLD = ("told", "said", "attempts", "next_at", "fault", "ended")


def upgrade() -> None:
    tenant_table(
        op,
        "door_request",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("door", ID, nullable=False),
        sa.Column("sender", ID, nullable=False),
        sa.Column("reference", sa.LargeBinary, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("expected_at", INSTANT, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("revoked_by", sa.LargeBinary),
        sa.PrimaryKeyConstraint("tenant", "id", name="door_request_pkey"),
        sa.UniqueConstraint(
            "tenant", "door", "sender", "reference", name="door_request_tenant_door_sender_reference_key"
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "id"], ["request.tenant", "request.id"], name="door_request_request_fkey", ondelete="CASCADE"
        ),
        app="SELECT, INSERT, UPDATE (revoked_by)",
    )
    op.create_index(
        "door_request_tenant_sender_revoked_by_idx",
        "door_request",
        ["tenant", "sender", "revoked_by"],
        postgresql_where=sa.text("revoked_by IS NOT NULL"),
    )
    tenant_table(
        op,
        "door_callback",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("request", sa.Uuid, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("told", sa.Integer, nullable=False),
        sa.Column("said", ID, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", INSTANT),
        sa.Column("fault", ID),
        sa.Column("ended", sa.Boolean, nullable=False, server_default="false"),
        sa.PrimaryKeyConstraint("tenant", "id", name="door_callback_pkey"),
        sa.ForeignKeyConstraint(
            ["tenant", "request"],
            ["door_request.tenant", "door_request.id"],
            name="door_callback_request_fkey",
            ondelete="CASCADE",
        ),
        app=f"SELECT, INSERT, UPDATE ({', '.join(TOLD)})",
    )
    op.create_index("door_callback_tenant_request_idx", "door_callback", ["tenant", "request"])
    op.create_index("door_callback_open_idx", "door_callback", ["tenant", "id"], postgresql_where=sa.text("NOT ended"))
    tenant_table(
        op,
        "door_agent",
        sa.Column("agent", ID, nullable=False),
        sa.Column("token", sa.LargeBinary, nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "agent", name="door_agent_pkey"),
        app="SELECT, INSERT, UPDATE (token, issued_at, made_at)",
    )
    op.execute(DUE)
    op.execute("REVOKE EXECUTE ON FUNCTION door_due(timestamptz) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION door_due(timestamptz) TO {WORKER}")


def downgrade() -> None:
    """Cases stay, and whoever sent them is told no more. Agents need new tokens."""
    op.execute("DROP FUNCTION door_due(timestamptz)")
    for table in ("door_agent", "door_callback", "door_request"):
        op.drop_table(table)
