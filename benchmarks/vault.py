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

from benchmarks.bench import SUBJECTS, figures, load, ratios, servers, show
from benchmarks.load import Request, exchange, request
from benchmarks.results import Figure, keep

LINES = 20_000
"""Of an import."""
IMPORTS = 5
TARGET = 8_000
"""Values a second."""
WHY = {
    "put": "a dozen entries in indexes and a commit; writes of one field wait for each other from index to commit",
    "reveal": "four groups one after the other, of which two commit: the person, the decision, the opening, the reveal",
    "lookup": "two round trips for each group, with a keyed hash and a decryption a person",
    "import": "PostgreSQL and the client share a core, and indexes take most of it",
}
"""What was found when targets were missed; see docs/performance.md."""


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
    answer = asyncio.run(exchange(port, "/v1/vault/import", token, body))
    took = time.perf_counter() - start
    stored = answer.count(b'"outcome":"stored"')
    whole = b'"outcome":"done"' in answer
    return Imported(number / took, number - stored + (not whole), (before, memory(port)))


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
        pieces = list(imports(service, token))
    show(rows)
    memory = [round(figure) for figure in (pieces[0].memory[0], *(each.memory[1] for each in pieces))]
    print(f"MiB of the service before the imports and after each: {memory}")
    rates = [piece.rate for piece in pieces]
    values = Figure(
        name="values imported",
        figure=median(rates),
        unit="a second",
        least=TARGET,
        errors=sum(piece.errors for piece in pieces),
        spread=(round(min(rates)), round(max(rates))),
        why=WHY["import"],
    )
    grown = Figure(name="memory after five imports to before", figure=memory[-1] / memory[0], unit="times", most=1.05)
    found = [*figures(rows, WHY), values, grown]
    keep("vault", found)
    if any(each.errors for each in found):
        raise SystemExit("some requests failed, or values were not stored")


if __name__ == "__main__":
    main()
