"""The decision log and what is read from it, on PostgreSQL."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from msgspec.structs import replace
from psycopg_pool import AsyncConnectionPool
from uuid_utils.compat import uuid7

from service import db
from service.audit import Entry
from service.audit.store import statement
from service.consent import Channel
from service.decisions import Basis, Decision, Effect, Reason, Verdict
from service.decisions.asking import Judged, content_hash
from service.decisions.domain import Cited
from service.decisions.log import SqlDecisionLog
from service.decisions.ports import Logged
from service.kernel import Caller, Handle, TenantId, Unavailable
from service.transaction import Begin

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FACTS = b'{"acts":[{}],"question":{"channel":"email"}}'
VERDICT = Verdict(
    allow=True,
    basis=Basis.CONSENT,
    reasons=(Cited(rule="EU-EPD-01", effect=Effect.PERMIT, stage=10),),
    obligations=("log_decision",),
    acts=(0,),
    closed_hours=False,
)
EAST = timezone(timedelta(hours=1))


def logged(caller: Caller, facts: bytes = FACTS, verdict: Verdict = VERDICT, **changes: Any) -> Logged:
    decision = Decision(
        id=uuid7(),
        permit=verdict.allow,
        basis=verdict.basis,
        at=NOON,
        decided_at=NOON + timedelta(seconds=1),
        channel=Channel.EMAIL,
        purpose="x-club",
        handle=Handle(uuid4()),
        reasons=(Reason(rule="EU-EPD-01", effect=Effect.PERMIT, title="Prior consent", citation="Art. 13(1)"),),
        obligations=verdict.obligations,
        records=(uuid4(), uuid4()),
        retry_after=datetime(2026, 11, 23, 9, 0, tzinfo=EAST),
        valid_until=NOON + timedelta(hours=3),
        revision="sha256:one",
        overlay=2,
    )
    return Logged(
        decision=replace(decision, **changes),
        facts=facts,
        judged=Judged.of(verdict, content_hash(facts)),
        by=caller,
    )


@pytest.fixture
def log(pool: AsyncConnectionPool, new_id: Callable[[], UUID]) -> SqlDecisionLog:
    return SqlDecisionLog(pool, statement, new_id)


@pytest.fixture
def count(database: Any) -> Callable[..., int]:
    """Counts the rows of a tenant, past every policy."""

    def rows(table: str, tenant: TenantId) -> int:
        with psycopg.connect(database.urls.owner) as connection:
            found = connection.execute(f"SELECT count(*) FROM {table} WHERE tenant = %s", (tenant,)).fetchone()
        assert found is not None
        return int(found[0])

    return rows


async def test_a_decision_is_read_as_it_was_logged(log: SqlDecisionLog, begin: Begin, caller: Caller):
    one = logged(caller)
    await log.append(one)
    async with begin(caller.tenant) as tx:
        stored = await tx.decisions.find(one.decision.id)

    assert stored is not None
    assert (stored.id, stored.handle, stored.channel, stored.purpose) == (
        one.decision.id, one.decision.handle, "email", "x-club",
    )  # fmt: skip
    assert (stored.at, stored.decided_at, stored.valid_until) == (
        NOON,
        one.decision.decided_at,
        one.decision.valid_until,
    )
    assert stored.retry_after == "2026-11-23T09:00:00+01:00"
    assert (stored.permit, stored.revision, stored.records) == (True, "sha256:one", one.decision.records)
    assert (stored.facts, stored.verdict) == (FACTS, one.judged.body)
    assert stored.actor == caller.actor


async def test_a_decision_about_nobody_names_nobody(log: SqlDecisionLog, begin: Begin, caller: Caller):
    one = logged(caller, handle=None, records=(), retry_after=None, valid_until=None)
    await log.append(one)
    async with begin(caller.tenant) as tx:
        stored = await tx.decisions.find(one.decision.id)

    assert stored is not None
    assert (stored.handle, stored.records, stored.retry_after, stored.valid_until) == (None, (), None, None)


async def test_several_decisions_are_read_at_once_and_the_unknown_left_out(
    log: SqlDecisionLog, begin: Begin, caller: Caller
):
    one, other = logged(caller), logged(caller)
    await log.append(one)
    await log.append(other)
    async with begin(caller.tenant) as tx:
        found = await tx.decisions.several([other.decision.id, uuid4(), one.decision.id])
        assert await tx.decisions.several([]) == {}

    assert found.keys() == {one.decision.id, other.decision.id}
    assert found[one.decision.id].records == one.decision.records


async def test_a_decision_that_was_never_made_is_not_found(begin: Begin, caller: Caller):
    async with begin(caller.tenant) as tx:
        assert await tx.decisions.find(uuid4()) is None


async def test_another_tenants_decision_is_not_found(
    log: SqlDecisionLog, begin: Begin, caller: Caller, add_tenant: Callable[[], TenantId]
):
    one = logged(caller)
    await log.append(one)
    async with begin(add_tenant()) as tx:
        assert await tx.decisions.find(one.decision.id) is None
        assert await tx.decisions.verdict("sha256:one", one.judged.facts_hash) is None


async def test_a_verdict_is_found_by_revision_and_facts(log: SqlDecisionLog, begin: Begin, caller: Caller):
    one = logged(caller)
    await log.append(one)
    async with begin(caller.tenant) as tx:
        assert await tx.decisions.verdict("sha256:one", one.judged.facts_hash) == one.judged.body
        assert await tx.decisions.verdict("sha256:two", one.judged.facts_hash) is None
        assert await tx.decisions.verdict("sha256:one", content_hash(b"others")) is None


async def test_facts_and_verdicts_are_stored_once_by_their_content(
    log: SqlDecisionLog, pool: AsyncConnectionPool, caller: Caller, count: Callable[..., int]
):
    await asyncio.gather(*(log.append(logged(caller)) for _ in range(5)))
    await log.append(logged(caller))
    await SqlDecisionLog(pool, statement, uuid7).append(logged(caller))  # another process
    await log.append(logged(caller, revision="sha256:two"))
    await log.append(logged(caller, facts=b'{"acts":[{},{}]}'))

    assert count("decision", caller.tenant) == 9
    assert count("facts", caller.tenant) == 2
    assert count("verdict", caller.tenant) == 3


async def test_the_hash_of_facts_is_that_of_their_bytes(log: SqlDecisionLog, database: Any, caller: Caller):
    await log.append(logged(caller))
    with psycopg.connect(database.urls.owner) as connection:
        rows = connection.execute("SELECT hash, body FROM facts WHERE tenant = %s", (caller.tenant,)).fetchall()

    assert [hashlib.sha256(body.encode()).digest() == digest for digest, body in rows] == [True]


async def test_every_decision_has_its_audit_entry(log: SqlDecisionLog, database: Any, caller: Caller):
    callers = [replace(caller, request=f"req-{number}", actor=f"actor-{number}") for number in range(4)]
    many = [logged(by) for by in callers]
    await asyncio.gather(*map(log.append, many))
    with psycopg.connect(database.urls.owner) as connection:
        entries = connection.execute(
            "SELECT object_id, subject, actor, request FROM audit_entry WHERE tenant = %s AND event = 'decision.made'",
            (caller.tenant,),
        ).fetchall()

    assert sorted(entries) == sorted(
        (str(one.decision.id), one.decision.handle, one.by.actor, one.by.request) for one in many
    )


async def test_a_decision_that_cannot_be_audited_is_not_logged(
    pool: AsyncConnectionPool, caller: Caller, count: Callable[..., int]
):
    broken = SqlDecisionLog(pool, lambda entries: ("SELECT 1 / %(zero)s", {"zero": 0}), uuid7)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await broken.append(logged(caller))

    assert [count(table, caller.tenant) for table in ("decision", "facts", "verdict", "audit_entry")] == [0] * 4


async def test_what_was_not_stored_is_offered_again(pool: AsyncConnectionPool, caller: Caller, begin: Begin):
    """Facts count as stored only after their transaction has ended well."""
    failing = True

    def audit(entries: Sequence[Entry]) -> tuple[str, Mapping[str, Any]]:
        return ("SELECT 1 / %(zero)s", {"zero": 0}) if failing else statement(entries)

    log = SqlDecisionLog(pool, audit, uuid7)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await log.append(logged(caller))
    failing = False
    one = logged(caller)
    await log.append(one)

    async with begin(caller.tenant) as tx:
        assert await tx.decisions.find(one.decision.id) is not None


async def test_one_tenants_failure_is_no_other_tenants_concern(
    log: SqlDecisionLog, caller: Caller, add_tenant: Callable[[], TenantId], begin: Begin
):
    good, bad = logged(caller), logged(replace(caller, tenant=add_tenant()), facts=b'{"acts":"\x00"}')
    kept, lost = await asyncio.gather(log.append(good), log.append(bad), return_exceptions=True)

    assert kept is None
    assert isinstance(lost, psycopg.DataError)
    async with begin(caller.tenant) as tx:
        assert await tx.decisions.find(good.decision.id) is not None


async def test_without_a_database_nothing_is_logged(caller: Caller):
    async with db.pool("postgresql://nobody@127.0.0.1:1/none", wait=0.2) as nowhere:
        with pytest.raises(Unavailable):
            await SqlDecisionLog(nowhere, statement, uuid7).append(logged(caller))


@pytest.mark.parametrize("table", ["decision", "facts", "verdict"])
@pytest.mark.parametrize("change", ["UPDATE {} SET tenant = tenant", "DELETE FROM {}", "TRUNCATE {}"])
async def test_the_application_changes_nothing_that_was_logged(
    log: SqlDecisionLog, pool: AsyncConnectionPool, caller: Caller, table: str, change: str
):
    await log.append(logged(caller))
    async with pool.connection() as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(change.format(table))
