"""What the log commits to of requests: what was asked and when, and why each step was taken."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from service import given, operations
from service.audit import Content
from service.audit.growing import GrowTree
from service.audit.tree_store import add_public_key, growing
from service.committed import ExamineCommitted
from service.consent import StoreRecords
from service.decisions.artefacts import read_policy
from service.desk import Safe, desk, statutes
from service.kernel import SubjectId
from service.requests.case import Said, Via, Wish
from service.requests.lifecycle import Move
from service.requests.rights import Right
from service.retention import WORKER, ExpireAll
from service.vault import DestroyKey

POLICY = read_policy(given.BUILD)
UNUSED: Any = None
"""The vault, and what sends codes: nobody shows who they are here."""
LONG_AGO = datetime(2019, 6, 3, 9, tzinfo=UTC)
MOVES = (
    (Move.CLARIFY, None),
    (Move.CLARIFIED, None),
    (Move.CLARIFY, None),
    (Move.CLARIFIED, None),
    (Move.REFUSE, "excessive"),
)


@pytest.fixture
async def look(worker_pool, log_keys, published, clock, caller, begin):
    """Gives all entries their place, and holds what they commit to against the database."""
    await add_public_key(worker_pool, log_keys.public[-1], clock())
    grow = GrowTree("volens.example", growing(worker_pool), log_keys.signer, published, clock)

    async def look():
        while await grow(caller.tenant):
            pass
        async with begin(caller.tenant) as tx:
            note = await tx.tree.checkpoint(None)
        return await ExamineCommitted(begin)(caller.tenant, int(note.split("\n")[1]))

    return look


@pytest.fixture
async def refused(begin, clock, new_id, caller):
    """A request of long ago that was refused in the end; some of its steps were taken twice."""
    clock.now = LONG_AGO
    append = StoreRecords(begin, clock, POLICY.vocabulary)
    safe = Safe(keys=UNUSED, fields=UNUSED, open_values=UNUSED, reveals=UNUSED, nonce=UNUSED)
    front = desk(begin, clock, new_id, statutes(given.BUILD, POLICY), append, safe, UNUSED)
    received = datetime.fromisoformat("2019-06-02T23:30:00.123456-07:00")
    said = Said(via=Via.EMAIL, place="DE", time_zone="Europe/Berlin", received_at=received - timedelta(days=2))
    wish = Wish(id=new_id(), subject=SubjectId("anna"), right=Right.ACCESS, said=said)
    seen, _ = await front["open_request"](wish, by=caller)
    steps = [(Move.VERIFY, "staff_decision"), *MOVES]
    for version, (move, reason) in enumerate(steps, 1):
        await front["move_request"](wish.id, move, version=version, reason=reason, authority=None, by=caller)
    return seen.request


async def test_a_request_and_each_of_its_steps_are_what_the_log_committed_to(refused, look):
    found = await look()

    assert (found.findings, found.shown, found.closed) == ([], 2 + len(MOVES), 0)


@pytest.mark.parametrize(
    ("done", "finding"),
    [
        ("UPDATE request SET received_at = received_at - interval '1 day'", "is not what the entry commits to"),
        ("UPDATE request SET law = 'CCPA'", "is not what the entry commits to"),
        ("UPDATE request_event SET at = at + interval '1 day' WHERE move = 'verify'", "is not what the entry commits"),
        ("UPDATE request_event SET reason = 'unfounded' WHERE move = 'refuse'", "is not what the entry commits to"),
        ("DELETE FROM request_event WHERE move = 'refuse'", "is gone"),
        ("DELETE FROM request", "is gone"),
    ],
)
async def test_what_was_changed_of_it_behind_the_log_is_named(refused, look, database, caller, done: str, finding: str):
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("SET session_replication_role = replica")
        whole = f"{done} {'AND' if 'WHERE' in done else 'WHERE'} tenant = %s"
        assert connection.execute(whole, (caller.tenant,)).rowcount == 1

    found = await look()
    assert found.findings
    assert all(f"request {refused.id} {finding}" in each for each in found.findings), found.findings


async def test_a_request_that_went_when_its_period_was_over_is_no_finding(refused, look, database, clock, tenant):
    await look()
    clock.now = datetime(2026, 11, 1, tzinfo=UTC)
    async with operations.transactions(database.urls.worker) as begin:
        outcomes = await ExpireAll(begin, WORKER, lambda *_: None, dry=False)(tenant)
    assert [each.removed for each in outcomes if each.content is Content.REQUEST] == [1]

    found = await look()
    assert (found.findings, found.expired) == ([], 2 + len(MOVES))


async def test_nobody_can_tell_what_was_asked_by_who_was_erased(refused, look, begin, clock, caller):
    await DestroyKey(begin, clock)(refused.handle, by=caller)

    found = await look()
    assert (found.findings, found.shown, found.closed) == ([], 0, 2 + len(MOVES))
