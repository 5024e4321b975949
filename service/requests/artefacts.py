"""Reads the periods and the rights out of what `make policy` built: they are of the same revision as the rules."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from service.requests.periods import Period, Periods
from service.requests.rights import Rights, RightsTable


class _Place(Struct):
    regimes: tuple[str, ...]


class _Tables(Struct):
    deadlines: tuple[Period, ...]
    rights: RightsTable
    places: Mapping[str, _Place]


class _Root(Struct):
    volens: _Tables


def read_periods(build: Path) -> Periods:
    """Return the table in the folder `build`.

    Raises:
        OSError, msgspec.MsgspecError: it is missing or isn't what docs/deadlines.md says.
        ContradictoryPeriods: it gives two periods for the same request.
    """
    return Periods(_tables(build).deadlines)


def read_rights(build: Path) -> Rights:
    """Return which rights each law gives, from the folder `build`.

    Raises:
        OSError, msgspec.MsgspecError: the table is missing or isn't what docs/requests.md says.
        ContradictoryRights: it says two things about one right.
    """
    tables = _tables(build)
    return Rights(tables.rights, {place: said.regimes for place, said in tables.places.items()})


def _tables(build: Path) -> _Tables:
    return msgspec.json.decode((build / "data.json").read_bytes(), type=_Root).volens
