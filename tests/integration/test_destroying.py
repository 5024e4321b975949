"""Destroying a person's key closes everything at once: on every process, for who is writing, and for good."""

import asyncio
import time
from uuid import uuid4

import msgspec
import psycopg
import pytest

from service.kernel import Handle, SubjectId
from service.vault import DestroyKey, OpenValues, SubjectErased
from service.vault.envelope import seal, unseal
from service.vault.fields import BUILT_IN, Name
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from service.vault.values import Digest, Place, Write
from service.vault.writing import WriteValues
from tests.builders import DAY
from tests.integration.forked import FORK
from tests.integration.writing_child import FIELDS, hammer

VALUES = {
    "email": "ann@mail.example", "email#work": "ann@work.example", "phone": "+49301234567", "name": "Ann Example",
    "birth_date": "1990-02-03", "national_id": "X1", "device_id": "d-1", "payment_ref": "p-1", "free_text": "none",
    "postal_address": {"lines": ["Way 1"], "locality": "Town", "country": "DE"},
    "document": {"media_type": "text/plain", "content": b"none"},
}  # fmt: skip


@pytest.fixture
def place(tmp_path):
    return tmp_path / "root.keys"


@pytest.fixture
def keys_of(place, begin, clock):
    """Makes the keys of one more process, which remembers what it can."""
    return lambda: Keys(FileRing.open(place), begin, clock, keep=DAY)


@pytest.fixture
def destroy(begin, clock):
    return DestroyKey(begin, clock)


@pytest.fixture
def write(begin, keys_of, clock, caller):
    async def write(subject: str, values: dict):
        writes = [
            Write(
                subject=SubjectId(subject), name=(n := Name.of(name)), field=BUILT_IN[n.field], value=value, by=caller
            )
            for name, value in values.items()
        ]
        return await WriteValues(begin, keys_of(), seal, clock)(caller.tenant, writes)

    return write


@pytest.fixture
async def handle(write, begin, tenant) -> Handle:
    await write("ann", VALUES)
    async with begin(tenant) as tx:
        return await tx.subjects.handle_of(SubjectId("ann"))


@pytest.fixture
def rows(database, tenant):
    """Counts what is left in a table of a person."""

    def rows(table: str, handle: Handle, condition: str = "true") -> int:
        with psycopg.connect(database.urls.owner) as connection:
            statement = f"SELECT count(*) FROM {table} WHERE tenant = %s AND handle = %s AND {condition}"
            return connection.execute(statement, (tenant, handle)).fetchone()[0]

    return rows


async def test_every_field_is_unreadable_at_once_for_processes_that_had_it_open(
    destroy, handle, keys_of, begin, clock, tenant, caller
):
    readers = [OpenValues(begin, keys_of(), unseal, clock) for _ in range(2)]
    for read in readers:
        opened = (await read(tenant, {handle: VALUES})).values[handle]
        assert {name: each.value for name, each in opened.items()} == VALUES
    assert await destroy(handle, by=caller) is True

    for read in (*readers, OpenValues(begin, keys_of(), unseal, clock)):
        for version in (None, 1):
            opening = await read(tenant, {handle: VALUES}, version=version)
            assert (opening.values[handle], opening.erased) == ({}, {handle})


async def test_nothing_is_left_that_opens_or_leads_anywhere(destroy, handle, rows, caller, begin, database, clock):
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute(
            """
            INSERT INTO vault_token
                (tenant, digest, handle, field, label, purpose, recipient, created_at, actor)
            VALUES (%s, 'd', %s, 'email', '', 'marketing', 'printer', %s, 'crm')
            """,
            (caller.tenant, handle, clock()),
        )
    assert (rows("vault_index", handle), rows("vault_token", handle)) == (5, 1)
    await destroy(handle, by=caller)

    assert (rows("vault_index", handle), rows("vault_token", handle)) == (0, 0)
    assert (
        rows("vault_subject_key", handle, "wrapped = '' AND tenant_key_version = 0 AND destroyed_at > '2026-01-01'")
        == 1
    )


