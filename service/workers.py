"""Several processes behind one port.

The parent listens, and every worker takes connections from that one queue: a worker that dies takes none with it that
nobody had answered yet. Workers are started afresh and not forked, since a copy of a generator of ids would make the
same ids. Each holds one end of a link; the parent learns from the other that it answers, and when it is gone.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.kernel import DomainError
from service.telemetry import Telemetry

Target = Callable[[int, Connection], None]
"""What a worker does, by its number from 1 and its end of the link."""

PAUSE: Final = 1.0
"""Seconds before another takes the place of one that died."""
PATIENCE: Final = 20.0
"""Seconds in which workers finish what they have begun. Each gives its requests ten."""
ANSWERS_WITHIN: Final = 1.0
"""Seconds for what a worker measures; one that is too busy is left out."""
_SPAWN: Final = get_context("spawn")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class WorkerFailed(DomainError):
    """A worker ended before it answered."""

    code = "worker_failed"


class Worker:
    """One place among several, and who has it."""

    def __init__(self, target: Target, number: int) -> None:
        self._target = target
        self._number = number
        self._process: SpawnProcess | None = None
        self._link: Connection | None = None

    async def start(self) -> bool:
        """Start a process; return whether it got so far as to answer."""
        self._link, theirs = _SPAWN.Pipe(duplex=False)
        self._process = _SPAWN.Process(target=self._target, args=(self._number, theirs))
        # Kept back in the new process until it can stop in good order.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            theirs.close()
        return await self._heard()

    async def ended(self) -> int | None:
        """Return the exit code, once there is one."""
        while await self._heard():
            pass
        await self.joined()
        return None if self._process is None else self._process.exitcode

    def ask_to_end(self) -> None:
        if self._process is not None:
            self._process.terminate()

    async def joined(self, within: float | None = None) -> None:
        """Wait for the end, and make one after so many seconds."""
        if self._process is not None:
            await asyncio.to_thread(self._process.join, within)
            if self._process.exitcode is None:
                self._process.kill()
                await asyncio.to_thread(self._process.join)

    async def _heard(self) -> bool:
        """Wait until the worker says something; return whether it did. The other end closes with the process."""
        link = self._link
        if link is None:
            return False
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        loop.add_reader(link.fileno(), came.set)
        try:
            await came.wait()
        finally:
            loop.remove_reader(link.fileno())
        try:
            return bool(link.recv_bytes())
        except (EOFError, OSError):
            link.close()
            self._link = None
            return False


async def supervise(
    target: Target,
    count: int,
    telemetry: Telemetry,
    ready: Callable[[], None],
    stop: asyncio.Event,
    close: Callable[[], None],
) -> None:
    """Keep `count` workers until `stop`; then `close` what they listen on, and let them finish.

    Raises:
        WorkerFailed: at the start one of them ended. What it complained of stands on standard error.
    """
    places = [Worker(target, number) for number in range(1, count + 1)]
    running = asyncio.create_task(_run(places, telemetry, ready))
    running.add_done_callback(lambda _: stop.set())
    await stop.wait()
    close()
    running.cancel()
    for place in places:
        place.ask_to_end()
    await asyncio.gather(*(place.joined(PATIENCE) for place in places))
    with suppress(asyncio.CancelledError):
        await running


async def _run(places: list[Worker], telemetry: Telemetry, ready: Callable[[], None]) -> None:
    # The first alone: it makes what a new installation lacks, such as keys.
    first, *others = places
    if not await first.start() or not all(await asyncio.gather(*(place.start() for place in others))):
        raise WorkerFailed("a worker ended before it answered")
    ready()
    await asyncio.gather(*(_keep(place, telemetry) for place in places))


async def _keep(place: Worker, telemetry: Telemetry) -> None:
    while True:
        telemetry.worker_died(await place.ended())
        await asyncio.sleep(PAUSE)
        await place.start()


@contextmanager
def complaining(telemetry: Telemetry) -> Iterator[None]:
    """End a worker whose block raises: with a line for an operator who can act on it, as a bug otherwise."""
    try:
        yield
    except DomainError as error:
        sys.stderr.write(f"volens: {error}\n")  # as a command does
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 -- its message may quote anything
        telemetry.bug(error, "")
        sys.exit(1)


@asynccontextmanager
async def measured_together(meeting: Path, number: int, telemetry: Telemetry) -> AsyncIterator[None]:
    """Have whichever worker is asked for metrics show those of all, with the label `worker`.

    Each tells its own at a socket in the folder `meeting`, when another asks.
    """

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await telemetry.metrics())
        writer.close()

    place = meeting / str(number)
    place.unlink(missing_ok=True)  # of one that died
    server = await asyncio.start_unix_server(tell, place)
    telemetry.expose = partial(gathered, meeting)
    try:
        yield
    finally:
        server.close()


async def gathered(meeting: Path) -> bytes:
    """Return what all workers measure. One that doesn't tell is missing in `volens_workers`."""
    places = sorted(await asyncio.to_thread(lambda: list(meeting.iterdir())))
    told = await asyncio.gather(*(_told(place) for place in places))
    texts = {place.name: text for place, text in zip(places, told, strict=True) if text is not None}
    registry = CollectorRegistry()
    registry.register(_Gathered(texts))
    return generate_latest(registry)


async def _told(place: Path) -> str | None:
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            reader, writer = await asyncio.open_unix_connection(place)
            try:
                return (await reader.read()).decode()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None


class _Gathered:
    """What several processes measured, by worker."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        workers = Metric("volens_workers", "Workers that told what they measure.", "gauge")
        workers.add_sample("volens_workers", {}, len(self._texts))
        families = {workers.name: workers}
        for worker, text in self._texts.items():
            for family in text_string_to_metric_families(text):
                kept = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    kept.add_sample(sample.name, sample.labels | {"worker": worker}, sample.value)
        return families.values()
