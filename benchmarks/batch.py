"""How long a million ids take: one question over HTTP, each chunk on the record before its lines leave.

    python -m benchmarks.batch [SUBJECTS [ROUNDS]]

The people of `benchmarks/people.py` are stored as subjects with states. The first round reads everybody at length and
leaves narrow rows; the rounds after are what a campaign takes. Besides the seconds, which neighbours on the machine
make longer, the processor time of the service and of PostgreSQL is told, and the most memory that the service took.
"""

import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.people import Population
from benchmarks.results import Figure, keep
from benchmarks.site import Site, site
from service.consent import state_out
from service.decisions.artefacts import read_policy
from service.given import BUILD

SUBJECTS, ROUNDS = 200_000, 3
TARGET = 6.0
"""Seconds for a million, with two cores and nobody else on them."""
MEMORY = 250
"""MiB of the service."""
WHY = (
    "21 µs of Python a person: a third for commitments, of them 3 for hashes and salts, a fifth to find the answer of "
    "those who are alike (ADR 0023), the rest for reading, packing and writing; PostgreSQL works meanwhile"
)
WHY_MEMORY = (
    "190 MiB are the service before the first question, 40 what is remembered of kinds, and most of the rest the facts "
    "and verdicts of two chunks in which all are new, on their way to the log"
)
PIECE = 5_000
QUESTION = {
    "channel": "email",
    "purpose": "marketing",
    "context": {
        "similar_product": True,
        "same_seller": True,
        "optout_in_message": True,
        "sender_identified": True,
        "postal_address_present": True,
        "current_notice_version": "v3",
    },
}
STORE = """
    WITH new AS (
        SELECT * FROM json_to_recordset(%(rows)s::json) AS new (subject text, handle uuid, facts text, state text)
    ), people AS (
        INSERT INTO subject (tenant, subject, handle, created_at, version, facts)
        SELECT 'bench', subject, handle, now(), 1, convert_to(facts, 'UTF8') FROM new
    )
    INSERT INTO consent_state (tenant, handle, version, state, updated_at)
    SELECT 'bench', handle, 1, convert_to(state, 'UTF8'), now() FROM new
"""


def fill(where: Site, subjects: int) -> None:
    """Store people past the service, with ids in no order of theirs."""
    people = Population(read_policy(BUILD)).people(subjects)
    with psycopg.connect(where.past_policies, autocommit=True) as connection:
        for first in range(0, subjects, PIECE):
            rows = [
                {
                    "subject": f"s{number:08}",
                    "handle": f"{number:08x}-0000-4000-8000-{number:012x}",
                    "facts": msgspec.json.encode(person.facts).decode(),
                    "state": state_out(person.state).decode(),
                }
                for number, person in zip(range(first, min(first + PIECE, subjects)), people, strict=False)
            ]
            connection.execute(STORE, {"rows": json.dumps(rows)})
        connection.execute("VACUUM ANALYZE")


def ask(port: int, token: str, ids: Sequence[str]) -> Mapping[str, Any]:
    """Send and read at once; return the last line."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = (
            f"POST /v1/decisions/batch HTTP/1.1\r\nhost: bench.example\r\nauthorization: Bearer {token}\r\n"
            "content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        )
        connection.sendall(head.encode())

        def send() -> None:
            for first in range(0, len(ids), PIECE):
                lines = "".join(f'"{subject}"\n' for subject in ids[first : first + PIECE]).encode()
                if first == 0:
                    lines = json.dumps(QUESTION).encode() + b"\n" + lines
                connection.sendall(b"%x\r\n%b\r\n" % (len(lines), lines))
            connection.sendall(b"0\r\n\r\n")

        sender = threading.Thread(target=send)
        sender.start()
        last = b""
        while part := connection.recv(1 << 20):
            last = (last + part)[-65_536:]
        sender.join()
    summary: Mapping[str, Any] = json.loads(last[last.rindex(b'{"summary"') :].split(b"\n")[0])["summary"]
    return summary


def main() -> None:
    subjects, rounds, *_ = (*map(int, sys.argv[1:]), *(SUBJECTS, ROUNDS)[len(sys.argv) - 1 :])
    table = Table(title=f"{subjects:,} ids; target {TARGET:.0f} s a million on two cores, {MEMORY} MiB")
    for column in ("round", "s a million", "service CPU s", "PostgreSQL CPU s", "at length", "MiB"):
        table.add_column(column, justify="right", no_wrap=True)
    ids = [f"s{number * 7919 % subjects:08}" for number in range(subjects)]
    took: list[float] = []
    worth: list[float] = []
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as where:
        fill(where, subjects)
        for number in range(rounds):
            began, before = time.perf_counter(), where.worked()
            summary = ask(where.port, where.token, ids)
            million = 1_000_000 / subjects
            seconds, spent = (time.perf_counter() - began) * million, where.worked().since(before)
            took.append(seconds)
            worth.append(sum(spent) * million)
            table.add_row(
                str(number + 1),
                *(f"{each:.1f}" for each in (seconds, *(each * million for each in spent))),
                f"{summary['read_at_length'] / subjects:.1%}",
                f"{where.peak():.0f}",
            )
        most = where.peak()
    Console().print(table)
    keep(
        "batch",
        [
            Figure(name="a million ids, none asked about before", figure=took[0], unit="s"),
            Figure(name="a million ids", figure=min(took[1:] or took), unit="s", most=TARGET, why=WHY),
            Figure(name="a million ids: processor's time", figure=min(worth[1:] or worth), unit="s"),
            Figure(name="memory of the service", figure=most, unit="MiB", most=MEMORY, why=WHY_MEMORY),
        ],
    )


if __name__ == "__main__":
    main()
