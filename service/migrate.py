"""Brings a database to the tables that this version of the code expects."""

from collections.abc import Callable

from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine

from service.schema import MIGRATIONS


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Apply what is missing up to `revision`, all of it or, when a step fails, nothing.

    Safe to run twice and at the same time. `owner_url` belongs to the role
    that owns the tables, no superuser needed.
    """
    _run(owner_url, lambda config: command.upgrade(config, revision))


def downgrade(owner_url: str, revision: str) -> None:
    """Take back everything after `revision`; ``base`` empties the database. What the tables held is lost."""
    _run(owner_url, lambda config: command.downgrade(config, revision))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("prepend_sys_path", str(MIGRATIONS.parent).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config


def _run(owner_url: str, work: Callable[[Config], None]) -> None:
    engine = create_engine(owner_url, poolclass=NullPool)
    config = _config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        work(config)
