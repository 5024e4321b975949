"""What `volens audit export` takes: seconds, memory and bytes, in each format, of a log with what stands behind it.

The command is the real one, in a process of its own, whose start counts; PostgreSQL runs beside it. Of five entries
two tell of records and two of decisions, which a pack reads as well.
"""

import asyncio
import json
import os
import subprocess
import tempfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.commands import Took, timed
from benchmarks.results import Figure, keep
from benchmarks.site import VOLENS
from service import db, given, operations
from service.audit import AuditEvent, Draft
from service.audit.growing import GrowTree
from service.audit.tree_store import growing
from service.consent import Action, Channel, StoredRecord
from service.consent.domain import Statement
from service.kernel import Caller, Handle, TenantId
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.sequencer import log_keys, published
from service.settings import Settings

ENTRIES = int(os.environ.get("BENCH_EXPORTED", "200000"))
BATCH = 5000
TARGETS = {"seconds": 60.0, "memory": 256.0}
"""For a million entries; MiB."""
TENANT = TenantId("acme")
_ENTER = "SELECT set_config('volens.tenant', 'acme', false)"
_DECISIONS = """
    INSERT INTO decision (tenant, id, handle, channel, purpose, at, decided_at, permit, revision, facts_hash,
                          verdict_hash, records, actor, request)
    SELECT 'acme', id::uuid, id::uuid, 'email', 'marketing', %(at)s, %(at)s, true, %(revision)s, sha256('{}'),
           sha256('{}'), ARRAY[id::uuid], 'bench', 'bench'
    FROM unnest(string_to_array(%(ids)s, ',')) AS id
"""
_JUDGED = """
    INSERT INTO facts (tenant, hash, body) VALUES ('acme', sha256('{}'), '{}');
    INSERT INTO verdict (tenant, revision, facts_hash, body) VALUES ('acme', '%s', sha256('{}'), '%s')
"""
_VERDICT = {
    "allow": True,
    "basis": "consent",
    "reasons": [{"rule": rule, "effect": "permit", "stage": 10} for rule in ("EU-EPD-01", "EU-CON-01", "DE-UWG-01")],
    "obligations": ["log_decision", "offer_optout"],
    "acts": [0],
    "closed_hours": False,
}


async def fill(urls: DatabaseUrls, settings: Settings) -> None:
    by = Caller(tenant=TENANT, actor="shop-backend", request=str(UUID(int=7)))
    now, revision = given.utc_now(), (given.BUILD / "revision").read_text().strip()
    with psycopg.connect(urls.app) as log:
        log.execute(_ENTER)
        log.execute(_JUDGED % (revision, json.dumps(_VERDICT)))
    async with operations.transactions(urls.app) as begin:
        for low in range(0, ENTRIES, BATCH):
            drafts, records, decisions = [], [], []
            for number in range(low, min(low + BATCH, ENTRIES)):
                object_id = given.new_id()
                kind = (AuditEvent.RECORD_STORED, AuditEvent.DECISION_MADE)[number % 2]
                if number % 5 == 4:
                    kind = AuditEvent.SUBJECT_STORED
                elif number % 2 == 0:
                    records.append(_record(object_id, now))
                else:
                    decisions.append(str(object_id))
                drafts.append(Draft(event=kind, object_id=str(object_id), subject=Handle(uuid4())))
            async with begin(TENANT) as tx:
                await tx.audit.append_many(drafts, by=by)
                await tx.records.append(records)
            with psycopg.connect(urls.app) as log:
                log.execute(_ENTER)
                log.execute(_DECISIONS, {"at": now, "revision": revision, "ids": ",".join(decisions)})
    async with db.pool(urls.worker, size=2) as pool:
        keys = await log_keys(settings, pool)
        grow = GrowTree(settings.log_name, growing(pool), keys.signer, published(settings), given.utc_now)
        while await grow(TENANT):
            pass
    with psycopg.connect(urls.owner, autocommit=True) as owner:
        owner.execute("VACUUM (ANALYZE) audit_entry, audit_leaf, record, decision")


def _record(id_: UUID, now) -> StoredRecord:
    statement = Statement(
        ts=now - timedelta(days=1),
        channel=Channel.EMAIL,
        action=Action.OPT_IN,
        purpose="marketing",
        method="double_opt_in",
        evidence="sign-up form, wording and confirmation click",
        notice_version="2026-03",
    )
    return StoredRecord(id=id_, handle=Handle(id_), received_at=now, statement=statement)


def export(form: str, out: Path, env: dict[str, str], *options: str) -> Took:
    return timed(["audit", "export", "--tenant", TENANT, "--format", form, "--out", str(out), *options], env, out)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        env = {name: value for name, value in os.environ.items() if not name.startswith("VOLENS_")}
        env["VOLENS_DATA_DIR"] = str(data)
        with EmbeddedPostgres(data) as urls:
            subprocess.run([*VOLENS, "migrate"], env=env, check=True, stdout=subprocess.DEVNULL)
            subprocess.run([*VOLENS, "tenant", "add", TENANT], env=env, check=True, stdout=subprocess.DEVNULL)
            asyncio.run(fill(urls, Settings(data_dir=str(data))))
            measured = {form: export(form, Path(folder) / form, env) for form in ("ndjson", "csv", "pack")}
            start = export("ndjson", Path(folder) / "start", env, "--after", "1")

    table = Table(title=f"exporting {ENTRIES:,} entries; the start, {start.seconds:.1f} s, counts once")
    columns = ("format", "seconds", "of a processor", "a million", "of a processor", "MiB at most", "bytes an entry")
    for column in columns:
        table.add_column(column, justify="left" if column == "format" else "right", no_wrap=True)
    table.add_row("target", "", "", "< 60", "", "256", "")
    times = 1_000_000 / ENTRIES
    for form, took in measured.items():
        table.add_row(
            form,
            f"{took.seconds:.1f}",
            f"{took.processor:.1f}",
            f"{start.seconds + (took.seconds - start.seconds) * times:.0f}",
            f"{start.processor + (took.processor - start.processor) * times:.0f}",
            f"{took.memory:.0f}",
            f"{took.size / ENTRIES:.0f}",
        )
    Console(width=110).print(table)
    found = []
    for form, took in measured.items():
        seconds = start.seconds + (took.seconds - start.seconds) * times
        found += [
            Figure(name=f"{form}: a million entries", figure=seconds, unit="s", most=60),
            Figure(name=f"{form}: memory", figure=took.memory, unit="MiB", most=256),
        ]
    keep("exporting", found)


if __name__ == "__main__":
    main()
