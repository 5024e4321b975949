"""The processes that serve HTTP: one alone, or several behind one port."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

from service import app, databases, db, workers
from service.decisions.artefacts import read_policy
from service.desk import couriers
from service.given import BUILD, utc_now
from service.laws import activated_laws, policy_engine
from service.lifetime import leave_no_core, run, run_until_asked, telemetry_of, until_asked, until_signalled
from service.listening import announce, listen, url_of
from service.postgres import DatabaseUrls
from service.root_keys import root_keys, vault_keys
from service.server import Server, configured
from service.settings import Settings
from service.telemetry import Telemetry
from service.web.openapi import document


def serve(settings: Settings) -> None:
    """Serve HTTP until a signal comes."""
    leave_no_core()
    with until_signalled() as asked, listen(settings) as listener, databases.migrated(settings) as urls:
        databases.refuse_unguarded_app(urls)
        run_until_asked((_serve if settings.workers == 1 else _serve_together)(settings, urls, listener), asked)


async def _serve(settings: Settings, urls: DatabaseUrls, listener: socket.socket) -> None:
    async with until_asked() as stop:
        await _answer(settings, urls, listener, telemetry_of(settings), lambda: announce(url_of(listener)), stop)


async def _answer(
    settings: Settings,
    urls: DatabaseUrls,
    listener: socket.socket,
    telemetry: Telemetry,
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    async with app.running(settings, urls, telemetry) as application:
        server = Server(configured(application), ready)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        serving.add_done_callback(lambda _: stop.set())
        await stop.wait()
        server.should_exit = True
        await serving


async def _serve_together(settings: Settings, urls: DatabaseUrls, listener: socket.socket) -> None:
    """Have several processes answer. This one holds the database and the port, and starts again who dies."""
    with TemporaryDirectory(prefix="volens-") as meeting:
        async with until_asked() as stop:
            await workers.supervise(
                partial(_serve_one, settings, urls, listener, Path(meeting)),
                settings.workers,
                telemetry_of(settings),
                lambda: announce(url_of(listener)),
                stop,
                listener.close,
            )


def _serve_one(
    settings: Settings, urls: DatabaseUrls, listener: socket.socket, meeting: Path, number: int, link: Connection
) -> None:
    """Serve as one of several processes: the first thing that a new one does. `link` is told once it answers."""
    leave_no_core()
    telemetry = telemetry_of(settings)
    with workers.complaining(telemetry), until_signalled() as asked:
        run_until_asked(_answer_beside(settings, urls, listener, meeting, number, link, telemetry), asked)


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
    async with until_asked() as stop, workers.measured_together(meeting, number, telemetry):
        if parent is not None:  # nobody would start us again, and the database is gone with it
            asyncio.get_running_loop().add_reader(parent.sentinel, stop.set)
        await _answer(settings, urls, listener, telemetry, lambda: link.send_bytes(b"ready"), stop)


def openapi() -> bytes:
    """Return the OpenAPI document. Needs no database."""
    return run(_openapi())


async def _openapi() -> bytes:
    nowhere = "postgresql://nobody@localhost/nothing"
    settings = Settings(
        local_issuer=False,
        key_ring="transit",
        key_ring_url="https://ring.invalid",
        key_ring_key="-",
        key_ring_token="-",  # noqa: S106, nobody asks this ring for anything
    )
    telemetry, policy = telemetry_of(settings), read_policy(BUILD)
    async with policy_engine(settings, policy) as judge:
        ring = app.key_ring(settings, telemetry, utc_now)
        engine = db.engine(nowhere)
        async with AsyncExitStack() as stack:
            laws = activated_laws(judge, stack, settings, engine, telemetry)
            pool = db.pool(nowhere)
            runner = app.trial_runner(settings, engine, pool, telemetry)
            keys = vault_keys(settings, await stack.enter_async_context(root_keys(settings)), engine)
            post = couriers(settings, utc_now, telemetry)
            return document(app.assemble(settings, engine, pool, ring, laws, runner, keys, telemetry, post))
