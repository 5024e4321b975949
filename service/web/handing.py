"""Files that are handed out once: who hands them out learns whether all of it left."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing

from litestar.types import Receive, Scope, Send

from service.web.lines import Gone, PartResponse, patiently

Ended = Callable[[bool], Awaitable[None]]
"""Takes whether the last byte left while the client was there."""


class HandedResponse(PartResponse):
    """Answers with parts, and tells at the end how it went, whatever ends it."""

    def __init__(self, parts: AsyncGenerator[bytes], headers: Mapping[str, str], ended: Ended) -> None:
        super().__init__(parts, headers)
        self._ended = ended

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole, leaving = False, asyncio.ensure_future(_left(receive))
        try:
            await patiently(send, {"type": "http.response.start", "status": 200, "headers": self._head})
            held = b""  # the last part leaves only while the client is there, and then all has left
            async with aclosing(self._parts) as parts:
                async for part in parts:
                    if held:
                        await patiently(send, {"type": "http.response.body", "body": held, "more_body": True})
                        await asyncio.sleep(0)  # for the news of a leave
                    if leaving.done():
                        return
                    held = part
            await patiently(send, {"type": "http.response.body", "body": held, "more_body": False})
            whole = True
        except Gone:
            return
        finally:
            leaving.cancel()
            await asyncio.shield(self._ended(whole))


async def _left(receive: Receive) -> None:
    """Return once the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        continue
