"""Ratios to a reference in the same run: check, append and simulation at 1, 8 and 32 connections.

The server under test has one core to itself; PostgreSQL and the client share the others.
Reference and service take turns, several short rounds at the same number of connections, so
that a noisy neighbour hits both. The ratio is the median of the rounds; the spread says how
far they lie apart.
"""

import json
import os
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import fmean, median
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

from benchmarks.load import Measured, Request, measure, request
from benchmarks.results import Figure, keep
from benchmarks.site import answers, cores, free_port, pinned, site

SUBJECTS = 1000
ROUNDS = 7
SECONDS = float(os.environ.get("BENCH_SECONDS", "0.5"))
"""Of each measurement in a round; the reference takes half as long."""
TARGETS = {
    ("check", 32): 0.85,
    ("check", 1): 0.15,
    ("append", 32): 0.30,
    ("put", 32): 0.45,
    ("reveal", 32): 0.35,
    ("lookup", 32): 0.60,
}
"""Least ratio, by name and connections."""
TAIL = 1.2
"""Most times the reference's p99 that a check takes at 32 connections."""
MEMORY = 250.0
"""MiB of the service after all of it."""
WHY = {
    "check": "the service's core is full: 175 µs a check, where the reference takes 60; uvicorn 35, law and facts 45, "
    "the log 40, the state 25, what stands in front of every request 20",
    "append": "five rows with ten entries of indexes, the person and the state locked, and a commit for each group: "
    "PostgreSQL and the client share the other core, and the service waits for them",
    "p99": "the reference waits for nobody; a check waits for the group before its own to be durable",
}
"""What was found, by name, when targets were missed."""


@contextmanager
def servers() -> Iterator[tuple[int, int, str]]:
    """Run the reference and the service; yield their ports and a token."""
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as service, reference() as port:
        yield port, service.port, service.token


@contextmanager
def reference() -> Iterator[int]:
    """Run the reference on the core of what is measured; yield its port."""
    port = free_port()
    started = pinned([sys.executable, "-m", "benchmarks.reference", str(port)], cores()[0], {})
    try:
        answers(f"http://127.0.0.1:{port}/")
        yield port
    finally:
        started.terminate()
        started.wait()


def record(number: int, subject: int) -> dict[str, object]:
    return {
        "id": str(UUID(int=(7 << 76) | (2 << 62) | (number + 1) << 80)),
        "subject": f"s{subject}",
        "ts": "2026-10-01T10:00:00+02:00",
        "channel": "email",
        "purpose": "marketing",
        "action": "opt_in",
        "method": "double_opt_in",
        "evidence": "form and confirmation",
        "notice_version": "v3",
    }


def load(port: int, token: str) -> None:
    """Store the population: residents of Germany, each with a proven opt-in."""

    def send(method: str, path: str, body: object) -> None:
        ask = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), method=method)
        ask.add_header("authorization", f"Bearer {token}")
        ask.add_header("content-type", "application/json")
        urllib.request.urlopen(ask, timeout=30).close()

    for subject in range(SUBJECTS):
        send("PUT", f"/v1/subjects/s{subject}", {"residence": "DE", "age": 40, "time_zone": "Europe/Berlin"})
    send("POST", "/v1/records", {"records": [record(number, number) for number in range(SUBJECTS)]})


