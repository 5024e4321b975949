"""The audit log as a tree: each committed entry gets one place, whatever happens, and what is signed is there."""

import asyncio
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from service.audit import AuditEvent, Draft, leaf_hash
from service.audit.growing import GrowTree
from service.audit.log_keys import LogKeys
from service.audit.notes import Checkpoint, Key
from service.audit.published import PublishedFiles
from service.audit.tree import tree_hash
from service.audit.tree_ports import LogHalted
from service.audit.tree_store import growing, with_tree, with_waiting
from service.kernel import TenantId
from tests.integration.forked import FORK
from tests.integration.growing_child import NAME
from tests.integration.growing_child import grow as die_growing


@pytest.fixture
def grow(worker_pool, log_keys, published, clock):
    return GrowTree(NAME, growing(worker_pool), log_keys.signer, published, clock, batch=100)


async def write(begin, caller, number: int) -> None:
    async with begin(caller.tenant) as tx:
        drafts = [Draft(event=AuditEvent.RECORD_STORED, object_id=f"r-{each}") for each in range(number)]
        await tx.audit.append_many(drafts, by=caller)


class Log:
    """What the database has of one tenant's log, read as the owner."""

    def __init__(self, url: str, tenant: TenantId) -> None:
        with psycopg.connect(url) as connection:
            self.entries = dict(
                connection.execute("SELECT id, canonical FROM audit_entry WHERE tenant = %s", (tenant,)).fetchall()
            )
            self.places = connection.execute(
                "SELECT index, entry FROM audit_leaf WHERE tenant = %s ORDER BY index", (tenant,)
            ).fetchall()
            self.notes = [
                note
                for (note,) in connection.execute(
                    "SELECT note FROM audit_checkpoint WHERE tenant = %s ORDER BY size", (tenant,)
                )
            ]
            [self.pending] = connection.execute(
                "SELECT count(*) FROM audit_pending WHERE tenant = %s", (tenant,)
            ).fetchone() or [0]

    def leaves(self) -> list[bytes]:
        return [leaf_hash(self.entries[entry]) for _, entry in self.places]

    def is_sound(self, keys: LogKeys, tenant: TenantId) -> bool:
        """Every entry has one place without a gap, and every checkpoint is of the tree that it says, signed."""
        name = f"{NAME}/{tenant}"
        known = {(name, key.id): key for key in [Key(name, 1, public) for public in keys.public]}
        leaves = self.leaves()
        for note in self.notes:
            checkpoint = Checkpoint.parse(note)
            checkpoint.verify(known)
            assert checkpoint.root == tree_hash(leaves[: checkpoint.size])
        assert [index for index, _ in self.places] == list(range(len(self.places)))
        assert sorted(entry for _, entry in self.places) == sorted(self.entries)
        assert not self.notes or Checkpoint.parse(self.notes[-1]).size == len(self.places)
        return not self.pending


async def test_entries_get_places_in_batches_and_each_batch_is_signed(begin, caller, grow, log_keys, database):
    await write(begin, caller, 250)

    placed = [await grow(caller.tenant) for _ in range(4)]

    log = Log(database.urls.owner, caller.tenant)
    assert placed == [100, 100, 50, 0]
    assert len(log.notes) == 3
    assert log.is_sound(log_keys, caller.tenant)


async def test_a_log_goes_on_where_it_was(begin, caller, grow, log_keys, database):
    for number in (1, 255, 1, 300):
        await write(begin, caller, number)
        while await grow(caller.tenant):
            pass

    log = Log(database.urls.owner, caller.tenant)
    assert len(log.places) == 557
    assert log.is_sound(log_keys, caller.tenant)


async def test_who_waits_is_found_and_who_has_a_tree(begin, caller, add_tenant, grow, worker_pool):
    other = add_tenant()
    await write(begin, caller, 1)

    assert caller.tenant in await with_waiting(worker_pool)
    assert other not in await with_waiting(worker_pool)
    await grow(caller.tenant)
    assert caller.tenant not in await with_waiting(worker_pool)
    assert caller.tenant in await with_tree(worker_pool)


async def test_two_that_grow_one_tree_by_mistake_take_turns(
    begin, caller, grow, worker_pool, log_keys, tmp_path, clock, database
):
    other = GrowTree(NAME, growing(worker_pool), log_keys.signer, PublishedFiles(tmp_path / "other"), clock, batch=7)

    async def writes() -> None:
        for _ in range(30):
            await write(begin, caller, random.randrange(1, 20))

    async def grows(one: GrowTree) -> None:
        for _ in range(60):
            await one(caller.tenant)

    await asyncio.gather(writes(), grows(grow), grows(other))
    while await grow(caller.tenant):
        pass

    assert Log(database.urls.owner, caller.tenant).is_sound(log_keys, caller.tenant)


async def test_a_transaction_that_is_undone_leaves_no_gap(begin, caller, grow, log_keys, database):
    with suppress(ZeroDivisionError):
        async with begin(caller.tenant) as tx:
            await tx.audit.append(event=AuditEvent.RECORD_STORED, object_id="r", by=caller)
            raise ZeroDivisionError
    await write(begin, caller, 3)
    await grow(caller.tenant)

    log = Log(database.urls.owner, caller.tenant)
    assert len(log.places) == 3
    assert log.is_sound(log_keys, caller.tenant)


