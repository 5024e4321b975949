"""How long a trial of a policy takes over many logged decisions.

The log is filled by COPY: people of many places with consents of every age, asked about on several channels over a
month, so that decisions share their facts about as often as they do in life.

    python -m benchmarks.what_if
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import msgspec
import psycopg
from uuid_utils.compat import uuid7

from service import db, given, migrating
from service.candidates import Bench
from service.decisions import NO_OVERLAY, Overlay, Policy, Verdict
from service.decisions.artefacts import read_policy
from service.decisions.asking import Judged, content_hash
from service.decisions.facts import fill, template
from service.decisions.simulation import Case, described
from service.decisions.wasm import embedded
from service.kernel import SubjectId, TenantId
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.transaction import opener
from service.trials import RunTrial
from service.trials.domain import Base, Candidate, Period, Plan
from service.trials.schemas import ResultView

DECISIONS = int(os.environ.get("WHAT_IF_DECISIONS", "100000"))
PEOPLE = int(os.environ.get("WHAT_IF_PEOPLE", "20000"))
TARGET = 20.0
"""Seconds for 100,000 decisions on two cores."""
TENANT = TenantId("bench")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
REST = "FR AT IT ES NL PL IE NO GB CH CA US-TX US-FL US-CO BR IN"
PLACES = [*["DE"] * 6, *["US-CA"] * 3, *REST.split()]
WORKING_DAYS = [days for days in range(1, 31) if (NOW - timedelta(days=days)).isoweekday() < 6]
ZONES = {"US": "America/Chicago", "CA": "America/Toronto", "BR": "America/Sao_Paulo", "IN": "Asia/Kolkata"}
QUESTIONS = [*[("email", "marketing")] * 16, *[("email", "service")] * 3, ("sms", "marketing"), ("phone", "marketing")]
KINDS = ["opt_in"] * 6 + ["opt_in opt_out", "purchase", "opt_in purchase", "", "object"]


def people(chance: random.Random) -> list[dict[str, Any]]:
    """Return cases without their questions."""
    made = []
    for _ in range(PEOPLE):
        place, kinds = chance.choice(PLACES), chance.choice(KINDS).split()
        channel = chance.choice(["email", "email", "sms", "phone"])
        made.append(
            {
                "jurisdiction": place,
                "local_time_zone": ZONES.get(place[:2], "Europe/Berlin"),
                "subject": {"age": chance.choice([17, 25, 40, 70]), "is_customer": "purchase" in kinds},
                "records": [
                    {
                        "ts": (NOW - timedelta(days=chance.randint(31, 1200))).isoformat(),
                        "channel": channel,
                        "purpose": "marketing" if kind != "purchase" else "contract",
                        "action": kind,
                        "method": chance.choice(["web_form", "double_opt_in"]),
                        "evidence": "form",
                        "notice_version": "v1",
                    }
                    for kind in kinds
                ],
            }
        )
    return made


def decided(policy: Policy) -> list[tuple[UUID, datetime, str, str, bytes]]:
    """Return id, instant, channel, purpose and facts of each decision."""
    chance = random.Random(7)
    situations = {}
    cases = people(chance)
    made = []
    for _ in range(DECISIONS):
        person, (channel, purpose) = chance.randrange(PEOPLE), chance.choice(QUESTIONS)
        day = NOW.replace(hour=8, minute=0) - timedelta(days=chance.choice(WORKING_DAYS))
        at = day + timedelta(minutes=chance.randint(0, 9 * 60))
        key = person, channel, purpose
        if key not in situations:
            asked = {**cases[person], "channel": channel, "purpose": purpose, "at": NOW.isoformat()}
            situation = described(msgspec.convert(asked, Case), policy, None, NOW).situation
            situations[key] = template(situation, policy.data, policy.is_holiday)
        made.append((uuid7(), at, channel, purpose, fill(situations[key], at).facts))
    return made


async def verdicts(policy: Policy, facts: set[bytes]) -> dict[bytes, Verdict]:
    engine = embedded(given.BUILD, policy)
    try:
        return {each: await engine.evaluate(each) for each in facts}
    finally:
        engine.close()


def store(urls: DatabaseUrls, policy: Policy) -> int:
    """Fill the log, and return how many distinct facts it has."""
    made = decided(policy)
    judged = {
        facts: Judged.of(verdict, content_hash(facts))
        for facts, verdict in asyncio.run(verdicts(policy, {row[-1] for row in made})).items()
    }
    past_policies = urlunsplit(urlsplit(urls.admin)._replace(path=urlsplit(urls.owner).path))
    with psycopg.connect(past_policies) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO tenant (id, created_at) VALUES (%s, now())", (TENANT,))
        with cursor.copy("COPY facts (tenant, hash, body) FROM STDIN") as copy:
            for facts, each in judged.items():
                copy.write_row((TENANT, each.facts_hash, facts.decode()))
        with cursor.copy("COPY verdict (tenant, revision, facts_hash, body) FROM STDIN") as copy:
            for each in judged.values():
                copy.write_row((TENANT, policy.revision, each.facts_hash, each.body.decode()))
        columns = "tenant, id, channel, purpose, at, decided_at, permit, revision, facts_hash, verdict_hash, records"
        with cursor.copy(f"COPY decision ({columns}, actor, request) FROM STDIN") as copy:
            for id_, at, channel, purpose, facts in made:
                each = judged[facts]
                row = (TENANT, id_, channel, purpose, at, at, each.verdict.allow, policy.revision)
                copy.write_row((*row, each.facts_hash, each.body_hash, "{}", "bench", "bench"))
        cursor.execute("ANALYZE")
    return len(judged)


async def measure(urls: DatabaseUrls, policy: Policy, candidate: Candidate) -> tuple[float, float, ResultView]:
    engine, clock = db.engine(urls.app), given.utc_now
    try:
        run = RunTrial(opener(engine, clock, uuid7), Bench(given.POLICIES, None, engine), _Nobody(), clock, uuid7)
        over = Period(since=NOW - timedelta(days=31), until=NOW)
        plan = Plan(candidate=candidate, over=over, base=Base(revision=policy.revision, version=0, overlay=NO_OVERLAY))
        begin, trial = opener(engine, clock, uuid7), uuid7()
        async with begin(TENANT) as tx:
            await tx.trials.add(trial, plan, at=clock(), actor="bench")
        started, worked = time.perf_counter(), time.process_time()
        await run(TENANT)
        took, worked = time.perf_counter() - started, time.process_time() - worked
        async with begin(TENANT) as tx:
            found = await tx.trials.find(trial)
    finally:
        await engine.dispose()
    assert found is not None
    assert found.standing is not None, found
    return took, worked, ResultView.of(found.standing)


class _Nobody:
    async def profiles(self, tenant: TenantId, subjects: Sequence[SubjectId]) -> Sequence[None]:
        return [None for _ in subjects]


def main() -> int:
    policy = read_policy(given.BUILD)
    shorter = {**policy.tables["periods"], "stale": {**policy.tables["periods"]["stale"], "other": 12, "DE": 12}}
    candidates = {
        "a shorter period": Candidate(tables={"periods": shorter}),
        "an overlay": Candidate(overlay=Overlay(stale_months=12, refused_bases=("soft_opt_in",))),
    }
    missed = False
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as urls:
        migrating.apply_migrations(urls)
        distinct = store(urls, policy)
        print(f"{DECISIONS} decisions, {distinct} distinct facts")
        for name, candidate in candidates.items():
            took, worked, result = asyncio.run(measure(urls, policy, candidate))
            changes = f"{result.to_deny} to deny, {result.to_permit} to permit"
            print(f"{name}: {took:.1f} s, {worked:.1f} s of them at work; {changes}")
            missed = missed or took > TARGET * DECISIONS / 100_000
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
