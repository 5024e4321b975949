"""What handlers return, on its way out."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response
from litestar.types import ASGIApp, Receive, Scope, Send

T = TypeVar("T")


class StructResponse(Response[T]):
    """The answer of a handler that returns a struct: JSON, and its length.

    Litestar's own goes over headers, cookies and encoders that nobody has set, which costs
    several times what the encoding does.
    """

    status_code: int

    def __init__(self, content: T, *, status_code: int, **_: Any) -> None:
        self.content = content
        self.status_code = status_code

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **_: Any) -> ASGIApp:  # type: ignore[override]
        return self.send

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_json(msgspec.json.encode(self.content), self.status_code, send)


async def send_json(body: bytes, status: int, send: Send, headers: Mapping[str, str] = MappingProxyType({})) -> None:
    """Answer with a body of JSON, without Litestar."""
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    head += [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body, "more_body": False})
