"""Reveals: what was read in plain, for which purpose, after which decision; and what two officers agreed on.

Before: nothing tells who read what of the vault.
After: two tables. Old code runs unchanged.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.support import ID, INSTANT, append_only, tenant_table

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOVING = ("approved_at", "approved_by", "used_at")
"""What a second person, and the one use, change. What was asked for stays."""


def upgrade() -> None:
    tenant_table(
        op,
        "reveal",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("handle", sa.Uuid),
        sa.Column("fields", JSONB, nullable=False),
        sa.Column("masked", JSONB, nullable=False),
        sa.Column("purpose", ID, nullable=False),
        sa.Column("channel", ID),
        sa.Column("decision", sa.Uuid),
        sa.Column("approval", sa.Uuid),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.Column("nonce", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="reveal_pkey"),
    )
    append_only(op, "reveal")
    op.create_index("reveal_tenant_handle_at_id_idx", "reveal", ["tenant", "handle", "at", "id"])
    tenant_table(
        op,
        "reveal_approval",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("purpose", ID, nullable=False),
        sa.Column("fields", ARRAY(sa.Text), nullable=False),
        sa.Column("subjects", sa.Integer, nullable=False),
        sa.Column("reference", ID, nullable=False),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("requested_by", ID, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("approved_at", INSTANT),
        sa.Column("approved_by", ID),
        sa.Column("used_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "id", name="reveal_approval_pkey"),
        app=f"SELECT, INSERT, UPDATE ({', '.join(MOVING)})",
    )


def downgrade() -> None:
    """Who read what is forgotten afterwards, but for the entries of the audit log."""
    for table in ("reveal_approval", "reveal"):
        op.drop_table(table)
