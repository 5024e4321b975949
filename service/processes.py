"""The processes: serving HTTP, working off jobs, and both with a database on one machine."""

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, Final, NoReturn, TypeVar

import msgspec
import uvicorn
from litestar import Litestar
from rich.console import Console

from service import (
    activation,
    app,
    attesting,
    courier,
    databases,
    db,
    demo,
    dropping,
    eraser,
    exporter,
    operations,
    packager,
    replies,
    sequencer,
    worker,
    workers,
)
from service.decisions.artefacts import read_policy
from service.desk import couriers
from service.kernel import SCOPES, TenantId
from service.laws import activated_laws
from service.listening import announce, bound, listen, url_of
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.root_keys import guarded_root_keys, root_keys
from service.settings import Settings
from service.telemetry import Telemetry
from service.web.health import measured
from service.web.openapi import document
from service.web.protocol import HttpProtocol

T = TypeVar("T")
Tokens = tuple[str, str]
"""One that may do everything, and one of the person who asks what is kept about her."""
Asked = Callable[[], bool]
"""Whether a signal has asked for the end."""
_STOP: Final = (signal.SIGINT, signal.SIGTERM)


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


def up(settings: Settings, *, demo: bool, console: Console) -> None:
    """Run everything on this machine until a signal comes."""
    _leave_no_core()
    with _until_signalled() as asked, listen(settings) as listener, ExitStack() as stack:
        with console.status("Starting the database"):
            if settings.database_url:
                urls = databases.external(settings, settings.database_url)
            else:
                urls = stack.enter_context(EmbeddedPostgres(settings.data))
            _migrate(urls)
        databases.refuse_unguarded_app(urls)
        databases.refuse_unguarded_worker(urls)
        tokens = _demo_tokens(settings, urls) if demo else None
        _run_until_asked(_run_all(settings, urls, listener, tokens, console), asked)


