"""Two who store the same value at one moment, in different processes: neither misses the other."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from service.kernel import Contended, SubjectId
from service.vault.domain import KeyContext, KeyPurpose
from service.vault.envelope import new_key, seal
from service.vault.fields import BUILT_IN, Name
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from service.vault.rotating import add_version
from service.vault.values import Write, Written
from service.vault.writing import WriteValues
from tests.builders import DAY

SHARED = {"email": "both@mail.example", "phone": "+49301234567", "national_id": "X1"}


@pytest.fixture
def ring(tmp_path):
    return FileRing.open(tmp_path / "root.keys")


@pytest.fixture
def keys_of(ring, begin, clock):
    """Makes the keys of one more process."""
    return lambda: Keys(ring, begin, clock, keep=DAY)


@pytest.fixture
async def known(keys_of, tenant):
    """Have the tenant's keys made, as they are long before two meet."""
    keys = keys_of()
    await keys.tenant_key(tenant)
    await keys.suppression_key(tenant)
    for field in SHARED:
        await keys.index_keys(tenant, field)
    return keys


@pytest.fixture
def store(begin, keys_of, clock, caller):
    async def store(subject, *values, pause=None, keys=None):
        @asynccontextmanager
        async def stopping(tenant):
            async with begin(tenant) as tx:
                yield tx
                if pause is not None:
                    await pause()

        writes = [
            Write(subject=SubjectId(subject), name=Name(field), field=BUILT_IN[field], value=value, by=caller)
            for field, value in values
        ]
        return await WriteValues(stopping, keys or keys_of(), seal, clock)(caller.tenant, writes)

    return store


@pytest.fixture
def flagged(begin, tenant):
    async def flagged() -> set[str]:
        async with begin(tenant) as tx:
            found = {name: await tx.subjects.find(SubjectId(name)) for name in ("ann", "ben")}
        return {name for name, each in found.items() if each.flags.merge_unresolved}

    return flagged


async def meet(store, first, second, *keys):
    """Have one store values and stop before its commit; have another one store theirs meanwhile; return both."""
    stored, go_on = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        stored.set()
        await go_on.wait()

    theirs = dict(zip(("ann", "ben"), keys, strict=False))
    one = asyncio.create_task(store("ann", *first, pause=pause, keys=theirs.get("ann")))
    await asyncio.wait_for(stored.wait(), 10)
    other = asyncio.create_task(store("ben", *second, keys=theirs.get("ben")))
    await asyncio.wait({other}, timeout=0.5)
    go_on.set()
    return await asyncio.wait_for(asyncio.gather(one, other), 10)


@pytest.mark.parametrize("field", SHARED)
async def test_the_later_one_finds_the_other_and_both_are_flagged(store, flagged, known, field):
    [[first], [second]] = await meet(store, [(field, SHARED[field])], [(field, SHARED[field])])

    assert (first.shared_with, second.shared_with) == (0, 1)
    assert await flagged() == {"ann", "ben"}


async def test_also_where_only_one_of_them_knows_the_new_index_key(
    store, flagged, known, keys_of, ring, begin, tenant, caller, clock
):
    context = KeyContext(tenant=tenant, purpose=KeyPurpose.INDEX, version=2, field="email")
    await add_version(begin, ring, new_key, context, clock(), caller)
    newer = keys_of()
    assert [len(await each.index_keys(tenant, "email")) for each in (known, newer)] == [1, 2]
    mail = ("email", SHARED["email"])

    await meet(store, [mail], [mail], known, newer)

    assert await flagged() == {"ann", "ben"}


async def test_whoever_stores_another_value_is_not_flagged(store, flagged, known):
    await meet(store, [("email", "ann@mail.example")], [("email", "ben@mail.example")])

    assert await flagged() == set()


async def test_many_at_once_wait_for_each_other_and_all_are_stored(store, flagged, known):
    values = list(SHARED.items())
    rounds = await asyncio.gather(
        *(store(subject, *values[turn:], *values[:turn]) for turn in range(3) for subject in ("ann", "ben") * 2)
    )

    assert all(isinstance(each, Written) for outcomes in rounds for each in outcomes)
    assert await flagged() == {"ann", "ben"}


async def test_a_write_that_was_given_up_for_another_begins_anew(begin, known, clock, caller):
    """PostgreSQL ends one of several transactions that wait for each other: nobody has to ask again."""
    given_up = 0

    @asynccontextmanager
    async def unlucky(tenant):
        nonlocal given_up
        async with begin(tenant) as tx:
            yield tx
            if given_up < 3:
                given_up += 1
                raise Contended("others were in the way")

    write = Write(
        subject=SubjectId("ann"), name=Name("email"), field=BUILT_IN["email"], value="ann@mail.example", by=caller
    )
    [written] = await WriteValues(unlucky, known, seal, clock)(caller.tenant, [write])

    assert isinstance(written, Written)
    assert (given_up, written.version) == (3, 1)
