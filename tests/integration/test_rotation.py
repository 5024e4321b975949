"""Keys are replaced while everything goes on: nothing that was sealed is lost, whenever a rotation is killed."""

import asyncio
import os
import random
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from service.kernel import Handle, Unavailable
from service.root_keys import root_uses
from service.vault import rotating
from service.vault.domain import KeyPurpose, Slot, StoredSubjectKey, Unreadable
from service.vault.envelope import new_key, rewrap_subject_key, seal, unseal
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from service.vault.rotating import RotateRootKey, RotateTenantKey
from service.vault.rotation import Rotated
from tests.builders import NOON

KEEP = timedelta(minutes=5)
SETTLE = timedelta(minutes=6)
VALUE = b"ann@mail.example"


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(rotating, "BATCH", 10)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "root.keys"


@pytest.fixture
def ring(place) -> FileRing:
    return FileRing.open(place)


@pytest.fixture
def keys(ring, begin, clock) -> Keys:
    return Keys(ring, begin, clock, keep=KEEP)


@pytest.fixture
def rotate(ring, begin, clock):
    return RotateTenantKey(begin, ring, new_key, rewrap_subject_key, clock, asyncio.sleep, settle=SETTLE)


def quietly(done: int, total: int) -> None:
    """Tell nobody."""


def slot(tenant, handle) -> Slot:
    return Slot(tenant=tenant, handle=handle, field="email", label="", version=1)


@pytest.fixture
def store(keys, begin, tenant):
    """Gives people a key each, and returns what was sealed under it."""

    async def store(count: int, with_: Keys = keys) -> dict[Handle, bytes]:
        who = [Handle(uuid4()) for _ in range(count)]
        current = await with_.tenant_key(tenant)
        async with begin(tenant) as tx:
            made = (await with_.ensure_subject_keys(tx.keys, current, who)).keys
        return {handle: seal(key, slot(tenant, handle), VALUE) for handle, key in made.items()}

    return store


@pytest.fixture
def opens(keys, begin, tenant):
    """Returns how many of these values open."""

    async def opens(sealed: dict[Handle, bytes], with_: Keys = keys) -> int:
        current = await with_.tenant_key(tenant)
        async with begin(tenant) as tx:
            found = (await with_.subject_keys(tx.keys, current, list(sealed))).keys
        return sum(unseal(key, slot(tenant, handle), sealed[handle]) == VALUE for handle, key in found.items())

    return opens


@pytest.fixture
def versions(begin, tenant):
    """Returns how much hangs from each version of the tenant's key."""

    async def versions() -> dict[int, int]:
        async with begin(tenant) as tx:
            return {key.version: key.uses for key in await tx.rotation.versions(KeyPurpose.TENANT)}

    return versions


@pytest.fixture
def audited(database, tenant):
    def audited() -> list[tuple[str, str]]:
        with psycopg.connect(database.urls.owner) as connection:
            rows = connection.execute(
                "SELECT event, object_id FROM audit_entry WHERE tenant = %s ORDER BY at, id", (tenant,)
            )
            return rows.fetchall()

    return audited


# --- tenant keys --------------------------------------------------------------------------------


async def test_a_tenant_that_never_used_the_vault_has_nothing_to_rotate(rotate, caller, versions):
    assert await rotate(quietly, by=caller) is None
    assert await versions() == {}


async def test_every_subject_key_moves_and_every_value_still_opens(
    rotate, caller, store, opens, versions, clock, tenant
):
    sealed = await store(25)
    seen = []
    rotated = await rotate(lambda *said: seen.append(said), by=caller)

    settles_at = clock() + SETTLE
    assert rotated == Rotated(tenant=tenant, version=2, begun=True, moved=25, settles_at=settles_at)
    assert seen == [(10, 25), (20, 25), (25, 25)]
    assert await versions() == {2: 25, 1: 0}
    assert await opens(sealed) == 25


async def test_the_old_key_is_removed_when_nobody_remembers_it_and_not_before(
    rotate, caller, store, opens, versions, clock, audited
):
    sealed = await store(3)
    await rotate(quietly, by=caller)
    clock.advance(SETTLE - timedelta(microseconds=1))
    early = await rotate(quietly, by=caller, finish=True)
    assert (early.removed, await versions()) == ((), {2: 3, 1: 0})
    clock.advance(timedelta(microseconds=1))
    late = await rotate(quietly, by=caller, finish=True)

    assert (late.removed, late.settles_at, late.begun) == ([1], None, False)
    assert await versions() == {2: 3}
    assert await opens(sealed) == 3
    assert await rotate(quietly, by=caller, finish=True) is None
    assert audited() == [("vault.key_rotated", "tenant_key:2"), ("vault.key_destroyed", "tenant_key:1")]


