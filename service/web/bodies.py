"""JSON bodies taken literally.

Litestar checks bodies with the lax rules it needs for query strings: ``"1"`` passes as
``True`` and ``0`` as a date in 1970. A consent must not come into being like that.
"""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.params import JSONBody, SkipValidation
from litestar.types import Receive

from service.kernel import Caller
from service.web.faults import Fault, fault_in_body, plain
from service.web.problems import Refusal

T = TypeVar("T")

JSON: Final = "application/json"
TEXT: Final = "text/plain"
"""Also where a handler says, in its `opt`, that it reads a body of text, with `LiteralRequest.text`."""
_JSON_IN_UTF8 = re.compile(rb'application/json(?:\s*;\s*charset="?utf-?8"?)?', re.IGNORECASE)

_TEXT_IN_UTF8 = re.compile(rb'text/plain(?:\s*;\s*charset="?utf-?8"?)?', re.IGNORECASE)

StrictBody = JSONBody[SkipValidation[T]]
"""A documented JSON body that the handler checks itself, with `strictly`."""


class LiteralRequest(Request[Caller, Any, State]):
    """Hands JSON bodies over as they came, so that they are parsed once and by our rules."""

    _read: bytes | None = None

    async def body(self) -> bytes:
        """Return the whole body, which must be JSON.

        Raises:
            Refusal: as `json_body` does.
        """
        if self._read is None:
            limit = self.route_handler.resolve_request_max_body_size() or math.inf
            self._read = await json_body(self.scope["headers"], self.receive, limit)
        return self._read

    async def json(self) -> Any:
        """Return the bytes of the body. `strictly` reads them."""
        return await self.body()

    async def text(self) -> bytes:
        """Return the whole body, which must be plain text.

        Raises:
            Refusal: as `json_body` does.
        """
        limit = self.route_handler.resolve_request_max_body_size() or math.inf
        return await _body_of(self.scope["headers"], self.receive, limit, TEXT, _TEXT_IN_UTF8)


async def json_body(headers: Iterable[tuple[bytes, bytes]], receive: Receive, limit: float) -> bytes:
    """Return the whole body of a request that says it is JSON.

    Raises:
        Refusal: as `_body_of` does.
    """
    return await _body_of(headers, receive, limit, JSON, _JSON_IN_UTF8)


async def _body_of(
    headers: Iterable[tuple[bytes, bytes]], receive: Receive, limit: float, kind: str, pattern: re.Pattern[bytes]
) -> bytes:
    """Return the whole body of a request that says it is of a kind.

    Headers are read as they came: Litestar's parsed ones cost more than the body.

    Raises:
        Refusal: 415; it says it is something else. 413; it is larger than `limit`, or
            says so. 400; there is none, or the client went away in the middle, which
            Litestar takes for a bug of the server's.
    """
    kinds, lengths, encoded = [], [], False
    for name, value in headers:
        if name == b"content-type":
            kinds.append(value)
        elif name == b"content-length":
            lengths.append(value)
        elif name == b"content-encoding":
            encoded = True
    if len(kinds) != 1 or encoded or not pattern.fullmatch(kinds[0]):
        raise Refusal(
            "unsupported_media_type",
            f"This operation reads {kind} in UTF-8, not compressed.",
            headers={"accept": kind},
        )
    if not all(map(bytes.isdigit, lengths)):
        raise Refusal("invalid_request")
    if any(int(length) > limit for length in lengths):
        raise Refusal("body_too_large")
    body = await _whole(receive, limit)
    if not body:
        raise _malformed(Fault(pointer="", detail=f"A {'JSON body' if kind == JSON else 'body'} is required"))
    return body


async def _whole(receive: Receive, limit: float) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            raise Refusal("invalid_request", "The body ended too early.")
        part = event.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit:
            raise Refusal("body_too_large")
        more = event.get("more_body", False)
    return b"".join(parts)


def strictly(data: Any, model: type[T]) -> T:
    """Return `data`, bytes of JSON or what they decode to, as a `model`; never guess what was meant.

    Refused besides what the model excludes: two members of one name, a number that JSON
    has not (NaN), text that is not UTF-8, U+0000 (PostgreSQL can't store it), an instant
    that has no UTC (offsets at the ends of the calendar), anything after the value.
    ``1.0`` is the whole number 1, as in JSON Schema.

    Raises:
        Refusal: 400 with the JSON pointer of the first fault.
    """
    try:
        return _from_bytes(data, model) if isinstance(data, bytes) else msgspec.convert(data, model)
    except msgspec.ValidationError as error:
        raise _malformed(fault_in_body(error, model)) from None
    except UnicodeDecodeError:
        raise _malformed(Fault(pointer="", detail="Not UTF-8")) from None
    except (msgspec.DecodeError, ValueError):
        raise _malformed(Fault(pointer="", detail="Not well-formed JSON")) from None
    except RecursionError:
        raise _malformed(Fault(pointer="", detail="Nested too deeply")) from None


def _from_bytes(data: bytes, model: type[T]) -> T:
    try:
        value: T = _decoder(model).decode(data)
    except msgspec.ValidationError as error:
        if not _FRACTION.match(str(error)):
            raise
        return msgspec.convert(_checked(data, _WHOLE), model)
    _checked(data, _ANY)
    return value


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def _decoder(model: Any) -> msgspec.json.Decoder[Any]:
    """Return the one decoder of `model`; making one costs more than most bodies."""
    decoder = _decoders.get(model)
    if decoder is None:
        decoder = _decoders[model] = msgspec.json.Decoder(model)
    return decoder


_EXACT: Final = 2**53
"""Below this, a float is the whole number that was written."""
_FRACTION = re.compile(r"Expected `[^`]*\bint\b[^`]*`, got `float`")
_WITHOUT_UTC = re.compile(r'"(?:0001-01-01|9999-12-31)[Tt ][0-9:.]+[+-](?!00:?00")[0-9:]+"')


def _checked(data: bytes, decoder: json.JSONDecoder) -> Any:
    """Refuse what msgspec lets pass, and return the whole value."""
    text = data.decode()
    value = decoder.decode(text)
    if "\\u0000" in text and _has_nul(value):
        raise _malformed(Fault(pointer="", detail="A string contains U+0000"))
    if _WITHOUT_UTC.search(text):
        raise _malformed(Fault(pointer="", detail="An instant lies outside the calendar of UTC"))
    return value


def _number(text: str) -> int | float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("out of range")
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _malformed(Fault(pointer="", detail=f"Member `{plain(twice)}` is given twice"))
    return members


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(map(_has_nul, value)) or any(map(_has_nul, value.values()))
    return isinstance(value, list) and any(map(_has_nul, value))


def _malformed(fault: Fault) -> Refusal:
    return Refusal("invalid_request", "The body is malformed.", faults=(fault,))


_ANY: Final = json.JSONDecoder(object_pairs_hook=_members)
_WHOLE: Final = json.JSONDecoder(object_pairs_hook=_members, parse_float=_number)
