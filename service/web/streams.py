"""Streams of JSON lines (NDJSON), in and out: of any length, in the memory of a few lines.

The answer begins while the body is still being read. Where a client reads slower than it sends, we stop reading.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from litestar import Request
from litestar.types import Receive, Scope, Send

from service.kernel import Caller, DomainError
from service.web.problems import Refusal

NDJSON: Final = "application/x-ndjson"
IN_LINES: Final = "in_lines"
"""An option of a handler that reads lines, and answers with lines: so its description says."""
LONGEST: Final = 2 * 1024 * 1024
"""Bytes of a line: a document of a mebibyte in base64, and what stands around it."""


class BrokenOff(Exception):
    """The client went away before the end of its body."""


def must_be_lines(request: Request[Caller, Any, Any]) -> None:
    """Refuse a body that says it is something else.

    Raises:
        Refusal: 415.
    """
    kinds = [value for name, value in request.scope["headers"] if name == b"content-type"]
    encoded = any(name == b"content-encoding" for name, _ in request.scope["headers"])
    if encoded or len(kinds) != 1 or kinds[0].partition(b";")[0].strip().lower() != NDJSON.encode():
        raise Refusal(
            "unsupported_media_type",
            f"This operation reads {NDJSON} in UTF-8, not compressed.",
            headers={"accept": NDJSON},
        )


async def lines(receive: Receive, longest: int = LONGEST) -> AsyncIterator[bytes | None]:
    """Yield each line of a body without its end; ``None`` for one that is too long, of which nothing is kept.

    Raises:
        BrokenOff: the client is gone. The line it was at is not yielded.
    """
    held, skipping, more = bytearray(), False, True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            raise BrokenOff
        more = event.get("more_body", False)
        *ended, rest = event.get("body", b"").split(b"\n")
        for piece in ended:
            held += piece
            yield None if skipping or len(held) > longest else bytes(held)
            held, skipping = bytearray(), False
        held += rest
        if len(held) > longest:
            held, skipping = bytearray(), True
    if held or skipping:
        yield None if skipping else bytes(held)


class LineAnswer:
    """An ASGI application that answers with the pieces of `body`, as they come.

    What fails once it has begun is said by `ending`, as the last line: the status is sent by then.
    """

    def __init__(self, body: AsyncIterator[bytes], ending: Callable[[DomainError], bytes]) -> None:
        self._body = body
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", NDJSON.encode())]})
        try:
            async for piece in self._body:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except BrokenOff:
            return  # nobody listens any more
        except DomainError as error:
            await send({"type": "http.response.body", "body": self._ending(error), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
