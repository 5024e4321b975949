"""What got into the database past the log, or was turned there without an entry."""

from datetime import timedelta
from uuid import uuid4

import pytest

from service import standing
from service.audit import AuditEvent, Query
from service.consent import SettleMerge
from service.kernel import Caller, SubjectId
from service.reveals import GiveApproval, RequestApproval
from service.standing import ExamineStanding
from service.subjects import Flags, PutSubject, flagged
from service.vault import DestroyKey, MoveValues
from service.vault.envelope import seal, unseal
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from tests.builders import GAZETTEER, VOCABULARY, some_facts
from tests.integration.test_committed import ANN, decided, life, look, place, settings, tamper

__all__ = ["decided", "life", "look", "place", "settings", "tamper"]
"""Fixtures."""

BEN = SubjectId("ben")


@pytest.fixture
def stands(begin, caller):
    async def stands() -> list[str]:
        return list(await ExamineStanding(begin, VOCABULARY)(caller.tenant))

    return stands


@pytest.fixture
def settle(tmp_path, begin, clock, caller):
    keys = Keys(FileRing.open(tmp_path / "root.keys"), begin, clock, keep=timedelta(minutes=5))
    settle_merge = SettleMerge(begin, MoveValues(keys, seal, unseal), clock, VOCABULARY)

    async def settle(*, same: bool):
        return await settle_merge(ANN, BEN, same=same, facts=None, by=caller)

    return settle


@pytest.fixture
def put(begin, clock, caller):
    async def put(subject, **facts):
        await PutSubject(begin, clock, GAZETTEER)(subject, some_facts(**facts), by=caller)

    return put


@pytest.fixture
def flag(begin, caller):
    async def flag(**flags):
        async with begin(caller.tenant) as tx:
            handle = await tx.subjects.handle_of(ANN)
            await tx.subjects.set_flags(handle, Flags(**flags))
            await tx.audit.append_many([flagged(handle, Flags(**flags))], by=caller)

    return flag


@pytest.fixture
def ask_approval(begin, clock, caller, new_id):
    async def ask():
        asked, _ = await RequestApproval(begin, clock, new_id)(
            purpose="dsr_response", fields=("email",), subjects=20, reference="case-7", by=caller
        )
        return asked.id

    return ask


@pytest.fixture
def approved(begin, clock, caller, ask_approval):
    async def approved():
        other = Caller(tenant=caller.tenant, actor="other", request="r")
        await GiveApproval(begin, clock)(await ask_approval(), by=other)

    return approved


@pytest.fixture
def entries(begin, caller):
    async def entries():
        async with begin(caller.tenant) as tx:
            return await tx.audit.find(Query(), subject=None, after=None, limit=100)

    return entries


async def test_what_is_stored_by_the_service_has_its_entries(life, stands, look, settle, flag, approved, place, clock):
    await flag(objected=True)
    await settle(same=False)
    clock.advance(timedelta(days=1))
    await settle(same=True)
    await approved()
    await place()

    assert await stands() == []
    found = await look()
    # Of before, then of the merge a copied record, an objection and the merge; an approval, asked for and given.
    assert (found.findings, found.shown, found.closed) == ([], 8 + 3 + 2, 0)


async def test_a_merge_commits_to_what_it_copies_and_to_what_is_known_then(
    life, settle, put, entries, look, place, begin, caller, clock
):
    async with begin(caller.tenant) as tx:
        ben = await tx.subjects.handle_of(BEN)
    await put(BEN, time_zone=None, is_customer=None, b2b=None, subscriber_type="natural_person")
    before = len(await entries())
    await settle(same=True)
    await place()

    added = (await entries())[before:]
    assert [(each.event, each.subject, each.commitment is not None) for each in added] == [
        (AuditEvent.RECORD_STORED, life, True),
        (AuditEvent.SUBJECT_STORED, life, True),
        (AuditEvent.SUBJECT_MERGED, life, True),
    ]
    assert added[-1].object_id == str(ben)
    assert ((await look()).findings, (await look()).shown) == ([], 8 + 1 + 3)


