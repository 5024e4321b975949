"""Ratios to a reference in the same run: check, append and simulation at 1, 8 and 32 connections.

The server under test has one core to itself; PostgreSQL and the client share the others.
Reference and service take turns, several short rounds at the same number of connections, so
that a noisy neighbour hits both. The ratio is the median of the rounds; the spread says how
far they lie apart.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
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
from service.postgres import EmbeddedPostgres

SUBJECTS = 1000
ROUNDS = 7
SECONDS = float(os.environ.get("BENCH_SECONDS", "0.5"))
"""Of each measurement in a round; the reference takes half as long."""
TARGETS = {("check", 32): 0.30, ("put", 32): 0.45, ("reveal", 32): 0.35, ("lookup", 32): 0.60}
"""Least ratio, by name and connections."""
RESULTS = Path(__file__).with_name("results.json")
SCOPES = "decide records:write subjects:write vault:write vault:lookup vault:reveal"
VOLENS = [str(Path(sys.executable).with_name("volens"))]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pinned(command: list[str], core: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )


def answers(url: str) -> None:
    """Wait until `url` answers."""
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"nothing answered at {url}")


@contextmanager
def servers() -> Iterator[tuple[int, int, str]]:
    """Run the reference and the service; yield their ports and a token."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, set(cores[1:]) or set(cores))
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "data") as urls:
        environment = {
            "VOLENS_DATA_DIR": str(Path(folder) / "data"),
            "VOLENS_DATABASE_URL": urls.app,
            "VOLENS_OWNER_DATABASE_URL": urls.owner,
            "VOLENS_WORKER_DATABASE_URL": urls.worker,
            "VOLENS_LOG_LEVEL": "error",
            "VOLENS_LOOKUPS_PER_MINUTE": "1000000",
        }

        def volens(*arguments: str) -> str:
            return subprocess.run(
                [*VOLENS, *arguments], env=os.environ | environment, check=True, capture_output=True, text=True
            ).stdout.strip()

        volens("migrate")
        volens("tenant", "add", "bench")
        token = volens("token", "--tenant", "bench", "--scope", SCOPES, "--ttl", "4h")
        reference, service = free_port(), free_port()
        started = [
            pinned([sys.executable, "-m", "benchmarks.reference", str(reference)], cores[0], {}),
            pinned([*VOLENS, "serve", "--port", str(service)], cores[0], environment),
        ]
        try:
            answers(f"http://127.0.0.1:{reference}/")
            answers(f"http://127.0.0.1:{service}/health/ready")
            yield reference, service, token
        finally:
            for process in started:
                process.terminate()
                process.wait()


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
    with servers() as (reference, service, token):
        load(service, token)
        rows = ratios(reference, service, requests(token))
    show(rows)
    keep(rows)
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


def keep(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows into the results, in the place of earlier ones of the same names."""
    names = {row["name"] for row in rows}
    earlier = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    RESULTS.write_text(json.dumps([*(row for row in earlier if row["name"] not in names), *rows], indent=1))


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
