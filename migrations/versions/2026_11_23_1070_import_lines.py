"""An import knows the lines that it has dealt with.

Before: only how many there were, so another file under the same id lost as many of its first lines.
After: a keyed hash of them as well; null for imports from before, which are not compared. Old code runs unchanged, but
an import that it goes on with after new code began it is refused by new code.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import APP

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("vault_import", sa.Column("seen", sa.LargeBinary))
    op.execute(f"GRANT UPDATE (seen) ON vault_import TO {APP}")


def downgrade() -> None:
    op.drop_column("vault_import", "seen")
