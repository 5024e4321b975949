"""What the roots hand to everybody else: the time, new ids, and the law that this version ships."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from uuid_utils.compat import uuid7

from service.kernel import NewId

POLICIES: Final = Path(__file__).parents[1] / "policies"

BUILD: Final = POLICIES / "build"
"""What `make policy` made of the law."""

FACTS: Final = POLICIES / "schemas" / "input.json"
"""The schema of the facts: what explanations take the unknown ones from."""


def utc_now() -> datetime:
    """The one clock. Everybody else is handed it."""
    return datetime.now(UTC)


new_id: Final[NewId] = uuid7
