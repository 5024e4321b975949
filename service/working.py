"""The process that works off jobs, and what goes on beside the jobs."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from service import (
    attesting,
    courier,
    databases,
    dropping,
    eraser,
    exporter,
    operations,
    packager,
    replies,
    sequencer,
    worker,
)
from service.lifetime import leave_no_core, run_until_asked, telemetry_of, until_asked, until_signalled
from service.listening import bound
from service.postgres import DatabaseUrls
from service.root_keys import guarded_root_keys, root_uses
from service.settings import Settings
from service.telemetry import Telemetry


def work(settings: Settings) -> None:
    """Work off jobs until a signal comes."""
    leave_no_core()
    with until_signalled() as asked, ExitStack() as stack:
        listener = None
        if settings.work_port is not None:
            other = "choose another with VOLENS_HOST and VOLENS_WORK_PORT"
            listener = stack.enter_context(bound(settings.host, settings.work_port, other))
        urls = stack.enter_context(databases.migrated(settings))
        databases.refuse_unguarded_worker(urls)
        run_until_asked(_work(settings, urls, telemetry_of(settings), listener), asked)


async def _work(settings: Settings, urls: DatabaseUrls, telemetry: Telemetry, listener: socket.socket | None) -> None:
    async with until_asked() as stop, _measured(listener, telemetry, stop):
        async with operations.transactions(urls.worker) as begin:
            # As `serve` does, but that a worker makes no root key: nothing of it needs one that isn't there.
            async with guarded_root_keys(settings, root_uses(begin), telemetry.ring_lost, make=False):
                pass
        await in_background(settings, urls, telemetry, stop)


@asynccontextmanager
async def _measured(listener: socket.socket | None, telemetry: Telemetry, stop: asyncio.Event) -> AsyncIterator[None]:
    """Answer `GET /metrics` meanwhile, where a port is named."""
    if listener is None:
        yield
        return
    from service.measuring import measuring  # brings the web framework along, which others need not wait for

    async with measuring(listener, telemetry, stop):
        yield


async def in_background(settings: Settings, urls: DatabaseUrls, telemetry: Telemetry, stop: asyncio.Event) -> None:
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
