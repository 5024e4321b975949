"""The processes: serving HTTP, working off jobs, and both with a database on one machine."""

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
import uvicorn
from litestar import Litestar
from rich.console import Console

from service import app, db, demo, operations, worker
from service.decisions.artefacts import read_policy
from service.kernel import DomainError
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.settings import Settings
from service.telemetry import Telemetry
from service.web.openapi import document

T = TypeVar("T")

_STOPS = (signal.SIGINT, signal.SIGTERM)


class PortTaken(DomainError):
    """Another program listens there."""

    code = "port_taken"


class Server(uvicorn.Server):
    """Says when it is ready, and ends by returning: whoever started it cleans up behind it."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for stop in _STOPS:
            loop.add_signal_handler(stop, self.handle_exit, stop, None)
        yield
        for stop in _STOPS:
            loop.remove_signal_handler(stop)


def up(settings: Settings, *, demo: bool, console: Console) -> None:
    """Run everything on this machine until a signal comes."""
    with _listen(settings) as listener:
        if settings.database_url:
            _up(settings, operations.external(settings, settings.database_url), listener, demo, console)
            return
        with EmbeddedPostgres(settings.data) as urls:
            _up(settings, urls, listener, demo, console)


def _up(settings: Settings, urls: DatabaseUrls, listener: socket.socket, with_demo: bool, console: Console) -> None:
    operations.apply_migrations(urls)
    token = _demo_token(settings, urls) if with_demo else None
    # a person reads this terminal: only what went wrong belongs beside the demo
    telemetry = _telemetry(msgspec.structs.replace(settings, log_level="warning"))
    _run(_run_all(settings, urls, listener, token, console, telemetry))


async def _run_all(
    settings: Settings,
    urls: DatabaseUrls,
    listener: socket.socket,
    token: str | None,
    console: Console,
    telemetry: Telemetry,
) -> None:
    ready, stop = asyncio.Event(), asyncio.Event()
    async with app.running(settings, urls, telemetry) as application:
        server = Server(_config(application), ready.set)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        working = asyncio.create_task(worker.work(urls.worker, telemetry, stop))
        showing = asyncio.create_task(_welcome(_url(listener), token, ready, console))
        # whichever ends first ends the others: a server without its worker would pile up work unseen
        await asyncio.wait({serving, working}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        stop.set()
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
        await asyncio.gather(serving, working)


async def _welcome(url: str, token: str | None, ready: asyncio.Event, console: Console) -> None:
    await ready.wait()
    _announce(url)
    if token is not None:
        api = demo.Api(url, token)
        await asyncio.to_thread(demo.load, api, app.utc_now(), app.new_id)
        await asyncio.to_thread(demo.ask, api, console)


def serve(settings: Settings) -> None:
    """Serve HTTP until a signal comes."""
    with _listen(settings) as listener, operations.database(settings) as urls:
        _run(_serve(settings, urls, listener))


async def _serve(settings: Settings, urls: DatabaseUrls, listener: socket.socket) -> None:
    async with app.running(settings, urls, _telemetry(settings)) as application:
        server = Server(_config(application), lambda: _announce(_url(listener)))
        await server.serve(sockets=[listener])


def work(settings: Settings) -> None:
    """Work off jobs until a signal comes."""
    with operations.database(settings) as urls:
        _run(_work(urls.worker, _telemetry(settings)))


async def _work(url: str, telemetry: Telemetry) -> None:
    stop = asyncio.Event()
    for sign in _STOPS:
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    await worker.work(url, telemetry, stop)


def openapi() -> bytes:
    """Return the OpenAPI document. Needs no database."""
    return _run(_openapi())


async def _openapi() -> bytes:
    settings, nowhere = Settings(local_issuer=False), "postgresql://nobody@localhost/nothing"
    telemetry, policy = _telemetry(settings), read_policy(app.BUILD)
    async with app.policy_engine(settings, policy) as judge:
        ring = app.key_ring(settings, telemetry, app.utc_now)
        return document(app.assemble(settings, db.engine(nowhere), db.pool(nowhere), ring, judge, policy, telemetry))


def _run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on the loop that uvicorn would choose: uvloop, where it can be had."""
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        return runner.run(main)


def _demo_token(settings: Settings, urls: DatabaseUrls) -> str:
    local = msgspec.structs.replace(
        settings, database_url=urls.app, owner_database_url=urls.owner, worker_database_url=urls.worker
    )
    operations.add_tenant(local, demo.TENANT)
    return operations.sign_token(local, demo.TENANT, demo.SCOPE, None, timedelta(hours=12))


def _telemetry(settings: Settings) -> Telemetry:
    telemetry = Telemetry(app.utc_now, level=settings.log_level)
    telemetry.adopt_library_loggers()
    return telemetry


def _config(application: Litestar) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=10,
        lifespan="off",
    )


@contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    """Bind first: a port that is taken must not cost a database start.

    Raises:
        PortTaken: by another program.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # head and body of an answer are two writes: without this each would cost a delayed acknowledgement, 40 ms
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        raise PortTaken(f"can't listen on {where} ({error.strerror}); choose another with --port") from None
    with listener:
        yield listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announce(url: str) -> None:
    print(f"ready {url}", flush=True)  # noqa: T201 -- the line that scripts wait for
