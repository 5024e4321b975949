"""One request, played to a site twice: as it comes, and so that the table in front of Litestar stands aside."""

from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Litestar
from msgspec import Struct

ASIDE = "/nowhere"
"""A root path, which the table leaves to Litestar, and which Litestar finds in no path."""
REQUEST_ID = (b"x-request-id", b"01981234-5678-7abc-8def-0123456789ab")


class Sent(Struct, frozen=True, kw_only=True):
    """A request as a server hands it over."""

    method: str = "POST"
    path: str
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    chunks: tuple[bytes, ...] = ()
    gone: bool = False
    """Whether the client goes away after the last chunk, although it announced more."""

    def messages(self) -> Iterator[dict[str, Any]]:
        chunks = self.chunks or (b"",)
        for chunk in chunks[:-1]:
            yield {"type": "http.request", "body": chunk, "more_body": True}
        yield {"type": "http.request", "body": chunks[-1], "more_body": self.gone}
        while True:
            yield {"type": "http.disconnect"}


class Played(Struct, frozen=True, kw_only=True):
    """What a client sees, without what is new each time, and what telemetry is told."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: Any
    template: str | None
    caller: Any


async def play(site: Litestar, sent: Sent, *, aside: bool) -> tuple[Played, bool]:
    """Return the answer, and whether the table gave it."""
    scope: Any = {
        "type": "http",
        "method": sent.method,
        "path": sent.path,
        "raw_path": sent.path.encode(),
        "query_string": sent.query,
        "root_path": ASIDE if aside else "",
        "http_version": "1.1",
        "headers": [REQUEST_ID, *sent.headers],
    }
    messages = sent.messages()
    answered: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        answered.append(message)

    await site(scope, receive, send)
    start, *rest = answered
    content = b"".join(message.get("body", b"") for message in rest)
    played = Played(
        status=start["status"],
        headers=sorted(start["headers"]),
        body=_lasting(content),
        template=scope.get("path_template"),
        caller=scope.get("user"),
    )
    return played, "path_template" in scope and "route_handler" not in scope


async def play_both(site: Litestar, sent: Sent) -> tuple[Played, Played, bool]:
    """Return the answers with and without the table, and whether the table gave the first."""
    first, by_table = await play(site, sent, aside=False)
    second, still = await play(site, sent, aside=True)
    assert not still, "the table did not stand aside"
    return first, second, by_table


def _lasting(content: bytes) -> Any:
    if not content:
        return content
    document = msgspec.json.decode(content)
    return {name: value for name, value in document.items() if name != "id"}
