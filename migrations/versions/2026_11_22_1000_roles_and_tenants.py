"""Roles and tenants.

Before: nothing, or three roles that the operator made.
After: three roles, and the table of tenants.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import APP, ID, INSTANT, OWNER, WORKER, guard

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROLES = {
    OWNER: "owns the tables, migrates and dumps them",
    APP: "serves requests, one tenant at a time",
    WORKER: "does what crosses tenants: outbox, audit tree, jobs",
}


def upgrade() -> None:
    _roles()
    op.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
        BEGIN
            RAISE EXCEPTION '% only grows: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
        END $$
        """
    )
    op.execute(f"GRANT SELECT ON alembic_version TO {APP}, {WORKER}")

    op.create_table(
        "tenant",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="tenant_pkey"),
    )
    guard(op, "tenant", column="id", app="SELECT")


def downgrade() -> None:
    """The roles stay: they belong to the server, and another database may use them."""
    op.drop_table("tenant")
    for role in (APP, WORKER):
        op.execute(f"REVOKE ALL ON alembic_version FROM {role}")
    op.execute("DROP FUNCTION refuse_change()")
    op.execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC")


def _roles() -> None:
    connection = op.get_bind()
    known = connection.execute(
        sa.text("SELECT rolname, rolbypassrls OR rolsuper AS unguarded FROM pg_roles WHERE rolname = ANY(:names)"),
        {"names": list(ROLES)},
    )
    unguarded = {row.rolname: row.unguarded for row in known}
    missing = [role for role in ROLES if role not in unguarded]
    may_create = connection.scalar(
        sa.text("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
    )
    if missing and not may_create:
        wanted = "; ".join(f"CREATE ROLE {role} NOBYPASSRLS -- {ROLES[role]}" for role in missing)
        raise RuntimeError(f"roles are missing that this user may not create. As an administrator run: {wanted}")
    if any(unguarded.values()):
        names = ", ".join(role for role in ROLES if unguarded.get(role))
        raise RuntimeError(f"row-level security would not bind {names}: take SUPERUSER and BYPASSRLS away first")
    for role in missing:
        op.execute(f"CREATE ROLE {role} NOBYPASSRLS")
        op.execute(f"GRANT {role} TO CURRENT_USER")  # where one address is set, its user takes the roles on
        op.execute(f"COMMENT ON ROLE {role} IS 'Volens: {ROLES[role]}'")
