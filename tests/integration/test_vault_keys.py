"""Keys are made once, remembered for a while, and gone for everybody when they are destroyed."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from service import db
from service.kernel import Handle
from service.transaction import opener
from service.vault.domain import KeyContext, KeyPurpose, RingUnavailable, Slot, TenantKey, Unreadable
from service.vault.envelope import seal, unseal
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from tests.builders import NOON

KEEP = timedelta(minutes=5)
VALUE = b"ann@mail.example"


class CountedRing:
    """A ring in a file that counts, can be slowed down and can be lost."""

    def __init__(self, ring: FileRing) -> None:
        self.ring = ring
        self.wrapped = self.unwrapped = 0
        self.lost = False
        self.pause = 0.0

    async def wrap(self, key, context):
        await self._pass()
        self.wrapped += 1
        return await self.ring.wrap(key, context)

    async def unwrap(self, wrapped, context):
        await self._pass()
        self.unwrapped += 1
        return await self.ring.unwrap(wrapped, context)

    async def _pass(self) -> None:
        await asyncio.sleep(self.pause)
        if self.lost:
            raise RingUnavailable("lost")


@pytest.fixture
def ring(tmp_path) -> CountedRing:
    return CountedRing(FileRing.open(tmp_path / "root.keys"))


@pytest.fixture
def make_keys(ring, begin, clock):
    """Makes the `Keys` of one more process."""
    return lambda **changes: Keys(ring, begin, clock, **{"keep": KEEP} | changes)


@pytest.fixture
def keys(make_keys) -> Keys:
    return make_keys()


@pytest.fixture
def handle() -> Handle:
    return Handle(uuid4())


def slot(tenant, handle) -> Slot:
    return Slot(tenant=tenant, handle=handle, field="email", label="", version=1)


async def ensure(keys, begin, tenant, *handles):
    current = await keys.tenant_key(tenant)
    async with begin(tenant) as tx:
        return await keys.ensure_subject_keys(tx.keys, current, handles)


async def read(keys, begin, tenant, *handles):
    current = await keys.tenant_key(tenant)
    async with begin(tenant) as tx:
        return await keys.subject_keys(tx.keys, current, handles)


async def destroy(begin, tenant, handle):
    async with begin(tenant) as tx:
        await tx.keys.destroy_subject_key(handle, NOON)


async def test_a_tenant_key_is_made_on_first_use_and_the_same_for_every_process(make_keys, tenant):
    one, other = make_keys(), make_keys()
    first, again, elsewhere = [await keys.tenant_key(tenant) for keys in (one, one, other)]

    assert first.version == 1
    assert first.secret == again.secret == elsewhere.secret


async def test_several_processes_that_make_the_same_key_at_once_end_up_with_one(make_keys, tenant):
    everybody = [make_keys() for _ in range(8)]
    kinds = [
        [keys.tenant_key(tenant) for keys in everybody],
        [keys.suppression_key(tenant) for keys in everybody],
        [newest_index_key(keys, tenant) for keys in everybody],
    ]
    for asked in kinds:
        made = await asyncio.gather(*asked)
        assert all(key.secret == made[0].secret for key in made)


async def newest_index_key(keys, tenant):
    return (await keys.index_keys(tenant, "email"))[0]


async def test_of_many_who_ask_one_process_for_a_key_one_asks_the_ring(keys, ring, tenant):
    await asyncio.gather(*(keys.tenant_key(tenant) for _ in range(50)))

    assert (ring.wrapped, ring.unwrapped) == (1, 1)


async def test_keys_of_different_use_are_different(keys, tenant, add_tenant):
    made = [
        await keys.tenant_key(tenant),
        await keys.tenant_key(add_tenant()),
        await keys.suppression_key(tenant),
        (await keys.index_keys(tenant, "email"))[0],
        (await keys.index_keys(tenant, "phone"))[0],
    ]

    assert len({key.secret.expose() for key in made}) == 5


async def test_a_key_is_remembered_for_its_time_and_no_longer(keys, ring, clock, tenant):
    await keys.tenant_key(tenant)
    clock.advance(KEEP - timedelta(microseconds=1))
    await keys.tenant_key(tenant)
    assert ring.unwrapped == 1
    clock.advance(timedelta(microseconds=1))
    await keys.tenant_key(tenant)
    assert ring.unwrapped == 2


async def test_a_clock_that_was_set_back_prolongs_nothing(keys, ring, clock, tenant):
    await keys.tenant_key(tenant)
    clock.advance(-timedelta(hours=1))
    await keys.tenant_key(tenant)

    assert ring.unwrapped == 2


async def test_a_key_that_nobody_asks_for_leaves_the_memory_too(make_keys, tenant):
    keys = make_keys(keep=timedelta(milliseconds=50))
    await keys.tenant_key(tenant)
    assert keys._memory._known
    await asyncio.sleep(0.1)

    assert not keys._memory._known


async def test_no_more_keys_are_remembered_than_allowed(make_keys, ring, tenant):
    keys = make_keys(most=2)
    for field in ("email", "phone", "email", "name"):
        await keys.index_keys(tenant, field)
    asked = ring.unwrapped

    await keys.index_keys(tenant, "email")
    assert ring.unwrapped == asked
    await keys.index_keys(tenant, "phone")
    assert ring.unwrapped == asked + 1
    assert len(keys._memory._known) == 2


async def test_what_is_forgotten_is_asked_for_again(keys, ring, tenant, add_tenant):
    other = add_tenant()
    for who in (tenant, other):
        await keys.tenant_key(who)
    keys.forget(tenant)
    for who in (tenant, other):
        await keys.tenant_key(who)
    assert ring.unwrapped == 3
    keys.forget()
    for who in (tenant, other):
        await keys.tenant_key(who)
    assert ring.unwrapped == 5


async def test_what_was_being_loaded_when_all_was_forgotten_is_not_remembered(keys, ring, tenant):
    ring.pause = 0.05
    loading = asyncio.create_task(keys.tenant_key(tenant))
    await asyncio.sleep(0.02)
    keys.forget()
    await loading

    assert not keys._memory._known


async def test_who_gives_up_takes_nothing_from_those_who_wait(keys, ring, tenant):
    ring.pause = 0.05
    hasty, patient = (asyncio.create_task(keys.tenant_key(tenant)) for _ in range(2))
    await asyncio.sleep(0.02)
    hasty.cancel()

    assert (await patient).version == 1
    assert ring.wrapped == 1


async def test_without_the_ring_nothing_new_opens_and_nothing_is_made(keys, ring, begin, tenant, handle):
    ring.lost = True
    for ask in (keys.tenant_key(tenant), keys.suppression_key(tenant), keys.index_keys(tenant, "email")):
        with pytest.raises(RingUnavailable):
            await ask
    async with begin(tenant) as tx:
        assert await tx.keys.wrapped(KeyPurpose.TENANT) == []
    ring.lost = False

    assert (await ensure(keys, begin, tenant, handle)).keys.keys() == {handle}


async def test_a_ring_that_comes_back_is_used_again(keys, ring, tenant):
    ring.lost = True
    with pytest.raises(RingUnavailable):
        await keys.tenant_key(tenant)
    ring.lost = False

    assert (await keys.tenant_key(tenant)).version == 1


async def test_a_person_has_one_key_whoever_asks(make_keys, begin, tenant, handle):
    one, other = make_keys(), make_keys()
    made = await asyncio.gather(*(ensure(keys, begin, tenant, handle) for keys in (one, other) * 4))
    found = await read(other, begin, tenant, handle)

    assert all(key.keys[handle] == found.keys[handle] for key in made)


async def test_keys_of_many_come_at_once(keys, begin, tenant):
    handles = [Handle(uuid4()) for _ in range(500)]
    old = await ensure(keys, begin, tenant, *handles[:200])
    made = await ensure(keys, begin, tenant, *handles, handles[0])

    assert made.keys.keys() == set(handles)
    assert all(made.keys[handle] == old.keys[handle] for handle in handles[:200])
    assert len({key.secret.expose() for key in made.keys.values()}) == 500
    assert len({key.id for key in made.keys.values()}) == 500


async def test_who_never_had_a_key_is_neither_found_nor_erased(keys, begin, tenant, handle):
    found = await read(keys, begin, tenant, handle)

    assert (found.keys, found.erased) == ({}, set())


async def test_a_key_that_was_rolled_back_was_never_there(keys, begin, tenant, handle):
    async def write_and_fail():
        current = await keys.tenant_key(tenant)
        async with begin(tenant) as tx:
            await keys.ensure_subject_keys(tx.keys, current, [handle])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await write_and_fail()
    assert (await read(keys, begin, tenant, handle)).keys == {}


async def test_destroying_a_key_closes_everything_at_once_for_every_process(make_keys, begin, tenant, handle):
    one, other = make_keys(), make_keys()
    key = (await ensure(one, begin, tenant, handle)).keys[handle]
    sealed = seal(key, slot(tenant, handle), VALUE)
    opened = (await read(other, begin, tenant, handle)).keys[handle]
    assert unseal(opened, slot(tenant, handle), sealed) == VALUE
    await destroy(begin, tenant, handle)

    for keys in (one, other):
        for found in (await read(keys, begin, tenant, handle), await ensure(keys, begin, tenant, handle)):
            assert (found.keys, found.erased) == ({}, {handle})


async def test_keys_under_an_older_tenant_key_still_open(keys, begin, ring, tenant, handle):
    made = await ensure(keys, begin, tenant, handle)
    second = KeyContext(tenant=tenant, purpose=KeyPurpose.TENANT, version=2)
    async with begin(tenant) as tx:
        await tx.keys.add_wrapped(second, await ring.wrap(b"2" * 32, second), NOON)
    keys.forget()
    assert (await keys.tenant_key(tenant)).version == 2

    newcomer = Handle(uuid4())
    found = await ensure(keys, begin, tenant, handle, newcomer)

    assert found.keys[handle] == made.keys[handle]
    async with begin(tenant) as tx:
        stored = await tx.keys.subject_keys([handle, newcomer])
    assert {who: key.tenant_key_version for who, key in stored.items()} == {handle: 1, newcomer: 2}


async def test_a_process_that_does_not_know_the_newest_tenant_key_yet_opens_what_is_under_it(
    make_keys, begin, ring, tenant, handle
):
    late, early = make_keys(), make_keys()
    await late.tenant_key(tenant)
    second = KeyContext(tenant=tenant, purpose=KeyPurpose.TENANT, version=2)
    async with begin(tenant) as tx:
        await tx.keys.add_wrapped(second, await ring.wrap(b"2" * 32, second), NOON)
    made = await ensure(early, begin, tenant, handle)

    assert (await read(late, begin, tenant, handle)).keys == made.keys


async def test_index_keys_come_in_all_their_versions_newest_first(keys, begin, ring, tenant):
    [first] = await keys.index_keys(tenant, "email")
    second = KeyContext(tenant=tenant, purpose=KeyPurpose.INDEX, version=2, field="email")
    async with begin(tenant) as tx:
        await tx.keys.add_wrapped(second, await ring.wrap(b"2" * 32, second), NOON)
    keys.forget(tenant)
    newest, oldest = await keys.index_keys(tenant, "email")

    assert (newest.version, newest.secret.expose(), oldest) == (2, b"2" * 32, first)


async def test_a_key_row_that_was_moved_to_another_place_opens_nothing(keys, begin, tenant, add_tenant, ring):
    other = add_tenant()
    await keys.tenant_key(tenant)
    async with begin(tenant) as tx:
        [stolen] = await tx.keys.wrapped(KeyPurpose.TENANT)
    async with begin(other) as tx:
        await tx.keys.add_wrapped(KeyContext(tenant=other, purpose=KeyPurpose.TENANT, version=1), stolen.wrapped, NOON)

    with pytest.raises(Unreadable):
        await keys.tenant_key(other)


async def test_subject_keys_that_change_places_open_for_neither(keys, begin, tenant, engine):
    ann, ben = Handle(uuid4()), Handle(uuid4())
    await ensure(keys, begin, tenant, ann)
    async with begin(tenant) as tx:
        await tx.keys.add_subject_keys({ben: (await tx.keys.subject_keys([ann]))[ann]}, NOON)

    assert ann in (await read(keys, begin, tenant, ann)).keys
    with pytest.raises(Unreadable):
        await read(keys, begin, tenant, ben)


async def test_a_stolen_database_opens_nothing_with_a_ring_of_ones_own(keys, begin, clock, tenant, handle, tmp_path):
    await ensure(keys, begin, tenant, handle)
    thief = Keys(FileRing.open(tmp_path / "thief.keys"), begin, clock, keep=KEEP)

    for ask in (thief.tenant_key(tenant), read(thief, begin, tenant, handle)):
        with pytest.raises(Unreadable):
            await ask
    made_up = TenantKey(tenant=tenant, version=1, secret=(await keys.suppression_key(tenant)).secret)
    async with begin(tenant) as tx:
        with pytest.raises(Unreadable):
            await thief.subject_keys(tx.keys, made_up, [handle])


async def test_nothing_shows_a_key(keys, begin, tenant, handle):
    current = await keys.tenant_key(tenant)
    found = await ensure(keys, begin, tenant, handle)
    secrets = [current.secret.expose(), found.keys[handle].secret.expose()]

    for shown in (repr(keys), repr(keys._memory._known), repr(current), repr(found)):
        assert not any(str(secret) in shown or secret.hex() in shown for secret in secrets)
    with pytest.raises(TypeError):
        msgspec.json.encode(found)


async def test_no_connection_waits_while_the_ring_is_asked(database, ring, clock, new_id, tenant):
    narrow = db.engine(database.urls.app, size=1, wait=1.0)
    begin = opener(narrow, clock, new_id)
    ring.pause = 0.5
    asking = asyncio.create_task(Keys(ring, begin, clock, keep=KEEP).tenant_key(tenant))
    async with asyncio.timeout(5):
        while not asking.done():
            async with begin(tenant) as tx:
                await tx.keys.wrapped(KeyPurpose.TENANT)
            await asyncio.sleep(0.01)
    await narrow.dispose()

    assert (await asking).version == 1
