"""Parameters taken literally.

Litestar reads ``limit=true`` or ``limit=1.0`` as numbers and ``as_of=0`` as 1970, takes the
last of two equal parameters, ignores those it does not know (a misspelt filter would show
everything), and forgets msgspec's own constraints: ``FromPath[SubjectRef]`` alone lets an
address pass.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Union, get_args
from weakref import WeakKeyDictionary

import msgspec
from litestar.connection import Request
from litestar.enums import ParamType
from litestar.handlers import HTTPRouteHandler
from litestar.params import BodyKwarg, PathParameter, QueryParameter
from litestar.typing import FieldDefinition
from msgspec import Meta, Struct

from service.web.faults import Fault, fault_in_parameter, plain
from service.web.problems import Refusal

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_CONSTRAINTS: Final = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length")


class Parameter(Struct, frozen=True):
    """One parameter of a handler."""

    place: ParamType
    meant: Any
    """Its type with every constraint, whether given to msgspec or to Litestar."""
    required: bool
    many: bool
    kinds: frozenset[Any]


class Expected(Struct, frozen=True):
    """What a handler declares."""

    query: dict[str, Parameter]
    path: dict[str, Parameter]
    body: bool


_expected: WeakKeyDictionary[HTTPRouteHandler, Expected] = WeakKeyDictionary()
"""Gone with its site: tests make thousands of them."""


async def take_literally(request: Request[Any, Any, Any]) -> None:
    """Refuse what Litestar would guess, and read the body before it does. The site's `before_request`.

    Raises:
        Refusal: 400 with the names of the faulty parameters; else what `json_body` says.
    """
    expected = expected_by(request.route_handler)
    faults = [
        fault for name, known in expected.path.items() if (fault := _fault(name, request.path_params[name], known))
    ]
    if expected.query or request.scope["query_string"]:
        faults += _faults(expected.query, request.query_params.multi_items())
    if faults:
        raise Refusal("invalid_request", "A parameter is malformed.", faults=tuple(faults))
    if expected.body:
        await request.body()


def acceptable(given: Mapping[str, str], expected: Expected) -> bool:
    """Return whether the parameters of a path are such as their handler declares."""
    return all(_fault(name, text, expected.path[name]) is None for name, text in given.items())


def expected_by(handler: HTTPRouteHandler) -> Expected:
    """Return what `handler` declares; worked out once."""
    expected = _expected.get(handler)
    if expected is None:
        expected = _expected[handler] = _declared(handler)
    return expected


def _declared(handler: HTTPRouteHandler) -> Expected:
    fields = handler.parsed_fn_signature.parameters
    known = {
        field.kwarg_definition.name or name: _parameter(field, field.kwarg_definition)
        for name, field in fields.items()
        if isinstance(field.kwarg_definition, QueryParameter | PathParameter)
    }
    body = fields.get("data")
    return Expected(
        query={name: parameter for name, parameter in known.items() if parameter.place == ParamType.QUERY},
        path={name: parameter for name, parameter in known.items() if parameter.place == ParamType.PATH},
        body=body is not None and isinstance(body.kwarg_definition, BodyKwarg),
    )


def _parameter(field: FieldDefinition, definition: QueryParameter | PathParameter) -> Parameter:
    given = {name: value for name in _CONSTRAINTS if (value := getattr(definition, name)) is not None}
    rules = [rule for rule in getattr(field.raw, "__metadata__", ()) if isinstance(rule, Meta)]
    meant = field.annotation
    if field.is_optional:  # what is given is never null
        meant = Union[tuple(kind for kind in get_args(meant) if kind is not type(None))]  # noqa: UP007
    for rule in (*rules, *([Meta(**given)] if given else [])):
        meant = Annotated[meant, rule]
    return Parameter(
        place=definition.param_type,
        meant=meant,
        required=field.is_required,
        many=field.is_non_string_sequence,
        kinds=frozenset({field.annotation, *get_args(field.annotation)}),
    )


def _faults(known: dict[str, Parameter], given: Iterable[tuple[str, str]]) -> list[Fault]:
    faults = []
    seen = set()
    for name, text in given:
        parameter = known.get(name)
        if parameter is None:
            faults.append(Fault(parameter=plain(name), detail="Unknown parameter"))
        elif name in seen and not parameter.many:
            faults.append(Fault(parameter=name, detail="Given twice"))
        elif fault := _fault(name, text, parameter):
            faults.append(fault)
        seen.add(name)
    missing = [name for name, parameter in known.items() if parameter.required and name not in seen]
    return faults + [Fault(parameter=name, detail="Required parameter is missing") for name in missing]


def _fault(name: str, given: Any, parameter: Parameter) -> Fault | None:
    """Return what is wrong with a value, which is text unless the router has parsed it (UUIDs in paths)."""
    value = given
    if isinstance(given, str):
        if "\0" in given or "\ufffd" in given:
            return Fault(parameter=name, detail="Not UTF-8 without U+0000")
        if int in parameter.kinds:
            if not _INTEGER.fullmatch(given):
                return Fault(parameter=name, detail="Expected `int`")
            value = int(given)
        elif bool in parameter.kinds:
            return None if given in {"true", "false"} else Fault(parameter=name, detail="Expected `true` or `false`")
    try:
        msgspec.convert([value] if parameter.many else value, parameter.meant)
    except msgspec.ValidationError as error:
        return fault_in_parameter(name, str(error), parameter.meant)
    return None
