"""The outer edge: request ids, safe headers, a line in the log, and silence about bugs."""

import re
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from types import MappingProxyType
from typing import Any, Final, Protocol

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service.web.problems import Answer, Problems, Refusal

BODY_LIMIT: Final = 1024 * 1024
AT_ONCE: Final = 128
"""Requests under way. More of them make each wait longer, and none faster."""
PAUSE: Final = 1
"""Seconds after which one that was refused may come again."""
ALWAYS_IN: Final = ("/health/", "/metrics")
"""What tells how it goes must be told then as well."""

_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_CLOSED: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_NO_STORE: Final = (b"cache-control", b"no-store")
_KEPT: Final = ("/v1/audit/tile/", "/v1/permits/revoked")
"""What tells nothing about anybody, and says itself how long it may be kept."""
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class Observer(Protocol):
    """Learns of each finished request and of each bug. `service.telemetry.Telemetry` is one."""

    def request(self, scope: Any, status: int, seconds: float) -> None: ...
    def bug(self, error: BaseException, request_id: str) -> None: ...
    def in_progress(self, count: Callable[[], int], limit: int) -> None: ...
    def overloaded(self) -> None: ...


NewRequestId = Callable[[], object]
"""Makes ids that read as UUIDs. Only the text counts."""


class Edge:
    """Wraps the whole application.

    A request id is taken from `X-Request-Id` if it is a UUID, and made otherwise: free
    text could be a name, and the id goes into logs and the audit. It is in
    ``scope["state"]["request_id"]``.

    While `at_once` requests are under way one more is refused, before anything of it is read: a queue would only make
    all of them late. `said` is what failures say, by method and path.
    """

    def __init__(
        self,
        app: ASGIApp,
        observer: Observer,
        new_id: NewRequestId,
        *,
        hsts: bool,
        at_once: int = AT_ONCE,
        said: Mapping[tuple[str, str], Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._at_once = at_once
        self._said = said
        self._under_way = 0
        observer.in_progress(lambda: self._under_way, at_once)
        self._observer = observer
        self._new_id = new_id
        self._problems = Problems({}, observer.bug)
        self._public = (*_ALWAYS, _HSTS) if hsts else _ALWAYS
        self._private = (*self._public, _NO_STORE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        status = 0
        path = scope["path"]
        safe = self._private if path.startswith("/v1") and not path.startswith(_KEPT) else self._public
        request_id = _given(scope["headers"]) or str(self._new_id())
        scope.setdefault("state", {})["request_id"] = request_id

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], *safe, (b"x-request-id", request_id.encode())]
                if not any(name == b"content-security-policy" for name, _ in headers):
                    headers.append(_CLOSED)
                message["headers"] = headers
            await send(message)

        full = self._under_way >= self._at_once
        if full and scope["type"] == ScopeType.HTTP and not path.startswith(ALWAYS_IN):
            self._observer.overloaded()
            refusal = Refusal("overloaded", headers={"retry-after": str(PAUSE)})
            said = self._said.get((scope["method"], path))
            await send_problem(self._problems.answer(refusal, request_id, said), answer)
            self._observer.request(scope, status, perf_counter() - started)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, answer)
        except Exception as error:  # noqa: BLE001  uvicorn would log the message of the error
            await self._fail(error, request_id, answer, started=bool(status))
        finally:
            self._under_way -= 1
            self._observer.request(scope, status, perf_counter() - started)

    async def _fail(self, error: Exception, request_id: str, answer: Send, *, started: bool) -> None:
        """Answer if nothing was sent yet. Otherwise the server cuts the connection, and half an answer is none."""
        if started:
            self._observer.bug(error.__cause__ or error, request_id)
            return
        await send_problem(self._problems.answer(error, request_id), answer)


class Options:
    """ASGI middleware behind the router: answers `OPTIONS`, without a token.

    Litestar's own answer names the methods of the handler that was registered first.
    """

    def __init__(self, app: ASGIApp, allowed: Mapping[str, str]) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "OPTIONS":
            await self._app(scope, receive, send)
            return
        headers = [(b"allow", self._allowed[scope["path_template"]].encode())]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def send_problem(answer: Answer, send: Send) -> None:
    """Answer with a problem, without Litestar."""
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _given(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"x-request-id":
            return value.decode() if _UUID.fullmatch(value) else None
    return None
