"""Reads what becomes of whom the lists name out of what `make policy` built."""

from pathlib import Path

import msgspec
from msgspec import Struct

from service.drop.domain import Rules


class _Tables(Struct):
    drop: Rules


class _Root(Struct):
    volens: _Tables


def read_rules(build: Path) -> Rules:
    """Return the table in the folder `build`.

    Raises:
        OSError, msgspec.MsgspecError: it is missing or isn't what docs/drop.md says.
    """
    return msgspec.json.decode((build / "data.json").read_bytes(), type=_Root).volens.drop
