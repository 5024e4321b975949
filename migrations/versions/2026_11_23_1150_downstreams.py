"""Connected systems, what each of them is told to do about a person, and what became of it.

Before: nobody else is told of an erasure.
After: four tables. A settled task keeps nothing of whom it was about, which a trigger holds, and nothing about it
changes any more. The worker learns which tenants have work and how much, and nothing of what it is. Old code runs
unchanged.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.support import ID, INSTANT, WORKER, tenant_table

revision = "0035"
down_revision = "0031"
branch_labels = None
depends_on = None

MOVING = (
    "state",
    "silent_at",
    "round",
    "attempts",
    "next_at",
    "told_at",
    "settled_at",
    "ground",
    "fault",
    "sealed",
)
"""What bringing a task, its answer and time change. What was to be done stays."""

ONCE = ("tenant", "request", "system", "kind")
"""A system is told the same for one request once."""

SETTLED = """
    CREATE FUNCTION downstream_task_settled() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
    BEGIN
        IF OLD.settled_at IS NOT NULL THEN
            RAISE EXCEPTION 'a settled task stays as it is' USING ERRCODE = 'insufficient_privilege';
        ELSIF (NEW.settled_at IS NULL) <> (NEW.sealed IS NOT NULL)
            OR (NEW.settled_at IS NULL) <> (NEW.state IN ('open', 'silent')) THEN
            RAISE EXCEPTION 'a settled task names nobody' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END $$
"""

DUE = """
    CREATE FUNCTION downstream_due(now_at timestamptz) RETURNS TABLE (tenant text, system text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT tenant, system FROM downstream_task WHERE next_at <= now_at
        UNION SELECT tenant, system FROM downstream_task WHERE state = 'open' AND silent_at <= now_at
        ORDER BY 1, 2
    $$
"""
"""With its owner's rights: the worker reads no task."""

COUNT = """
    CREATE FUNCTION downstream_counts() RETURNS TABLE (state text, tasks bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT state, count(*) FROM downstream_task WHERE state IN ('open', 'silent') GROUP BY state
    $$
"""
FUNCTIONS = ("downstream_due(timestamptz)", "downstream_counts()")


def upgrade() -> None:
    tenant_table(
        op,
        "downstream",
        sa.Column("name", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("takes", JSONB, nullable=False),
        sa.Column("url", ID),
        sa.Column("client", ID),
        sa.Column("domain", ID),
        sa.Column("certificate", sa.Text),
        sa.Column("stored_at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name="downstream_pkey"),
        app="SELECT, INSERT, DELETE, UPDATE (kind, takes, url, client, domain, certificate, stored_at, actor)",
    )
    tenant_table(
        op,
        "downstream_secret",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("downstream", ID, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("public_key", ID, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "id", name="downstream_secret_pkey"),
        app="SELECT, INSERT, DELETE, UPDATE (ends_at)",
    )
    op.create_index("downstream_secret_tenant_downstream_idx", "downstream_secret", ["tenant", "downstream"])
    _tasks()
    tenant_table(
        op,
        "downstream_message",
        sa.Column("downstream", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "downstream", "digest", name="downstream_message_pkey"),
        app="SELECT, INSERT, DELETE",
    )
    op.execute(DUE)
    op.execute(COUNT)
    for function in FUNCTIONS:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {WORKER}")


def _tasks() -> None:
    tenant_table(
        op,
        "downstream_task",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("system", ID, nullable=False),
        sa.Column("request", sa.Uuid, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("assigned_at", INSTANT, nullable=False),
        sa.Column("silent_at", INSTANT, nullable=False),
        sa.Column("round", sa.Integer, nullable=False, server_default="1"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", INSTANT),
        sa.Column("told_at", INSTANT),
        sa.Column("settled_at", INSTANT),
        sa.Column("ground", ID),
        sa.Column("fault", ID),
        sa.Column("sealed", sa.LargeBinary),
        sa.PrimaryKeyConstraint("tenant", "id", name="downstream_task_pkey"),
        sa.UniqueConstraint(*ONCE, name=f"downstream_task_{'_'.join(ONCE)}_key"),
        app=f"SELECT, INSERT, UPDATE ({', '.join(MOVING)})",
    )
    op.create_index("downstream_task_tenant_state_id_idx", "downstream_task", ["tenant", "state", "id"])
    op.create_index(
        "downstream_task_tenant_next_at_idx",
        "downstream_task",
        ["tenant", "next_at"],
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index(
        "downstream_task_tenant_silent_at_idx",
        "downstream_task",
        ["tenant", "silent_at"],
        postgresql_where=sa.text("state = 'open'"),
    )
    op.execute(SETTLED)
    op.execute(
        """
        CREATE TRIGGER settled BEFORE UPDATE ON downstream_task FOR EACH ROW
        EXECUTE FUNCTION downstream_task_settled()
        """
    )


def downgrade() -> None:
    """Who was told what is forgotten, but for the entries of the audit log. Tasks under way are never told of."""
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    for table in ("downstream_message", "downstream_task", "downstream_secret", "downstream"):
        op.drop_table(table)
    op.execute("DROP FUNCTION downstream_task_settled()")
