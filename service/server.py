"""The HTTP server, as all our processes run it."""

import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from litestar import Litestar

from service.web.protocol import HttpProtocol


class Server(uvicorn.Server):
    """Says when it is ready, and leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What stands now lives as long as the process: a full collection that walked it would stop the loop for 0.1 s.
        gc.collect()
        gc.freeze()
        # Requests leave hardly any cycles, and each collection walks all that are under way.
        gc.set_threshold(50_000, 20, 100)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def configured(application: Litestar) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=HttpProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks for the client's address
        date_header=True,
        timeout_graceful_shutdown=10,
        lifespan="off",
    )
