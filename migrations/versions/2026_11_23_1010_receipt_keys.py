"""The key by which receipts are signed becomes known.

Before: only the worker says whose signature counts, and only the log signs.
After: a process that serves may state the first key of receipts, by a function that states nothing else and never a
second one: whoever stole that role's password later can't let another key count. Further keys are the worker's to
state, as those of the log. Old code runs unchanged.
"""

from alembic import op

from migrations.support import APP

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

FIRST = """
    CREATE FUNCTION state_first_receipt_key(first_public bytea) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        IF first_public IS NULL OR octet_length(first_public) <> 32 THEN
            RAISE invalid_parameter_value USING MESSAGE = 'a public key has 32 bytes';
        END IF;
        LOCK TABLE log_key IN SHARE ROW EXCLUSIVE MODE;
        IF NOT EXISTS (SELECT FROM log_key WHERE purpose = 'receipts') THEN
            INSERT INTO log_key (public, purpose, since) VALUES (first_public, 'receipts', now())
            ON CONFLICT DO NOTHING;
        END IF;
    END
    $$
"""
"""With its owner's rights. A key that counts for something else already stays what it is."""


def upgrade() -> None:
    op.execute(FIRST)
    op.execute("REVOKE EXECUTE ON FUNCTION state_first_receipt_key(bytea) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION state_first_receipt_key(bytea) TO {APP}")


def downgrade() -> None:
    """Keys that were stated stay: what they signed is out."""
    op.execute("DROP FUNCTION state_first_receipt_key(bytea)")
