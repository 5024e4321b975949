"""The table in front of Litestar: a few operations whose every microsecond counts.

The ordinary handler of each stays registered. It documents the operation, and answers
whatever is unusual about a request: parameters, a trailing slash, another method, an odd
`Host`. Who may ask, what a body is and how a refusal looks is said by the functions that
the ordinary routes use; `tests/api/test_twins.py` holds the two to the same answers.
"""

import math
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from service.kernel import Caller
from service.web.answers import send_json
from service.web.auth import NEED, Authenticates, Need, admit
from service.web.bodies import json_body
from service.web.limits import send_problem
from service.web.problems import ON_FAILURE, Problems

Thin = Callable[[Caller, bytes], Awaitable[Any]]
"""Answers a caller and a body with a struct. The ordinary handler of the operation calls the same function."""

_PLAIN_HOST: Final = re.compile(rb"[A-Za-z0-9.:-]*")
"""What Litestar lets pass as well; it judges all others."""


class HotRoute(Struct, frozen=True, kw_only=True):
    """An operation as its ordinary handler declares it, and its thin function."""

    template: str
    need: Need
    said: Mapping[str, Any] | None
    """What every failure of 500 and above says."""
    status: int
    body_limit: float
    answer: Thin


Table = Mapping[tuple[str, str], HotRoute]
"""The hot routes by method and path."""


class HotRoutes:
    """ASGI layer between the edge and Litestar, which answers what is in its table and is nothing unusual."""

    def __init__(self, app: ASGIApp, routes: Table, authenticator: Authenticates, problems: Problems) -> None:
        self._app = app
        self._routes = routes
        self._authenticator = authenticator
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == ScopeType.HTTP else None
        if route is None or _unusual(scope):
            await self._app(scope, receive, send)
            return
        scope["path_template"] = route.template
        try:
            caller = await admit(scope, self._authenticator, route.need, subject=None)
            body = await json_body(scope["headers"], receive, route.body_limit)
            answer = msgspec.json.encode(await route.answer(caller, body))
        except Exception as error:  # noqa: BLE001  Litestar hands every one over, too
            await send_problem(self._problems.answer(error, scope["state"]["request_id"], route.said), send)
        else:
            await send_json(answer, route.status, send)


def table(app: Litestar, thin: Mapping[str, Thin]) -> Table:
    """Return the table of the operations that have a `thin` function, by the id of the operation.

    Raises:
        ValueError: there is no such operation with a path of its own behind a token.
    """
    found = {}
    for path, method, handler in _operations(app):
        operation = handler.operation_id
        if isinstance(operation, str) and operation in thin:
            found[method, path] = _hot(path, handler, thin[operation])
    if len(found) != len(thin):
        raise ValueError("an operation that is to be hot is unknown")
    return found


def _operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                yield route.path_format, method, handler


def _hot(path: str, handler: HTTPRouteHandler, answer: Thin) -> HotRoute:
    if "{" in path or NEED not in handler.opt:
        raise ValueError("a hot route has a path of its own and needs a scope")
    return HotRoute(
        template=path,
        need=handler.opt[NEED],
        said=handler.opt.get(ON_FAILURE),
        status=handler.status_code,
        body_limit=handler.resolve_request_max_body_size() or math.inf,
        answer=answer,
    )


def _unusual(scope: Scope) -> bool:
    if scope["query_string"] or scope.get("root_path"):
        return True
    return any(name == b"host" and not _PLAIN_HOST.fullmatch(value) for name, value in scope["headers"])
