"""Life of the vault's keys: what wraps them is told without telling whose they are, and what was replaced can go.

Before: keys can be added and wrapped anew, and none can be removed; the row of a destroyed subject key still names
the tenant key that wrapped it.
After: the application may count keys by the version of the root key, remove versions of tenant and index keys that
nothing needs any more, and remove the tokens of who was forgotten. A trigger refuses to remove any other key. Old
code runs unchanged.
"""

from alembic import op

from migrations.support import APP

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ROOT_VERSIONS = """
    CREATE FUNCTION vault_root_versions() RETURNS TABLE (ring text, version text, keys bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT ring, ring_version, count(*) FROM (
            SELECT ring, ring_version FROM vault_tenant_key UNION ALL SELECT ring, ring_version FROM vault_secret_key
        ) AS wrapped GROUP BY ring, ring_version
    $$
"""
"""With its owner's rights: who serves has to know that a ring is in use, also before any tenant of its own asks."""

IN_USE = """
    CREATE FUNCTION refuse_loss_of_key() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE needed boolean;
    BEGIN
        IF TG_TABLE_NAME = 'vault_tenant_key' THEN
            SELECT NOT EXISTS (SELECT FROM vault_tenant_key WHERE tenant = OLD.tenant AND version > OLD.version)
                OR EXISTS (
                    SELECT FROM vault_subject_key WHERE tenant = OLD.tenant AND tenant_key_version = OLD.version
                ) INTO needed;
        ELSE
            SELECT OLD.kind <> 'index_key' OR NOT EXISTS (
                SELECT FROM vault_secret_key
                WHERE tenant = OLD.tenant AND kind = OLD.kind AND field = OLD.field AND version > OLD.version
            ) INTO needed;
        END IF;
        IF needed THEN
            RAISE insufficient_privilege USING MESSAGE = format('a key in %s is still needed', TG_TABLE_NAME);
        END IF;
        RETURN OLD;
    END
    $$
"""
"""A row that is to go is locked before this looks, and who stores a key under it locks it as well: nobody is missed."""


def upgrade() -> None:
    op.execute("UPDATE vault_subject_key SET tenant_key_version = 0 WHERE destroyed_at IS NOT NULL")
    op.execute(ROOT_VERSIONS)
    op.execute("REVOKE EXECUTE ON FUNCTION vault_root_versions() FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION vault_root_versions() TO {APP}")
    op.execute(IN_USE)
    for table in ("vault_tenant_key", "vault_secret_key"):
        op.execute(
            f"CREATE TRIGGER still_needed BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_loss_of_key()"
        )
    op.execute(f"GRANT DELETE ON vault_tenant_key, vault_secret_key, vault_token TO {APP}")


def downgrade() -> None:
    op.execute(f"REVOKE DELETE ON vault_tenant_key, vault_secret_key, vault_token FROM {APP}")
    for table in ("vault_tenant_key", "vault_secret_key"):
        op.execute(f"DROP TRIGGER still_needed ON {table}")
    op.execute("DROP FUNCTION refuse_loss_of_key()")
    op.execute("DROP FUNCTION vault_root_versions()")
