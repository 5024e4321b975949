"""What policy is in force: revisions, which of them is active, and each tenant's overlay.

Before: every process judges by the policy that it ships.
After: by the last one activated, and under the tenant's overlay. Until there is one, nothing changes. A decision
says which overlay it was made under; old code writes 0, which is true of it.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import APP, ID, INSTANT, WORKER, append_only, tenant_table

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        op,
        "policy_overlay",
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "version", name="policy_overlay_pkey"),
    )
    op.create_table(
        "policy_revision",
        sa.Column("revision", ID, primary_key=True),
        sa.Column("module", sa.LargeBinary, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("rules", sa.LargeBinary, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )
    op.create_table(
        "policy_activation",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("revision", ID, sa.ForeignKey("policy_revision.revision"), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
    )
    for table in ("policy_revision", "policy_activation"):
        op.execute(f"REVOKE ALL ON {table} FROM PUBLIC")
        op.execute(f"GRANT SELECT ON {table} TO {APP}, {WORKER}")
    for table in ("policy_overlay", "policy_revision", "policy_activation"):
        append_only(op, table)
    op.add_column("decision", sa.Column("overlay_version", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("decision", "overlay_version")
    for table in ("policy_activation", "policy_revision", "policy_overlay"):
        op.drop_table(table)