async def test_whoever_was_forgotten_is_not_written_to_again(destroy, handle, write, caller, rows):
    await destroy(handle, by=caller)
    outcomes = await write("ann", {"email": "ann@mail.example", "name": "Ann"})

    assert all(isinstance(outcome, SubjectErased) for outcome in outcomes)
    assert rows("vault_index", handle) == 0


async def test_the_others_keep_what_they_have(destroy, handle, write, caller, begin, keys_of, clock, tenant):
    await write("ben", VALUES)
    async with begin(tenant) as tx:
        ben = await tx.subjects.handle_of(SubjectId("ben"))
    await destroy(handle, by=caller)

    assert len((await OpenValues(begin, keys_of(), unseal, clock)(tenant, {ben: VALUES})).values[ben]) == len(VALUES)


async def test_it_is_audited_and_told_once_and_by_handle(destroy, handle, caller, database):
    assert [await destroy(handle, by=caller) for _ in range(3)] == [True, False, False]

    with psycopg.connect(database.urls.owner) as connection:
        for table, name in (("audit_entry", "event"), ("outbox", "type")):
            found = connection.execute(
                f"SELECT object_id FROM {table} WHERE tenant = %s AND {name} = 'vault.key_destroyed'", (caller.tenant,)
            ).fetchall()
            assert found == [(str(handle),)]


async def test_somebody_of_another_tenant_is_not_reached(destroy, handle, add_tenant, caller, begin, keys_of, clock):
    stranger = msgspec.structs.replace(caller, tenant=add_tenant())

    assert await destroy(handle, by=stranger) is False
    read = OpenValues(begin, keys_of(), unseal, clock)
    assert len((await read(caller.tenant, {handle: VALUES})).values[handle]) == len(VALUES)


async def test_people_are_forgotten_while_the_ring_is_lost(destroy, handle, place, caller):
    place.unlink()

    assert await destroy(handle, by=caller) is True


async def test_what_a_writer_stored_while_it_was_waited_for_is_gone_too(
    destroy, handle, begin, keys_of, caller, tenant, rows
):
    keys = keys_of()
    current = await keys.tenant_key(tenant)
    async with begin(tenant) as tx:
        await keys.ensure_subject_keys(tx.keys, current, [handle])
        destroying = asyncio.create_task(destroy(handle, by=caller))
        await asyncio.sleep(0.2)
        assert not destroying.done()
        digest = Digest(field="email", version=1, digest=b"late" * 8)
        await tx.values.index({Place(handle, Name("email", "late")): [digest]}, [])
    assert await destroying is True
    assert rows("vault_index", handle) == 0


async def test_two_processes_in_the_middle_of_writing_and_reading_lose_it_at_once(
    destroy, begin, database, place, tenant, caller, write, rows, tmp_path
):
    for round_ in range(3):
        subject = SubjectId(f"s-{round_}-{uuid4().hex[:6]}")
        await write(subject, {"name": "A"})
        async with begin(tenant) as tx:
            handle = await tx.subjects.handle_of(subject)
        pipes, children = [], []
        for _ in range(2):
            ours, theirs = FORK.Pipe()
            child = FORK.Process(target=hammer, args=(database.urls.app, place, subject, handle, caller, theirs))
            child.start()
            pipes.append(ours)
            children.append(child)
        for pipe in pipes:
            assert await asyncio.to_thread(pipe.poll, 60)
            assert pipe.recv() == "warm"
        assert await destroy(handle, by=caller) is True
        over = time.monotonic()
        await asyncio.sleep(0.5)
        for pipe in pipes:
            pipe.send("enough")
        tried = []
        for pipe, child in zip(pipes, children, strict=True):
            assert await asyncio.to_thread(pipe.poll, 60)
            tried += pipe.recv()
            child.join(30)

        after = [(what, through) for began, what, through in tried if began > over]
        assert len([1 for began, _, through in tried if began < over and through]) >= 20
        assert {what for what, _ in after} == {"write", "read"}
        assert not any(through for _, through in after)
        assert rows("vault_index", handle) == 0
        assert rows("vault_value", handle) > 3 * len(FIELDS)
