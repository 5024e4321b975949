"""Exports of the audit log by request, and filters under a name.

Before: only the command line takes entries out.
After: two tables. The worker learns which tenants have work, and nothing of what it is. Old code runs unchanged.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import ID, INSTANT, tenant_table

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

MOVING = (
    "state",
    "attempts",
    "done",
    "total",
    "made",
    "fault",
    "runner",
    "beat_at",
    "approved_at",
    "approved_by",
    "expires_at",
    "link_hash",
    "link_by",
    "link_expires_at",
)
"""What a second person, a writer and time change. What was asked for stays."""


def upgrade() -> None:
    tenant_table(
        op,
        "audit_export",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("plan", sa.LargeBinary, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.Column("request", ID, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("done", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("total", sa.BigInteger),
        sa.Column("made", sa.LargeBinary),
        sa.Column("fault", sa.Text),
        sa.Column("runner", sa.Uuid),
        sa.Column("beat_at", INSTANT),
        sa.Column("approved_at", INSTANT),
        sa.Column("approved_by", ID),
        sa.Column("expires_at", INSTANT),
        sa.Column("link_hash", sa.LargeBinary),
        sa.Column("link_by", ID),
        sa.Column("link_expires_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "id", name="audit_export_pkey"),
        sa.CheckConstraint("approved_by <> actor", name="audit_export_second_person_check"),
        app=f"SELECT, INSERT, UPDATE ({', '.join(MOVING)})",
        worker="SELECT (tenant, state, created_at, beat_at, expires_at)",
    )
    tenant_table(
        op,
        "audit_filter",
        sa.Column("name", ID, nullable=False),
        sa.Column("wanted", sa.LargeBinary, nullable=False),
        sa.Column("stored_at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name="audit_filter_pkey"),
        app="SELECT, INSERT, UPDATE (wanted, stored_at, actor), DELETE",
    )


def downgrade() -> None:
    """What was asked for is forgotten afterwards, but for the entries of the audit log. Files stay where they lie."""
    for table in ("audit_filter", "audit_export"):
        op.drop_table(table)
