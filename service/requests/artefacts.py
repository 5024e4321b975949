"""Reads the periods out of what `make policy` built: they are of the same revision as the rules."""

from pathlib import Path

import msgspec
from msgspec import Struct

from service.requests.periods import Period, Periods


class _Tables(Struct):
    deadlines: tuple[Period, ...]


class _Root(Struct):
    volens: _Tables


def read_periods(build: Path) -> Periods:
    """Return the table in the folder `build`.

    Raises:
        OSError, msgspec.MsgspecError: it is missing or isn't what docs/deadlines.md says.
        ContradictoryPeriods: it gives two periods for the same request.
    """
    return Periods(msgspec.json.decode((build / "data.json").read_bytes(), type=_Root).volens.deadlines)
