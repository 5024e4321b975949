"""What the migrations share: tables that row-level security guards, and rows that stay as they are.

A migration must do the same for ever. Change nothing here that a released one
relies on; add a function beside it.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.schema import SchemaItem

OWNER: Final = "volens_owner"
APP: Final = "volens_app"
WORKER: Final = "volens_worker"

Op = Any
"""The `alembic.op` proxy, a module that stands for `Operations`."""

ID: Final = sa.Text(collation="C")
"""Text that names something, sorted by bytes."""

INSTANT: Final = sa.DateTime(timezone=True)


def tenant_column() -> sa.Column[str]:
    return sa.Column("tenant", ID, nullable=False)


def tenant_table(op: Op, name: str, *columns: SchemaItem, app: str = "SELECT, INSERT", worker: str = "") -> None:
    """Create a table whose rows belong to tenants, first column `tenant`, and guard it.

    `app` and `worker` are the rights of the two roles, as GRANT takes them. The
    app role reaches the rows of its current tenant; the worker, when it has
    any right at all, those of every tenant.
    """
    op.create_table(name, tenant_column(), *columns)
    guard(op, name, column="tenant", app=app, worker=worker)


def guard(op: Op, name: str, *, column: str, app: str, worker: str = "") -> None:
    """Force row-level security on a table, with a policy and rights for each role.

    Forced means that the owner, too, sees nothing without a policy: without
    its own, a migration of data would silently do nothing and a dump be empty.
    """
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"REVOKE ALL ON {name} FROM PUBLIC")
    _policy(op, name, "owner", owners(op), "true")
    op.execute(f"GRANT SELECT ON {name} TO {OWNER}")
    if app:
        _policy(op, name, "app", APP, f"{column} = current_setting('volens.tenant', true)")
        op.execute(f"GRANT {app} ON {name} TO {APP}")
    if worker:
        _policy(op, name, "worker", WORKER, "true")
        op.execute(f"GRANT {worker} ON {name} TO {WORKER}")


def owners(op: Op) -> str:
    """Return the roles that stand for the owner: ours, and whoever runs the migrations in its place."""
    user = op.get_bind().scalar(sa.text("SELECT quote_ident(current_user)"))
    return OWNER if user == OWNER else f"{OWNER}, {user}"


def append_only(op: Op, name: str) -> None:
    """Refuse UPDATE, DELETE and TRUNCATE on a table to everyone, its owner included.

    The rights already deny them to the application. This stops the hand that
    has more rights than it should; only a migration takes it away again.
    """
    op.execute(
        f"""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {name}
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """
    )


def _policy(op: Op, table: str, name: str, roles: str, condition: str) -> None:
    op.execute(f"CREATE POLICY {table}_{name} ON {table} TO {roles} USING ({condition}) WITH CHECK ({condition})")


def edit_function(op: Op, name: str, before: str, after: str) -> None:
    """Replace one place in a function, and nothing else of it.

    Raises:
        RuntimeError: the place is not there once. Somebody else has changed the function.
    """
    bind = op.get_bind()
    text = bind.scalar(sa.text("SELECT pg_get_functiondef(CAST(:name AS regproc))"), {"name": name})
    if text.count(before) != 1:
        raise RuntimeError(f"the function {name} is not what it was made as")
    bind.exec_driver_sql(text.replace(before, after), execution_options={"no_parameters": True})
