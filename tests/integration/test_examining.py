"""What `volens audit verify` finds in a database that somebody with every right has tampered with."""

import re
from collections.abc import Callable

import psycopg
import pytest

from service.audit import AuditEvent, Draft
from service.audit.examining import ExamineLog
from service.audit.growing import GrowTree
from service.audit.log_keys import LogKeys
from service.audit.tree_store import growing, reading

NAME = "log.example"
ALL = ("audit_entry", "audit_head", "audit_leaf", "audit_tile", "audit_checkpoint")


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
    async def examine(by: LogKeys = log_keys) -> list[str]:
        look = ExamineLog(reading(worker_pool), published, NAME, by.public)
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
