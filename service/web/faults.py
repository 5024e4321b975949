"""Where a request is wrong, in words that never repeat what was sent.

A message of msgspec may quote a value (``Invalid enum value 'ada@mail.example'``) or a
member name; both come from the client and may be personal data.
"""

import re
from typing import Final

import msgspec
from msgspec import Struct


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
_WHOLE_STRING: Final = "$(?!\\\\n)"
"""What `kernel.exactly` appends, as msgspec prints it."""


def fault_in_body(error: msgspec.ValidationError) -> Fault:
    """Return the place and the fault that a msgspec error describes."""
    message = str(error)
    pointer = ""
    if place := _PLACE.search(message):
        pointer = _pointer(place["path"])
        message = message[: place.start()]
        if place["key"]:
            return Fault(pointer=pointer, detail="A member name is not allowed here")
    return Fault(pointer=pointer, detail=sentence(message))


def fault_in_parameter(name: str, message: str) -> Fault:
    return Fault(parameter=plain(name), detail=sentence(message.partition(" - at ")[0]))


def sentence(message: str) -> str:
    """Return a msgspec message without anything that came from the client."""
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
    if message.startswith("Invalid enum value"):
        return "Not one of the known values"
    return "Not valid here"


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
