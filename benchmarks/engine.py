"""One evaluation: embedded beside OPA's own server on the same facts, and what an engine costs to have.

The facts are those of the shared cases. Neither side remembers anything: each question is
a miss. Both are asked one question at a time over one connection, in turns, so that a
noisy neighbour hits both; of every fact's rounds the median counts. Loading is the least
of several fresh processes, since neighbours only ever add to it.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.results import Figure, keep
from service.decisions import Policy
from service.decisions.artefacts import read_policy
from service.decisions.cases import ABOUT
from service.decisions.facts import fill, template
from service.decisions.simulation import Case, described
from service.decisions.wasm import VERDICT, embedded
from service.given import BUILD
from service.opa_process import opa_server

CASES = Path(__file__).parents[1] / "tests" / "policy" / "cases" / "shared.jsonl"
ROUNDS = 7
PROCESSES = 5
MORE = 4
"""Engines besides the first, by which the memory of one is told."""
TARGETS = {"miss": 3.0, "ratio": 2.0, "load": 1.0, "memory": 64.0}
"""Most milliseconds of a miss, least times that OPA's server takes, most seconds, most MiB."""


def facts_of_cases(policy: Policy) -> list[bytes]:
    """Return the distinct facts of the shared cases."""
    facts: dict[bytes, None] = {}
    for line in CASES.read_text().splitlines():
        asked = {name: value for name, value in json.loads(line).items() if name not in {*ABOUT, "category"}}
        case = msgspec.convert(asked, Case)
        assert case.at is not None
        situation = described(case, policy, None, case.at).situation
        facts[fill(template(situation, policy.data, policy.is_holiday), case.at).facts] = None
    return list(facts)


async def timed(ask: Callable[[bytes], Awaitable[object]], facts: Iterable[bytes]) -> list[float]:
    """Return the milliseconds that each of `facts` takes."""
    spans = []
    for each in facts:
        began = time.perf_counter()
        await ask(each)
        spans.append((time.perf_counter() - began) * 1000)
    return spans


class Server:
    """An OPA server, asked over one connection that stays open, its answers read and no more."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc)

    async def ask(self, facts: bytes) -> None:
        """Block until the answer is there: whoever asks has nothing else to do."""
        self._connection.request("POST", f"/v1/data/{VERDICT}", b'{"input":' + facts + b"}")
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200 or b'"result"' not in body:
            raise SystemExit(f"OPA answered {answer.status}")


async def misses(policy: Policy, facts: list[bytes]) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each of `facts`, embedded and from the server, in order of size."""
    engine = embedded(BUILD, policy)
    here: list[list[float]] = []
    there: list[list[float]] = []
    with opa_server(BUILD / "bundle.tar.gz") as url:
        server = Server(url)
        await timed(server.ask, facts)  # warm
        for _ in range(ROUNDS):
            here.append(await timed(engine.evaluate, facts))
            there.append(await timed(server.ask, facts))
    engine.close()
    return of_each(here), of_each(there)


def of_each(rounds: list[list[float]]) -> list[float]:
    return sorted(median(spans) for spans in zip(*rounds, strict=True))


def resident() -> float:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def child() -> None:
    """Load engines, the first of them timed; print how long that took and what each of them added."""
    began = time.perf_counter()
    policy = read_policy(BUILD)
    read = time.perf_counter() - began
    facts = facts_of_cases(policy)
    began = time.perf_counter()
    engines = [embedded(BUILD, policy)]
    await engines[0].evaluate(facts[0])
    seconds = read + time.perf_counter() - began
    await timed(engines[0].evaluate, facts)
    before = resident()
    for _ in range(MORE):
        engines.append(embedded(BUILD, policy))
        await timed(engines[-1].evaluate, facts)
    print(json.dumps({"seconds": seconds, "each": (resident() - before) / MORE}))


def loaded() -> tuple[float, float]:
    """Return seconds until the first verdict of a new process, its imports aside, and the MiB of one more engine."""
    told: list[dict[str, Any]] = [
        json.loads(subprocess.check_output([sys.executable, "-m", "benchmarks.engine", "child"]))
        for _ in range(PROCESSES)
    ]
    return min(each["seconds"] for each in told), median(each["each"] for each in told)


def main() -> None:
    policy = read_policy(BUILD)
    facts = facts_of_cases(policy)
    here, there = asyncio.run(misses(policy, facts))
    seconds, memory = loaded()
    table = Table(title=f"one evaluation of {len(policy.rules)} rules, {len(facts)} facts")
    for column in ("what", "figure", "target", "met"):
        table.add_column(column, justify="left" if column == "what" else "right", no_wrap=True)

    def line(what: str, figure: str, target: str = "", met: bool | None = None) -> None:
        table.add_row(what, figure, target, {True: "yes", False: "no", None: ""}[met])

    def p99(spans: list[float]) -> float:
        return spans[int(len(spans) * 0.99)]

    line("a miss embedded, median, ms", f"{median(here):.2f}")
    line("a miss embedded, p99, ms", f"{p99(here):.2f}", f"{TARGETS['miss']:.0f}", p99(here) <= TARGETS["miss"])
    line("OPA's own server, median, ms", f"{median(there):.2f}")
    line("OPA's own server, p99, ms", f"{p99(there):.2f}")
    ratio = median(there) / median(here)
    line("OPA's server takes times as long", f"{ratio:.1f}", f"{TARGETS['ratio']:.0f}", ratio >= TARGETS["ratio"])
    line("loading, s", f"{seconds:.2f}", f"{TARGETS['load']:.0f}", seconds <= TARGETS["load"])
    line("memory of one engine, MiB", f"{memory:.1f}", f"{TARGETS['memory']:.0f}", memory <= TARGETS["memory"])
    Console().print(table)
    keep(
        "engine",
        [
            Figure(name="a miss embedded, p99", figure=p99(here), unit="ms", most=TARGETS["miss"]),
            Figure(name="OPA's own server to it", figure=ratio, unit="times as long", least=TARGETS["ratio"]),
            Figure(name="loading", figure=seconds, unit="s", most=TARGETS["load"]),
            Figure(name="memory of one engine", figure=memory, unit="MiB", most=TARGETS["memory"]),
        ],
    )


if __name__ == "__main__":
    asyncio.run(child()) if sys.argv[1:] == ["child"] else main()
