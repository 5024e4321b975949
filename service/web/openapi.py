"""The OpenAPI document: Litestar's operations and parameters, msgspec's schemas.

Litestar's own schemas leave out that closed structs refuse unknown members; msgspec, which
checks the bodies, describes them exactly. What all operations share is added here: scopes,
and what a body that is too large or of another media type gets.
"""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Final, get_args

import msgspec
from litestar import Litestar
from litestar._openapi.plugin import OpenAPIPlugin
from litestar.config.app import AppConfig
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.params import BodyKwarg
from litestar.response import Response
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition
from msgspec import Struct

from service.web.auth import NEED, PUBLIC, Need
from service.web.bodies import JSON, TEXT
from service.web.lines import ARROW, CSV, LINES, NDJSON, Lined
from service.web.parameters import expected_by
from service.web.problems import MEDIA_TYPE, Problem, problem_response
from service.web.tokens import SELF

_REFERENCE: Final = "#/components/schemas/{name}"
_BEARER: Final = "bearer"
NO_NUL: Final = "^[^\\u0000]*$"
_WHOLE_STRING: Final = "$(?!\\n)"
"""What `kernel.exactly` appends for Python; JavaScript's ``$`` means it already."""

_UNPARSED: Final = {CSV: {"type": "string"}, ARROW: {"type": "string", "contentEncoding": "base64"}}
_NOISE: Final = [("deprecated", False), ("allowEmptyValue", False), ("allowReserved", False), ("headers", {})]

_CONFIG = OpenAPIConfig(
    title="Volens",
    version="1",
    summary="May we contact this person, here, now, for this purpose, and under which article?",
    description=(
        "Every request carries `Authorization: Bearer` with a JWT (RFC 9068). Every refusal is a problem (RFC 9457). "
        "Unknown members and parameters are refused. Anything but `permit` means no."
    ),
    use_handler_docstrings=True,
    render_plugins=(),
)


def document(app: Litestar) -> bytes:
    """Return the OpenAPI document of `app`: the same bytes for the same routes."""
    plugin = app.plugins.get(OpenAPIPlugin)
    plugin.on_app_init(AppConfig(openapi_config=_CONFIG))  # without Litestar's own routes for it
    whole = plugin.provide_openapi().to_schema()
    operations = list(_operations(app, whole))
    schemas = _Schemas([Problem, *(model for _, handler in operations for model in _models(handler))])
    for operation, handler in operations:
        _describe(operation, handler, schemas)
    whole["components"] = {"schemas": schemas.components, "securitySchemes": _security_schemes(operations)}
    return msgspec.json.format(msgspec.json.encode(_repaired(whole), order="sorted"), indent=2) + b"\n"


class _Schemas:
    """msgspec's schemas of all models, by model."""

    def __init__(self, models: list[Any]) -> None:
        schemas, self.components = msgspec.json.schema_components(models, ref_template=_REFERENCE)
        self._of = list(zip(models, schemas, strict=True))

    def __getitem__(self, model: Any) -> dict[str, Any]:
        return next(schema for known, schema in self._of if known == model)