async def test_who_comes_late_under_the_old_key_is_moved_before_it_goes(
    rotate, caller, store, opens, versions, clock, ring, begin
):
    unaware = Keys(ring, begin, clock, keep=KEEP)
    sealed = await store(2, unaware)
    await rotate(quietly, by=caller)
    sealed |= await store(3, unaware)
    assert await versions() == {2: 2, 1: 3}
    clock.advance(SETTLE)
    rotated = await rotate(quietly, by=caller)

    assert (rotated.moved, rotated.begun, rotated.removed) == (3, False, [1])
    assert await opens(sealed) == 5


async def test_who_holds_on_to_a_removed_key_stores_nothing_under_it(
    rotate, caller, store, clock, ring, begin, versions, tenant
):
    stubborn = Keys(ring, begin, clock, keep=timedelta(days=1))
    await store(1, stubborn)
    await rotate(quietly, by=caller)
    clock.advance(SETTLE)
    await rotate(quietly, by=caller)

    with pytest.raises(Unavailable, match="asking again"):
        await store(1, stubborn)
    assert await versions() == {2: 1}
    assert len(await store(1, stubborn)) == 1


async def test_a_key_that_is_being_stored_under_the_old_one_keeps_it(rotate, caller, store, clock, begin, tenant, keys):
    await store(1)
    old = await keys.tenant_key(tenant)
    await rotate(quietly, by=caller)
    clock.advance(SETTLE)
    async with begin(tenant) as tx:
        await keys.ensure_subject_keys(tx.keys, old, [Handle(uuid4())])
        finishing = asyncio.create_task(rotate(quietly, by=caller))
        await asyncio.sleep(0.3)
        assert not finishing.done()
    first = await finishing
    again = await rotate(quietly, by=caller)

    assert (first.removed, again.moved, again.removed) == ([], 1, [1])


async def test_a_key_that_somebody_writes_under_is_moved_when_they_are_done(rotate, caller, store, begin, tenant):
    held, *_ = await store(15)
    async with begin(tenant) as tx:
        await tx.keys.subject_keys([held], hold=True)
        rotating_ = asyncio.create_task(rotate(quietly, by=caller))
        await asyncio.sleep(0.3)
        assert not rotating_.done()
        async with begin(tenant) as other:
            assert await other.rotation.count_before(2) == 1, "the others don't wait"
    assert (await rotating_).moved == 15


async def test_a_destroyed_key_is_neither_moved_nor_in_the_way(
    rotate, caller, store, begin, tenant, clock, versions, opens
):
    sealed = await store(5)
    forgotten, *_ = sealed
    async with begin(tenant) as tx:
        await tx.keys.destroy_subject_key(forgotten, NOON)
    clock.advance(SETTLE)
    rotated = await rotate(quietly, by=caller)
    clock.advance(SETTLE)
    await rotate(quietly, by=caller)

    assert rotated.moved == 4
    assert await versions() == {2: 4}
    assert await opens(sealed) == 4


async def test_a_key_that_does_not_open_stays_and_keeps_the_old_one(
    rotate, caller, store, begin, tenant, clock, versions, opens
):
    sealed = await store(12)
    broken = Handle(uuid4())
    async with begin(tenant) as tx:
        garbage = StoredSubjectKey(id=b"k" * 16, tenant_key_version=1, wrapped=b"w" * 62)
        await tx.keys.add_subject_keys({broken: garbage}, NOON)
    await rotate(quietly, by=caller)
    clock.advance(SETTLE)
    rotated = await rotate(quietly, by=caller)

    assert (rotated.unreadable, rotated.removed) == (1, [])
    assert await versions() == {2: 12, 1: 1}
    assert await opens(sealed) == 12


async def test_two_rotations_at_once_share_the_work_and_make_one_key(rotate, caller, store, opens, versions, audited):
    sealed = await store(200)
    both = await asyncio.gather(*(rotate(quietly, by=caller) for _ in range(2)))

    assert sum(one.moved for one in both) == 200
    assert all(one.version == 2 for one in both)
    assert await versions() == {2: 200, 1: 0}
    assert await opens(sealed) == 200
    assert audited() == [("vault.key_rotated", "tenant_key:2")]


