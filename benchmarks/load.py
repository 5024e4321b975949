"""A closed-loop HTTP client: each connection sends its next request when it has the last answer.

Plain sockets and the least parsing that is safe against our own servers, so that on two
cores the client is not what is measured.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

Request = Callable[[int], bytes]
"""Makes the n-th request, complete with head and body."""


@dataclass(frozen=True)
class Measured:
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


async def _one(port: int, numbers: Iterator[int], make: Request, until: float, spans: list[float]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    errors = 0
    try:
        while (start := time.perf_counter()) < until:
            writer.write(make(next(numbers)))
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length))
            errors += head[9:10] != b"2"
            spans.append(time.perf_counter() - start)
    finally:
        writer.close()
    return errors


async def _all(port: int, connections: int, seconds: float, make: Request, first: int) -> Measured:
    spans: list[float] = []
    numbers = count(first)
    start = time.perf_counter()
    errors = await asyncio.gather(
        *(_one(port, numbers, make, start + seconds, spans) for _ in range(connections))
    )
    took = time.perf_counter() - start
    spans.sort()
    return Measured(
        rate=len(spans) / took,
        errors=sum(errors),
        p50=spans[len(spans) // 2] * 1000,
        p99=spans[int(len(spans) * 0.99)] * 1000,
    )


def measure(port: int, connections: int, seconds: float, make: Request, *, first: int = 0) -> Measured:
    """Load `port` with `connections` for `seconds` and say how it answered."""
    import uvloop

    return uvloop.run(_all(port, connections, seconds, make, first))
