"""Lines of JSON, answered while they arrive: as much memory for a million as for one.

The next piece of the request is taken when the answers to the one before have left, so whoever reads slowly is asked
slowly, and the client must read while it sends. A client that goes away ends the work, also on lines that had come.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

from litestar import Request, Response
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from service.web.faults import Fault
from service.web.problems import Refusal

NDJSON: Final = "application/x-ndjson"
LINES: Final = "lines"
"""Where `lined` stands in the `opt` of a handler."""
LONGEST: Final = 64 * 1024
"""Bytes of a line, unless an operation says otherwise."""
CHUNK: Final = 250
"""Lines that are worked on together, at most."""
GATHERED: Final = 0.05
"""Seconds that lines wait for more to come, where many are to be worked on together."""
HEAPED: Final = 8 * 1024 * 1024
"""Bytes of lines that are gathered, at most."""
AHEAD: Final = 256 * 1024
"""Bytes of lines that may lie here while others are worked on: behind them could be that the client has gone."""
PATIENCE: Final = 60.0
"""Seconds that the client may let the answer lie."""
CSV: Final = "text/csv"
ARROW: Final = "application/vnd.apache.arrow.stream"


T = TypeVar("T")


class Gone(Refusal):
    """The client went away, or doesn't read what it is told."""

    def __init__(self) -> None:
        super().__init__("invalid_request", "The body ended too early.")


class Lined(Struct, frozen=True):
    """What the lines of an operation are, for the OpenAPI document."""

    first: Any
    further: Any
    answers: tuple[Any, ...]
    also: tuple[str, ...] = ()
    """Other media types in which it reads, or where it reads none, writes."""


def lined(first: Any, further: Any, *answers: Any, also: tuple[str, ...] = ()) -> dict[str, Lined]:
    """Return the `opt` of a handler that reads and writes lines; `also` are other media types that it reads."""
    return {LINES: Lined(first, further, answers, also)}


def told(*answers: Any, also: tuple[str, ...] = ()) -> dict[str, Lined]:
    """Return the `opt` of a handler that reads no lines and writes some; `also` are other media types of them."""
    return {LINES: Lined(None, None, answers, also)}


def _spelled(kind: str) -> tuple[bytes, ...]:
    return kind.encode(), f"{kind}; charset=utf-8".encode(), f"{kind};charset=utf-8".encode()


async def begun(told: AsyncIterator[T], refusal: type[Exception]) -> AsyncIterator[T]:
    """Return the same when the first of it is there: until then a `refusal` is raised, and the whole is refused."""
    first: list[T] = []
    failed: Exception | None = None
    try:
        first.append(await anext(told))
    except refusal:
        raise
    except Exception as error:  # noqa: BLE001 -- it is raised where the rest is read
        failed = error

    async def everything() -> AsyncIterator[T]:
        if failed is not None:
            raise failed
        for each in first:
            yield each
        async for each in told:
            yield each

    return everything()


