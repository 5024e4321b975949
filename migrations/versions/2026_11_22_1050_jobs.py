"""The job queue.

Before: no jobs.
After: procrastinate's own schema, as version 3.10 ships it, in the schema `jobs`. The
application may queue a job with what causes it and sees none; the worker works them.
"""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager

from migrations.support import APP, WORKER

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA jobs")
    _in_jobs(SchemaManager.get_schema())

    # A function that runs with its owner's rights must not look for names where its caller tells it to.
    for function in _functions():
        op.execute(f"ALTER FUNCTION {function} SET search_path = jobs, pg_temp")
        if ".procrastinate_defer_" in function:
            op.execute(f"ALTER FUNCTION {function} SECURITY DEFINER")

    op.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs FROM PUBLIC")
    op.execute(f"GRANT USAGE ON SCHEMA jobs TO {APP}, {WORKER}")
    op.execute(f"GRANT EXECUTE ON FUNCTION jobs.procrastinate_defer_jobs_v1 TO {APP}")
    op.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO {WORKER}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO {WORKER}")
    op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO {WORKER}")


def downgrade() -> None:
    op.execute("DROP SCHEMA jobs CASCADE")


def _in_jobs(script: str) -> None:
    """Run a script of many statements whose names have no schema of their own."""
    connection = op.get_bind()
    usual = connection.scalar(sa.text("SELECT current_setting('search_path')"))
    enter = sa.text("SELECT set_config('search_path', :path, true)")
    connection.execute(enter, {"path": "jobs"})
    driver = connection.connection.driver_connection
    driver.execute(script)  # past SQLAlchemy, which would take the script's per cent signs for parameters
    connection.execute(enter, {"path": usual})


def _functions() -> list[str]:
    names = op.get_bind().scalars(
        sa.text("SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'jobs'::regnamespace")
    )
    return list(names)
