"""How fast records are imported over HTTP: each of a new person, in one request, and the processors it takes.

    python -m benchmarks.imports [RECORDS]

The client reads the outcomes while it sends. Where others work on the machine, the rate a second of processor says
more than the one a second of the clock: on two cores an import has two.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.bench import VOLENS, answers, free_port, keep, record
from benchmarks.load import request
from service.postgres import EmbeddedPostgres

RECORDS = 100_000
ROUNDS = 3
TARGET = 10_000
"""Records a second, on two cores."""
_PIECE = 64 * 1024
_TICK = os.sysconf("SC_CLK_TCK")


def lines(first: int, number: int) -> bytes:
    encode = msgspec.json.encode
    return b"".join(encode(record(each, each)) + b"\n" for each in range(first, first + number))


async def exchange(port: int, token: str, body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    head = request("POST", "/v1/records/import", token=token, body=body)[: -len(body)]
    writer.write(
        head.replace(b"application/json", b"application/x-ndjson").replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
    )

    async def send() -> None:
        for place in range(0, len(body), _PIECE):
            writer.write(body[place : place + _PIECE])
            await writer.drain()

    _, answer = await asyncio.gather(send(), reader.read())
    writer.close()
    return answer


def measured(port: int) -> tuple[float, float]:
    """Return the seconds of processor that the service has taken, and its MiB."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = [
        re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        for name in ("process_cpu_seconds_total", "process_resident_memory_bytes")
    ]
    cpu, memory = (float(each[1]) for each in found if each is not None)
    return cpu, memory / 2**20


def of_postgres(postmaster: int) -> float:
    """Return the seconds of processor that PostgreSQL has taken, with its processes that ended."""
    ticks = 0
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            said = place.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        mine = int(place.parent.name) == postmaster
        if mine or int(said[1]) == postmaster:
            ticks += sum(map(int, said[11:15] if mine else said[11:13]))
    return ticks / _TICK


def rounds(port: int, token: str, postmaster: int, number: int) -> Iterator[dict[str, float]]:
    first = 0
    for size in (2_000, *[number] * ROUNDS):  # the first to warm
        body = lines(first, size)
        first += size
        service, before = measured(port)
        database, start = of_postgres(postmaster), time.perf_counter()
        answer = asyncio.run(exchange(port, token, body))
        took = time.perf_counter() - start
        after, memory = measured(port)
        stored = answer.count(b'"outcome":"stored"')
        if size == number:
            yield {
                "seconds": took,
                "service": after - service,
                "postgresql": of_postgres(postmaster) - database,
                "before": before,
                "memory": memory,
                "errors": size - stored + (b'"outcome":"done"' not in answer),
            }


def main() -> None:
    number = int(sys.argv[1]) if sys.argv[1:] else RECORDS
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "data") as urls:
        environment = os.environ | {
            "VOLENS_DATA_DIR": str(Path(folder) / "data"),
            "VOLENS_DATABASE_URL": urls.app,
            "VOLENS_OWNER_DATABASE_URL": urls.owner,
            "VOLENS_WORKER_DATABASE_URL": urls.worker,
            "VOLENS_LOG_LEVEL": "error",
        }

        def volens(*arguments: str) -> str:
            done = subprocess.run([*VOLENS, *arguments], env=environment, check=True, capture_output=True, text=True)
            return done.stdout.strip()

        volens("migrate")
        volens("tenant", "add", "bench")
        token = volens("token", "--tenant", "bench", "--scope", "records:write", "--ttl", "4h")
        port = free_port()
        postmaster = int(next((Path(folder) / "data").rglob("postmaster.pid")).read_text().split()[0])
        service = subprocess.Popen([*VOLENS, "serve", "--port", str(port)], env=environment)
        try:
            answers(f"http://127.0.0.1:{port}/health/ready")
            figures = list(rounds(port, token, postmaster, number))
        finally:
            service.terminate()
            service.wait()
    best = min(figures, key=lambda figure: figure["service"] + figure["postgresql"])
    processors = best["service"] + best["postgresql"]
    row = {
        "name": "records imported",
        "records": number,
        "records_per_second": round(number / min(figure["seconds"] for figure in figures)),
        "records_per_second_of_two_cores": round(number / max(processors / 2, best["service"], best["postgresql"])),
        "service_seconds": round(best["service"], 2),
        "postgresql_seconds": round(best["postgresql"], 2),
        "memory_mib": [round(figures[0]["before"]), *(round(figure["memory"]) for figure in figures)],
        "target": TARGET,
        "errors": int(sum(figure["errors"] for figure in figures)),
    }
    table = Table(title=f"{number:,} records imported, each of a new person")
    names = [name for name in row if name not in ("name", "records")]
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    table.add_row(*(str(row[name]) for name in names))
    Console().print(table)
    keep([row])
    if row["errors"]:
        raise SystemExit("some records were not stored")


if __name__ == "__main__":
    main()