async def test_a_restored_database_is_noticed_and_nothing_is_signed(begin, caller, grow, database):
    """As after a restore to yesterday: the newest checkpoint is gone from the database, and was published."""
    await write(begin, caller, 5)
    await grow(caller.tenant)
    forget(database.urls.admin, caller.tenant)
    await write(begin, caller, 9)

    with pytest.raises(LogHalted, match="5 entries was signed, and the database has one of 0"):
        await grow(caller.tenant)
    with pytest.raises(LogHalted):
        await grow(caller.tenant)

    log = Log(database.urls.owner, caller.tenant)
    assert (log.places, log.notes, log.pending) == ([], [], 9)


async def test_another_history_of_the_same_length_is_noticed(
    begin, caller, grow, published, log_keys, worker_pool, clock, database
):
    await write(begin, caller, 5)
    await grow(caller.tenant)
    forget(database.urls.admin, caller.tenant)
    await write(begin, caller, 9)
    elsewhere = PublishedFiles(Path(str(published._folder) + "-2"))
    await GrowTree(NAME, growing(worker_pool), log_keys.signer, elsewhere, clock)(caller.tenant)

    with pytest.raises(LogHalted, match="another tree of 5 entries"):
        await grow(caller.tenant)


async def test_a_tile_that_is_missing_halts_the_log(begin, caller, grow, database):
    await write(begin, caller, 5)
    await grow(caller.tenant)
    with psycopg.connect(database.urls.admin, autocommit=True) as connection:
        connection.execute("ALTER TABLE audit_tile DISABLE TRIGGER USER")
        connection.execute("DELETE FROM audit_tile WHERE tenant = %s", (caller.tenant,))
        connection.execute("ALTER TABLE audit_tile ENABLE TRIGGER USER")
    await write(begin, caller, 1)

    with pytest.raises(LogHalted, match=r"lacks tile/0/000\.p/5"):
        await grow(caller.tenant)


async def test_a_checkpoint_file_that_is_damaged_halts_its_log_and_no_other(begin, caller, grow, tmp_path):
    await write(begin, caller, 5)
    await grow(caller.tenant)
    (tmp_path / "checkpoints" / caller.tenant).write_bytes(b"garbage\xff")

    with pytest.raises(LogHalted, match="is damaged"):
        await grow(caller.tenant)


async def test_files_by_other_names_are_nobodys_log(published):
    await published.keep(TenantId("acme"), "note")
    for name in ("acme~", "acme.1.lost", ".acme-x", "ACME"):
        await published.keep(TenantId(name), "note")

    assert published.tenants() == ["acme"]


async def test_what_was_lost_before_stays_beside_what_is_lost_now(published):
    tenant = TenantId("acme")
    kept = []
    for note in ("first", "second"):
        await published.keep(tenant, note)
        kept.append(published.set_aside(tenant))

    assert [place.read_text() for place in kept] == ["first", "second"]
    assert published.set_aside(tenant) is None


def forget(admin: str, tenant: TenantId) -> None:
    """Take a tenant's tree out of the database, as only a restore or an administrator can."""
    tables = ("audit_head", "audit_leaf", "audit_tile", "audit_checkpoint")
    with psycopg.connect(admin) as connection:
        for table in tables:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            connection.execute(f"DELETE FROM {table} WHERE tenant = %s", (tenant,))
            connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


async def test_killed_before_any_step_it_places_each_entry_once(begin, caller, log_keys, tmp_path, database, grow):
    await write(begin, caller, 600)
    ends = []
    for step in range(1, 26):  # more than a batch has
        child = FORK.Process(target=die_growing, args=(database.urls.worker, tmp_path, caller.tenant, step))
        child.start()
        child.join(60)
        ends.append(child.exitcode)
    while await grow(caller.tenant):
        pass

    assert set(ends) == {-signal.SIGKILL}
    assert Log(database.urls.owner, caller.tenant).is_sound(log_keys, caller.tenant)


@pytest.mark.parametrize("table", ["audit_head", "audit_tile", "audit_leaf", "audit_checkpoint"])
async def test_only_the_worker_adds_to_the_tree_and_nobody_takes_away(begin, caller, grow, database, table):
    await write(begin, caller, 3)
    await grow(caller.tenant)
    statements = [f"DELETE FROM {table}", f"TRUNCATE {table}"]
    tampering = {
        "audit_head": "UPDATE audit_head SET size = 0",
        "audit_tile": "UPDATE audit_tile SET hashes = sha256('x')",
        "audit_leaf": "UPDATE audit_leaf SET index = index + 1000",
        "audit_checkpoint": "UPDATE audit_checkpoint SET note = ''",
    }
    for url in (database.urls.app, database.urls.worker, database.urls.owner):
        for statement in [*statements, tampering[table]]:
            with psycopg.connect(url) as connection:
                connection.execute("SELECT set_config('volens.tenant', %s, false)", (caller.tenant,))
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)


async def test_a_disk_that_is_slow_holds_up_nobody_else_on_the_loop(published, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: time.sleep(0.1))  # twice: the file, and its folder
    begun = time.monotonic()
    keeping = asyncio.create_task(published.keep(TenantId("acme"), "note"))
    turns = 0
    while not keeping.done():
        await asyncio.sleep(0.01)
        turns += 1

    assert time.monotonic() - begun >= 0.2
    assert turns >= 10
    assert await published.recall(TenantId("acme")) == "note"
