"""Our check beside what else one could ask: OPA's own server, and a plain service with a table of consents.

All of them answer on one core, in turns, at 32 connections. OPA has the bundle that is released with this version,
and is asked for the verdict on the facts that our check rests on; it authenticates nobody, reads no database and logs
nothing, all of which our check does. The plain service reads a row of a database by its key, through an ORM.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from statistics import median

import psycopg

from benchmarks.bench import SUBJECTS, load
from benchmarks.bench import requests as requests_of
from benchmarks.load import Measured, Request, measure, request
from benchmarks.results import Figure, keep
from benchmarks.site import Site, answers, cores, free_port, pinned, site
from service.given import BUILD
from service.kernel import Unavailable
from service.opa_process import find

ROUNDS = int(os.environ.get("COMPARE_ROUNDS", "11"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "0.5"))
CONNECTIONS = 32
CATALOGUE, TRIVIAL = "OPA's server, full catalogue", "OPA's server, trivial policy"
LOGGED = f"{TRIVIAL}, its decisions logged to a file"
PLAIN = "SELECT by ORM, no log"
TARGETS = {CATALOGUE: 15.0, TRIVIAL: 5.0, PLAIN: 2.0}
WHY = {
    CATALOGUE: "our check waits for PostgreSQL and the commit of its log on a core that the client shares",
    TRIVIAL: "at a trivial policy OPA answers as often as the reference, a Litestar GET, does, with 70 to 120 µs of a "
    "processor a call: no Python that authenticates, reads a state and commits a log can be five times as fast",
    PLAIN: "it commits nothing; our check does, two rows and ten entries of indexes",
}
DATABUNKER = Figure(
    name="our check to Databunker's, audit on",
    figure=None,
    unit="times",
    least=8.0,
    why="no registry that packages are taken from here has its server",
)


@contextmanager
def opa(program: Path, bundle: Path, log: Path, *options: str) -> Iterator[int]:
    """Run an OPA server on the core of what is measured, what it logs in a file; yield its port."""
    port = free_port()
    command = [str(program), "run", "--server", f"--addr=127.0.0.1:{port}", "--log-level=error", "--disable-telemetry"]
    started = pinned([*command, *options, "--bundle", str(bundle)], cores()[0], {}, errors=log)
    try:
        answers(f"http://127.0.0.1:{port}/health?bundles=true")
        yield port
    finally:
        started.terminate()
        started.wait()


@contextmanager
def plain(where: Site) -> Iterator[int]:
    """Run the plain service, with as many subjects in a table of its own; yield its port."""
    with psycopg.connect(where.urls.admin, autocommit=True) as admin:
        admin.execute(
            "CREATE TABLE consent (subject text, channel text, purpose text, given boolean NOT NULL, "
            "PRIMARY KEY (subject, channel, purpose))"
        )
        admin.execute(
            "INSERT INTO consent SELECT 's' || n, 'email', 'marketing', true FROM generate_series(0, %s) AS n",
            (SUBJECTS - 1,),
        )
        admin.execute("VACUUM ANALYZE consent")
    port = free_port()
    started = pinned([sys.executable, "-m", "benchmarks.compare.plain", str(port), where.urls.admin], cores()[0], {})
    try:
        answers(f"http://127.0.0.1:{port}/schema")
        yield port
    finally:
        started.terminate()
        started.wait()


def facts_of(where: Site) -> list[bytes]:
    """Return what the policy was asked by the checks so far."""
    with psycopg.connect(where.past_policies) as admin:
        return [body.encode() for (body,) in admin.execute("SELECT body FROM facts ORDER BY hash")]


def asking(path: str, bodies: list[bytes]) -> Request:
    made = [request("POST", path, body=body) for body in bodies]
    return lambda number: made[number % len(made)]


def rounds(ours: tuple[int, Request], peers: Mapping[str, tuple[int, Request]]) -> dict[str, list[Measured]]:
    """Return the rounds of each, ours under an empty name."""
    sent = count(step=1_000_000)
    found: dict[str, list[Measured]] = {"": [], **{name: [] for name in peers}}
    for number in range(ROUNDS + 1):
        for name, (port, make) in {"": ours, **peers}.items():
            measured = measure(port, CONNECTIONS, SECONDS, make, first=next(sent))
            if number:  # the first warmed
                found[name].append(measured)
    return found


def compared(found: Mapping[str, list[Measured]]) -> list[Figure]:
    ours, figures = found[""], []
    for name in (name for name in found if name):
        ratios = [mine.rate / theirs.rate for mine, theirs in zip(ours, found[name], strict=True)]
        figures.append(
            Figure(
                name=f"our check to {name}",
                figure=median(ratios),
                unit="times",
                least=TARGETS.get(name),
                errors=sum(each.errors for each in (*ours, *found[name])),
                spread=(round(min(ratios), 2), round(max(ratios), 2)),
                why=WHY.get(name, ""),
            )
        )
    return figures


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        where = stack.enter_context(site(folder))
        load(where.port, where.token)
        check = requests_of(where.token)["check"]
        measure(where.port, CONNECTIONS, SECONDS, check)
        question = [
            json.dumps({"subject": f"s{subject}", "channel": "email", "purpose": "marketing"}).encode()
            for subject in range(SUBJECTS)
        ]
        peers = {PLAIN: (stack.enter_context(plain(where)), asking("/check", question))}
        missing = []
        try:
            program = find()
        except Unavailable as error:
            missing = [
                Figure(name=f"our check to {name}", figure=None, unit="times", least=TARGETS[name], why=str(error))
                for name in (CATALOGUE, TRIVIAL)
            ]
        else:
            small = folder / "trivial.tar.gz"
            source = shutil.copy(Path(__file__).with_name("trivial.rego"), folder)
            subprocess.run([program, "build", "-o", small, Path(source).name], cwd=folder, check=True)
            asked = [b'{"input":' + facts + b"}" for facts in facts_of(where)]
            consent = b'{"input":{"subject":"s1","channel":"email","purpose":"marketing","consent":"opt_in"}}'
            allow = asking("/v1/data/volens/trivial/allow", [consent])

            def served(bundle: Path, *options: str) -> int:
                return stack.enter_context(opa(program, bundle, folder / f"opa{len(peers)}.log", *options))

            catalogue = served(BUILD / "bundle.tar.gz")
            peers[CATALOGUE] = catalogue, asking("/v1/data/volens/decision/verdict", asked)
            peers[TRIVIAL] = served(small), allow
            peers[LOGGED] = served(small, "--set=decision_logs.console=true"), allow
        figures = compared(rounds((where.port, check), peers))
    keep("compare", [*figures, *missing, DATABUNKER])
    if any(each.errors for each in figures):
        raise SystemExit("some requests failed")


if __name__ == "__main__":
    main()
