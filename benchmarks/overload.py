"""What overload takes: how soon one too many is refused, and how soon all is as before once it ends.

Many connections ask at once, each again as soon as it is answered; one that was refused waits as long as `Retry-After`
says. Time is what a client sees, on another core; the reference shows, at as many connections in the same minute, how
much of it is the machine's.
"""

import asyncio
import json
import os
import time

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.bench import load, servers
from benchmarks.load import measure, request
from benchmarks.results import Figure, keep

CONNECTIONS = int(os.environ.get("BENCH_CONNECTIONS", "1000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
REFUSED_WITHIN, RECOVERED_WITHIN = 50.0, 2_000.0
"""Milliseconds."""
IN_A_ROW = 20
"""So many good answers, one after another, are a service that works."""
STARTING = 2.0
"""Seconds until all connections are there, which are not looked at."""


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> None:
        self._reader = reader
        self._writer = writer
        self._sent = sent

    @classmethod
    async def of(cls, port: int, sent: bytes) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", port), sent)

    async def ask(self) -> tuple[int, float]:
        """Return status and milliseconds."""
        began = time.perf_counter()
        self._writer.write(self._sent)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        body = json.loads(await self._reader.readexactly(int(length)))
        if body.get("decision") not in {"permit", "deny"} or (head[9:12] != b"200" and body["decision"] == "permit"):
            raise RuntimeError(f"neither an answer nor a no: {body}")
        return int(head[9:12]), (time.perf_counter() - began) * 1000

    async def insist(self, until: float, answered: list[float], refused: list[float]) -> None:
        counts = time.perf_counter() + STARTING
        while time.perf_counter() < until:
            status, took = await self.ask()
            if time.perf_counter() > counts:
                (answered if status == 200 else refused).append(took)
            if status != 200:
                await asyncio.sleep(1)
        self._writer.close()


async def overloaded(port: int, sent: bytes) -> tuple[list[float], list[float], float]:
    """Return the times of answers and of refusals, and the milliseconds until all is as before."""
    answered, refused = list[float](), list[float]()
    clients = [await Client.of(port, sent) for _ in range(CONNECTIONS)]
    until = time.perf_counter() + STARTING + SECONDS
    await asyncio.gather(*(client.insist(until, answered, refused) for client in clients))
    ended, one, good, since = time.perf_counter(), await Client.of(port, sent), 0, time.perf_counter()
    while good < IN_A_ROW:
        status, _ = await one.ask()
        good = good + 1 if status == 200 else 0
        since = since if good else time.perf_counter()
    return sorted(answered), sorted(refused), (since - ended) * 1000


def percentile(times: list[float], share: float) -> float:
    return times[int(len(times) * share)] if times else float("nan")


def main() -> None:
    with servers() as (reference, service, token):
        load(service, token)
        question = json.dumps({"subject": "s-1", "channel": "email", "purpose": "marketing"}).encode()
        sent = request("POST", "/v1/decisions", token=token, body=question)
        plain = measure(reference, CONNECTIONS, SECONDS / 2, lambda _: request("GET", "/"))
        answered, refused, recovered = uvloop.run(overloaded(service, sent))
    table = Table("", "count", "p50 ms", "p99 ms", "target ms", title=f"{CONNECTIONS} connections, one core")
    for name, times, target in (("answers", answered, ""), ("refusals", refused, f"{REFUSED_WITHIN:.0f}")):
        table.add_row(name, str(len(times)), f"{percentile(times, 0.5):.1f}", f"{percentile(times, 0.99):.1f}", target)
    table.add_row("reference, its answers", "", f"{plain.p50:.1f}", f"{plain.p99:.1f}", "")
    table.add_row("recovery", "", f"{recovered:.1f}", "", f"{RECOVERED_WITHIN:.0f}")
    Console().print(table)
    keep(
        "overload",
        [
            Figure(name="a refusal: p99", figure=percentile(refused, 0.99), unit="ms", most=REFUSED_WITHIN),
            Figure(name="the reference at as many connections: p99", figure=plain.p99, unit="ms"),
            Figure(name="until all is as before", figure=recovered, unit="ms", most=RECOVERED_WITHIN),
        ],
    )


if __name__ == "__main__":
    main()