@pytest.mark.parametrize(
    ("done", "finding"),
    [
        (
            "INSERT INTO record SELECT tenant, gen_random_uuid(), handle, ts, received_at, statement FROM record "
            "WHERE tenant = %(tenant)s LIMIT 1",
            "no entry tells of 1 of record: ",
        ),
        (
            "INSERT INTO record SELECT tenant, gen_random_uuid(), handle, ts, received_at, statement FROM record, "
            "generate_series(1, 30) WHERE tenant = %(tenant)s",
            "no entry tells of 60 of record: ",
        ),
        (
            "UPDATE record SET handle = (SELECT handle FROM subject WHERE subject = 'ben' AND tenant = %(tenant)s) "
            "WHERE tenant = %(tenant)s AND handle = (SELECT handle FROM subject WHERE subject = 'ann' "
            "AND tenant = %(tenant)s)",
            "no entry tells of 1 of record: ",
        ),
        (
            "INSERT INTO decision (tenant, id, handle, channel, purpose, at, decided_at, permit, revision, facts_hash, "
            "verdict_hash, records, actor, request) SELECT tenant, gen_random_uuid(), handle, channel, purpose, at, "
            "decided_at, permit, revision, facts_hash, verdict_hash, records, actor, request FROM decision "
            "WHERE tenant = %(tenant)s",
            "no entry tells of 2 of decision: ",
        ),
        (
            "INSERT INTO notice SELECT tenant, notice, 'v2', content, sha256, created_at FROM notice "
            "WHERE tenant = %(tenant)s",
            "no entry tells of 1 of notice: newsletter/v2",
        ),
        (
            "INSERT INTO purpose SELECT tenant, 'x-other', maps_to, title, created_at FROM purpose "
            "WHERE tenant = %(tenant)s",
            "no entry tells of 1 of purpose: x-other",
        ),
        (
            "INSERT INTO policy_overlay VALUES (%(tenant)s, 7, '{}', now(), 'shop')",
            "no entry tells of 1 of overlay: overlay.7",
        ),
        (
            "INSERT INTO reveal (tenant, id, fields, masked, purpose, at, actor, nonce) "
            "VALUES (%(tenant)s, gen_random_uuid(), '{}', '{}', 'support', now(), 'shop', '')",
            "no entry tells of 1 of reveal: ",
        ),
        (
            "INSERT INTO reveal_approval SELECT tenant, gen_random_uuid(), purpose, fields, subjects, reference, "
            "requested_at, requested_by, expires_at FROM reveal_approval WHERE tenant = %(tenant)s",
            "no entry tells of 2 of approval: ",
        ),
        (
            "UPDATE reveal_approval SET approved_at = now(), approved_by = 'me' WHERE tenant = %(tenant)s "
            "AND approved_at IS NULL",
            "no entry tells of 1 of given approval: ",
        ),
        (
            "UPDATE consent_state SET state = convert_to(replace(convert_from(state, 'UTF8'), 'opt_in', 'opt_out'), "
            "'UTF8') WHERE tenant = %(tenant)s",
            "the state of {} is not what the records amount to",
        ),
        ("UPDATE consent_state SET state = 'nonsense' WHERE tenant = %(tenant)s", "the state of {} is not what"),
        ("DELETE FROM consent_state WHERE tenant = %(tenant)s", "the state of {} is not what the records amount to"),
        (
            "INSERT INTO consent_state SELECT tenant, gen_random_uuid(), version, state, updated_at FROM consent_state "
            "WHERE tenant = %(tenant)s",
            "is not what the records amount to",
        ),
        (
            "UPDATE subject SET facts = '{\"residence\":\"US\"}' WHERE tenant = %(tenant)s AND subject = 'ann'",
            "the facts by which {} is judged are not the latest that were stored",
        ),
        (
            "UPDATE subject SET (version, facts) = (SELECT version, facts FROM subject_facts AS old "
            "WHERE old.tenant = subject.tenant AND old.handle = subject.handle AND version = 1) "
            "WHERE tenant = %(tenant)s AND subject = 'ann'",
            "the facts by which {} is judged are not the latest that were stored",
        ),
        (
            "UPDATE subject SET version = 3 WHERE tenant = %(tenant)s AND subject = 'ann'",
            "the facts by which {} is judged are not the latest that were stored",
        ),
        (
            "WITH later AS (INSERT INTO subject_facts SELECT tenant, handle, 3, '{}', at FROM subject_facts "
            "WHERE tenant = %(tenant)s AND version = 2 RETURNING handle) UPDATE subject SET version = 3, facts = '{}' "
            "WHERE tenant = %(tenant)s AND handle IN (SELECT handle FROM later)",
            "no entry tells of version 3 of the facts of {}",
        ),
        (
            "UPDATE subject_facts SET version = 3 WHERE tenant = %(tenant)s AND version = 2",
            "no entry tells of version 3 of the facts of {}",
        ),
        (
            "UPDATE subject_facts SET facts = 'nonsense' WHERE tenant = %(tenant)s AND version = 1",
            "what is stored of {} can't be read",
        ),
        (
            "UPDATE subject SET flags = NULL WHERE tenant = %(tenant)s AND subject = 'ann'",
            "the flags of {} are not what the latest entry commits to",
        ),
        (
            "UPDATE subject SET flags = '{\"objected\":true}' WHERE tenant = %(tenant)s AND subject = 'ann'",
            "the flags of {} are not what the latest entry commits to",
        ),
    ],
)
async def test_what_got_past_the_log_is_named(
    life, stands, flag, approved, ask_approval, clock, tamper, done: str, finding: str
):
    await flag(objected=True)
    clock.advance(timedelta(minutes=1))
    await flag(restricted=True)
    await approved()
    await ask_approval()
    assert await stands() == []

    tamper(done)

    found = await stands()
    assert any(finding.replace("{}", str(life)) in each for each in found), found


