"""How fast records are imported over HTTP: each of a new person, in one request, and the processors it takes.

    python -m benchmarks.imports [RECORDS]

The client reads the outcomes while it sends. Where others work on the machine, the rate a second of processor says
more than the one a second of the clock: on two cores an import has two.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.bench import record
from benchmarks.load import exchange
from benchmarks.results import Figure, keep
from benchmarks.site import Site, site

RECORDS = 100_000
ROUNDS = 3
TARGET = 10_000
"""Records a second, on two cores."""


def lines(first: int, number: int) -> bytes:
    encode = msgspec.json.encode
    return b"".join(encode(record(each, each)) + b"\n" for each in range(first, first + number))


def rounds(where: Site, number: int) -> Iterator[dict[str, float]]:
    first = 0
    for size in (2_000, *[number] * ROUNDS):  # the first to warm
        body = lines(first, size)
        first += size
        memory, before, start = where.memory(), where.worked(), time.perf_counter()
        answer = asyncio.run(exchange(where.port, "/v1/records/import", where.token, body))
        took = time.perf_counter() - start
        service, database = where.worked().since(before)
        stored = answer.count(b'"outcome":"stored"')
        if size == number:
            yield {
                "seconds": took,
                "service": service,
                "database": database,
                "grown": where.memory() - memory,
                "memory": where.memory(),
                "errors": size - stored + (b'"outcome":"done"' not in answer),
            }


def main() -> None:
    number = int(sys.argv[1]) if sys.argv[1:] else RECORDS
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as where:
        figures = list(rounds(where, number))
    rates = [number / figure["seconds"] for figure in figures]
    best = min(figures, key=lambda figure: figure["service"] + figure["database"])
    worked = max((best["service"] + best["database"]) / 2, best["service"], best["database"])
    table = Table(title=f"{number:,} records imported, each of a new person")
    for name in best:
        table.add_column(name, justify="right")
    table.add_row(*(f"{figure:,.2f}" for figure in best.values()))
    Console().print(table)
    errors = int(sum(figure["errors"] for figure in figures))
    found = [
        Figure(
            name="records imported over HTTP",
            figure=max(rates),
            unit="a second",
            least=TARGET,
            errors=errors,
            spread=(min(rates), max(rates)),
        ),
        Figure(name="records imported, by the seconds of two cores", figure=number / worked, unit="a second"),
        Figure(name="memory after imports", figure=max(figure["memory"] for figure in figures), unit="MiB", most=250),
    ]
    keep("imports", found)
    if errors:
        raise SystemExit("some records were not stored")


if __name__ == "__main__":
    main()
