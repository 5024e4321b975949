"""The leaves of a chunk's tree, beside the chunk, so that one decision of a batch is proved without all the others.

Before: leaves are made again from everybody's secret, and can't be once one person in the chunk was erased.
After: one more column. Chunks of before have nothing in it, and their decisions are proved by the chunk's entry alone.
Old code runs unchanged and leaves it empty.
"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch", sa.Column("leaves", sa.LargeBinary))
    op.execute("ALTER TABLE batch ALTER COLUMN leaves SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Roots stay. Single decisions of batches are not proved any more."""
    op.drop_column("batch", "leaves")
