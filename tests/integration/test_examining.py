"""What `volens audit verify` finds in a database that somebody with every right has tampered with."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
import pytest

from service.audit import AuditEvent, Draft
from service.audit.attesting_store import SqlLogs
from service.audit.cosigning import name_of
from service.audit.examining import ExamineLog
from service.audit.findings import Kind, Wrong
from service.audit.growing import GrowTree
from service.audit.log_keys import LogKeys
from service.audit.notes import Checkpoint
from service.audit.signing import cosign
from service.audit.timestamps import stamped
from service.audit.tree_store import growing, reading
from tests.audited import NOON, WITNESS

NAME = "log.example"
ALL = (
    "audit_entry", "audit_head", "audit_leaf", "audit_tile", "audit_checkpoint", "audit_cosignature", "audit_timestamp"
)  # fmt: skip


@pytest.fixture
async def write(begin, caller, worker_pool, log_keys, published, clock) -> Callable[[int], object]:
    """Stores entries and has them placed, in batches of 100."""
    grow = GrowTree(NAME, growing(worker_pool), log_keys.signer, published, clock, batch=100)

    async def write(number: int) -> None:
        async with begin(caller.tenant) as tx:
            drafts = [Draft(event=AuditEvent.RECORD_STORED, object_id=f"r-{each}") for each in range(number)]
            await tx.audit.append_many(drafts, by=caller)
        while await grow(caller.tenant):
            pass

    return write


@pytest.fixture
async def examine(worker_pool, published, log_keys, caller):
    async def examine(by: LogKeys = log_keys, **attested: Any) -> list[str]:
        look = ExamineLog(reading(worker_pool), published, NAME, by.public, **attested)
        return list((await look(caller.tenant, lambda done, total: None)).findings)

    return examine


@pytest.fixture
def tamper(database, caller) -> Callable[..., None]:
    """Runs statements about this tenant past rights and triggers, as an administrator can."""

    def tamper(*statements: str) -> None:
        with psycopg.connect(database.urls.admin) as connection:
            for table in ALL:
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for statement in statements:
                changed = connection.execute(statement, {"tenant": caller.tenant})
                assert changed.rowcount > 0
            for table in ALL:
                connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    return tamper


ENTRY = "id = (SELECT entry FROM audit_leaf WHERE tenant = %(tenant)s AND index = 257)"


async def test_an_honest_log_holds(write, examine):
    assert await examine() == []
    await write(300)
    await write(1)
    assert await examine() == []


@pytest.mark.parametrize(
    ("statements", "finding"),
    [
        pytest.param(
            [f"UPDATE audit_entry SET canonical = set_byte(canonical, 40, 65) WHERE tenant = %(tenant)s AND {ENTRY}"],
            "entry 257, .* is not what its leaf says",
            id="a byte of an entry",
        ),
        pytest.param(
            [f"UPDATE audit_entry SET actor = 'nobody' WHERE tenant = %(tenant)s AND {ENTRY}"],
            "entry 257, .* is shown as another than was signed",
            id="who is shown to have done it",
        ),
        pytest.param(
            [f"UPDATE audit_entry SET event = 'nothing' WHERE tenant = %(tenant)s AND {ENTRY}"],
            "entry 257, .* is shown as another than was signed",
            id="a word that there isn't",
        ),
        pytest.param(
            [f"DELETE FROM audit_entry WHERE tenant = %(tenant)s AND {ENTRY}"], "entry 257, .* is gone", id="an entry"
        ),
        pytest.param(
            ["DELETE FROM audit_leaf WHERE tenant = %(tenant)s AND index = 257"],
            "place 257 is empty",
            id="the place of an entry",
        ),
        pytest.param(
            [
                "DELETE FROM audit_entry WHERE tenant = %(tenant)s AND id = "
                "(SELECT entry FROM audit_leaf WHERE tenant = %(tenant)s AND index = 299)",
                "DELETE FROM audit_leaf WHERE tenant = %(tenant)s AND index = 299",
            ],
            "the tree has 300 entries, and 299 are in their places",
            id="the last entry, with its place",
        ),
        pytest.param(
            [
                "UPDATE audit_leaf SET index = -1 WHERE tenant = %(tenant)s AND index = 3",
                "UPDATE audit_leaf SET index = 3 WHERE tenant = %(tenant)s AND index = 4",
                "UPDATE audit_leaf SET index = 4 WHERE tenant = %(tenant)s AND index = -1",
            ],
            "entry 3, .* is not what its leaf says",
            id="two entries that change places",
        ),
        pytest.param(
            [
                "UPDATE audit_entry SET canonical = set_byte(canonical, 40, 65) WHERE tenant = %(tenant)s AND id = "
                "(SELECT entry FROM audit_leaf WHERE tenant = %(tenant)s AND index = 0)",
                "UPDATE audit_tile AS tile SET hashes = overlay(hashes PLACING "
                "(SELECT sha256('\\x00' || canonical) FROM audit_entry JOIN audit_leaf AS leaf USING (tenant) "
                "WHERE leaf.entry = audit_entry.id AND tenant = %(tenant)s AND leaf.index = 0) FROM 1 FOR 32) "
                "WHERE tenant = %(tenant)s AND level = 0 AND number = 0",
            ],
            "the 100 entries that were signed are others",
            id="an entry and its leaf",
        ),
        pytest.param(
            ["DELETE FROM audit_checkpoint WHERE tenant = %(tenant)s AND size = 300"], "", id="a kept checkpoint"
        ),
        pytest.param(
            [
                "UPDATE audit_head SET size = 200 WHERE tenant = %(tenant)s",
                "DELETE FROM audit_leaf WHERE tenant = %(tenant)s AND index >= 200",
                "DELETE FROM audit_checkpoint WHERE tenant = %(tenant)s AND size > 200",
            ],
            "a tree of 300 entries was signed, and the database has one of 200",
            id="yesterday's database",
        ),
        pytest.param(
            [
                "UPDATE audit_checkpoint SET note = replace(note, split_part(note, E'\\n', 3), "
                "(SELECT split_part(note, E'\\n', 3) FROM audit_checkpoint WHERE tenant = %(tenant)s AND size = 100)) "
                "WHERE tenant = %(tenant)s AND size = 300"
            ],
            "a checkpoint is wrong|two different trees of 300",
            id="the root in a checkpoint",
        ),
        pytest.param(
            ["DELETE FROM audit_pending WHERE tenant = %(tenant)s"], "1 entries have no place", id="what waits"
        ),
    ],
)
async def test_what_was_tampered_with_is_found(write, examine, tamper, begin, caller, statements, finding):
    await write(300)
    if "pending" in statements[0]:
        async with begin(caller.tenant) as tx:
            await tx.audit.append(event=AuditEvent.RECORD_STORED, object_id="r", by=caller)
    assert await examine() == []

    tamper(*statements)

    if not finding:  # the newest is kept beside the database, and stands for it
        assert await examine() == []
        return
    assert any(re.search(finding, found) for found in await examine()), await examine()


async def test_who_signs_with_another_key_is_found(write, examine, tmp_path):
    await write(3)

    found = await examine(LogKeys.open(tmp_path / "other.keys", make=True))

    assert any("no signature is by a known key" in finding for finding in found)


async def test_twenty_findings_are_told_and_the_rest_counted(write, examine, tamper):
    await write(50)
    tamper("UPDATE audit_entry SET canonical = set_byte(canonical, 40, 65) WHERE tenant = %(tenant)s")

    found = await examine()

    assert (len(found), found[-1]) == (21, "and 31 more")


# --- what others said of it ---------------------------------------------------------------------


@pytest.fixture
async def attested(write, begin, caller, worker_pool, clock):
    """A log that a witness cosigned, and an authority stamped."""
    await write(150)
    logs = SqlLogs(worker_pool).of(caller.tenant)
    note = await logs.newest()
    assert note is not None
    checkpoint = Checkpoint.parse(note)
    line = cosign(note, WITNESS, int(NOON.timestamp())).removeprefix(note)
    await logs.cosigned(checkpoint.size, name_of(WITNESS.key), line, NOON)
    await logs.stamped(checkpoint.size, b"token", NOON)
    return checkpoint


def believed() -> dict[str, Any]:
    return {"witnesses": {(WITNESS.key.name, WITNESS.key.id): WITNESS.key}}


async def test_what_a_witness_and_an_authority_said_of_the_log_holds(attested, examine):
    over: list[bytes] = []

    def judge(token: bytes, message: bytes) -> datetime:
        assert token == b"token"
        over.append(message)
        return NOON

    assert await examine() == []
    assert await examine(judge=judge, **believed()) == []
    assert over == [stamped(attested)]


@pytest.mark.parametrize(
    ("statement", "finding", "known"),
    [
        (
            "UPDATE audit_cosignature SET line = "
            "(SELECT split_part(note, E'\\n\\n', 2) FROM audit_checkpoint WHERE tenant = %(tenant)s LIMIT 1) "
            "WHERE tenant = %(tenant)s",
            "what witness.example/w.* cosigned of 150 entries doesn't hold: it is by log.example",
            False,
        ),
        (
            "UPDATE audit_cosignature SET line = 'nonsense' WHERE tenant = %(tenant)s",
            "cosigned of 150 entries doesn't hold: not a signed note",
            False,
        ),
        (
            "UPDATE audit_cosignature SET size = 100 WHERE tenant = %(tenant)s",
            "cosigned of 100 entries doesn't hold",
            True,
        ),
        (
            "UPDATE audit_cosignature SET size = 149 WHERE tenant = %(tenant)s",
            "cosigned of 149 entries doesn't hold: no such tree was signed",
            False,
        ),
        (
            "UPDATE audit_timestamp SET size = 149 WHERE tenant = %(tenant)s",
            "the time-stamp of 149 entries doesn't hold: no such tree was signed",
            False,
        ),
    ],
)
async def test_what_others_did_not_say_of_this_log_is_found(
    attested, examine, tamper, statement: str, finding: str, known: bool
):
    tamper(statement)

    [found] = await examine(**(believed() if known else {}))
    assert re.search(finding, found)


async def test_a_time_stamp_that_does_not_hold_is_found(attested, examine):
    def judge(token: bytes, message: bytes) -> datetime:
        raise Wrong(Kind.TIMESTAMP, "it is over something else")

    assert await examine(judge=judge) == ["the time-stamp of 150 entries doesn't hold: it is over something else"]