class Lines:
    """The lines of a request, as they arrive, without their ends and the blanks around them.

    Blank ones count for nothing, unless `blank` has them counted: then they are empty.
    """

    def __init__(self, receive: Receive, *, longest: int = LONGEST, blank: bool = False, kind: str = NDJSON) -> None:
        self._receive = receive
        self.kind = kind
        """What the request says it is."""
        self._longest = longest
        self._blank = blank
        self._buffer = b""
        self._waiting: list[bytes | None] = []
        self._lying = 0
        """Bytes of the lines that wait."""
        self._skipping = False
        self._more = True
        self._coming: asyncio.Future[Any] | None = None
        """The next event, which is asked for while lines are worked on: it may be that the client has gone."""

    @classmethod
    def of(
        cls,
        request: Request[Any, Any, Any],
        *,
        longest: int = LONGEST,
        blank: bool = False,
        kinds: Sequence[str] = (NDJSON,),
    ) -> "Lines":
        """Raises: Refusal: 415; the request says it is something else."""
        said = [value.lower() for name, value in request.scope["headers"] if name == b"content-type"]
        encoded = any(name == b"content-encoding" for name, _ in request.scope["headers"])
        kind = next((kind for kind in kinds if len(said) == 1 and said[0] in _spelled(kind)), None)
        if kind is None or encoded:
            detail = f"This operation reads {' or '.join(kinds)} in UTF-8, not compressed."
            raise Refusal("unsupported_media_type", detail, headers={"accept": ", ".join(kinds)})
        return cls(request.receive, longest=longest, blank=blank, kind=kind)

    async def first(self) -> bytes:
        """Return the first line.

        Raises:
            Refusal: 400; there is none, or the client went away. 413; it is too long.
        """
        await self._arrival()
        if not self._waiting:
            fault = Fault(pointer="", detail="A first line of JSON is required")
            raise Refusal("invalid_request", "The body is malformed.", faults=(fault,))
        line = self._waiting.pop(0)
        if line is None:
            raise Refusal("body_too_large")
        return line

    async def chunks(self, most: int = CHUNK) -> AsyncIterator[Sequence[bytes | None]]:
        """Yield the further lines as they come, `most` at a time; one that is too long is ``None``.

        With more than `CHUNK` they are gathered as long as they keep coming.

        Raises:
            Gone
        """
        try:
            while True:
                await self._arrival()
                if not self._waiting:
                    return
                while CHUNK < most > len(self._waiting) and self._lying < HEAPED and self._more and await self._soon():
                    self._accept(await self._next())
                chunk, self._waiting = self._waiting[:most], self._waiting[most:]
                self._lying = sum(len(line or b"") for line in self._waiting)
                self._look_ahead()
                yield chunk
                if self._coming is not None and self._coming.done():
                    self._accept(await self._next())
        finally:
            if self._coming is not None:
                self._coming.cancel()

    async def _arrival(self) -> None:
        """Wait until a line is there, or all have been."""
        while not self._waiting and self._more:
            self._accept(await self._next())

    async def _soon(self) -> bool:
        """Wait a moment for what comes next."""
        if self._coming is None:
            self._coming = asyncio.ensure_future(self._receive())
        await asyncio.wait([self._coming], timeout=GATHERED)
        return self._coming.done()

    def _look_ahead(self) -> None:
        """Ask for what comes next, unless much lies here already. After the last line that is the news of a leave."""
        if self._coming is None and self._lying < AHEAD:
            self._coming = asyncio.ensure_future(self._receive())

    async def _next(self) -> Any:
        event = await (self._receive() if self._coming is None else self._coming)
        self._coming = None
        return event

    def _accept(self, event: Any) -> None:
        if event["type"] != "http.request":
            raise Gone
        self._more = event.get("more_body", False)
        self._take(event.get("body", b""))
        if not self._more and (self._buffer or self._skipping):
            self._take(b"\n")

    def _take(self, part: bytes) -> None:
        *whole, rest = (self._buffer + part).split(b"\n")
        for line in whole:
            if self._skipping or len(line) > self._longest:
                self._waiting.append(None)
                self._skipping = False
            elif (line := line.strip(b" \t\r")) or self._blank:
                self._waiting.append(line)
                self._lying += len(line)
        if len(rest) > self._longest:
            self._skipping = True
        self._buffer = b"" if self._skipping else rest


class PartResponse(Response[bytes]):
    """Answers with parts as they are made. What fails in the middle cuts the answer off: half of it is none.

    Where the whole request `was_read`, the news that its client has gone ends the work; an empty part asks for it.
    """

    def __init__(self, parts: AsyncGenerator[bytes], headers: Mapping[str, str], *, was_read: bool = False) -> None:
        super().__init__(b"", headers=dict(headers), media_type=headers["content-type"])
        self._parts = parts
        self._was_read = was_read
        self._head = [(name.encode(), value.encode()) for name, value in headers.items()]

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **_: Any) -> ASGIApp:  # type: ignore[override]
        return self.send

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.ensure_future(receive()) if self._was_read else None
        try:
            await patiently(send, {"type": "http.response.start", "status": 200, "headers": self._head})
            async with aclosing(self._parts) as parts:
                async for part in parts:
                    if leaving is not None and leaving.done():
                        return
                    if part:
                        await patiently(send, {"type": "http.response.body", "body": part, "more_body": True})
            await patiently(send, {"type": "http.response.body", "body": b"", "more_body": False})
        except Gone:
            return
        finally:
            if leaving is not None:
                leaving.cancel()


class LineResponse(PartResponse):
    """Answers with lines."""

    def __init__(self, lines: AsyncGenerator[bytes]) -> None:
        super().__init__(lines, {"content-type": NDJSON})


async def patiently(send: Send, message: Any) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await send(message)
    except TimeoutError:
        raise Gone from None
