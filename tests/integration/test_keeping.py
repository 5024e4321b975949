"""Content goes by the worker's hand alone, never a refusal, never early, never without a trace; killed or not."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from uuid import uuid4

import psycopg
import pytest

from service import operations, retention
from service.consent import EMPTY, RebuildState, fold
from service.consent.fold import FORMAT, encode
from service.decisions.artefacts import read_policy
from service.given import BUILD, utc_now
from service.kernel import SubjectId
from service.retention import ExpireAll, expire_content_by_itself
from service.telemetry import Telemetry
from tests.builders import DAY, a_submission, appending
from tests.integration.expiring_child import CONTENTS, expire_contents, killed

LONG_AGO = datetime(2019, 6, 3, 9, tzinfo=UTC)
VOCABULARY = read_policy(BUILD).vocabulary
EXPIRE = """
    SELECT removed, held FROM record_expire(
        %(tenant)s, %(handle)s, %(history)s, %(gone)s, %(left)s, %(format)s::smallint, %(ended_by)s,
        false, gen_random_uuid(), gen_random_uuid(), %(actor)s
    )
"""


@pytest.fixture(autouse=True)
def _long_ago(clock):
    clock.now = LONG_AGO


@pytest.fixture
def sql(database):
    """Runs a statement as the administrator, whom nothing holds."""
    with psycopg.connect(database.urls.admin, autocommit=True) as connection:
        yield lambda statement, *values: connection.execute(statement, values).fetchall()


@pytest.fixture
def live(begin, clock, caller):
    """Lets a subject agree and withdraw, long ago, and stores decisions about nobody."""

    async def live(tenant, subject="anna", decisions=0, database=None) -> dict:
        by = type(caller)(tenant=tenant, actor="crm", request="req-1")
        append = appending(begin, clock)
        acts = [
            a_submission(subject=subject, action=action, ts=clock() + number * DAY / 24, brand=None)
            for number, action in enumerate(("opt_in", "opt_out"))
        ]
        clock.advance(DAY)
        stored = await append(acts, by=by)
        async with begin(tenant) as tx:
            handle = await tx.subjects.handle_of(SubjectId(subject))
            history = await tx.records.history(handle)
        return {"handle": handle, "given": stored.records[0].id, "withdrawn": stored.records[1].id, "history": history}

    return live


def a_decision(sql, tenant) -> None:
    facts = uuid4().bytes
    sql("INSERT INTO facts VALUES (%s, %s, '{}') RETURNING 1", tenant, facts)
    sql("INSERT INTO verdict VALUES (%s, 'r', %s, '{}') RETURNING 1", tenant, facts)
    sql(
        """
        INSERT INTO decision (tenant, id, channel, purpose, at, decided_at, permit, revision, facts_hash, verdict_hash,
            records, actor, request)
        VALUES (%s, gen_random_uuid(), 'email', 'marketing', %s, %s, false, 'r', %s, '', '{}', 'crm', 'r') RETURNING 1
        """,
        *(tenant, LONG_AGO, LONG_AGO, facts),
    )


def told(sql, tenant) -> dict[str, int]:
    counted: dict[str, int] = {}
    for (object_id,) in sql(
        "SELECT object_id FROM audit_entry WHERE tenant = %s AND event = 'content.expired'", tenant
    ):
        what, _, number = object_id.partition("/")
        counted[what] = counted.get(what, 0) + int(number)
    return counted


def counts(sql, tenant) -> dict[str, int]:
    tables = {"record": "record", "decision": "decision", "facts": "facts", "event": "outbox"}
    return {
        what: sql(f"SELECT count(*) FROM {table} WHERE tenant = %s", tenant)[0][0] for what, table in tables.items()
    }


async def test_one_that_is_killed_at_any_step_loses_nothing_and_the_next_does_the_rest(
    live, add_tenant, database, sql, begin, caller
):
    at, steps = set(), 0
    for steps in range(200):
        tenant = add_tenant()
        for subject in ("anna", "ben"):
            await live(tenant, subject)
        for _ in range(CONTENTS + 1):
            a_decision(sql, tenant)
        before = counts(sql, tenant)
        at.add(where := await asyncio.to_thread(killed, expire_contents, database.urls.worker, tenant, steps))

        gone = {what: before[what] - left for what, left in counts(sql, tenant).items() if left < before[what]}
        assert gone == told(sql, tenant), "each commit has its trace, and nothing else has one"
        async with operations.transactions(database.urls.worker) as worker:
            await ExpireAll(worker, "worker", lambda *_: None, dry=False)(tenant)
        assert counts(sql, tenant) == {"record": 2, "decision": 0, "facts": 0, "event": 0}
        assert sql("SELECT count(*) FROM expired WHERE tenant = %s", tenant) == [(CONTENTS + 1 + 2,)]
        by = type(caller)(tenant=tenant, actor="crm", request="req-1")
        rebuilt = await RebuildState(begin, VOCABULARY)(check=True, by=by)
        assert (rebuilt.subjects, rebuilt.differing) == (2, 0)
        if where == "done":
            break
    assert at == {"before a commit", "after a commit", "done"}
    assert steps >= 2 * 8


async def test_a_worker_whose_clock_is_ahead_of_the_database_expires_all_the_same(
    live, tenant, database, sql, monkeypatch
):
    await live(tenant)
    a_decision(sql, tenant)
    monkeypatch.setattr(retention.given, "utc_now", lambda: utc_now() + timedelta(minutes=1))
    async with operations.transactions(database.urls.worker) as worker:
        await ExpireAll(worker, "worker", lambda *_: None, dry=False)(tenant)

    assert counts(sql, tenant) == {"record": 1, "decision": 0, "facts": 0, "event": 0}


async def test_two_at_once_remove_everything_once(live, tenant, database, sql):
    for number in range(6):
        await live(tenant, f"s-{number}")
        a_decision(sql, tenant)
    async with operations.transactions(database.urls.worker) as worker:
        runs = [ExpireAll(worker, "worker", lambda *_: None, dry=False)(tenant) for _ in range(3)]
        await asyncio.gather(*runs)
        await ExpireAll(worker, "worker", lambda *_: None, dry=False)(tenant)

    assert counts(sql, tenant) == {"record": 6, "decision": 0, "facts": 0, "event": 0}
    assert told(sql, tenant)["record"] == told(sql, tenant)["decision"] == 6


async def test_a_state_that_is_not_what_its_records_say_stops_no_other_tenant(live, add_tenant, database, sql):
    damaged, other = sorted(add_tenant() for _ in range(2))
    lived = await live(damaged)
    await live(other)
    sql(
        "UPDATE consent_state SET state = %s WHERE tenant = %s AND handle = %s RETURNING 1",
        *(encode(EMPTY), damaged, lived["handle"]),
    )
    lines = BytesIO()

    await expire_content_by_itself(database.urls.worker, Telemetry(utc_now, stream=lines))

    assert counts(sql, damaged)["record"] == 2
    assert told(sql, damaged) == {}
    assert counts(sql, other)["record"] == 1
    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert "bug" in {each["event"] for each in said}
    assert ("content_expired", other) in {(each["event"], each.get("tenant")) for each in said}


def arguments(tenant, lived, **changes):
    left = [record for record in lived["history"] if record.id != lived["given"]]
    return {
        "tenant": tenant,
        "handle": lived["handle"],
        "history": 2,
        "gone": [lived["given"]],
        "left": encode(fold(EMPTY, left, VOCABULARY)),
        "format": FORMAT,
        "ended_by": LONG_AGO + timedelta(days=30),
        "actor": "worker",
        **changes,
    }


async def test_the_worker_can_not_make_a_refusal_go_or_change_what_is_left(live, tenant, database, sql):
    lived = await live(tenant)
    whole = fold(EMPTY, lived["history"], VOCABULARY)
    forged = json.loads(encode(whole))
    forged["acts"] = [act for act in forged["acts"] if act["signature"]["action"] != "opt_out"]
    resurrected = json.loads(encode(whole)) | {"spare": forged["acts"]}
    with psycopg.connect(database.urls.worker, autocommit=True) as worker:
        for changes, error in (
            ({"gone": [lived["withdrawn"]]}, psycopg.errors.InsufficientPrivilege),
            ({"gone": [lived["given"], lived["withdrawn"]]}, psycopg.errors.InsufficientPrivilege),
            ({"left": json.dumps(forged).encode()}, psycopg.errors.InsufficientPrivilege),
            ({"left": json.dumps(resurrected).encode()}, psycopg.errors.InsufficientPrivilege),
            ({"left": b'{"acts":[]}'}, psycopg.errors.InsufficientPrivilege),
            ({"ended_by": LONG_AGO}, psycopg.errors.InsufficientPrivilege),  # it came later
            ({"ended_by": datetime.now(UTC)}, psycopg.errors.InvalidParameterValue),
            ({"actor": "crm"}, psycopg.errors.InvalidParameterValue),
        ):
            with pytest.raises(error):
                worker.execute(EXPIRE, arguments(tenant, lived, **changes))
        assert worker.execute(EXPIRE, arguments(tenant, lived, history=3)).fetchone() == (0, 0), "it grew meanwhile"
        assert counts(sql, tenant)["record"] == 2
        assert worker.execute(EXPIRE, arguments(tenant, lived)).fetchone() == (1, 0)


def test_the_database_lets_go_what_the_policy_lets_go(sql):
    [(body,)] = sql("SELECT prosrc FROM pg_proc WHERE proname = 'record_expire'")
    [listed] = re.findall(r"ARRAY\[([^]]*)\]", body)

    assert set(re.findall(r"'(\w+)'", listed)) == VOCABULARY.answered_by.keys()


async def test_nobody_else_makes_anything_go(live, tenant, database, sql):
    lived = await live(tenant)
    a_decision(sql, tenant)
    with psycopg.connect(database.urls.app, autocommit=True) as app:
        for statement in (
            "SELECT * FROM expire_decisions('t', now(), 1, false, '', gen_random_uuid(), gen_random_uuid(), 'worker')",
            "SELECT * FROM record_histories('t', now(), gen_random_uuid(), 1)",
            "SELECT note_expiry('t', 'x', 1, gen_random_uuid(), gen_random_uuid(), 'x')",
            "INSERT INTO expired VALUES ('t', 'record', gen_random_uuid(), NULL, now(), now())",
            "DELETE FROM audit_hold",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(EXPIRE, arguments(tenant, lived))
    with psycopg.connect(database.urls.worker, autocommit=True) as worker:
        worker.execute("SET volens.expiring = 'on'")
        for table in (
            "decision",
            "record",
            "facts",
            "verdict",
            "subject_facts",
            "consent_state",
            "audit_hold",
            "expired",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                worker.execute(f"DELETE FROM {table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            worker.execute("SELECT note_expiry('t', 'x', 1, gen_random_uuid(), gen_random_uuid(), 'x')")


async def test_no_decision_or_record_goes_without_a_trace_not_even_by_the_owner(live, tenant, database, sql):
    await live(tenant)
    a_decision(sql, tenant)
    with psycopg.connect(database.urls.owner, autocommit=True) as owner:
        owner.execute("SET volens.expiring = 'on'")
        for table in ("decision", "record"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only with a trace"):
                owner.execute(f"DELETE FROM {table}")
            for change in (f"UPDATE {table} SET tenant = tenant", f"TRUNCATE {table}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only grows"):
                    owner.execute(change)
    assert counts(sql, tenant)["record"] == 2
