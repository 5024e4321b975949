"""What `service.vault.KeyStore` promises, kept by the real adapter."""

import asyncio
from uuid import uuid4

import pytest

from service.kernel import Handle
from service.vault.domain import KeyContext, KeyPurpose, StoredKey, StoredSubjectKey, Wrapped
from tests.builders import DAY, NOON


def wrapped(body: bytes = b"w") -> Wrapped:
    return Wrapped(ring="file", version="1", body=body)


def context(tenant, purpose=KeyPurpose.TENANT, version=1, field="") -> KeyContext:
    return KeyContext(tenant=tenant, purpose=purpose, version=version, field=field)


def subject_key(mark: bytes = b"k") -> StoredSubjectKey:
    return StoredSubjectKey(id=mark * 16, tenant_key_version=1, wrapped=mark)


@pytest.fixture
def handle() -> Handle:
    return Handle(uuid4())


@pytest.fixture
async def keyed(begin, tenant):
    """A tenant with the key that the keys of its subjects hang from."""
    async with begin(tenant) as tx:
        await tx.keys.add_wrapped(context(tenant), wrapped(), NOON)
    return tenant


async def test_the_first_key_of_a_version_stays(begin, tenant):
    async with begin(tenant) as tx:
        first = await tx.keys.add_wrapped(context(tenant), wrapped(b"first"), NOON)
        again = await tx.keys.add_wrapped(context(tenant), wrapped(b"second"), NOON)

    assert first == again == StoredKey(version=1, wrapped=wrapped(b"first"))


@pytest.mark.parametrize("purpose", KeyPurpose)
async def test_of_several_versions_the_newest_comes_first(begin, tenant, purpose):
    async with begin(tenant) as tx:
        for version in (1, 3, 2):
            await tx.keys.add_wrapped(context(tenant, purpose, version), wrapped(bytes([version])), NOON)
        stored = await tx.keys.wrapped(purpose)

    assert [(key.version, key.wrapped.body) for key in stored] == [(3, b"\3"), (2, b"\2"), (1, b"\1")]


async def test_keys_for_one_purpose_field_or_tenant_are_not_those_for_another(begin, tenant, add_tenant):
    places = [
        (KeyPurpose.TENANT, ""),
        (KeyPurpose.INDEX, "email"),
        (KeyPurpose.INDEX, "phone"),
        (KeyPurpose.SUPPRESSION, ""),
    ]
    async with begin(tenant) as tx:
        for purpose, field in places:
            await tx.keys.add_wrapped(context(tenant, purpose, 1, field), wrapped(f"{purpose}{field}".encode()), NOON)
        for purpose, field in places:
            [stored] = await tx.keys.wrapped(purpose, field)
            assert stored.wrapped.body == f"{purpose}{field}".encode()
        assert await tx.keys.wrapped(KeyPurpose.INDEX, "device_id") == []
    async with begin(add_tenant()) as tx:
        assert [await tx.keys.wrapped(purpose, field) for purpose, field in places] == [[], [], [], []]


async def test_who_has_no_key_is_not_among_the_keys(begin, tenant, handle):
    async with begin(tenant) as tx:
        assert await tx.keys.subject_keys([handle]) == {}
        assert await tx.keys.subject_keys([]) == {}


async def test_the_first_key_of_a_person_stays(begin, keyed, handle):
    other = Handle(uuid4())
    async with begin(keyed) as tx:
        first = await tx.keys.add_subject_keys({handle: subject_key(b"a")}, NOON)
        second = await tx.keys.add_subject_keys({other: subject_key(b"b"), handle: subject_key(b"c")}, NOON)

        assert (first, second) == ({handle}, {other})

        assert await tx.keys.subject_keys([other, handle, handle]) == {
            handle: subject_key(b"a"),
            other: subject_key(b"b"),
        }


async def test_several_who_make_a_key_at_once_end_up_with_one(begin, keyed):
    handles = [Handle(uuid4()) for _ in range(20)]

    async def make(mark: bytes, order):
        async with begin(keyed) as tx:
            await tx.keys.add_subject_keys({handle: subject_key(mark) for handle in order}, NOON)
            return await tx.keys.subject_keys(handles, hold=True)

    seen = await asyncio.gather(*(make(bytes([65 + n]), handles[::-1] if n % 2 else handles) for n in range(6)))

    assert all(keys == seen[0] for keys in seen)


async def test_a_destroyed_key_is_gone_and_its_mark_stays(begin, keyed, handle):
    async with begin(keyed) as tx:
        await tx.keys.add_subject_keys({handle: subject_key()}, NOON)
    async with begin(keyed) as tx:
        assert await tx.keys.destroy_subject_key(handle, NOON + DAY) is True
    async with begin(keyed) as tx:
        assert await tx.keys.destroy_subject_key(handle, NOON + DAY) is False
        await tx.keys.add_subject_keys({handle: subject_key(b"n")}, NOON)
        kept = (await tx.keys.subject_keys([handle]))[handle]

    assert (kept.destroyed, kept.wrapped) == (True, b"")


async def test_nobody_gets_a_key_under_a_handle_that_was_destroyed_before_it_had_one(begin, keyed, handle):
    async with begin(keyed) as tx:
        assert await tx.keys.destroy_subject_key(handle, NOON) is False
        await tx.keys.add_subject_keys({handle: subject_key()}, NOON)

        assert (await tx.keys.subject_keys([handle]))[handle].destroyed


async def test_destruction_waits_for_who_holds_the_key_and_then_takes_it(begin, keyed, handle):
    async with begin(keyed) as tx:
        await tx.keys.add_subject_keys({handle: subject_key()}, NOON)
    order = []

    async def destroy():
        async with begin(keyed) as tx:
            await tx.keys.destroy_subject_key(handle, NOON)
            order.append("destroyed")

    async with begin(keyed) as tx:
        await tx.keys.subject_keys([handle], hold=True)
        destroying = asyncio.create_task(destroy())
        await asyncio.sleep(0.2)
        order.append("written")
    await destroying

    assert order == ["written", "destroyed"]


async def test_those_who_read_or_write_do_not_wait_for_each_other(begin, keyed, handle):
    async with begin(keyed) as tx:
        await tx.keys.add_subject_keys({handle: subject_key()}, NOON)
    async with begin(keyed) as one, begin(keyed) as other, begin(keyed) as reader:
        for tx in (one, other):
            assert handle in await asyncio.wait_for(tx.keys.subject_keys([handle], hold=True), 1)
        assert handle in await asyncio.wait_for(reader.keys.subject_keys([handle]), 1)


async def test_a_key_under_a_tenant_key_that_is_not_there_is_not_stored(begin, keyed, handle):
    async with begin(keyed) as tx:
        later = StoredSubjectKey(id=b"k" * 16, tenant_key_version=2, wrapped=b"k")

        assert await tx.keys.add_subject_keys({handle: later}, NOON) == set()
        assert await tx.keys.subject_keys([handle]) == {}
