"""Consent.

Before: subjects without a will.
After: records that only grow, the state they amount to, notices, and the tenants' own purposes.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import ID, INSTANT, append_only, tenant_table

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        op,
        "record",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("ts", INSTANT, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("statement", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="record_pkey"),
    )
    append_only(op, "record")
    op.create_index("record_tenant_handle_ts_id_idx", "record", ["tenant", "handle", "ts", "id"])

    tenant_table(
        op,
        "consent_state",
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("version", sa.SmallInteger, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "handle", name="consent_state_pkey"),
        app="SELECT, INSERT, UPDATE",
    )

    tenant_table(
        op,
        "notice",
        sa.Column("notice", ID, nullable=False),
        sa.Column("version", ID, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "notice", "version", name="notice_pkey"),
    )
    append_only(op, "notice")

    tenant_table(
        op,
        "purpose",
        sa.Column("purpose", ID, nullable=False),
        sa.Column("maps_to", ID, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "purpose", name="purpose_pkey"),
    )


def downgrade() -> None:
    for table in ("purpose", "notice", "consent_state", "record"):
        op.drop_table(table)
