"""Which tables this version of the code expects, without what brings a database there."""

import re
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
_REVISION: Final = re.compile(r'^revision = "(\d{4})"$', re.MULTILINE)


async def at_head(connection: AsyncConnection) -> bool:
    """Return whether the database stands where this code expects it. Any role of ours may ask."""
    try:
        stands = await connection.execute(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        return False
    return stands.scalar_one_or_none() == head()


@cache
def head() -> str:
    """Return the newest revision that this code knows: they are numbered, and read rather than loaded."""
    scripts = (path.read_text("utf-8") for path in (MIGRATIONS / "versions").glob("*.py"))
    return max(found[1] for script in scripts if (found := _REVISION.search(script)))
