"""Reads what stops an erasure and what stays out of what `make policy` built."""

from pathlib import Path

import msgspec
from msgspec import Struct

from service.erasures.grounds import Grounds


class _Tables(Struct):
    erasure: Grounds


class _Root(Struct):
    volens: _Tables


def read_grounds(build: Path) -> Grounds:
    """Return the table in the folder `build`.

    Raises:
        OSError, msgspec.MsgspecError: it is missing or isn't what docs/erasure.md says.
    """
    return msgspec.json.decode((build / "data.json").read_bytes(), type=_Root).volens.erasure
