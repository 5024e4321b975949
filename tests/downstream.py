"""Connected systems to be told: real servers on this machine, which answer as a test says and remember what came."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from service.kernel import Clock


class Heard(msgspec.Struct, frozen=True):
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def told(self) -> Any:
        return msgspec.json.decode(self.body)["data"]


Answers = Callable[[Heard], web.Response]


class System:
    """A connected system. `answers` may be exchanged at any time."""

    def __init__(self, answers: Answers | None = None) -> None:
        self.answers: Answers = answers or (lambda _: web.Response(status=202))
        self.heard: list[Heard] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        heard = Heard(request.method, request.path_qs, headers, await request.read())
        self.heard.append(heard)
        return self.answers(heard)


@asynccontextmanager
async def listening(system: System, port: int = 0) -> AsyncIterator[System]:
    """Have a system listen on this machine."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", system.handle)
    runner = web.AppRunner(application, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    try:
        [(host, port)] = [address[:2] for address in runner.addresses]
        system.url = f"http://{host}:{port}"
        yield system
    finally:
        await runner.cleanup()


def confirmed(heard: Heard) -> web.Response:
    """Confirm at once, in the answer."""
    return web.json_response({"task": heard.told["task"], "outcome": "confirmed"})


def signed(secret: str, message: str, body: bytes, clock: Clock, *, seconds: int = 0) -> dict[str, str]:
    """Return the headers by which a system signs, written from the specification and by nothing of ours."""
    at = str(int(clock().timestamp()) + seconds)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        "content-type": "application/json",
    }
