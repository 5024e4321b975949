"""JSON bodies taken literally.

Litestar checks bodies with the lax rules it needs for query strings: ``"1"`` passes as
``True`` and ``0`` as a date in 1970. A consent must not come into being like that.
"""

import json
import re
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.params import JSONBody, SkipValidation

from service.kernel import Caller
from service.web.faults import Fault, fault_in_body, plain
from service.web.problems import Refusal

T = TypeVar("T")

StrictBody = JSONBody[SkipValidation[T]]
"""A documented JSON body that the handler checks itself, with `strictly`."""


class LiteralRequest(Request[Caller, Any, State]):
    """Hands JSON bodies over as they came, so that they are parsed once and by our rules."""

    async def json(self) -> Any:
        """Return the bytes of the body. `strictly` reads them."""
        return await self.body()


def strictly(data: Any, model: type[T]) -> T:
    """Return `data`, bytes of JSON or what they decode to, as a `model`; never guess what was meant.

    Refused besides what the model excludes: two members of one name, a number that JSON
    has not (NaN), text that is not UTF-8, U+0000 (PostgreSQL can't store it), an instant
    that has no UTC (offsets at the ends of the calendar), anything after the value.

    Raises:
        Refusal: 400 with the JSON pointer of the first fault.
    """
    try:
        if not isinstance(data, bytes):
            return msgspec.convert(data, model)
        value: T = _decoder(model).decode(data)
        _refuse_what_msgspec_lets_pass(data)
    except msgspec.ValidationError as error:
        raise _malformed(fault_in_body(error)) from None
    except msgspec.DecodeError:
        raise _malformed(Fault(pointer="", detail="Not well-formed JSON")) from None
    except UnicodeDecodeError:
        raise _malformed(Fault(pointer="", detail="Not UTF-8")) from None
    except RecursionError:
        raise _malformed(Fault(pointer="", detail="Nested too deeply")) from None
    return value


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def _decoder(model: Any) -> msgspec.json.Decoder[Any]:
    """Return the one decoder of `model`; making one costs more than most bodies."""
    decoder = _decoders.get(model)
    if decoder is None:
        decoder = _decoders[model] = msgspec.json.Decoder(model)
    return decoder


_WITHOUT_UTC = re.compile(r'"(?:0001-01-01|9999-12-31)[Tt ][0-9:.]+[+-](?!00:?00")[0-9:]+"')


def _refuse_what_msgspec_lets_pass(data: bytes) -> None:
    text = data.decode()
    value = json.loads(text, object_pairs_hook=_members)
    if "\\u0000" in text and _has_nul(value):
        raise _malformed(Fault(pointer="", detail="A string contains U+0000"))
    if _WITHOUT_UTC.search(text):
        raise _malformed(Fault(pointer="", detail="An instant lies outside the calendar of UTC"))


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
