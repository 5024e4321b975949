"""A ring shows that it opens what hangs from it, and not only that it has a version of that name.

Before: the application and the worker learn which versions of root keys wrap keys, and how many.
After: both are also handed one wrapped key of each version with the place that it is bound to, whoever's it is: the
oldest, since whatever came later may have come by another ring. A wrapped key is nothing without the ring. The
function of before stays, and old code runs unchanged.
"""

from alembic import op

from migrations.support import APP, WORKER

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

SAMPLES = """
    CREATE FUNCTION vault_root_samples() RETURNS TABLE (
        ring text, version text, keys bigint, tenant text, kind text, field text, key_version integer, wrapped bytea
    )
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT DISTINCT ON (ring, ring_version)
            ring, ring_version, count(*) OVER (PARTITION BY ring, ring_version), tenant, kind, field, version, wrapped
        FROM (
            SELECT ring, ring_version, tenant, 'tenant_key' AS kind, '' AS field, version, wrapped, created_at
            FROM vault_tenant_key
            UNION ALL
            SELECT ring, ring_version, tenant, kind, field, version, wrapped, created_at FROM vault_secret_key
        ) AS key
        ORDER BY ring, ring_version, created_at, tenant, kind, field, version
    $$
"""
"""With its owner's rights, as `vault_root_versions`."""


def upgrade() -> None:
    op.execute(SAMPLES)
    op.execute("REVOKE EXECUTE ON FUNCTION vault_root_samples() FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION vault_root_samples() TO {APP}, {WORKER}")


def downgrade() -> None:
    op.execute("DROP FUNCTION vault_root_samples()")
