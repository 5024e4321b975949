"""Events and audit.

Before: tenants alone.
After: the outbox, the audit log that only grows, and the leaves that wait for the tree.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import ID, INSTANT, append_only, tenant_table

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        op,
        "outbox",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("type", ID, nullable=False),
        sa.Column("object_id", ID, nullable=False),
        sa.Column("subject", sa.Uuid),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="outbox_pkey"),
        worker="SELECT, DELETE",
    )
    # The relay polls across tenants, oldest first.
    op.create_index("outbox_id_idx", "outbox", ["id"])

    tenant_table(
        op,
        "audit_entry",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("event", ID, nullable=False),
        sa.Column("object_id", ID, nullable=False),
        sa.Column("subject", sa.Uuid),
        sa.Column("actor", ID, nullable=False),
        sa.Column("request", ID, nullable=False),
        sa.Column("commitment", sa.LargeBinary),
        sa.Column("canonical", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="audit_entry_pkey"),
        worker="SELECT",
    )
    append_only(op, "audit_entry")
    for leading in ([], ["subject"], ["event"], ["actor"]):
        columns = ["tenant", *leading, "at", "id"]
        op.create_index(f"audit_entry_{'_'.join(columns)}_idx", "audit_entry", columns)

    tenant_table(
        op,
        "audit_pending",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="audit_pending_pkey"),
        app="INSERT",
        worker="SELECT, DELETE",
    )


def downgrade() -> None:
    op.drop_table("audit_pending")
    op.drop_table("audit_entry")
    op.drop_table("outbox")
