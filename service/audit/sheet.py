"""Entries as a table for spreadsheets: CSV (RFC 4180) in UTF-8. It proves nothing; that is the NDJSON's task.

A spreadsheet takes a cell that begins with one of = + - @, a tab or a line end for a formula, and runs it. Such a cell
gets an apostrophe in front.
"""

import csv
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from service.audit.tree import leaf_hash

BOM: Final = b"\xef\xbb\xbf"
"""Without it, some spreadsheets take UTF-8 for something else."""
_RISKY: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Entry(Struct, frozen=True):
    id: str
    at: str
    event: str
    object: str
    subject: str | None
    actor: str
    request: str
    commitment: str | None
    tenant: str
    v: int


COLUMNS: Final = ("index", "leaf", *_Entry.__struct_fields__)
_decode: Final = msgspec.json.Decoder(_Entry).decode


def heading() -> bytes:
    return _written([COLUMNS])


def rows(places: Iterable[int], entries: Iterable[bytes]) -> bytes:
    """Return the lines of canonical entries, each with its place."""
    return _written(
        (str(index), leaf_hash(entry).hex(), *map(harmless, msgspec.structs.astuple(_decode(entry))))
        for index, entry in zip(places, entries, strict=False)
    )


def harmless(value: object) -> str:
    """Return the text of a cell, which no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_RISKY) else text


class _Lines(list[str]):
    """What `csv` writes to."""

    write = list.append


def _written(table: Iterable[Iterable[str]]) -> bytes:
    lines = _Lines()
    csv.writer(lines).writerows(table)
    return "".join(lines).encode()
