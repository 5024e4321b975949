"""How far imports into the vault have got.

Before: nothing was ever imported.
After: one empty table. Old code runs unchanged.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import INSTANT, tenant_table

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        op,
        "vault_import",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="vault_import_pkey"),
        app="SELECT, INSERT, UPDATE (done, at)",
    )


def downgrade() -> None:
    op.drop_table("vault_import")
