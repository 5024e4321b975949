"""Where a request is wrong, in words that never repeat what was sent.

A message of msgspec may quote a value (``Invalid enum value 'ada@mail.example'``) or a
member name; both come from the client and may be personal data.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, inspect


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong with a request."""

    detail: str
    pointer: str | None = None
    """JSON Pointer (RFC 6901) into the body; the empty pointer is the whole body."""
    parameter: str | None = None
    """Name of the query or path parameter."""


_PLACE = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[\.\.\.\]")
_UNKNOWN_FIELD = re.compile(r"^Object contains unknown field `(.*)`$", re.DOTALL)
_MISSING_FIELD = re.compile(r"^Object missing required field `([^`]*)`$")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_NO_SUCH_VALUE: Final = "Invalid enum value"
MOST_NAMED: Final = 30
"""Enumerations that are longer are for the OpenAPI document to show."""
_WHOLE_STRING: Final = "$(?!\\\\n)"
"""What `kernel.exactly` appends, as msgspec prints it."""


def fault_in_body(error: msgspec.ValidationError, model: Any = Any) -> Fault:
    """Return the place and the fault that a msgspec error describes; `model` is what the body should have been."""
    message = str(error)
    pointer, path = "", ""
    if place := _PLACE.search(message):
        path = place["path"]
        pointer = _pointer(path)
        message = message[: place.start()]
        if place["key"]:
            return Fault(pointer=pointer, detail="A member name is not allowed here")
    return Fault(pointer=pointer, detail=sentence(message, _known(message, model, path)))


def fault_in_parameter(name: str, message: str, model: Any = Any) -> Fault:
    """Return the fault of a parameter that should have been a `model`."""
    return Fault(parameter=plain(name), detail=sentence(message.partition(" - at ")[0], _known(message, model, "")))


def sentence(message: str, known: Sequence[str] = ()) -> str:
    """Return a msgspec message without anything that came from the client. `known` are the values there may be."""
    if unknown := _UNKNOWN_FIELD.match(message):
        return f"Unknown member `{plain(unknown[1])}`"
    if missing := _MISSING_FIELD.match(message):
        return f"Required member `{missing[1]}` is missing"
    if message.startswith(("Expected ", "Number out of range", "Integer value out of range")):
        return message.replace(_WHOLE_STRING, "$")
    if message.startswith("Invalid RFC3339"):
        return "Not an RFC 3339 date-time"
    if message.startswith(("Invalid UUID", "Invalid base64", "Object contains")):
        return message.partition("`")[0].strip()
    if message.startswith(_NO_SUCH_VALUE):
        return f"Not one of the known values: {', '.join(known)}" if known else "Not one of the known values"
    return "Not valid here"


def _known(message: str, model: Any, path: str) -> list[str]:
    """Return the values there may be at `path` of a `model`; none where they are no enumeration, or a long one."""
    if not message.startswith(_NO_SUCH_VALUE):
        return []
    kinds = [inspect.type_info(model)]
    for step in _STEP.finditer(path):
        kinds = [below for kind in kinds for below in _below(kind, step[1])]
    values = [value for kind in kinds for value in _values(kind)]
    return values if len(values) <= MOST_NAMED else []


def _below(kind: inspect.Type, member: str | None) -> Iterator[inspect.Type]:
    """Yield what `member` of an object can be, or without one an item of a list or a value of a mapping."""
    match kind:
        case inspect.Metadata(type=inner):
            yield from _below(inner, member)
        case inspect.UnionType(types=types):
            for each in types:
                yield from _below(each, member)
        case inspect.StructType(fields=fields) if member is not None:
            yield from (field.type for field in fields if field.encode_name == member)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item) if member is None:
            yield item
        case inspect.SetType(item_type=item) | inspect.FrozenSetType(item_type=item) if member is None:
            yield item
        case inspect.DictType(value_type=value) if member is None:
            yield value


def _values(kind: inspect.Type) -> Iterator[str]:
    match kind:
        case inspect.Metadata(type=inner):
            yield from _values(inner)
        case inspect.UnionType(types=types):
            for each in types:
                yield from _values(each)
        case inspect.EnumType(cls=cls):
            yield from (str(member.value) for member in cls)
        case inspect.LiteralType(values=values):
            yield from map(str, values)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            yield from _values(item)


def plain(name: str) -> str:
    """Return a client's name for a thing if it is a harmless identifier, else a placeholder."""
    return name if _PLAIN_NAME.fullmatch(name) else "(not a plain name)"


def _pointer(path: str) -> str:
    """Turn ``.records[0].ts`` into ``/records/0/ts``.

    msgspec hides the keys of mappings (``[...]``): the pointer ends at the mapping, since
    a key is the client's text.
    """
    steps = []
    for step in _STEP.finditer(path):
        name = step[1] if step[1] is not None else step[2]
        if name is None:
            break
        steps.append("/" + name.replace("~", "~0").replace("/", "~1"))
    return "".join(steps)
