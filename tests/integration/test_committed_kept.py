"""What the log commits to, while retention and erasure take some of it away."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from service import committed, operations
from service.audit import AuditEvent
from service.committed import ExamineCommitted
from service.kernel import Handle
from service.retention import ExpireAll
from service.subjects import PutSubject
from service.vault import DestroyKey
from tests.builders import GAZETTEER, some_facts
from tests.integration.test_committed import ANN, decided, life, look, place, settings, tamper

__all__ = ["decided", "life", "look", "place", "settings", "tamper"]
"""Fixtures."""


async def test_facts_that_retention_took_are_expired_and_what_was_changed_beside_them_is_named(
    look, tamper, begin, clock, caller, place, database
):
    clock.now = datetime(2019, 6, 3, 9, tzinfo=UTC)
    for facts in ({}, {"b2b": True}, {"b2b": False}):
        await PutSubject(begin, clock, GAZETTEER)(ANN, some_facts(**facts), by=caller)
        clock.advance(timedelta(days=300))
    clock.now = datetime(2026, 6, 3, 9, tzinfo=UTC)
    await PutSubject(begin, clock, GAZETTEER)(ANN, some_facts(b2b=True), by=caller)
    await place()
    async with operations.transactions(database.urls.worker) as worker:
        await ExpireAll(worker, "worker", lambda *_: None, dry=False)(caller.tenant)
    await place()
    found = await look()
    assert (found.findings, found.shown, found.expired) == ([], 2, 2)

    tamper("UPDATE subject_facts SET facts = '{}' WHERE tenant = %(tenant)s AND version = 3")
    [named] = (await look()).findings
    assert "facts of" in named
    assert "is not what the entry commits to" in named


@pytest.mark.parametrize("later", [1, 3])
async def test_what_went_while_somebody_looked_is_told_of_behind_what_they_look_at(
    life, begin, clock, caller, place, tamper, monkeypatch, later: int
):
    monkeypatch.setattr(committed, "BATCH", 2)
    async with begin(caller.tenant) as tx:
        size = len(await tx.tree.entries(0, 100))
    for _ in range(later):
        async with begin(caller.tenant) as tx:
            await tx.audit.append(event=AuditEvent.CONTENT_EXPIRED, object_id="record/0", by=caller)
        await DestroyKey(begin, clock)(Handle(uuid4()), by=caller)
    tamper(
        "INSERT INTO expired (tenant, kind, id, handle, at, expired_at) "
        "SELECT tenant, 'record', id, handle, received_at, now() FROM record WHERE tenant = %(tenant)s"
    )
    tamper("DELETE FROM record WHERE tenant = %(tenant)s")
    async with begin(caller.tenant) as tx:
        await tx.audit.append(event=AuditEvent.CONTENT_EXPIRED, object_id="record/2", by=caller)
    await DestroyKey(begin, clock)(life, by=caller)
    await place()

    assert (await ExamineCommitted(begin)(caller.tenant, size)).findings == []


async def test_an_entry_that_names_nothing_there_could_be_is_a_finding(life, look, begin, caller, place):
    async with begin(caller.tenant) as tx:
        await tx.audit.append(event=AuditEvent.RECORD_STORED, object_id="x", by=caller, commitment=bytes(32))
        await tx.audit.append(event=AuditEvent.CONTENT_EXPIRED, object_id="record/x", by=caller)
    await place()

    found = await look()
    assert (len(found.findings), found.shown) == (1, 8)
    assert found.findings[0].endswith("record x can't be read")
