"""`GET /metrics` of the worker, where a port is named for it. Nothing else is there."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar

from service.server import Server, configured
from service.telemetry import Telemetry
from service.web.health import measured


@asynccontextmanager
async def measuring(listener: socket.socket, telemetry: Telemetry, stop: asyncio.Event) -> AsyncIterator[None]:
    """Answer meanwhile; if that ends, so does the rest."""
    port = listener.getsockname()[1]
    application = Litestar([measured(telemetry.expose)], openapi_config=None)
    server = Server(configured(application), lambda: telemetry.log.info("worker_measured", port=port))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    serving.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        server.should_exit = True
        await serving
