"""Query strings taken literally, and bodies only in the one media type we read.

Litestar reads ``limit=true`` or ``limit=1.0`` as numbers, ``as_of=0`` as 1970, the last of
two equal parameters, and ignores those it does not know: a misspelt filter would show everything.
"""

import re
from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec
from litestar.connection import Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import BodyKwarg, ParameterKwarg, QueryParameter
from litestar.typing import FieldDefinition
from msgspec import Struct

from service.web.faults import Fault, fault_in_parameter, plain
from service.web.problems import Refusal

JSON: Final = "application/json"
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")


class Expected(Struct, frozen=True):
    """What a handler declares."""

    query: dict[str, FieldDefinition]
    body: bool


_expected: dict[HTTPRouteHandler, Expected] = {}


async def take_literally(request: Request[Any, Any, Any]) -> None:
    """Refuse what Litestar would guess. The site's `before_request`.

    Raises:
        Refusal: 400 with the names of the faulty parameters, or because the body is
            missing; 415 for another media type.
    """
    handler = request.route_handler
    expected = _expected.get(handler)
    if expected is None:
        expected = _expected[handler] = _declared(handler)
    if expected.query or request.scope["query_string"]:
        faults = _faults(expected.query, request.query_params.multi_items())
        if faults:
            raise Refusal("invalid_request", "A parameter is malformed.", faults=tuple(faults))
    if expected.body:
        _check_media_type(request)
        if not await request.body():
            fault = Fault(pointer="", detail="A JSON body is required")
            raise Refusal("invalid_request", "The body is malformed.", faults=(fault,))


def _declared(handler: HTTPRouteHandler) -> Expected:
    fields = handler.parsed_fn_signature.parameters
    query = {
        field.kwarg_definition.name or name: field
        for name, field in fields.items()
        if isinstance(field.kwarg_definition, QueryParameter)
    }
    body = fields.get("data")
    return Expected(query=query, body=body is not None and isinstance(body.kwarg_definition, BodyKwarg))


def _faults(fields: dict[str, FieldDefinition], given: Iterable[tuple[str, str]]) -> list[Fault]:
    faults = []
    seen = set()
    for name, text in given:
        field = fields.get(name)
        if field is None:
            faults.append(Fault(parameter=plain(name), detail="Unknown parameter"))
        elif name in seen and not field.is_non_string_sequence:
            faults.append(Fault(parameter=name, detail="Given twice"))
        elif fault := _fault(name, text, field):
            faults.append(fault)
        seen.add(name)
    missing = [name for name, field in fields.items() if field.is_required and name not in seen]
    return faults + [Fault(parameter=name, detail="Required parameter is missing") for name in missing]


def _fault(name: str, text: str, field: FieldDefinition) -> Fault | None:
    kinds = {field.annotation, *get_args(field.annotation)}
    if "\0" in text or "\ufffd" in text:
        return Fault(parameter=name, detail="Not UTF-8 without U+0000")
    if int in kinds:
        return None if _INTEGER.fullmatch(text) else Fault(parameter=name, detail="Expected `int`")
    if bool in kinds:
        return None if text in ("true", "false") else Fault(parameter=name, detail="Expected `true` or `false`")
    try:
        msgspec.convert([text] if field.is_non_string_sequence else text, _meant(field))
    except msgspec.ValidationError as error:
        return fault_in_parameter(name, str(error))
    return None


def _meant(field: FieldDefinition) -> Any:
    """Return the declared type with msgspec's own constraints, as far as it has any."""
    definition = field.kwarg_definition
    pattern = definition.pattern if isinstance(definition, ParameterKwarg) else None
    meant: Any = field.raw if pattern is None else field.annotation
    return meant


def _check_media_type(request: Request[Any, Any, Any]) -> None:
    media_type, options = request.content_type
    charset = options.get("charset", "utf-8").lower()
    encoding = request.headers.get("content-encoding", "identity").lower()
    if media_type != JSON or charset not in {"utf-8", "utf8"} or encoding != "identity":
        raise Refusal(
            "unsupported_media_type",
            f"This operation reads {JSON} in UTF-8, not compressed.",
            headers={"accept": JSON},
        )
