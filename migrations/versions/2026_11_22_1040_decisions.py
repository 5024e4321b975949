"""The decision log: decisions that point to facts and verdicts by their hashes.

Before: no decision was ever logged.
After: three tables that only grow. Old code runs unchanged.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from migrations.support import ID, INSTANT, append_only, tenant_table

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        op,
        "facts",
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "hash", name="facts_pkey"),
    )
    tenant_table(
        op,
        "verdict",
        sa.Column("revision", ID, nullable=False),
        sa.Column("facts_hash", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "revision", "facts_hash", name="verdict_pkey"),
    )
    tenant_table(
        op,
        "decision",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("handle", sa.Uuid),
        sa.Column("channel", ID, nullable=False),
        sa.Column("purpose", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("permit", sa.Boolean, nullable=False),
        sa.Column("revision", ID, nullable=False),
        sa.Column("facts_hash", sa.LargeBinary, nullable=False),
        sa.Column("verdict_hash", sa.LargeBinary, nullable=False),
        sa.Column("records", ARRAY(sa.Uuid), nullable=False),
        sa.Column("retry_after", sa.Text),
        sa.Column("valid_until", INSTANT),
        sa.Column("actor", ID, nullable=False),
        sa.Column("request", ID, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="decision_pkey"),
    )
    for table in ("facts", "verdict", "decision"):
        append_only(op, table)


def downgrade() -> None:
    for table in ("decision", "verdict", "facts"):
        op.drop_table(table)
