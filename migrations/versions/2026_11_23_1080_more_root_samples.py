"""One damaged key doesn't stand for a ring that was exchanged.

Before: of each version of a root key the oldest wrapped key is handed out to ask the ring with.
After: the five oldest, the oldest first. Old code asks with all, and takes a ring that doesn't open one for lost.
"""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

FEW = 5

SAMPLES = """
    CREATE OR REPLACE FUNCTION vault_root_samples() RETURNS TABLE (
        ring text, version text, keys bigint, tenant text, kind text, field text, key_version integer, wrapped bytea
    )
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT ring, ring_version, keys, tenant, kind, field, version, wrapped
        FROM (
            SELECT *, count(*) OVER (PARTITION BY ring, ring_version) AS keys, row_number() OVER (
                PARTITION BY ring, ring_version ORDER BY created_at, tenant, kind, field, version
            ) AS place
            FROM (
                SELECT ring, ring_version, tenant, 'tenant_key' AS kind, '' AS field, version, wrapped, created_at
                FROM vault_tenant_key
                UNION ALL
                SELECT ring, ring_version, tenant, kind, field, version, wrapped, created_at FROM vault_secret_key
            ) AS key
        ) AS placed
        WHERE place <= {few}
        ORDER BY ring, ring_version, place
    $$
"""
"""With its owner's rights, as before; who may call it stays."""


def upgrade() -> None:
    op.execute(SAMPLES.format(few=FEW))


def downgrade() -> None:
    op.execute(SAMPLES.format(few=1))
