"""Trials of a policy: a candidate, replayed over logged decisions or current subjects, and what it would change.

Before: nobody can say what a change of policy would do.
After: two tables and an index on the log by time. Old code runs unchanged. Building the index holds off
decisions while it lasts, about a second for each million of them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from migrations.support import ID, INSTANT, append_only, tenant_table

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOVING = ("state", "attempts", "done", "total", "standing", "fault", "runner", "beat_at")
"""What a runner changes. What is tried, and over what, stays as it was asked."""


def upgrade() -> None:
    tenant_table(
        op,
        "policy_trial",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("plan", sa.LargeBinary, nullable=False),
        sa.Column("candidate", ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("done", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("total", sa.BigInteger),
        sa.Column("standing", sa.LargeBinary),
        sa.Column("fault", sa.Text),
        sa.Column("runner", sa.Uuid),
        sa.Column("beat_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "id", name="policy_trial_pkey"),
        app=f"SELECT, INSERT, UPDATE ({', '.join(MOVING)})",
    )
    tenant_table(
        op,
        "policy_trial_change",
        sa.Column("trial", sa.Uuid, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("channel", ID, nullable=False),
        sa.Column("purpose", ID, nullable=False),
        sa.Column("permit_then", sa.Boolean, nullable=False),
        sa.Column("permit_now", sa.Boolean, nullable=False),
        sa.Column("rules", ARRAY(sa.Text), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "trial", "id", name="policy_trial_change_pkey"),
    )
    append_only(op, "policy_trial_change")
    op.create_index("decision_tenant_decided_at_id_idx", "decision", ["tenant", "decided_at", "id"])


def downgrade() -> None:
    op.drop_index("decision_tenant_decided_at_id_idx", "decision")
    for table in ("policy_trial_change", "policy_trial"):
        op.drop_table(table)
