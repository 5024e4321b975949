"""Runs the migrations over the connection of `service.migrate`, in one transaction. There is no offline mode."""

from alembic import context
from sqlalchemy import Connection, text

connection: Connection = context.config.attributes["connection"]

context.configure(connection=connection)
with context.begin_transaction():
    # Two at once: the second waits here, then finds nothing left to do.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('volens migrations'))"))

    # A migration that waits for a lock makes everybody behind it wait as well: give up early, try again later.
    connection.execute(text("SET LOCAL lock_timeout = '5s'"))
    connection.execute(text("SET LOCAL statement_timeout = '10min'"))

    context.run_migrations()
