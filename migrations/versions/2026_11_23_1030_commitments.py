"""Entries of the log commit to what they tell of.

Before: an entry names what was stored, and doesn't say what it was.
After: everybody has a secret, and each tenant one for what is about nobody, from which the salts of commitments
follow. The database makes them, with the subject and with the tenant; those who are there already get theirs here. The
application reads them and may destroy one: it can't choose one, or make another in its place. Entries of before stay
as they are. Old code runs unchanged, and commits to nothing.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import tenant_table

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"
RANDOM = "sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))"
"""244 bits of the operating system's chance in 32 bytes."""
MAKE = f"""
    CREATE FUNCTION make_{{0}}_secret() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        INSERT INTO commitment_secret (tenant, handle, secret) VALUES ({{1}}, {RANDOM}) ON CONFLICT DO NOTHING;
        RETURN NULL;
    END
    $$
"""  # noqa: S608, nobody's input
"""With its owner's rights: nobody else may add a row."""
COMMITTED = """
    SELECT EXISTS (
        SELECT FROM audit_entry
        WHERE commitment IS NOT NULL AND event IN ('record.stored', 'decision.made', 'subject.stored')
    )
"""
OF = {"subject": "NEW.tenant, NEW.handle", "tenant": f"NEW.id, {NOBODY}"}


def upgrade() -> None:
    tenant_table(
        op,
        "commitment_secret",
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "handle", name="commitment_secret_pkey"),
        app="SELECT, DELETE",
    )
    for table, whose in OF.items():
        op.execute(MAKE.format(table, whose))
        op.execute(f"REVOKE EXECUTE ON FUNCTION make_{table}_secret() FROM PUBLIC")
        op.execute(
            f"CREATE TRIGGER make_secret AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION make_{table}_secret()"
        )
    op.execute(
        f"""
        INSERT INTO commitment_secret (tenant, handle, secret)
        SELECT tenant, handle, {RANDOM} FROM (
            SELECT DISTINCT tenant, handle FROM subject UNION ALL SELECT id, {NOBODY} FROM tenant
        ) AS everybody
        """  # noqa: S608, nobody's input
    )


def downgrade() -> None:
    """Take the secrets away, while nothing was committed to under them: nobody could show any of it ever again."""
    if op.get_bind().scalar(sa.text(COMMITTED)):
        raise RuntimeError(
            "entries of the log commit to records, decisions or facts under these secrets, and nothing could prove "
            "them without: restore a backup of before instead"
        )
    for table in OF:
        op.execute(f"DROP TRIGGER make_secret ON {table}")
        op.execute(f"DROP FUNCTION make_{table}_secret()")
    op.drop_table("commitment_secret")
