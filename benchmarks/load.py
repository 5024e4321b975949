"""A closed-loop HTTP client: each connection sends its next request when it has the last answer.

Plain sockets and the least parsing that is safe against our own servers, so that on two
cores the client is not what is measured.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import cast

_PIECE = 64 * 1024
Request = Callable[[int], bytes]
"""Makes the n-th request, complete with head and body."""


@dataclass(frozen=True)
class Measured:
    count: int
    rate: float
    """Answers a second, errors included."""
    errors: int
    p50: float
    """Milliseconds."""
    p99: float


def request(method: str, path: str, *, token: str = "", body: bytes = b"") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "host: bench.example"]
    if token:
        head.append(f"authorization: Bearer {token}")
    if body:
        head += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request under way."""

    def __init__(self, make: Request, numbers: Iterator[int], until: float, spans: list[float]) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.errors = 0
        self._make = make
        self._numbers = numbers
        self._until = until
        self._spans = spans
        self._received = b""
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._send()

    def _send(self) -> None:
        self._started = time.perf_counter()
        if self._started >= self._until:
            self._transport.close()
            return
        self._transport.write(self._make(next(self._numbers)))

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._received += data
            head, end, body = self._received.partition(b"\r\n\r\n")
            if not end:
                return
            self.errors += head[9:10] != b"2"
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            self._missing = int(length) - len(body)
            self._received = b""
        if not self._missing:
            self._spans.append(time.perf_counter() - self._started)
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if error:
            self.errors += 1
        self.ended.set_result(None)


async def _all(port: int, connections: int, seconds: float, make: Request, first: int) -> Measured:
    spans: list[float] = []
    numbers = count(first)
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    opened = [
        (await loop.create_connection(lambda: Connection(make, numbers, start + seconds, spans), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.ended for connection in opened))
    took = time.perf_counter() - start
    spans.sort()
    return Measured(
        count=len(spans),
        rate=len(spans) / took,
        errors=sum(connection.errors for connection in opened),
        p50=spans[len(spans) // 2] * 1000,
        p99=spans[int(len(spans) * 0.99)] * 1000,
    )


def measure(port: int, connections: int, seconds: float, make: Request, *, first: int = 0) -> Measured:
    """Load `port` with `connections` for `seconds` and say how it answered."""
    import uvloop

    return uvloop.run(_all(port, connections, seconds, make, first))


async def exchange(port: int, path: str, token: str, body: bytes) -> bytes:
    """Post lines, and return the answer, which is read while they are sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    head = request("POST", path, token=token, body=body)[: -len(body)]
    writer.write(
        head.replace(b"application/json", b"application/x-ndjson").replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
    )

    async def send() -> None:
        for place in range(0, len(body), _PIECE):
            writer.write(body[place : place + _PIECE])
            await writer.drain()

    _, answer = await asyncio.gather(send(), reader.read())
    writer.close()
    return answer
