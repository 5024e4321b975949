"""What `service.subjects.SubjectStore` promises, kept by the real adapter."""

import asyncio
from datetime import date, timedelta

import pytest
from uuid_utils.compat import uuid7

from service.kernel import Contended, SubjectId
from service.subjects import NO_FACTS, NO_FLAGS, Flags, Signals
from tests.builders import DAY, NOON, some_facts

ANN, BEN = SubjectId("ann"), SubjectId("ben")


async def test_who_is_ensured_has_a_handle_from_then_on(begin, tenant):
    async with begin(tenant) as tx:
        first = await tx.subjects.ensure([ANN, BEN, ANN], NOON)
        again = await tx.subjects.ensure([BEN, ANN], NOON)

    assert first.created == {ANN, BEN}
    assert again.created == frozenset()
    assert again.handles == first.handles
    assert first.handles[ANN] != first.handles[BEN]


async def test_a_subject_is_new_only_once_even_beside_an_old_one(begin, tenant):
    async with begin(tenant) as tx:
        await tx.subjects.ensure([ANN], NOON)
    async with begin(tenant) as tx:
        ensured = await tx.subjects.ensure([BEN, ANN], NOON)

        assert ensured.created == {BEN}
        assert ensured.handles[ANN] == await tx.subjects.handle_of(ANN)


async def test_two_transactions_that_ensure_the_same_subjects_agree_on_their_handles(begin, tenant):
    names = [SubjectId(f"s-{number}") for number in range(20)]

    async def ensure(order):
        async with begin(tenant) as tx:
            return await tx.subjects.ensure(order, NOON)

    all_ = await asyncio.gather(*(ensure(names[::step]) for step in (1, -1, 1, -1)))

    assert all(one.handles == all_[0].handles for one in all_)
    assert sum(len(one.created) for one in all_) == len(names)


async def test_nobody_has_a_handle_before(begin, tenant):
    async with begin(tenant) as tx:
        assert await tx.subjects.handle_of(ANN) is None
        assert await tx.subjects.find(ANN) is None
        assert (await tx.subjects.ensure([], NOON)).handles == {}


async def test_a_new_subject_has_no_facts(begin, tenant):
    async with begin(tenant) as tx:
        await tx.subjects.ensure([ANN], NOON)
        subject = await tx.subjects.find(ANN)

    assert (subject.version, subject.facts) == (0, NO_FACTS)


async def test_facts_come_back_as_they_were_stored(begin, tenant):
    facts = some_facts(
        birth_date=date(2012, 2, 29),
        moved_at=date(2026, 9, 1),
        last_sent_at=NOON,
        signals=Signals(gpc=False, number_reassigned_after=date(2026, 8, 1), gpc_first_seen=NOON),
    )
    async with begin(tenant) as tx:
        handle = (await tx.subjects.ensure([ANN], NOON)).handles[ANN]
        await tx.subjects.add_version(handle, 1, facts, NOON)
    async with begin(tenant) as tx:
        subject = await tx.subjects.find(ANN)

        assert await tx.subjects.lock(handle) == subject
    assert (subject.handle, subject.version, subject.facts) == (handle, 1, facts)


async def test_a_new_subject_has_no_flags_and_those_that_are_set_come_back(begin, tenant):
    flags = Flags(restricted=True, restricted_at=NOON, drop_match="verified", objected=False)
    async with begin(tenant) as tx:
        handle = (await tx.subjects.ensure([ANN, BEN], NOON)).handles[ANN]
        assert (await tx.subjects.lock(handle)).flags == NO_FLAGS
        await tx.subjects.set_flags(handle, flags)
        await tx.subjects.add_version(handle, 1, some_facts(), NOON)
    async with begin(tenant) as tx:
        assert (await tx.subjects.lock(handle)).flags == (await tx.subjects.find(ANN)).flags == flags
        assert (await tx.subjects.find(ANN, as_of=NOON - DAY)).flags == flags
        assert (await tx.subjects.find(BEN)).flags == NO_FLAGS
        await tx.subjects.set_flags(handle, NO_FLAGS)
        assert (await tx.subjects.find(ANN)).flags == NO_FLAGS


