"""Long streams of lines that are counted: an import's, in which every line has a number and blank ones too."""

from collections.abc import AsyncIterator
from typing import Final

from litestar.types import Receive

from service.web.lines import Gone

LONGEST: Final = 2 * 1024 * 1024
"""Bytes of a line: a document of a mebibyte in base64, and what stands around it."""


async def lines(receive: Receive, longest: int = LONGEST) -> AsyncIterator[bytes | None]:
    """Yield each line of a body without its end; ``None`` for one that is too long, of which nothing is kept.

    Raises:
        Gone: the client went away. The line it was at is not yielded.
    """
    held, skipping, more = bytearray(), False, True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            raise Gone
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