def _operations(app: Litestar, whole: dict[str, Any]) -> Iterator[tuple[dict[str, Any], HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if handler.resolve_include_in_schema():
                    yield whole["paths"][route.path_format][method.lower()], handler


def _models(handler: HTTPRouteHandler) -> Iterator[Any]:
    if stream := _lines(handler):
        yield from (*((stream.first, stream.further) if stream.first is not None else ()), *stream.answers)
    if body := _body(handler):
        yield body.annotation
    expected = expected_by(handler)
    yield from (parameter.meant for parameter in (*expected.query.values(), *expected.path.values()))
    yield from (model for answer, _ in _answers(handler).values() for model in _either(answer))


def _either(answer: Any) -> tuple[Any, ...]:
    """Return the models of an answer that is one of several. msgspec has no schema for them together."""
    models: tuple[Any, ...] = get_args(answer) if isinstance(answer, UnionType) else ()
    structs = [model for model in models if isinstance(model, type) and issubclass(model, Struct)]
    return models if structs and len(structs) == len(models) else (answer,)


def _lines(handler: HTTPRouteHandler) -> Lined | None:
    stream: Lined | None = handler.opt.get(LINES)
    return stream


def _body(handler: HTTPRouteHandler) -> FieldDefinition | None:
    body = handler.parsed_fn_signature.parameters.get("data")
    return body if body is not None and isinstance(body.kwarg_definition, BodyKwarg) else None


def _answers(handler: HTTPRouteHandler) -> dict[int, tuple[Any, str]]:
    """Return the model and media type of each answer, by status, as far as msgspec describes it."""
    returned = handler.parsed_fn_signature.return_type
    if returned.is_subclass_of(Response):
        returned = returned.inner_types[0] if returned.inner_types else FieldDefinition.from_annotation(None)
    answers: dict[int, tuple[Any, str]] = {}
    if handler.media_type in ("", None, MediaType.JSON) and returned.annotation not in (None, type(None), bytes, Any):
        answers[handler.status_code] = (returned.annotation, JSON)
    for status, spec in (handler.responses or {}).items():
        if spec.data_container is not None:
            answers[status] = (spec.data_container, str(getattr(spec.media_type, "value", spec.media_type)))
    return answers


def _describe_lines(operation: dict[str, Any], stream: Lined, status: str, schemas: _Schemas) -> None:
    also = {kind: {"schema": dict(_UNPARSED[kind])} for kind in stream.also}
    if stream.first is not None:
        told = f"Lines of JSON. The first is described here; each further one is a `{stream.further.__name__}`."
        content = {NDJSON: {"schema": schemas[stream.first]}} | also
        operation["requestBody"] = {"content": content, "description": told, "required": True}
    content = {NDJSON: {"schema": {"anyOf": [schemas[model] for model in stream.answers]}}}
    if stream.first is None:
        content |= also
    operation["responses"][status] |= {"content": content, "description": "Lines of JSON."}


def _describe(operation: dict[str, Any], handler: HTTPRouteHandler, schemas: _Schemas) -> None:
    """Say what Litestar doesn't know about one operation."""
    answers = _answers(handler)
    expected = expected_by(handler)
    if body := _body(handler):
        operation["requestBody"]["content"] = {JSON: {"schema": schemas[body.annotation]}}
    if stream := _lines(handler):
        _describe_lines(operation, stream, str(int(handler.status_code)), schemas)
    if text := handler.opt.get(TEXT):
        operation["requestBody"] = {"content": {TEXT: {"schema": {"type": "string", "minLength": 1}}}, "required": True}
    for status in (*((413, 415) if expected.body or text else ()), *((409,) if "cursor" in expected.query else ())):
        answers[status] = (Problem, MEDIA_TYPE)
        operation["responses"][str(status)] = {"description": problem_response(status).description}
    for answered, (model, media_type) in answers.items():
        either = [schemas[each] for each in _either(model)]
        schema = either[0] if len(either) == 1 else {"anyOf": either}
        operation["responses"][str(int(answered))]["content"] = {media_type: {"schema": schema}}
    operation["responses"].get("204", {}).pop("content", None)  # an answer without a body has no media type either
    for parameter in operation.get("parameters", ()):
        known = (expected.path if parameter["in"] == "path" else expected.query).get(parameter["name"])
        if known is not None:
            parameter["schema"] = _of_parameter(parameter["schema"], schemas[known.meant])
    if "description" in operation:
        summary, _, rest = operation["description"].partition("\n\n")
        operation["summary"] = " ".join(summary.split()).rstrip(".")
        operation["description"] = rest or summary
    operation["security"] = _security(handler)


def _of_parameter(litestars: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter: an absent one is left out, never null."""
    return schema | {name: litestars[name] for name in ("default", "format") if litestars.get(name) is not None}


def _security(handler: HTTPRouteHandler) -> list[dict[str, list[str]]]:
    """Return the scopes of an operation: any one of the alternatives opens it."""
    if handler.opt.get(PUBLIC):
        return []
    need: Need | None = handler.opt.get(NEED)
    if need is None:
        return [{_BEARER: []}]
    return [{_BEARER: [need.scope]}, *([{_BEARER: [SELF]}] if need.own else [])]


def _security_schemes(operations: list[tuple[dict[str, Any], HTTPRouteHandler]]) -> dict[str, Any]:
    scopes = sorted({name for operation, _ in operations for way in operation["security"] for name in way[_BEARER]})
    text = f"An access token (RFC 9068) with the tenant and one of the operation's scopes. Scopes: {', '.join(scopes)}."
    return {_BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": text}}


def _repaired(node: Any) -> Any:
    """Return a part of the document with patterns that every dialect reads alike.

    No string may hold U+0000, which PostgreSQL can't store; strings without any other
    rule say so here.
    """
    if isinstance(node, list):
        return [_repaired(item) for item in node]
    if not isinstance(node, dict):
        return node
    fixed = {name: _repaired(value) for name, value in node.items() if (name, value) not in _NOISE}
    if isinstance(pattern := fixed.get("pattern"), str):
        fixed["pattern"] = pattern.replace(_WHOLE_STRING, "$")
    elif fixed.get("type") == "string" and not fixed.keys() & {"enum", "const", "format", "scheme"}:
        fixed["pattern"] = NO_NUL
    if fixed.get("type") == "object" and isinstance(fixed.get("additionalProperties"), dict):
        fixed.setdefault("propertyNames", {"pattern": NO_NUL})
    return fixed
