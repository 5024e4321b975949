"""Everything on one machine, in one process: the database, the service and the worker."""

import asyncio
import socket
from contextlib import ExitStack
from datetime import timedelta

import msgspec
from rich.console import Console

from service import app, databases, demo, operations, seats
from service.given import new_id, utc_now
from service.kernel import SCOPES, TenantId
from service.lifetime import leave_no_core, run_until_asked, telemetry_of, until_asked, until_signalled
from service.listening import announce, listen, url_of
from service.migrating import migrate_and_keep
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.server import Server, configured
from service.settings import Settings
from service.working import in_background

Tokens = tuple[str, str]
"""One that may do everything, and one of the person who asks what is kept about her."""


def up(settings: Settings, *, demo: bool, console: Console) -> None:
    """Run everything on this machine until a signal comes."""
    leave_no_core()
    with until_signalled() as asked, listen(settings) as listener, ExitStack() as stack:
        with console.status("Starting the database"):
            if settings.database_url:
                urls = databases.external(settings, settings.database_url)
            else:
                urls = stack.enter_context(EmbeddedPostgres(settings.data))
            migrate_and_keep(urls)
        databases.refuse_unguarded_app(urls)
        databases.refuse_unguarded_worker(urls)
        tokens = _demo_tokens(settings, urls) if demo else None
        run_until_asked(_run_all(settings, urls, listener, tokens, console), asked)


async def _run_all(
    settings: Settings, urls: DatabaseUrls, listener: socket.socket, tokens: Tokens | None, console: Console
) -> None:
    # a person reads this terminal: only what went wrong belongs beside the demo
    telemetry = telemetry_of(msgspec.structs.replace(settings, log_level="warning"))
    ready = asyncio.Event()
    async with until_asked() as stop, app.running(settings, urls, telemetry) as application:
        server = Server(configured(application), ready.set)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        working = asyncio.create_task(in_background(settings, urls, telemetry, stop))
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
            await asyncio.to_thread(demo.load, api, utc_now(), new_id)
            await asyncio.to_thread(demo.ask, api, console)
            await asyncio.to_thread(demo.show, api, anna, settings.data / "demo-anna.zip", console)
            await asyncio.to_thread(demo.hand_out, api, settings.data / "demo-pack.zip", console)
            await asyncio.to_thread(demo.forget, api, settings.data, console)
        except demo.DemoErased as erased:
            console.print(f"The demo ends here: {erased}\n", markup=False, highlight=False)
    console.print(f"Every operation: {url}/docs    Stop with Ctrl-C.\n", highlight=False)


def _demo_tokens(settings: Settings, urls: DatabaseUrls) -> Tokens:
    tenant, day = TenantId(demo.TENANT), timedelta(hours=12)
    operations.store_tenant(urls, tenant)
    seats.store_seat(urls, tenant, *demo.SEAT)
    everything = operations.issue_token(settings, urls, tenant, " ".join(SCOPES), None, day)
    return everything, operations.issue_token(settings, urls, tenant, "self", demo.ACCESS, day)
