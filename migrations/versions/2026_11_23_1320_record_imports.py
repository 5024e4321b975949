"""Records in bulk: how far an import has got, and what its pieces committed to.

Before: each record has an audit entry of its own.
After: two empty tables. A piece of an import has one entry, which commits to the root of a tree over its records; the
ids and leaves of that tree are a row that nobody changes. Old code runs unchanged, but finds no entry of records that
were imported: it says so in receipts (404) and in `volens audit verify`.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from migrations.support import INSTANT, append_only, tenant_table

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        op,
        "record_import",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("began_at", INSTANT, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("seen", sa.LargeBinary, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="record_import_pkey"),
        app="SELECT, INSERT, UPDATE (done, seen, at)",
    )
    tenant_table(
        op,
        "record_chunk",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("import", sa.Uuid, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("records", ARRAY(sa.Uuid), nullable=False),
        sa.Column("leaves", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="record_chunk_pkey"),
    )
    op.create_index("record_chunk_tenant_at_idx", "record_chunk", ["tenant", "at"])
    append_only(op, "record_chunk")


def downgrade() -> None:
    """Records that were imported stay. Nothing proves any more what they said."""
    op.drop_table("record_chunk")
    op.drop_table("record_import")