async def test_flags_of_whom_no_entry_tells_are_a_finding(life, stands, tamper):
    tamper("UPDATE subject SET flags = '{\"objected\":true}' WHERE tenant = %(tenant)s AND subject = 'ben'")

    [found] = await stands()
    assert "are not what the latest entry commits to" in found


async def test_what_is_named_is_counted_and_not_told_one_by_one(life, stands, tamper):
    tamper(
        "INSERT INTO record SELECT tenant, gen_random_uuid(), handle, ts, received_at, statement FROM record, "
        "generate_series(1, 30) WHERE tenant = %(tenant)s"
    )

    told = (await stands())[0]
    assert told.count(",") == 20
    assert told.endswith(", …")


async def test_people_are_looked_at_some_at_a_time(life, stands, tamper, monkeypatch):
    monkeypatch.setattr(standing, "PEOPLE", 1)
    monkeypatch.setattr(standing, "_ENTRIES", 1)
    assert await stands() == []
    tamper("DELETE FROM consent_state WHERE tenant = %(tenant)s")
    tamper("UPDATE subject SET version = version + 1 WHERE tenant = %(tenant)s")

    found = await stands()
    assert len([each for each in found if each.startswith("the state of")]) == 2
    assert len([each for each in found if each.startswith("the facts by which")]) == 2


async def test_a_row_that_is_there_again_with_other_content_is_a_finding_though_it_left_a_trace(life, look, tamper):
    tamper(
        "INSERT INTO expired (tenant, kind, id, handle, at, expired_at) "
        "SELECT tenant, 'record', id, handle, received_at, now() FROM record WHERE tenant = %(tenant)s"
    )
    tamper("UPDATE record SET received_at = received_at - interval '1 day' WHERE tenant = %(tenant)s")

    found = [each for each in (await look()).findings if "is not what the entry commits to" in each]
    assert len(found) == 2


async def test_of_whom_is_erased_nothing_is_said_that_nobody_can_tell(life, stands, flag, begin, clock, caller, place):
    await flag(objected=True)
    await DestroyKey(begin, clock)(life, by=caller)
    await place()

    assert await stands() == []


async def test_of_whom_was_merged_before_merges_committed_to_anything_nothing_is_said(
    life, stands, begin, caller, tamper
):
    """As an older version left it: copies, a version of facts and flags, and one entry that commits to nothing."""
    async with begin(caller.tenant) as tx:
        await tx.audit.append(event=AuditEvent.SUBJECT_MERGED, object_id=str(uuid4()), subject=life, by=caller)
    tamper(
        "INSERT INTO record SELECT tenant, gen_random_uuid(), handle, ts, received_at, statement FROM record "
        f"WHERE tenant = %(tenant)s AND handle = '{life}'"
    )
    tamper(f"INSERT INTO subject_facts SELECT tenant, handle, 3, '{{}}', now() FROM subject WHERE handle = '{life}'")
    tamper(f"UPDATE subject SET version = 3, facts = '{{}}', flags = '{{\"objected\":true}}' WHERE handle = '{life}'")

    assert [each for each in await stands() if "state" not in each] == []
