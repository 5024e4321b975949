"""A rotation that is killed at any of its steps loses nothing, and whoever calls again finishes it."""

from uuid import uuid4

import msgspec
import psycopg
import pytest

from service.kernel import Caller, Handle, SubjectId
from service.vault.domain import KeyPurpose, Slot
from service.vault.envelope import seal, unseal
from service.vault.fields import BUILT_IN, Name
from service.vault.keys import Keys
from service.vault.lookup import FindHolders
from service.vault.ring_file import FileRing
from service.vault.values import Search, Write
from service.vault.writing import WriteValues
from tests.builders import DAY
from tests.integration.forked import FORK
from tests.integration.rotating_child import rotate

PEOPLE = 25
VALUE = b"ann@mail.example"


@pytest.fixture
def place(tmp_path):
    return tmp_path / "root.keys"


@pytest.fixture
def run(database, place):
    """Runs a rotation up to a number of steps and kills it there; returns at which kind of step that was."""

    def run(kind, by, steps=10_000) -> str:
        ours, theirs = FORK.Pipe()
        child = FORK.Process(target=rotate, args=(kind, database.urls.app, place, by, theirs))
        child.start()
        for _ in range(steps):
            assert ours.poll(60), "no step for a minute"
            where = ours.recv()
            if where == "done":
                break
            ours.send("go on")
        else:
            assert ours.poll(60), "no step for a minute"
            where = ours.recv()
            child.kill()
        child.join(60)
        ours.close()
        return where

    return run


@pytest.fixture
def keys(place, begin, clock) -> Keys:
    return Keys(FileRing.open(place), begin, clock, keep=DAY)


def slot(tenant, handle) -> Slot:
    return Slot(tenant=tenant, handle=handle, field="email", label="", version=1)


async def filled(keys, begin, tenant) -> dict[Handle, bytes]:
    who = [Handle(uuid4()) for _ in range(PEOPLE)]
    current = await keys.tenant_key(tenant)
    await keys.suppression_key(tenant)
    await keys.index_keys(tenant, "email")
    async with begin(tenant) as tx:
        made = (await keys.ensure_subject_keys(tx.keys, current, who)).keys
    return {handle: seal(key, slot(tenant, handle), VALUE) for handle, key in made.items()}


async def readable(keys, begin, tenant, sealed) -> int:
    """Return how many open for a process that has just started, and check that the other keys do."""
    keys.forget()
    current = await keys.tenant_key(tenant)
    await keys.suppression_key(tenant)
    await keys.index_keys(tenant, "email")
    async with begin(tenant) as tx:
        found = (await keys.subject_keys(tx.keys, current, list(sealed))).keys
    return sum(unseal(key, slot(tenant, handle), sealed[handle]) == VALUE for handle, key in found.items())


async def test_a_tenants_rotation_killed_at_every_step_ends_the_same(run, keys, begin, add_tenant, caller, database):
    killed_at = set()
    for steps in range(1000):
        tenant = add_tenant()
        sealed = await filled(keys, begin, tenant)
        by = [msgspec.structs.replace(caller, tenant=tenant)]
        where = run("tenant", by, steps)
        killed_at.add(where)
        assert await readable(keys, begin, tenant, sealed) == PEOPLE
        run("tenant", by) if where != "done" else None
        async with begin(tenant) as tx:
            [only] = await tx.rotation.versions(KeyPurpose.TENANT)

        # killed after the very last commit, it was done, and calling again began another
        assert only.uses == PEOPLE
        assert only.version in ({2, 3} if where == "after a commit" else {2})
        assert await readable(keys, begin, tenant, sealed) == PEOPLE
        if where == "done":
            break
    assert killed_at == {"before a commit", "after a commit", "done"}
    assert steps > 2 * (PEOPLE // 10 + 3)
    with psycopg.connect(database.urls.owner) as connection:
        twice = connection.execute(
            """
            SELECT count(*) FROM audit_entry WHERE object_id = 'tenant_key:2' AND event = 'vault.key_rotated'
            GROUP BY tenant HAVING count(*) <> 1
            """
        ).fetchall()
    assert twice == []


async def test_a_rotation_of_the_root_key_killed_at_every_step_ends_the_same(
    run, keys, begin, add_tenant, caller, place, database
):
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("TRUNCATE vault_tenant_key, vault_secret_key, vault_subject_key")
    tenants = [add_tenant() for _ in range(3)]
    sealed = {tenant: await filled(keys, begin, tenant) for tenant in tenants}
    by = [msgspec.structs.replace(caller, tenant=tenant) for tenant in tenants]
    killed_at = set()
    for steps in range(1000):
        before = len(msgspec.json.decode(place.read_bytes())["keys"])
        where = run("root", by, steps)
        killed_at.add(where)
        for tenant in tenants:
            assert await readable(keys, begin, tenant, sealed[tenant]) == PEOPLE
        if where == "done":
            break
        run("root", by)
        current = await FileRing.open(place).current()
        async with begin(tenants[0]) as tx:
            assert [(use.version, use.keys) for use in await tx.rotation.root_uses()] == [(current, 9)]
        made = len(msgspec.json.decode(place.read_bytes())["keys"]) - before
        assert made == 1 or (made == 2 and where != "the ring has a new root key"), "it goes on with the one it made"
    assert killed_at == {"before a commit", "after a commit", "the ring has a new root key", "done"}


async def found(keys, begin, tenant, subjects) -> int:
    """Return how many are found by their address, by a process that has just started."""
    keys.forget()
    searches = [Search(field=BUILT_IN["email"], value=f"{name}@mail.example", by=by_of(tenant)) for name in subjects]
    answers = await FindHolders(begin, keys)(tenant, searches)
    return sum(answer == [name] for name, answer in zip(subjects, answers, strict=True))


def by_of(tenant) -> Caller:
    return Caller(tenant=tenant, actor="crm", request="req-1")


async def test_a_rotation_of_an_index_key_killed_at_every_step_ends_the_same(run, keys, begin, add_tenant, clock):
    killed_at = set()
    subjects = [f"s{number}" for number in range(PEOPLE)]
    for steps in range(1000):
        tenant = add_tenant()
        writes = [
            Write(
                subject=SubjectId(name), name=Name("email"), field=BUILT_IN["email"], value=f"{name}@mail.example",
                by=by_of(tenant),
            )
            for name in subjects
        ]  # fmt: skip
        await WriteValues(begin, keys, seal, clock)(tenant, writes)
        where = run("index", [by_of(tenant)], steps)
        killed_at.add(where)
        assert await found(keys, begin, tenant, subjects) == PEOPLE
        run("index", [by_of(tenant)]) if where != "done" else None
        async with begin(tenant) as tx:
            [only] = await tx.rotation.versions(KeyPurpose.INDEX)

        # killed after the very last commit, it was done, and calling again began another
        assert only.uses == PEOPLE
        assert only.version in ({2, 3} if where == "after a commit" else {2})
        assert await found(keys, begin, tenant, subjects) == PEOPLE
        if where == "done":
            break
    assert killed_at == {"before a commit", "after a commit", "done"}