async def _run_all(
    settings: Settings, urls: DatabaseUrls, listener: socket.socket, tokens: Tokens | None, console: Console
) -> None:
    # a person reads this terminal: only what went wrong belongs beside the demo
    telemetry = _telemetry(msgspec.structs.replace(settings, log_level="warning"))
    ready = asyncio.Event()
    async with _until_asked() as stop, app.running(settings, urls, telemetry) as application:
        server = Server(_config(application), ready.set)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        working = asyncio.create_task(_in_background(settings, urls, telemetry, stop))
        showing = asyncio.create_task(_welcome(settings, url_of(listener), tokens, ready, console))
        # whichever ends first ends the others: a server without its worker would pile up work unseen
        serving.add_done_callback(lambda _: stop.set())
        working.add_done_callback(lambda _: stop.set())
        showing.add_done_callback(lambda shown: stop.set() if shown.cancelled() or shown.exception() else None)
        await stop.wait()
        server.should_exit = True
        showing.cancel()
        outcomes = await asyncio.gather(serving, working, showing, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def _welcome(settings: Settings, url: str, tokens: Tokens | None, ready: asyncio.Event, console: Console) -> None:
    await ready.wait()
    announce(url)
    if tokens is not None:
        api, anna = (demo.Api(url, token) for token in tokens)
        try:
            await asyncio.to_thread(demo.load, api, app.utc_now(), app.new_id)
            await asyncio.to_thread(demo.ask, api, console)
            await asyncio.to_thread(demo.show, api, anna, settings.data / "demo-anna.zip", console)
            await asyncio.to_thread(demo.hand_out, api, settings.data / "demo-pack.zip", console)
            await asyncio.to_thread(demo.forget, api, settings.data, console)
        except demo.DemoErased as erased:
            console.print(f"The demo ends here: {erased}\n", markup=False, highlight=False)
    console.print(f"Every operation: {url}/docs    Stop with Ctrl-C.\n", highlight=False)


def migrate(settings: Settings) -> None:
    """Bring the database to the present schema."""
    with databases.database(settings) as urls:
        _migrate(urls)


def _migrate(urls: DatabaseUrls) -> None:
    databases.apply_migrations(urls)
    activation.keep_shipped(urls)


def serve(settings: Settings) -> None:
    """Serve HTTP until a signal comes."""
    _leave_no_core()
    with _until_signalled() as asked, listen(settings) as listener, databases.migrated(settings) as urls:
        databases.refuse_unguarded_app(urls)
        _run_until_asked((_serve if settings.workers == 1 else _serve_together)(settings, urls, listener), asked)


async def _serve(settings: Settings, urls: DatabaseUrls, listener: socket.socket) -> None:
    async with _until_asked() as stop:
        await _answer(settings, urls, listener, _telemetry(settings), lambda: announce(url_of(listener)), stop)


async def _answer(
    settings: Settings,
    urls: DatabaseUrls,
    listener: socket.socket,
    telemetry: Telemetry,
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    async with app.running(settings, urls, telemetry) as application:
        server = Server(_config(application), ready)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        serving.add_done_callback(lambda _: stop.set())
        await stop.wait()
        server.should_exit = True
        await serving


async def _serve_together(settings: Settings, urls: DatabaseUrls, listener: socket.socket) -> None:
    """Have several processes answer. This one holds the database and the port, and starts again who dies."""
    with TemporaryDirectory(prefix="volens-") as meeting:
        async with _until_asked() as stop:
            await workers.supervise(
                partial(_serve_one, settings, urls, listener, Path(meeting)),
                settings.workers,
                _telemetry(settings),
                lambda: announce(url_of(listener)),
                stop,
                listener.close,
            )


def _serve_one(
    settings: Settings, urls: DatabaseUrls, listener: socket.socket, meeting: Path, number: int, link: Connection
) -> None:
    """Serve as one of several processes: the first thing that a new one does. `link` is told once it answers."""
    _leave_no_core()
    telemetry = _telemetry(settings)
    with workers.complaining(telemetry), _until_signalled() as asked:
        _run_until_asked(_answer_beside(settings, urls, listener, meeting, number, link, telemetry), asked)


async def _answer_beside(
    settings: Settings,
    urls: DatabaseUrls,
    listener: socket.socket,
    meeting: Path,
    number: int,
    link: Connection,
    telemetry: Telemetry,
) -> None:
    parent = parent_process()
    async with _until_asked() as stop, workers.measured_together(meeting, number, telemetry):
        if parent is not None:  # nobody would start us again, and the database is gone with it
            asyncio.get_running_loop().add_reader(parent.sentinel, stop.set)
        await _answer(settings, urls, listener, telemetry, lambda: link.send_bytes(b"ready"), stop)


def work(settings: Settings) -> None:
    """Work off jobs until a signal comes."""
    _leave_no_core()
    with _until_signalled() as asked, ExitStack() as stack:
        listener = None
        if settings.work_port is not None:
            other = "choose another with VOLENS_HOST and VOLENS_WORK_PORT"
            listener = stack.enter_context(bound(settings.host, settings.work_port, other))
        urls = stack.enter_context(databases.migrated(settings))
        databases.refuse_unguarded_worker(urls)
        _run_until_asked(_work(settings, urls, _telemetry(settings), listener), asked)


async def _work(settings: Settings, urls: DatabaseUrls, telemetry: Telemetry, listener: socket.socket | None) -> None:
    async with _until_asked() as stop, _measured(listener, telemetry, stop):
        async with operations.transactions(urls.worker) as begin:
            # As `serve` does, but that a worker makes no root key: nothing of it needs one that isn't there.
            async with guarded_root_keys(settings, app.root_uses(begin), telemetry.ring_lost, make=False):
                pass
        await _in_background(settings, urls, telemetry, stop)


@asynccontextmanager
async def _measured(listener: socket.socket | None, telemetry: Telemetry, stop: asyncio.Event) -> AsyncIterator[None]:
    """Answer `GET /metrics` meanwhile, where a port is named. Nothing else is there."""
    if listener is None:
        yield
        return
    port = listener.getsockname()[1]
    application = Litestar([measured(telemetry.expose)], openapi_config=None)
    server = Server(_config(application), lambda: telemetry.log.info("worker_measured", port=port))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    serving.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def _in_background(settings: Settings, urls: DatabaseUrls, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Do what nobody waits for. Whichever part fails ends the others: it would go unseen."""
    attestors = attesting.attestors(settings)
    parts = [
        worker.work(urls.worker, telemetry, stop),
        sequencer.sequence(settings, urls.worker, telemetry, stop),
        exporter.export_by_itself(settings, urls, telemetry, stop),
        eraser.erase_by_itself(settings, urls, telemetry, stop),
        dropping.compare_by_itself(settings, urls, telemetry, stop),
        courier.bring_by_itself(settings, urls, telemetry, stop),
        replies.tell_by_itself(settings, urls, telemetry, stop),
        packager.package_by_itself(settings, urls, telemetry, stop),
    ]
    if attestors:
        parts.append(attesting.attest(attestors, settings, urls.worker, telemetry, stop))
    tasks = [asyncio.create_task(part) for part in parts]
    for task in tasks:
        task.add_done_callback(lambda _: stop.set())
    await asyncio.gather(*tasks)


def openapi() -> bytes:
    """Return the OpenAPI document. Needs no database."""
    return _run(_openapi())


async def _openapi() -> bytes:
    nowhere = "postgresql://nobody@localhost/nothing"
    settings = Settings(
        local_issuer=False,
        key_ring="transit",
        key_ring_url="https://ring.invalid",
        key_ring_key="-",
        key_ring_token="-",  # noqa: S106, nobody asks this ring for anything
    )
    telemetry, policy = _telemetry(settings), read_policy(app.BUILD)
    async with app.policy_engine(settings, policy) as judge:
        ring = app.key_ring(settings, telemetry, app.utc_now)
        engine = db.engine(nowhere)
        async with AsyncExitStack() as stack:
            laws = activated_laws(judge, stack, settings, engine, telemetry)
            pool = db.pool(nowhere)
            runner = app.trial_runner(settings, engine, pool, telemetry)
            keys = app.vault_keys(settings, await stack.enter_async_context(root_keys(settings)), engine)
            post = couriers(settings, app.utc_now, telemetry)
            return document(app.assemble(settings, engine, pool, ring, laws, runner, keys, telemetry, post))


def _leave_no_core() -> None:
    """Have a crash leave no image of our memory: keys are in it. Our children inherit that."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _run_until_asked(main: Coroutine[Any, Any, None], asked: Asked) -> None:
    """Run what takes signals by `_until_asked`. Before and after they wait: a half-made loop can't be cleaned up."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    try:
        if asked():
            main.close()
        else:
            _run(main)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)


def _run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on the loop that uvicorn would choose: uvloop, where it can be had."""
    with asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner:
        return runner.run(main)


@contextmanager
def _until_signalled() -> Iterator[Asked]:
    """End the block at Ctrl-C or SIGTERM, by way of its clean-up, at whatever stage it is; lend whether one came.

    SIGINT as well: a shell that starts us in the background has it ignored. The interruption gets lost where Python
    lets no exception out, in a finalizer or a callback of the garbage collector; that it came does not.
    """
    came: list[int] = []

    def interrupt(sign: int, _: FrameType | None) -> NoReturn:
        came.append(sign)
        raise KeyboardInterrupt

    before = {sign: signal.signal(sign, interrupt) for sign in _STOP}
    try:
        with suppress(KeyboardInterrupt):
            yield lambda: bool(came)
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


@asynccontextmanager
async def _until_asked() -> AsyncIterator[asyncio.Event]:
    """Lend an event that signals set: while the loop runs they interrupt nothing, also not half a start."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    before = {sign: signal.getsignal(sign) for sign in _STOP}
    for sign in _STOP:
        loop.add_signal_handler(sign, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
    try:
        yield stop
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        for sign, handler in before.items():
            loop.remove_signal_handler(sign)
            signal.signal(sign, handler)


def _demo_tokens(settings: Settings, urls: DatabaseUrls) -> Tokens:
    tenant, day = TenantId(demo.TENANT), timedelta(hours=12)
    operations.store_tenant(urls, tenant)
    operations.store_seat(urls, tenant, *demo.SEAT)
    everything = operations.issue_token(settings, urls, tenant, " ".join(SCOPES), None, day)
    return everything, operations.issue_token(settings, urls, tenant, "self", demo.ACCESS, day)


def _telemetry(settings: Settings) -> Telemetry:
    telemetry = Telemetry(app.utc_now, level=settings.log_level)
    telemetry.adopt_library_loggers()
    return telemetry


def _config(application: Litestar) -> uvicorn.Config:
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
