"""The table in front of Litestar: a few operations whose every microsecond counts.

The ordinary handler of each stays registered. It documents the operation, and answers
whatever is unusual about a request: parameters other than good ones in its path, a header that
the handler reads, a trailing slash, another method, an odd `Host`. Who may ask, what a body is
and how a refusal looks is said by the functions that the ordinary routes use;
`tests/api/test_twins.py` holds the two to the same answers.
"""

import math
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from litestar import Litestar, Response
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.params import HeaderParameter
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from service.web.answers import send_json
from service.web.auth import NEED, Authenticates, Need, admit
from service.web.bodies import json_body
from service.web.limits import send_problem
from service.web.parameters import Expected, acceptable, expected_by
from service.web.problems import ON_FAILURE, Problems

Thin = Callable[..., Awaitable[Any]]
"""Answers a caller, a body and, by their names, the parameters of the path: with a struct, or with a response that has
one. The ordinary handler of the operation calls the same function."""

_PARAMETER: Final = re.compile(r"{(\w+)}")
_PLAIN_HOST: Final = re.compile(rb"[A-Za-z0-9.:-]*")
"""What Litestar lets pass as well; it judges all others."""


class HotRoute(Struct, frozen=True, kw_only=True):
    """An operation as its ordinary handler declares it, and its thin function."""

    template: str
    path: re.Pattern[str]
    expected: Expected
    headers: frozenset[bytes]
    """Those that the ordinary handler reads."""
    need: Need
    said: Mapping[str, Any] | None
    """What every failure of 500 and above says."""
    status: int
    body_limit: float
    answer: Thin


class Table(Struct, frozen=True):
    """The hot routes, by method and path, or by method where the path has parameters."""

    fixed: dict[tuple[str, str], HotRoute] = {}
    open: dict[str, list[HotRoute]] = {}

    def find(self, method: str, path: str) -> tuple[HotRoute, dict[str, str]] | None:
        """Return the route, and the parameters in the path."""
        if route := self.fixed.get((method, path)):
            return route, {}
        for route in self.open.get(method, ()):
            if match := route.path.fullmatch(path):
                return route, match.groupdict()
        return None


class HotRoutes:
    """ASGI layer between the edge and Litestar, which answers what is in its table and is nothing unusual."""

    def __init__(self, app: ASGIApp, routes: Table, authenticator: Authenticates, problems: Problems) -> None:
        self._app = app
        self._routes = routes
        self._authenticator = authenticator
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._routes.find(scope["method"], scope["path"]) if scope["type"] == ScopeType.HTTP else None
        if found is None or _unusual(scope, *found):
            await self._app(scope, receive, send)
            return
        route, parameters = found
        scope["path_template"] = route.template
        try:
            caller = await admit(scope, self._authenticator, route.need, subject=parameters.get("subject"))
            body = await json_body(scope["headers"], receive, route.body_limit)
            answer = await route.answer(caller, body, **parameters)
            status, headers = route.status, {}
            if isinstance(answer, Response):
                answer, status, headers = answer.content, answer.status_code or status, answer.headers
            encoded = msgspec.json.encode(answer)
        except Exception as error:  # noqa: BLE001  Litestar hands every one over, too
            await send_problem(self._problems.answer(error, scope["state"]["request_id"], route.said), send)
        else:
            await send_json(encoded, status, send, headers)


def table(app: Litestar, thin: Mapping[str, Thin]) -> Table:
    """Return the table of the operations that have a `thin` function, by the id of the operation.

    Raises:
        ValueError: there is no such operation behind a token, or parameters of its path are more than texts.
    """
    found = Table()
    operations = list(_operations(app))
    templates = {path for path, _, _ in operations}
    for path, method, handler in operations:
        operation = handler.operation_id
        if isinstance(operation, str) and operation in thin:
            route = _hot(path, templates, handler, thin[operation])
            if route.expected.path:
                found.open.setdefault(method, []).append(route)
            else:
                found.fixed[method, path] = route
    if len(found.fixed) + sum(map(len, found.open.values())) != len(thin):
        raise ValueError("an operation that is to be hot is unknown")
    return found


def _operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                yield route.path_format, method, handler


def _hot(path: str, templates: Iterable[str], handler: HTTPRouteHandler, answer: Thin) -> HotRoute:
    expected = expected_by(handler)
    texts = {name for name, parameter in expected.path.items() if parameter.kinds == {str}}
    if set(_PARAMETER.findall(path)) != texts or NEED not in handler.opt:
        raise ValueError("a hot route has no parameters but texts in its path, and needs a scope")
    fields = handler.parsed_fn_signature.parameters.values()
    definitions = [field.kwarg_definition for field in fields]
    headers = [definition.name for definition in definitions if isinstance(definition, HeaderParameter)]
    return HotRoute(
        template=path,
        path=_pattern(path, templates),
        expected=expected,
        headers=frozenset(name.lower().encode() for name in headers if name),
        need=handler.opt[NEED],
        said=handler.opt.get(ON_FAILURE),
        status=handler.status_code,
        body_limit=handler.resolve_request_max_body_size() or math.inf,
        answer=answer,
    )


def _pattern(path: str, templates: Iterable[str]) -> re.Pattern[str]:
    """Return what the paths look like that Litestar takes for this one.

    Where a word of another path stands it follows that, and never turns back.
    """
    pieces, *others = (_PARAMETER.sub("{}", template).split("/") for template in (path, *templates))
    names = iter(_PARAMETER.findall(path))
    pattern = []
    for place, piece in enumerate(pieces):
        if piece == "{}":
            beside = {other[place] for other in others if len(other) > place and other[:place] == pieces[:place]}
            words = "|".join(map(re.escape, sorted(beside - {"{}"})))
            pattern.append((f"(?!(?:{words})(?:/|$))" if words else "") + f"(?P<{next(names)}>[^/]+)")
        else:
            pattern.append(re.escape(piece))
    return re.compile("/".join(pattern))


def _unusual(scope: Scope, route: HotRoute, parameters: Mapping[str, str]) -> bool:
    if scope["query_string"] or scope.get("root_path"):
        return True
    for name, value in scope["headers"]:
        if name in route.headers or (name == b"host" and not _PLAIN_HOST.fullmatch(value)):
            return True
    return not acceptable(parameters, route.expected)