def requests(token: str) -> dict[str, Request]:
    def post(path: str, body: object) -> bytes:
        return request("POST", path, token=token, body=json.dumps(body).encode())

    question = {"channel": "email", "purpose": "marketing"}
    checks = [post("/v1/decisions", {"subject": f"s{subject}"} | question) for subject in range(SUBJECTS)]
    case = question | {
        "jurisdiction": "DE",
        "subject": {"age": 40},
        "records": [
            {name: value for name, value in record(0, 0).items() if name not in {"id", "subject"}} for _ in range(2)
        ],
        "at": "2026-11-21T10:00:00+01:00",
        "local_time_zone": "Europe/Berlin",
    }
    simulation = post("/v1/simulations/decision", case)
    return {
        "check": lambda number: checks[number % SUBJECTS],
        "append": lambda number: post("/v1/records", {"records": [record(SUBJECTS + number, number % SUBJECTS)]}),
        "simulation": lambda number: simulation,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as service, reference() as port:
        load(service.port, service.token)
        rows = ratios(port, service.port, requests(service.token))
        memory = service.memory()
    show(rows)
    [tail] = (row["p99_to_reference"] for row in rows if (row["name"], row["connections"]) == ("check", 32))
    of_check = [
        Figure(
            name="p99 of a check to the reference's, 32 connections",
            figure=tail,
            unit="times",
            most=TAIL,
            why=WHY["p99"],
        ),
        Figure(name="memory of the service under load", figure=memory, unit="MiB", most=MEMORY),
    ]
    keep("check", [*figures(rows, WHY), *of_check])
    if any(row["errors"] for row in rows):
        raise SystemExit("some requests failed")


def ratios(reference: int, service: int, requests: Mapping[str, Request]) -> list[dict[str, Any]]:
    """Return a row for each kind of request and number of connections."""
    rows = []
    sent = count(step=1_000_000)
    for name, make in requests.items():
        for connections in (1, 8, 32):
            measure(service, connections, SECONDS, make, first=next(sent))  # warm
            rows.append(row(name, connections, list(in_turns(reference, service, connections, make, sent))))
    return rows


def figures(rows: Sequence[Mapping[str, Any]], why: Mapping[str, str]) -> list[Figure]:
    """Return what the rows say, each with the reason that `why` has for its name."""
    return [
        Figure(
            name=f"{row['name']}, {row['connections']} connection{'s' * (row['connections'] > 1)}",
            figure=row["ratio"],
            unit="ratio",
            least=row["target"],
            errors=row["errors"],
            spread=tuple(row["spread"]),
            why=why.get(row["name"], ""),
        )
        for row in rows
    ]


def in_turns(
    reference: int, service: int, connections: int, make: Request, sent: Iterator[int]
) -> Iterator[tuple[Measured, tuple[Measured, Measured]]]:
    """Yield each measurement of the service with those of the reference before and after it."""

    def of_reference() -> Measured:
        return measure(reference, connections, SECONDS / 2, lambda number: request("GET", "/"))

    before = of_reference()
    for _ in range(ROUNDS):
        figure = measure(service, connections, SECONDS, make, first=next(sent))
        after = of_reference()
        yield figure, (before, after)
        before = after


def row(name: str, connections: int, rounds: list[tuple[Measured, tuple[Measured, Measured]]]) -> dict[str, Any]:
    ratios = [figure.rate / fmean(reference.rate for reference in around) for figure, around in rounds]
    tails = [figure.p99 / fmean(reference.p99 for reference in around) for figure, around in rounds]
    return {
        "name": name,
        "connections": connections,
        "ratio": round(median(ratios), 3),
        "spread": [round(min(ratios), 2), round(max(ratios), 2)],
        "target": TARGETS.get((name, connections)),
        "errors": sum(figure.errors for figure, _ in rounds),
        "p50_ms": round(median(figure.p50 for figure, _ in rounds), 2),
        "p99_ms": round(median(figure.p99 for figure, _ in rounds), 2),
        "p99_to_reference": round(median(tails), 2),
    }


def show(rows: list[dict[str, Any]]) -> None:
    table = Table(title="ratio 1.00 = a Litestar GET on the same core, same run")
    for column in ("name", "conns", "ratio", "spread", "target", "p50 ms", "p99 ms", "p99/ref"):
        table.add_column(column, justify="left" if column == "name" else "right", no_wrap=True)
    for line in rows:
        low, high = line["spread"]
        table.add_row(
            line["name"],
            str(line["connections"]),
            f"{line['ratio']:.3f}",
            f"{low:.2f}-{high:.2f}",
            "" if line["target"] is None else f"{line['target']:.2f}",
            f"{line['p50_ms']:.2f}",
            f"{line['p99_ms']:.2f}",
            f"{line['p99_to_reference']:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
