"""One Litestar application with everything its routes share. `service.app` fills in the routes."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from service.kernel import DomainError
from service.tracing import trace
from service.web.answers import StructResponse
from service.web.auth import Authenticates, Authentication
from service.web.bodies import LiteralRequest
from service.web.docs import docs
from service.web.hot import HotRoutes, Thin, table
from service.web.limits import AT_ONCE, BODY_LIMIT, Edge, NewRequestId, Observer, Options
from service.web.parameters import take_literally
from service.web.problems import ON_FAILURE, Problems

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[Any]]


def site(
    routes: Sequence[ControllerRouterHandler],
    *,
    statuses: Mapping[type[DomainError], int],
    dependencies: Mapping[str, Any],
    authenticator: Authenticates,
    observer: Observer,
    new_id: NewRequestId,
    hot: Mapping[str, Thin] | None = None,
    lifespan: Sequence[Lifespan] = (),
    body_limit: int = BODY_LIMIT,
    at_once: int = AT_ONCE,
    hsts: bool = False,
    otlp_endpoint: str | None = None,
) -> Litestar:
    """Return the application.

    `dependencies` are the use cases by name: handlers ask for them as `NamedDependency`.
    Every route needs a token unless its `opt` says `PUBLIC`. `hot` names the operations
    that are answered in front of Litestar, by the thin function that their handler calls.
    """
    problems = Problems(statuses, observer.bug)
    allowed: dict[str, str] = {}
    app = Litestar(
        [Router("/", route_handlers=[*routes, docs()])],  # two controllers on one path fail without a router
        dependencies={name: _provided(value) for name, value in dependencies.items()},
        middleware=[
            DefineMiddleware(Options, allowed=allowed),
            DefineMiddleware(Authentication, authenticator=authenticator),
        ],
        before_request=take_literally,
        exception_handlers={Exception: problems.handle},
        request_class=LiteralRequest,
        response_class=StructResponse,
        request_max_body_size=body_limit,
        lifespan=list(lifespan),
        logging_config=None,
        openapi_config=None,
    )
    allowed |= _methods(app)
    front = HotRoutes(app.asgi_handler, table(app, hot or {}), authenticator, problems)
    edge = Edge(front, observer, new_id, hsts=hsts, at_once=at_once, said=_said(app))
    app.asgi_handler = trace(edge, otlp_endpoint)
    return app


def _said(app: Litestar) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return what every failure of 500 and above says, by method and path without parameters."""
    found = {}
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if said := handler.opt.get(ON_FAILURE):
                    found[str(method), route.path_format] = said
    return found


def _methods(app: Litestar) -> dict[str, str]:
    """Return what to answer in `Allow`, by route template."""
    return {
        route.path_format: ", ".join(sorted(route.route_handler_map))
        for route in app.routes
        if isinstance(route, HTTPRoute)
    }


class _Provided(Provide):
    """Hands out one object. For each handler Litestar compares each of them with each: identity is told at once."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def _provided(value: Any) -> Provide:
    """Hand out one object, which Litestar keeps: a coroutine, because a plain function costs a thread hop."""

    async def provide() -> Any:
        return value

    return _Provided(provide, use_cache=True)
