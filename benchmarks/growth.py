"""What a check costs when everything has grown: subjects, their histories, the log of decisions; and cold, and crowded.

    python -m benchmarks.growth [subjects | history | log | cold | connections | slopes]…

Two installations answer in turns in one run, a small one and a grown one, each with a database and a service of its
own, pinned to the same core; short rounds, of which the median counts. What a round worked is read as well, from the
kernel: the seconds of a processor that the service and PostgreSQL took for a check, which don't count what else the
machine did.

What is grown was made by SQL from rows that the API made: a million subjects would take hours otherwise. Decisions
lie in thirteen months, each with its entry of the audit log. GROWTH_SUBJECTS and GROWTH_DECISIONS say how many,
such as 50000000.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

import psycopg

from benchmarks.bench import SUBJECTS, in_turns, load, reference
from benchmarks.bench import requests as requests_of
from benchmarks.bench import row as ratio_of
from benchmarks.grown import HISTORY, LONG, with_decisions, with_histories, with_subjects
from benchmarks.load import Measured, Request, measure, request
from benchmarks.results import Figure, keep
from benchmarks.site import Site, site

MANY = int(os.environ.get("GROWTH_SUBJECTS", "1000000"))
DECISIONS = int(os.environ.get("GROWTH_DECISIONS", "2000000"))
ROUNDS = int(os.environ.get("GROWTH_ROUNDS", "15"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "0.5"))
CONNECTIONS = 32
ALL = {"VOLENS_REQUESTS_AT_ONCE": "512"}
"""Lets 256 connections be answered, of which half would be refused."""
COLD = 1_000
"""Checks after a start, each of another subject."""

WHY = {
    "same": "the same bytes of state and facts as after one record, so the same work: the rest is noise of the run",
    "long": "a state at its bound has 78 acts, 16 KB, and makes 12 KB of facts: 410 µs of a processor to decode and "
    "state them, where one act takes 19; it grows no further, whatever the history does",
    "log": "what grew with the decisions are entries of the audit log, in one table with five indexes",
    "subjects": "each check touches pages of three tables and their indexes at random, and 256 MiB of buffers hold a "
    "fraction of them",
}


@dataclass(frozen=True)
class Round:
    measured: Measured
    service: float
    """Microseconds of a processor that the service took for a check."""
    database: float


def rounds(grown: tuple[Site, Request], small: tuple[Site, Request], times: int = ROUNDS) -> list[tuple[Round, Round]]:
    """Return what each took in turns, the grown one and the small one; which comes first changes."""
    found = []
    for number in range(times + 1):
        order = (grown, small) if number % 2 else (small, grown)
        pair = {id(side): of(*side) for side in order}
        found.append((pair[id(grown)], pair[id(small)]))
    return found[1:]  # the first warmed


def of(where: Site, make: Request) -> Round:
    before = where.worked()
    measured = measure(where.port, CONNECTIONS, SECONDS, make, first=next(FIRST))
    service, database = where.worked().since(before)
    return Round(measured, service / measured.count * 1e6, database / measured.count * 1e6)


FIRST = count(step=1_000_003)
"""No round asks of the same subjects in the same order."""


def compared(name: str, pairs: list[tuple[Round, Round]], why: str, *, times: bool = False) -> list[Figure]:
    """Return the rate to that of the small one, or with `times` how much longer a check takes, and the work."""
    rates = [grown.measured.rate / small.measured.rate for grown, small in pairs]
    if times:
        rates = [1 / rate for rate in rates]
    errors = sum(each.measured.errors for pair in pairs for each in pair)
    work = {
        side: median(getattr(grown, side) / getattr(small, side) for grown, small in pairs if getattr(small, side))
        for side in ("service", "database")
    }
    both = median((grown.service + grown.database) / (small.service + small.database) for grown, small in pairs)
    parts = f"processor's time to the small one's: service {work['service']:.2f}, PostgreSQL {work['database']:.2f}"
    target = {"most": 1.1} if times else {"least": 0.95}
    took = "time of a check" if times else "checks a second"
    return [
        Figure(
            name=f"{name}: {took}",
            figure=median(rates),
            unit="times",
            errors=errors,
            spread=(round(min(rates), 2), round(max(rates), 2)),
            why=f"{why}; {parts}",
            **target,
        ),
        Figure(name=f"{name}: processor's time of a check", figure=both, unit="times"),
        *(Figure(name=f"{name}: of that {side}", figure=times_, unit="times") for side, times_ in work.items()),
    ]


def check(token: str, subjects: int, name: str = "s{}") -> Request:
    """Ask about one subject after the other, far apart in every index."""
    question = {"channel": "email", "purpose": "marketing"}
    whole = request("POST", "/v1/decisions", token=token, body=json.dumps({"subject": "@", **question}).encode())
    head, _, body = whole.partition(b"\r\n\r\n")
    before, after = body.split(b"@")
    head = head[: head.rindex(b" ") + 1]

    def make(number: int) -> bytes:
        subject = name.format(number * 7919 % subjects).encode()
        length = len(before) + len(subject) + len(after)
        return b"%b%d\r\n\r\n%b%b%b" % (head, length, before, subject, after)

    return make


@contextmanager
def two() -> Iterator[tuple[Site, Site]]:
    """Run two installations, each with the population of `benchmarks.bench`."""
    with ExitStack() as stack:
        sites = []
        for _ in range(2):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            sites.append(stack.enter_context(site(Path(folder))))
            load(sites[-1].port, sites[-1].token)
        yield sites[0], sites[1]


def of_subjects() -> list[Figure]:
    with two() as (grown, small):
        with_subjects(grown, MANY)
        pairs = rounds((grown, check(grown.token, MANY)), (small, check(small.token, SUBJECTS)))
    return compared(f"subjects {SUBJECTS:,} to {MANY:,}", pairs, WHY["subjects"])


def of_log() -> list[Figure]:
    with two() as (grown, small):
        of(grown, check(grown.token, SUBJECTS))  # decisions to make others from
        with_decisions(grown, DECISIONS)
        pairs = rounds((grown, check(grown.token, SUBJECTS)), (small, check(small.token, SUBJECTS)))
    return compared(f"decisions logged, none to {DECISIONS:,}", pairs, WHY["log"])


def of_history() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as where:
        with_histories(where)
        found = []
        for kind, words in (("same", "that say the same"), ("long", "of many kinds")):
            asked, one = (check(where.token, LONG, each + "{}") for each in (kind, "one"))
            pairs = rounds((where, asked), (where, one))
            found += compared(f"history 1 to {HISTORY:,} records {words}", pairs, WHY[kind], times=True)
    return found


def of_cold() -> list[Figure]:
    """Return what the first checks take after service and database started, their files out of the system's cache."""
    with tempfile.TemporaryDirectory() as folder:
        with site(Path(folder)) as where:
            load(where.port, where.token)
            with_subjects(where, MANY)
        forget(Path(folder))
        with site(Path(folder)) as where:
            make = check(where.token, MANY)
            cold = measure(where.port, CONNECTIONS, SECONDS, make)
            warm = [measure(where.port, CONNECTIONS, SECONDS, make, first=next(FIRST)) for _ in range(ROUNDS)][-5:]
    rate = cold.rate / median(each.rate for each in warm)
    tail = cold.p99 / median(each.p99 for each in warm)
    return [
        Figure(name="cold caches: checks a second to warm", figure=rate, unit="times", errors=cold.errors),
        Figure(name="cold caches: p99 to warm", figure=tail, unit="times"),
    ]


