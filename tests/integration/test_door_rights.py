"""What each database role may do with what came through doors."""

import psycopg
import pytest

from tests.conftest import Database

TABLES = ("door_request", "door_callback", "door_agent")


def test_the_worker_learns_which_tenants_have_something_to_tell_and_not_what(database: Database) -> None:
    with psycopg.connect(database.urls.worker, autocommit=True) as worker:
        worker.execute("SELECT tenant FROM door_due(now())")
        for table in TABLES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                worker.execute(f"SELECT 1 FROM {table}")


def test_the_application_changes_nothing_of_what_came(database: Database) -> None:
    with psycopg.connect(database.urls.app, autocommit=True) as app:
        for table, columns in {
            "door_request": ("id", "door", "sender", "reference", "received_at", "expected_at", "sealed"),
            "door_callback": ("id", "request", "sealed"),
            "door_agent": ("agent",),
        }.items():
            for column in columns:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    app.execute(f"UPDATE {table} SET {column} = {column}")
        for statement in (*(f"DELETE FROM {table}" for table in TABLES), "SELECT door_due(now())"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)
