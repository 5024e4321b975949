"""A stored policy can be told from a damaged one, and a damaged one be replaced.

Before: whatever bytes lie under a revision govern, and nobody can mend them.
After: each row has a digest of its bytes. What doesn't match it governs nobody, and the owner may replace it; what
does match is as unchangeable as before. Old code can't add revisions any more.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import append_only

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

DIGEST = "sha256(sha256({0}module) || sha256({0}data) || sha256({0}rules))"


def upgrade() -> None:
    op.execute("DROP TRIGGER append_only ON policy_revision")
    op.add_column("policy_revision", sa.Column("digest", sa.LargeBinary))
    op.execute(f"UPDATE policy_revision SET digest = {DIGEST.format('')}")  # noqa: S608  no text of others
    op.alter_column("policy_revision", "digest", nullable=False)
    op.execute(
        """
        CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON policy_revision
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """
    )
    op.execute(
        f"""
        CREATE TRIGGER whole_ones_stay BEFORE UPDATE ON policy_revision
        FOR EACH ROW WHEN (OLD.digest = {DIGEST.format("OLD.")}) EXECUTE FUNCTION refuse_change()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER whole_ones_stay ON policy_revision")
    op.execute("DROP TRIGGER append_only ON policy_revision")
    op.drop_column("policy_revision", "digest")
    append_only(op, "policy_revision")