async def test_every_version_can_be_asked_for(begin, tenant):
    async with begin(tenant) as tx:
        handle = (await tx.subjects.ensure([ANN], NOON)).handles[ANN]
        for version in (1, 2, 3):
            await tx.subjects.add_version(handle, version, some_facts(age=20 + version), NOON + version * DAY)

    async with begin(tenant) as tx:

        async def version_as_of(instant):
            found = await tx.subjects.find(ANN, as_of=instant)
            return found.version, found.facts.age

        assert await version_as_of(NOON) == (0, None)
        assert await version_as_of(NOON + 2 * DAY - timedelta(microseconds=1)) == (1, 21)
        assert await version_as_of(NOON + 2 * DAY) == (2, 22)
        assert (await tx.subjects.find(ANN)).version == 3


async def test_a_locked_subject_waits_for_nobody_else(begin, tenant):
    async with begin(tenant) as tx:
        handle = (await tx.subjects.ensure([ANN], NOON)).handles[ANN]
    order = []

    async def change(version: int) -> None:
        async with begin(tenant) as tx:
            before = await tx.subjects.lock(handle)
            order.append(before.version)
            await asyncio.sleep(0.02)
            await tx.subjects.add_version(handle, before.version + 1, some_facts(), NOON)

    await asyncio.gather(*(change(number) for number in range(5)))

    assert order == [0, 1, 2, 3, 4]


async def test_another_tenant_has_subjects_of_its_own(begin, tenant, add_tenant):
    other = add_tenant()
    async with begin(tenant) as tx:
        ours = (await tx.subjects.ensure([ANN], NOON)).handles[ANN]
    async with begin(other) as tx:
        assert await tx.subjects.handle_of(ANN) is None
        theirs = (await tx.subjects.ensure([ANN], NOON)).handles[ANN]

    assert ours != theirs


async def test_a_handle_of_before_a_merge_leads_to_the_one_of_today(begin, tenant, new_id):
    async with begin(tenant) as tx:
        ensured = await tx.subjects.ensure([ANN, BEN, SubjectId("cem")], NOON)
    ann, ben, cem = (ensured.handles[name] for name in (ANN, BEN, SubjectId("cem")))
    for other, into, names in ((ann, ben, [ANN, BEN]), (ben, cem, [BEN, SubjectId("cem")])):
        async with begin(tenant) as tx:
            await tx.subjects.hold(names)
            await tx.subjects.settle(other, into, NOON, same=True)
            await tx.subjects.merge(other, await tx.subjects.lock(into), NOON)

    async with begin(tenant) as tx:
        assert [await tx.subjects.current(handle) for handle in (ann, ben, cem)] == [cem] * 3
        assert await tx.subjects.current(new_id()) is None


async def test_who_is_parted_from_their_handle_while_others_wait_is_nobody(begin, tenant):
    async with begin(tenant) as tx:
        handle = (await tx.subjects.ensure([ANN], NOON)).handles[ANN]

    async def gone() -> None:
        async with begin(tenant) as tx:
            assert await tx.subjects.lock_current(handle) is None

    async def refused() -> None:
        with pytest.raises(Contended):
            async with begin(tenant) as tx:
                await tx.subjects.lock(handle)

    async with begin(tenant) as tx:
        held = await tx.subjects.hold([ANN])
        waiting = [asyncio.create_task(each()) for each in (gone, refused)]
        await asyncio.sleep(0.2)
        assert not any(task.done() for task in waiting)
        await tx.subjects.part({ANN: uuid7()}, NO_FLAGS)
    assert held[ANN].subject.handle == handle
    await asyncio.gather(*waiting)


async def test_who_is_merged_while_others_wait_is_who_they_were_merged_into(begin, tenant):
    async with begin(tenant) as tx:
        handles = (await tx.subjects.ensure([ANN, BEN], NOON)).handles

    async def current() -> None:
        async with begin(tenant) as tx:
            found = await tx.subjects.lock_current(handles[ANN])
            assert found is not None
            assert found.handle == handles[BEN]

    async with begin(tenant) as tx:
        held = await tx.subjects.hold([ANN, BEN])
        await tx.subjects.settle(handles[ANN], handles[BEN], NOON, same=True)
        waiting = asyncio.create_task(current())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await tx.subjects.merge(handles[ANN], held[BEN].subject, NOON)
    await waiting
