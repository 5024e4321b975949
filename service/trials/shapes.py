"""Whether a table has the shape that its schema describes, in as much of JSON Schema as the schemas use."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

Schema = Mapping[str, Any]


class Misshapen(Struct, frozen=True, kw_only=True):
    """One place at which a document isn't what its schema says."""

    pointer: str
    detail: str


def misshapen(document: Any, schema: Schema, pointer: str = "") -> Iterator[Misshapen]:
    """Yield what is wrong with `document`.

    Raises:
        ValueError: the schema has a word that isn't read here. What nobody checks must not pass for checked.
    """
    if unread := schema.keys() - _CHECKS.keys() - _SILENT:
        raise ValueError(f"the schema says {sorted(unread)}")
    if "type" in schema and not _is(schema["type"], document):
        yield Misshapen(pointer=pointer, detail=f"Expected {schema['type']}")
        return
    for word, check in _CHECKS.items():
        if word in schema:
            yield from check(document, schema, pointer)


def step(pointer: str, name: str | int) -> str:
    """Return the pointer to a member (RFC 6901)."""
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _KINDS[kind])


def _object(document: Any, schema: Schema, pointer: str) -> Iterator[Misshapen]:
    if not isinstance(document, Mapping):
        return
    named, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, value in document.items():
        if name in named:
            yield from misshapen(value, named[name], step(pointer, name))
        elif others is False:
            yield Misshapen(pointer=step(pointer, name), detail="Unknown member")
        elif others is not True:
            yield from misshapen(value, others, step(pointer, name))


def _open(document: Any, schema: Schema, pointer: str) -> Iterator[Misshapen]:
    if "properties" not in schema:
        yield from _object(document, schema, pointer)


def _required(document: Any, schema: Schema, pointer: str) -> Iterator[Misshapen]:
    if isinstance(document, Mapping):
        for name in schema["required"]:
            if name not in document:
                yield Misshapen(pointer=pointer, detail=f"Required member `{name}` is missing")


def _items(document: Any, schema: Schema, pointer: str) -> Iterator[Misshapen]:
    if isinstance(document, list):
        for number, value in enumerate(document):
            yield from misshapen(value, schema["items"], step(pointer, number))


def _enum(document: Any, schema: Schema, pointer: str) -> Iterator[Misshapen]:
    if document not in schema["enum"]:
        yield Misshapen(pointer=pointer, detail="None of the values that there are")


def _pattern(document: Any, schema: Schema, pointer: str) -> Iterator[Misshapen]:
    if isinstance(document, str) and not re.search(schema["pattern"], document):
        yield Misshapen(pointer=pointer, detail="Not of the pattern that it should have")


def _short(document: Any, schema: Schema, pointer: str) -> Iterator[Misshapen]:
    if isinstance(document, str) and len(document) < schema["minLength"]:
        yield Misshapen(pointer=pointer, detail="Too short")


def _few(document: Any, schema: Schema, pointer: str) -> Iterator[Misshapen]:
    if isinstance(document, list) and len(document) < schema["minItems"]:
        yield Misshapen(pointer=pointer, detail="Too few")


def _small(document: Any, schema: Schema, pointer: str) -> Iterator[Misshapen]:
    if isinstance(document, int | float) and document < schema["minimum"]:
        yield Misshapen(pointer=pointer, detail=f"Expected at least {schema['minimum']}")


def _unique(document: Any, schema: Schema, pointer: str) -> Iterator[Misshapen]:
    if schema["uniqueItems"] and isinstance(document, list):
        for number, value in enumerate(document):
            if value in document[:number]:
                yield Misshapen(pointer=step(pointer, number), detail="There twice")


_KINDS: Final[Mapping[str, Any]] = {
    "object": Mapping,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
_SILENT: Final = {"$schema", "title", "description", "type"}
_CHECKS: Final[Mapping[str, Callable[[Any, Schema, str], Iterator[Misshapen]]]] = {
    "properties": _object,
    "additionalProperties": _open,
    "required": _required,
    "items": _items,
    "enum": _enum,
    "pattern": _pattern,
    "minLength": _short,
    "minItems": _few,
    "minimum": _small,
    "uniqueItems": _unique,
}
