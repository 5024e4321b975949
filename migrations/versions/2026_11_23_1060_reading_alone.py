"""What officers read one by one, without an approval, is counted.

Before: four eyes on batches only.
After: `reveal_alone` has whom each officer's client read in the last hour. Old code goes on without counting.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import ID, INSTANT, tenant_table

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        op,
        "reveal_alone",
        sa.Column("actor", ID, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "actor", "handle", name="reveal_alone_pkey"),
        app="SELECT, INSERT, DELETE",
    )


def downgrade() -> None:
    op.drop_table("reveal_alone")
