"""What the service itself knows of a subject, and subjects who are one person.

Before: a subject is a handle with facts, and each handle has one id.
After: a subject may have flags, several ids may name one handle, and pairs who may be one person are kept until they
are settled. Old code runs unchanged while nobody was merged.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import APP, INSTANT, tenant_table

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

MARK_ALIASES = """
    UPDATE subject SET merged_at = subject.created_at FROM subject AS first
    WHERE first.tenant = subject.tenant AND first.handle = subject.handle
    AND (first.created_at, first.subject) < (subject.created_at, subject.subject)
"""
"""Where this was taken back once: the oldest of the ids that name one handle is the one that isn't an alias."""


def upgrade() -> None:
    op.add_column("subject", sa.Column("flags", sa.LargeBinary))
    op.add_column("subject", sa.Column("merged_at", INSTANT))
    if not _of_one_id_each():
        op.execute(MARK_ALIASES)
    op.drop_index("subject_tenant_handle_key", "subject")
    op.create_index(
        "subject_tenant_handle_key",
        "subject",
        ["tenant", "handle"],
        unique=True,
        postgresql_where=sa.text("merged_at IS NULL"),
    )
    op.create_index("subject_tenant_handle_idx", "subject", ["tenant", "handle"])
    op.execute(f"GRANT UPDATE (handle, flags, merged_at) ON subject TO {APP}")
    tenant_table(
        op,
        "subject_pair",
        sa.Column("one", sa.Uuid, nullable=False),
        sa.Column("other", sa.Uuid, nullable=False),
        sa.Column("about", sa.LargeBinary, nullable=False),
        sa.Column("found_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT),
        sa.Column("same", sa.Boolean),
        sa.PrimaryKeyConstraint("tenant", "one", "other", "about", name="subject_pair_pkey"),
        app="SELECT, INSERT, UPDATE (settled_at, same), DELETE",
    )
    op.create_index("subject_pair_tenant_other_idx", "subject_pair", ["tenant", "other"])
    op.execute(f"GRANT UPDATE (handle, label) ON vault_token TO {APP}")


def downgrade() -> None:
    """Flags are forgotten, restrictions too. Ids that were merged go on to name one handle, which then isn't unique."""
    op.execute(f"REVOKE UPDATE (handle, label) ON vault_token FROM {APP}")
    op.drop_table("subject_pair")
    op.execute(f"REVOKE UPDATE (handle) ON subject FROM {APP}")
    merged = op.get_bind().scalar(sa.text("SELECT EXISTS (SELECT FROM subject WHERE merged_at IS NOT NULL)"))
    op.drop_index("subject_tenant_handle_idx", "subject")
    op.drop_index("subject_tenant_handle_key", "subject")
    op.drop_column("subject", "merged_at")
    op.drop_column("subject", "flags")
    op.create_index("subject_tenant_handle_key", "subject", ["tenant", "handle"], unique=not merged)


def _of_one_id_each() -> bool:
    unique = op.get_bind().scalar(
        sa.text("SELECT indisunique FROM pg_index WHERE indexrelid = 'subject_tenant_handle_key'::regclass")
    )
    return bool(unique)
