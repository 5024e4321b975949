"""A narrow row for each subject, from which a batch is answered without reading facts, flags and states.

Before: whoever asks about a person reads all that is known of them.
After: two tables. A batch writes the narrow row of whom it had to read at length, and whatever changes a person takes
it away in the same transaction: triggers do, so no writer can forget. Who has none is read at length. Old code runs
unchanged, and its writes take the rows away as well.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import ID, tenant_table

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

FORGET = """
    CREATE FUNCTION narrow_forget() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION 'people are changed by transactions that see what others have committed';
        END IF;
        IF TG_TABLE_NAME = 'subject' THEN
            DELETE FROM narrow WHERE tenant = OLD.tenant AND subject = OLD.subject;
        ELSIF TG_OP = 'INSERT' THEN
            DELETE FROM narrow WHERE tenant = NEW.tenant AND handle = NEW.handle;
        ELSE
            DELETE FROM narrow WHERE tenant = OLD.tenant AND handle = OLD.handle;
        END IF;
        RETURN NULL;
    END $$
"""
"""In a transaction that saw one instant only, the row of a batch that came meanwhile would not be seen, and stay."""


def upgrade() -> None:
    tenant_table(
        op,
        "frame",
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "hash", name="frame_pkey"),
        app="SELECT, INSERT",
    )
    tenant_table(
        op,
        "narrow",
        sa.Column("subject", ID, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("frame", sa.LargeBinary, nullable=False),
        sa.Column("days", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "subject", name="narrow_pkey", postgresql_include=["handle", "frame", "days"]
        ),
        app="SELECT, INSERT",
    )
    op.create_index("narrow_tenant_handle_idx", "narrow", ["tenant", "handle"])
    op.execute(FORGET)
    op.execute("REVOKE EXECUTE ON FUNCTION narrow_forget() FROM PUBLIC")
    op.execute(
        "CREATE TRIGGER narrow_forget AFTER UPDATE OR DELETE ON subject FOR EACH ROW EXECUTE FUNCTION narrow_forget()"
    )
    op.execute(
        "CREATE TRIGGER narrow_forget AFTER INSERT OR UPDATE OR DELETE ON consent_state "
        "FOR EACH ROW EXECUTE FUNCTION narrow_forget()"
    )


def downgrade() -> None:
    """Nothing is lost: the rows say no more than facts, flags and states."""
    op.execute("DROP TRIGGER narrow_forget ON consent_state")
    op.execute("DROP TRIGGER narrow_forget ON subject")
    op.execute("DROP FUNCTION narrow_forget()")
    for table in ("narrow", "frame"):
        op.drop_table(table)
