"""`package.json`: one object, its long arrays last and a line for each of their members."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from service.packages.domain import AccessPackage, DecisionTold, Head, RecordTold, RevealTold, Rows

SCHEMA_ID: Final = "https://volens.example/schemas/access-package.schema.json"
_encoder: Final = msgspec.json.Encoder()


class Document(Head, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole object."""

    records: list[RecordTold]
    decisions: list[DecisionTold]
    reveals: list[RevealTold]


def written(package: AccessPackage) -> Iterator[bytes]:
    """Yield the bytes of `package.json`: UTF-8, the same for the same package."""
    yield _encoder.encode(package.head)[:-1]
    arrays: tuple[tuple[str, Rows[Any]], ...] = (
        ("records", package.records),
        ("decisions", package.decisions),
        ("reveals", package.reveals),
    )
    for name, rows in arrays:
        yield f',\n"{name}":['.encode()
        between = b"\n"
        for row in rows:
            yield between + _encoder.encode(row)
            between = b",\n"
        yield b"]"
    yield b"}\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of `package.json`."""
    (top,), components = msgspec.json.schema_components([Document], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Access package",
        **top,
        "$defs": components,
    }