async def test_reading_writing_and_forgetting_go_on_while_keys_are_replaced_again_and_again(
    begin, ring, clock, caller, store, opens, tenant, versions
):
    rotate = RotateTenantKey(begin, ring, new_key, rewrap_subject_key, clock, asyncio.sleep, settle=timedelta())
    sealed = await store(60)
    forgotten: set[Handle] = set()
    over = asyncio.Event()

    async def write(seed: int) -> None:
        mine = Keys(ring, begin, clock, keep=timedelta())
        while not over.is_set():
            with suppress(Unavailable):  # the key it remembered is gone: it asks again
                sealed.update(await store(random.Random(seed).randint(1, 5), mine))

    async def read() -> None:
        mine = Keys(ring, begin, clock, keep=timedelta())
        while not over.is_set():
            asked = dict(random.sample(sorted(sealed.items()), 20))
            with suppress(Unavailable):  # the tenant key was removed between two of its questions
                assert await opens(asked, mine) >= len(asked.keys() - forgotten) - 1
            await asyncio.sleep(0.005)

    async def forget() -> None:
        while not over.is_set():
            who = random.choice(sorted(sealed.keys() - forgotten))
            forgotten.add(who)
            async with begin(tenant) as tx:
                await tx.keys.destroy_subject_key(who, NOON)
            await asyncio.sleep(0.05)

    busy = [asyncio.create_task(work) for work in (write(1), write(2), read(), forget())]
    removed = 0
    for _ in range(12):
        rotated = await rotate(quietly, by=caller)
        removed += len(rotated.removed)
    over.set()
    await asyncio.gather(*busy)

    assert removed >= 6
    live = {handle: value for handle, value in sealed.items() if handle not in forgotten}
    assert await opens(live, Keys(ring, begin, clock, keep=KEEP)) == len(live)
    assert await opens({handle: sealed[handle] for handle in forgotten}, Keys(ring, begin, clock, keep=KEEP)) == 0


# --- the root key -------------------------------------------------------------------------------


@pytest.fixture
def _nobody_elses_keys(database):
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("TRUNCATE vault_tenant_key, vault_secret_key, vault_subject_key")


@pytest.fixture
async def kinds(keys, tenant):
    """A key of every kind that the ring wraps."""
    await keys.tenant_key(tenant)
    await keys.suppression_key(tenant)
    await keys.index_keys(tenant, "email")
    await keys.index_keys(tenant, "phone")


async def unwrapped(ring, begin, tenant) -> dict:
    async with begin(tenant) as tx:
        stored = await tx.rotation.under_root()
    return {key.context: await ring.unwrap(key.wrapped, key.context) for key in stored}


@pytest.mark.usefixtures("_nobody_elses_keys", "kinds")
async def test_every_key_that_the_ring_wraps_moves_and_stays_what_it_is(ring, begin, caller, audited, tenant):
    before = await unwrapped(ring, begin, tenant)
    rotated = await RotateRootKey(begin, ring)([caller], quietly)

    assert (rotated.begun, rotated.moved, rotated.unreadable) == (True, 4, 0)
    assert [(use.version, use.keys) for use in await root_uses(begin)()] == [(rotated.version, 4)]
    assert rotated.version == await ring.current()
    assert await unwrapped(ring, begin, tenant) == before
    assert audited() == [("vault.key_rotated", f"root_key:{rotated.version}")]


@pytest.mark.usefixtures("_nobody_elses_keys", "kinds")
async def test_after_a_rotation_the_old_root_key_opens_nothing(ring, begin, caller, place, tenant, tmp_path, clock):
    stolen = tmp_path / "stolen.keys"
    stolen.write_bytes(place.read_bytes())
    stolen.chmod(0o600)
    await RotateRootKey(begin, ring)([caller], quietly)

    with pytest.raises(Unreadable):
        await Keys(FileRing.open(stolen), begin, clock, keep=KEEP).tenant_key(tenant)


@pytest.mark.usefixtures("_nobody_elses_keys", "kinds")
async def test_a_rotation_that_was_cut_off_goes_on_and_makes_no_further_root_key(ring, begin, caller, tenant):
    version = await ring.rotate()
    rotated = await RotateRootKey(begin, ring)([caller], quietly)

    assert (rotated.begun, rotated.version, rotated.moved) == (False, version, 4)


@pytest.mark.usefixtures("_nobody_elses_keys", "kinds")
async def test_a_key_that_does_not_open_is_counted_and_the_others_move(ring, begin, caller, tenant, database):
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("UPDATE vault_secret_key SET wrapped = %s WHERE field = 'phone'", (os.urandom(62),))
    rotated = await RotateRootKey(begin, ring)([caller], quietly)

    assert (rotated.moved, rotated.unreadable) == (3, 1)


@pytest.mark.usefixtures("_nobody_elses_keys", "kinds")
async def test_two_rotations_of_the_root_key_at_once_end_under_one(ring, begin, caller, tenant):
    before = await unwrapped(ring, begin, tenant)
    await asyncio.gather(*(RotateRootKey(begin, ring)([caller], quietly) for _ in range(3)))
    await RotateRootKey(begin, ring)([caller], quietly)

    assert len(await root_uses(begin)()) == 1
    assert await unwrapped(ring, begin, tenant) == before
