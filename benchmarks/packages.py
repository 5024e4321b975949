"""What `volens subject package` takes: seconds, memory and bytes, of one person with a long history.

The command is the real one, in a process of its own, whose start counts; PostgreSQL runs beside it. As many decisions
were made about the person as they have records, and as many about others.
"""

import asyncio
import json
import os
import subprocess
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.commands import Took, timed
from benchmarks.results import Figure, keep
from benchmarks.site import VOLENS
from service import given, operations
from service.consent import EMPTY, Action, Channel, NoticeContent, StoredRecord, fold
from service.consent.domain import Statement
from service.decisions.artefacts import read_policy
from service.kernel import Handle, SubjectId, TenantId
from service.postgres import DatabaseUrls, EmbeddedPostgres

RECORDS = int(os.environ.get("BENCH_PACKAGED", "10000"))
BATCH = 5000
TENANT = TenantId("acme")
ANNA, BERTA, NOBODY_YET = SubjectId("anna"), SubjectId("berta"), SubjectId("carl")
TARGETS = {"seconds": 5.0, "memory": 256.0}
"""For 10,000 records; MiB."""
_ENTER = "SELECT set_config('volens.tenant', 'acme', false)"
_JUDGED = """
    INSERT INTO facts (tenant, hash, body) VALUES ('acme', sha256('{}'), '{}');
    INSERT INTO verdict (tenant, revision, facts_hash, body) VALUES ('acme', '%s', sha256('{}'), '%s')
"""
_DECISIONS = """
    INSERT INTO decision (tenant, id, handle, channel, purpose, at, decided_at, permit, revision, facts_hash,
                          verdict_hash, records, actor, request)
    SELECT 'acme', gen_random_uuid(), %(handle)s, 'email', 'marketing', at, at, true, %(revision)s, sha256('{}'),
           sha256('{}'), '{}', 'bench-' || (number %% 7), 'bench'
    FROM (SELECT number, now() - number * interval '1 minute' AS at FROM generate_series(1, %(count)s) AS number)
"""
_ENTRIES = """
    INSERT INTO audit_entry (tenant, id, at, event, object_id, subject, actor, request, canonical)
    SELECT tenant, gen_random_uuid(), decided_at, 'decision.made', id::text, handle, actor, request, '' FROM decision
"""
"""By them the decisions about a person are found."""
_VERDICT = {
    "allow": True,
    "basis": "consent",
    "reasons": [{"rule": rule, "effect": "permit", "stage": 10} for rule in ("EU-EPD-01", "EU-CON-01", "DE-UWG-01")],
    "obligations": ["log_decision"],
    "acts": [0],
    "closed_hours": False,
}


async def fill(urls: DatabaseUrls) -> None:
    now, revision = given.utc_now(), (given.BUILD / "revision").read_text().strip()
    vocabulary = read_policy(given.BUILD).vocabulary
    async with operations.transactions(urls.app) as begin:
        async with begin(TENANT) as tx:
            found = await tx.subjects.ensure([ANNA, BERTA, NOBODY_YET], now)
            await tx.notices.add(
                NoticeContent(
                    notice="newsletter",
                    version="2026-03",
                    texts={"en": "We write to you once a week.", "de": "Wir schreiben Ihnen jede Woche."},
                    purposes=("marketing",),
                    channels=(Channel.EMAIL,),
                    controllers=("Acme",),
                    material_change=False,
                )
            )
        handle = found.handles[ANNA]
        state = EMPTY
        # In batches: the memory that a command takes is counted from what its parent had.
        for low in range(0, RECORDS, BATCH):
            records = [_record(handle, number, now) for number in range(low, min(low + BATCH, RECORDS))]
            state = fold(state, records, vocabulary)
            async with begin(TENANT) as tx:
                await tx.records.append(records)
        async with begin(TENANT) as tx:
            await tx.states.lock([handle])
            await tx.states.write({handle: state})
    with psycopg.connect(urls.app) as log:
        log.execute(_ENTER)
        log.execute(_JUDGED % (revision, json.dumps(_VERDICT)))
        for each in (handle, Handle(found.handles[BERTA])):
            log.execute(_DECISIONS, {"handle": each, "revision": revision, "count": RECORDS})
        log.execute(_ENTRIES)
    with psycopg.connect(urls.owner, autocommit=True) as owner:
        owner.execute("VACUUM (ANALYZE) record, decision, audit_entry")


def _record(handle: Handle, number: int, now: datetime) -> StoredRecord:
    at = now - timedelta(hours=number)
    statement = Statement(
        ts=at,
        channel=Channel.EMAIL,
        action=(Action.OPT_IN, Action.OPT_OUT, Action.PURCHASE)[number % 3],
        purpose="marketing",
        method="web_form",
        evidence="sign-up form, wording and confirmation click",
        notice_version="2026-03",
    )
    return StoredRecord(id=given.new_id(), handle=handle, received_at=at, statement=statement)


def package(out: Path, env: dict[str, str], subject: str) -> Took:
    said = ["subject", "package", "--tenant", TENANT, "--subject", subject, "--lang", "de", "--out", str(out)]
    return timed(said, env, out)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        env = {name: value for name, value in os.environ.items() if not name.startswith("VOLENS_")}
        env["VOLENS_DATA_DIR"] = str(data)
        with EmbeddedPostgres(data) as urls:
            subprocess.run([*VOLENS, "migrate"], env=env, check=True, stdout=subprocess.DEVNULL)
            subprocess.run([*VOLENS, "tenant", "add", TENANT], env=env, check=True, stdout=subprocess.DEVNULL)
            asyncio.run(fill(urls))
            start = package(Path(folder) / "carl.zip", env, NOBODY_YET)
            took = package(Path(folder) / "anna.zip", env, ANNA)

    table = Table(title=f"the package of a person with {RECORDS:,} records and {RECORDS:,} decisions")
    for column in ("", "seconds", "of a processor", "MiB at most", "bytes"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    table.add_row("target", f"< {TARGETS['seconds']:.0f}", "", f"{TARGETS['memory']:.0f}", "")
    for name, each in {"measured": took, "of which the start": start}.items():
        table.add_row(name, f"{each.seconds:.1f}", f"{each.processor:.1f}", f"{each.memory:.0f}", f"{each.size:,}")
    Console(width=110).print(table)
    keep(
        "packages",
        [
            Figure(name="a package", figure=took.seconds, unit="s", most=TARGETS["seconds"]),
            Figure(name="its memory", figure=took.memory, unit="MiB", most=TARGETS["memory"]),
        ],
    )


if __name__ == "__main__":
    main()
