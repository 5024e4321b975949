"""Brings a database to the tables that this version of the code expects."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Apply what is missing up to `revision`, all of it or, when a step fails, nothing.

    Safe to run twice and at the same time. `owner_url` belongs to the role
    that owns the tables, no superuser needed.
    """
    _run(owner_url, lambda config: command.upgrade(config, revision))


def downgrade(owner_url: str, revision: str) -> None:
    """Take back everything after `revision`; ``base`` empties the database. What the tables held is lost."""
    _run(owner_url, lambda config: command.downgrade(config, revision))


async def at_head(connection: AsyncConnection) -> bool:
    """Return whether the database stands where this code expects it. Any role of ours may ask."""
    try:
        stands = await connection.execute(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        return False
    return stands.scalar_one_or_none() == head()


@cache
def head() -> str | None:
    """Return the newest revision that this code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


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
