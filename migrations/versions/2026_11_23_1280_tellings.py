"""Of what others are told because a request moved, by what they know people, and the files that they bring.

Before: connected systems are told of erasures alone, by the tenant's ids.
After: two tables and a column. A move notes of what others are to be told, and the worker tells them; the file that a
system brings lies sealed until the package is over. What may lie no longer is one judgement, `brought_over`. The
worker learns which tenants have work, and nothing of what it is. Old code runs unchanged, and tells nobody.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.support import APP, ID, INSTANT, WORKER, tenant_table

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

TELLINGS = """
    CREATE FUNCTION request_tellings() RETURNS TABLE (tenant text, request uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT DISTINCT tenant, request FROM request_telling WHERE told_at IS NULL ORDER BY 1, 2
    $$
"""
"""With its owner's rights: the worker reads no request."""

AWAITED = """
    CREATE FUNCTION answers_awaited(of_tenant text, of_request uuid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
        SELECT EXISTS (
            SELECT FROM request_telling AS noted JOIN downstream AS system ON system.tenant = noted.tenant
            WHERE noted.tenant = of_tenant AND noted.request = of_request AND noted.kind = 'access'
                AND noted.told_at IS NULL AND system.takes @> '["access"]'
        ) OR EXISTS (
            SELECT FROM downstream_task
            WHERE tenant = of_tenant AND request = of_request AND kind = 'access' AND state = 'open'
        )
    $$
"""
"""Whether a system may still bring something: it is to be told, or is neither over time nor has answered."""

OVER = """
    CREATE FUNCTION brought_over(of downstream_file) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
        SELECT NOT coalesce((
            SELECT coalesce(parcel.state IN ('waiting', 'running', 'ready'), false)
                OR (request.state = 'executing' AND coalesce(parcel.state, 'failed') = 'failed')
            FROM request LEFT JOIN parcel ON parcel.tenant = request.tenant AND parcel.request = request.id
            WHERE request.tenant = of.tenant AND request.id = of.request
        ), false) OR EXISTS (
            SELECT FROM vault_subject_key AS key
            WHERE key.tenant = of.tenant AND key.handle = of.handle AND key.destroyed_at IS NOT NULL
        )
    $$
"""
"""What a system brought may lie no longer: its package is over, its case has ended without one, or its key is gone."""

WORK = """
    CREATE OR REPLACE FUNCTION parcel_tenants(answered text[], now_at timestamptz, silent_since timestamptz)
    RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT request.tenant FROM request
        WHERE request.open AND request.state = 'executing' AND request.right_name = ANY (answered) AND NOT EXISTS (
            SELECT FROM parcel WHERE parcel.tenant = request.tenant AND parcel.request = request.id
                AND NOT (parcel.state = 'fetched' AND parcel.by_owner)
        ){awaited}
        UNION
        SELECT parcel.tenant FROM parcel
        WHERE parcel.state IN ('waiting', 'running', 'ready')
            AND (parcel.state <> 'ready' OR parcel_fate(parcel, now_at, silent_since) IS NOT NULL){over}
    $$
"""
"""As revision 0036 has it. A package waits for the systems that it asks."""
OF_SYSTEMS = {
    "awaited": " AND (EXISTS (SELECT FROM parcel WHERE parcel.tenant = request.tenant AND parcel.request = request.id)"
    " OR NOT answers_awaited(request.tenant, request.id))",
    "over": " UNION SELECT tenant FROM downstream_file WHERE brought_over(downstream_file)",
}
FUNCTIONS = {
    "request_tellings()": WORKER,
    "answers_awaited(text, uuid)": APP,
    "brought_over(downstream_file)": APP,
}


def upgrade() -> None:
    op.add_column("downstream", sa.Column("identities", JSONB, nullable=False, server_default="[]"))
    op.execute(f"GRANT UPDATE (identities) ON downstream TO {APP}")
    tenant_table(
        op,
        "request_telling",
        sa.Column("request", sa.Uuid, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("move", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("told_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "request", "kind", name="request_telling_pkey"),
        sa.ForeignKeyConstraint(
            ["tenant", "request"],
            ["request.tenant", "request.id"],
            name="request_telling_tenant_request_fkey",
            ondelete="CASCADE",
        ),
        app="SELECT, INSERT, DELETE, UPDATE (told_at)",
    )
    op.create_index(
        "request_telling_tenant_waiting_idx",
        "request_telling",
        ["tenant", "request"],
        postgresql_where=sa.text("told_at IS NULL"),
    )
    tenant_table(
        op,
        "downstream_file",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("task", sa.Uuid, nullable=False),
        sa.Column("request", sa.Uuid, nullable=False),
        sa.Column("system", ID, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("about", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="downstream_file_pkey"),
        app="SELECT, INSERT, DELETE",
    )
    op.create_index("downstream_task_tenant_handle_idx", "downstream_task", ["tenant", "handle"])
    op.create_index("downstream_file_tenant_request_idx", "downstream_file", ["tenant", "request"])
    op.execute(TELLINGS)
    op.execute(AWAITED)
    op.execute(OVER)
    op.execute(WORK.format(**OF_SYSTEMS))
    for function, role in FUNCTIONS.items():
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {role}")


def downgrade() -> None:
    """Of what nobody was told yet nobody is told. What lies sealed goes."""
    op.execute(WORK.format(awaited="", over=""))
    op.drop_index("downstream_task_tenant_handle_idx", "downstream_task")
    for function in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("downstream_file")
    op.drop_table("request_telling")
    op.drop_column("downstream", "identities")
