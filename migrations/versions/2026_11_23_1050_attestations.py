"""What others say about the audit log: cosignatures of witnesses, and time-stamps.

Before: checkpoints that the log alone has signed.
After: two tables beside them, which only the worker adds to and nobody changes. Old code runs unchanged.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import ID, INSTANT, append_only, tenant_table

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        op,
        "audit_cosignature",
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("key", ID, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "size", "key", name="audit_cosignature_pkey"),
        app="SELECT",
        worker="SELECT, INSERT",
    )
    op.create_index("audit_cosignature_tenant_key_size_idx", "audit_cosignature", ["tenant", "key", "size"])
    append_only(op, "audit_cosignature")
    tenant_table(
        op,
        "audit_timestamp",
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("token", sa.LargeBinary, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "size", name="audit_timestamp_pkey"),
        app="SELECT",
        worker="SELECT, INSERT",
    )
    append_only(op, "audit_timestamp")


def downgrade() -> None:
    for table in ("audit_timestamp", "audit_cosignature"):
        op.drop_table(table)
