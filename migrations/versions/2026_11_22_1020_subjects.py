"""Subjects.

Before: nobody.
After: the row that joins a person's id to the handle, and every version of their facts.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import APP, ID, INSTANT, tenant_table

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        op,
        "subject",
        sa.Column("subject", ID, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("facts", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "subject", name="subject_pkey"),
    )
    op.create_index("subject_tenant_handle_key", "subject", ["tenant", "handle"], unique=True)
    # The copy of the latest facts moves on; who has which handle never changes.
    op.execute(f"GRANT UPDATE (version, facts) ON subject TO {APP}")

    tenant_table(
        op,
        "subject_facts",
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("facts", sa.LargeBinary, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "handle", "version", name="subject_facts_pkey"),
    )


def downgrade() -> None:
    op.drop_table("subject_facts")
    op.drop_table("subject")