def forget(folder: Path) -> None:
    """Ask the system to drop what it has of these files in memory."""
    for path in (each for each in folder.rglob("*") if each.is_file()):
        with path.open("rb") as file:
            os.fdatasync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def of_connections() -> list[Figure]:
    sent = count(step=1_000_000)
    found = []
    with tempfile.TemporaryDirectory() as folder, site(Path(folder), ALL) as where, reference() as port:
        load(where.port, where.token)
        make = requests_of(where.token)["check"]
        for connections in (1, 2, 4, 8, 16, 32, 64, 128, 256):
            measure(where.port, connections, SECONDS, make)
            row = ratio_of("check", connections, list(in_turns(port, where.port, connections, make, sent)))
            found.append(
                Figure(
                    name=f"check, {connections} connections",
                    figure=row["ratio"],
                    unit="ratio",
                    errors=row["errors"],
                    spread=tuple(row["spread"]),
                )
            )
    return found


def of_slopes() -> list[Figure]:
    """Return what one check takes of each thing that can run out, by the number of connections."""
    found = []
    with tempfile.TemporaryDirectory() as folder, site(Path(folder), ALL) as where:
        load(where.port, where.token)
        make = check(where.token, SUBJECTS)
        of(where, make)
        for connections in (1, CONNECTIONS, 256):
            with psycopg.connect(where.past_policies, autocommit=True) as admin:
                before, began = where.worked(), used(admin)
                measured = [measure(where.port, connections, SECONDS, make, first=next(FIRST)) for _ in range(ROUNDS)]
                work, ended = where.worked().since(before), used(admin)
            checks = sum(each.count for each in measured)
            slopes = {
                "µs of the service": work[0] * 1e6,
                "µs of PostgreSQL": work[1] * 1e6,
                **{name: ended[name] - began[name] for name in ended},
            }
            errors = sum(each.errors for each in measured)
            found += [
                Figure(name=f"a check at {connections}: {name}", figure=took / checks, unit="a check", errors=errors)
                for name, took in slopes.items()
            ]
    return found


def used(admin: psycopg.Connection) -> dict[str, float]:
    """Return what the database has written and committed, and how large it is."""
    admin.execute("SELECT pg_stat_force_next_flush()")
    row = admin.execute(
        """
        SELECT pg_current_wal_insert_lsn() - '0/0', xact_commit, pg_database_size(current_database())
        FROM pg_stat_database WHERE datname = current_database()
        """
    ).fetchone()
    assert row is not None
    return {
        "bytes of WAL": float(row[0]),
        "commits": float(row[1]),
        "bytes of disk": float(row[2]),
    }


PARTS: dict[str, Callable[[], list[Figure]]] = {
    "subjects": of_subjects,
    "history": of_history,
    "log": of_log,
    "cold": of_cold,
    "connections": of_connections,
    "slopes": of_slopes,
}


def main() -> None:
    failed = 0
    for name in sys.argv[1:] or PARTS:
        found = PARTS[name]()
        keep("growth", found)
        failed += sum(each.errors for each in found)
    if failed:
        raise SystemExit("some requests failed")


if __name__ == "__main__":
    main()
