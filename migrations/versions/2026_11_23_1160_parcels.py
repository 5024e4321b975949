"""Access packages that wait to be fetched: one a request, sealed in a file, for a while.

Before: a package is made at a shell and handed over by the operator.
After: a row for each request that a package answers. What may not lie any longer is one judgement, `parcel_fate`, of
the application and of the worker. The worker learns which tenants have work, and nothing of what it is. Old code runs
unchanged.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import APP, ID, INSTANT, WORKER, tenant_table

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

FATE = """
    CREATE FUNCTION parcel_fate(of parcel, now_at timestamptz, silent_since timestamptz) RETURNS text
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
        SELECT CASE
            WHEN of.state NOT IN ('waiting', 'running', 'ready') THEN NULL
            WHEN of.state = 'ready' AND of.expires_at <= now_at
                AND (of.holder IS NULL OR of.beat_at <= silent_since) THEN 'expired'
            WHEN NOT EXISTS (
                SELECT FROM request WHERE request.tenant = of.tenant AND request.id = of.request
                    AND request.state IN ('executing', 'answered', 'closed')
            ) THEN 'deleted'
            WHEN NOT EXISTS (SELECT FROM subject WHERE subject.tenant = of.tenant AND subject.handle = of.handle)
                OR EXISTS (
                    SELECT FROM vault_subject_key AS key
                    WHERE key.tenant = of.tenant AND key.handle = of.handle AND key.destroyed_at IS NOT NULL
                ) THEN 'stray'
        END
    $$
"""
"""What becomes of a package: its time is over; its request is answered otherwise; its handle is nobody's any more."""

WORK = """
    CREATE FUNCTION parcel_tenants(answered text[], now_at timestamptz, silent_since timestamptz) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT request.tenant FROM request
        WHERE request.open AND request.state = 'executing' AND request.right_name = ANY (answered) AND NOT EXISTS (
            SELECT FROM parcel WHERE parcel.tenant = request.tenant AND parcel.request = request.id
                AND NOT (parcel.state = 'fetched' AND parcel.by_owner)
        )
        UNION
        SELECT parcel.tenant FROM parcel
        WHERE parcel.state IN ('waiting', 'running', 'ready')
            AND (parcel.state <> 'ready' OR parcel_fate(parcel, now_at, silent_since) IS NOT NULL)
    $$
"""
"""With its owner's rights: the worker reads no request and no package."""
FUNCTIONS = {
    "parcel_fate(parcel, timestamptz, timestamptz)": APP,
    "parcel_tenants(text[], timestamptz, timestamptz)": WORKER,
}


def upgrade() -> None:
    tenant_table(
        op,
        "parcel",
        sa.Column("request", sa.Uuid, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("language", ID, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.Column("call", ID, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("holder", sa.Uuid),
        sa.Column("beat_at", INSTANT),
        sa.Column("maker", sa.Uuid),
        sa.Column("size", sa.BigInteger),
        sa.Column("made_at", INSTANT),
        sa.Column("expires_at", INSTANT),
        sa.Column("by_owner", sa.Boolean, nullable=False),
        sa.Column("fault", sa.Text),
        sa.PrimaryKeyConstraint("tenant", "request", name="parcel_pkey"),
        app="SELECT, INSERT, UPDATE",
    )
    op.create_index(
        "parcel_tenant_state_asked_at_idx",
        "parcel",
        ["tenant", "state", "asked_at"],
        postgresql_where=sa.text("state IN ('waiting', 'running', 'ready')"),
    )
    op.execute(FATE)
    op.execute(WORK)
    for function, role in FUNCTIONS.items():
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {role}")


def downgrade() -> None:
    """What lies to be fetched is forgotten, but for the entries of the audit log. Files stay, sealed."""
    for function in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("parcel")
