"""The vault's ratios to the reference, as `benchmarks.bench` has them for the rest, and how fast values are imported.

A reveal is a single address, decided on for marketing by e-mail. A lookup finds one person. A put is another address
for somebody who has one, by which they are found: the write with the most to do. An import is one request that adds
addresses of new people; the client reads the answers while it sends, and shares a core with PostgreSQL.
"""

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.bench import SUBJECTS, keep, load, ratios, servers, show
from benchmarks.load import Request, request

LINES = 20_000
"""Of an import."""
IMPORTS = 5
TARGET = 8_000
"""Values a second."""
_PIECE = 64 * 1024


def address(number: int) -> str:
    return f"person{number}@mail.example"


def requests(token: str) -> dict[str, Request]:
    def send(method: str, path: str, body: object) -> bytes:
        return request(method, path, token=token, body=json.dumps(body).encode())

    known = [f"s{subject}" for subject in range(SUBJECTS)]
    contact = {"fields": ["email"], "purpose": "marketing", "channel": "email"}
    reveals = [send("POST", "/v1/vault/reveal", {"subject": name, **contact}) for name in known]
    lookups = [
        send("POST", "/v1/vault/lookup", {"field": "email", "value": address(place)}) for place in range(SUBJECTS)
    ]
    return {
        "reveal": lambda number: reveals[number % SUBJECTS],
        "lookup": lambda number: lookups[number % SUBJECTS],
        # Last, because nobody is found by an address that was replaced.
        "put": lambda number: send(
            "PUT", f"/v1/vault/s{number % SUBJECTS}/email", {"value": f"another.{address(number)}"}
        ),
    }


def lines(first: int, number: int) -> bytes:
    """Return an import: an address each of people from the `first` on."""
    return b"".join(
        json.dumps({"subject": f"s{each}", "field": "email", "value": address(each)}).encode() + b"\n"
        for each in range(first, first + number)
    )


@dataclass(frozen=True)
class Imported:
    rate: float
    """Values a second, from the first byte sent to the last one read."""
    errors: int
    memory: tuple[float, float]
    """MiB of the service before and after."""


def imported(port: int, token: str, first: int, number: int) -> Imported:
    before = memory(port)
    body = lines(first, number)
    start = time.perf_counter()
    answer = asyncio.run(_exchange(port, token, body))
    took = time.perf_counter() - start
    stored = answer.count(b'"outcome":"stored"')
    whole = b'"outcome":"done"' in answer
    return Imported(number / took, number - stored + (not whole), (before, memory(port)))


async def _exchange(port: int, token: str, body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    head = request("POST", "/v1/vault/import", token=token, body=body)[: -len(body)]
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


def memory(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        found = re.search(r"^process_resident_memory_bytes (\S+)$", answer.read().decode(), re.MULTILINE)
    if found is None:
        raise SystemExit("the service does not tell how much memory it takes")
    return float(found[1]) / 2**20


def imports(port: int, token: str) -> Iterator[Imported]:
    first = SUBJECTS
    for number in (1000, *[LINES] * IMPORTS):  # the first to warm
        figure = imported(port, token, first, number)
        first += number
        if number == LINES:
            yield figure


def main() -> None:
    with servers() as (reference, service, token):
        load(service, token)
        if imported(service, token, 0, SUBJECTS).errors:
            raise SystemExit("the values to look for are not there")
        rows = ratios(reference, service, requests(token))
        figures = list(imports(service, token))
    show(rows)
    row = {
        "name": "import",
        "values_per_second": round(median(figure.rate for figure in figures)),
        "spread": [round(min(figure.rate for figure in figures)), round(max(figure.rate for figure in figures))],
        "target": TARGET,
        "errors": sum(figure.errors for figure in figures),
        "memory_mib": [round(figure) for figure in (figures[0].memory[0], *(each.memory[1] for each in figures))],
    }
    tell(row)
    keep([*rows, row])
    if any(each["errors"] for each in [*rows, row]):
        raise SystemExit("some requests failed, or values were not stored")


def tell(row: dict[str, object]) -> None:
    table = Table(title=f"values imported, {LINES:,} a time")
    for column in ("a second", "spread", "target", "MiB before, and after each"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_row(*(str(row[name]) for name in ("values_per_second", "spread", "target", "memory_mib")))
    Console().print(table)


if __name__ == "__main__":
    main()
