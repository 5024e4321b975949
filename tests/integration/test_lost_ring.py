"""A root key that was lost or exchanged is never silently replaced: nothing new hangs from another one."""

import json
from datetime import timedelta

import psycopg
import pytest

from service.root_keys import guarded_root_keys, root_uses
from service.settings import read
from service.vault.domain import KeyPurpose, RingUnavailable, RootUse, Unreadable
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from service.vault.ring_guard import GuardedRing

KEEP = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _nobody_elses_keys(database):
    """The guard looks at the whole installation."""
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("TRUNCATE vault_tenant_key, vault_secret_key, vault_subject_key")


@pytest.fixture
def uses(begin):
    return root_uses(begin)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "root.keys"


@pytest.fixture
def lend(tmp_path, uses):
    """Lends the ring of one more start of the service."""
    return lambda **changes: guarded_root_keys(read({"VOLENS_DATA_DIR": str(tmp_path), **changes}), uses)


@pytest.fixture
def keys_with(begin, clock):
    return lambda ring: Keys(ring, begin, clock, keep=KEEP)


async def test_a_first_start_makes_the_root_key(lend, place, keys_with, tenant, uses):
    async with lend() as ring:
        assert await ring.fault() is None
        await keys_with(ring).tenant_key(tenant)
        await keys_with(ring).suppression_key(tenant)
        current = await ring.current()

    assert place.exists()
    assert await uses() == [RootUse(ring="file", version=current, keys=2)]


async def test_a_lost_file_is_not_made_anew_and_counts_again_once_it_is_back(lend, place, keys_with, tenant, tmp_path):
    async with lend() as ring:
        key = await keys_with(ring).tenant_key(tenant)
    place.rename(tmp_path / "elsewhere")

    async with lend() as ring:
        assert "1 keys of the vault are wrapped by the key ring `file`, which is not there" in await ring.fault()
        with pytest.raises(RingUnavailable):
            await keys_with(ring).tenant_key(tenant)
        assert not place.exists()
        (tmp_path / "elsewhere").rename(place)
        assert await ring.fault() is None
        assert (await keys_with(ring).tenant_key(tenant)).secret == key.secret


async def test_another_ring_wraps_nothing_for_anybody(lend, place, keys_with, tenant, add_tenant, begin):
    async with lend() as ring:
        await keys_with(ring).tenant_key(tenant)
    place.unlink()
    FileRing.open(place)
    newcomer = add_tenant()

    async with lend() as ring:
        assert "under version" in await ring.fault()
        for ask in (keys_with(ring).tenant_key(newcomer), keys_with(ring).suppression_key(tenant), ring.rotate()):
            with pytest.raises(RingUnavailable) as refusal:
                await ask
            assert "1" not in str(refusal.value), "how many keys there are is not for clients"
        with pytest.raises(Unreadable):
            await keys_with(ring).tenant_key(tenant)
    async with begin(newcomer) as tx:
        assert await tx.keys.wrapped(KeyPurpose.TENANT) == []


@pytest.fixture
def stranger(place):
    """Puts another key under the same version into the file of the ring."""

    def exchange() -> None:
        ring = json.loads(place.read_bytes())
        ring["keys"] = {version: bytes(32).hex() for version in ring["keys"]}
        place.write_text(json.dumps(ring))

    return exchange


async def test_another_key_under_the_same_version_is_noticed_and_wraps_nothing(
    lend, stranger, place, keys_with, tenant, add_tenant, begin, tmp_path
):
    async with lend() as ring:
        await keys_with(ring).tenant_key(tenant)
        right = place.read_bytes()
        version = await ring.current()
    stranger()
    newcomer, said = add_tenant(), []

    async with guarded_root_keys(read({"VOLENS_DATA_DIR": str(tmp_path)}), root_uses(begin), said.append) as ring:
        assert said == [
            f"1 keys of the vault are wrapped by the key ring `file` under version {version} of the root key, "
            "which this ring does not open"
        ]
        for ask in (keys_with(ring).tenant_key(newcomer), keys_with(ring).suppression_key(tenant), ring.rotate()):
            with pytest.raises(RingUnavailable):
                await ask
        async with begin(newcomer) as tx:
            assert await tx.keys.wrapped(KeyPurpose.TENANT) == []
        place.write_bytes(right)
        assert await ring.fault() is None
        await keys_with(ring).tenant_key(newcomer)


async def test_a_ring_that_opened_a_key_is_believed_for_a_time_or_until_one_does_not_open(
    lend, stranger, place, keys_with, tenant, uses
):
    async with lend() as ring:
        await keys_with(ring).tenant_key(tenant)
    fresh, doubting = (GuardedRing("file", FileRing(place), uses, proven=proven) for proven in (60, 0))
    assert [await ring.fault() for ring in (fresh, doubting)] == [None, None]
    stranger()

    assert "does not open" in await doubting.fault()
    assert await fresh.fault() is None
    with pytest.raises(Unreadable):
        await keys_with(fresh).tenant_key(tenant)
    assert "does not open" in await fresh.fault()


async def test_the_oldest_key_of_a_version_is_asked_for(lend, stranger, place, keys_with, tenant, add_tenant, clock):
    async with lend() as ring:
        await keys_with(ring).tenant_key(tenant)
    stranger()
    clock.advance(timedelta(days=1))
    await keys_with(FileRing(place)).tenant_key(add_tenant())

    async with lend() as ring:
        assert "2 keys" in await ring.fault()


async def test_a_damaged_oldest_key_is_the_trouble_of_whoever_needs_it(
    lend, place, keys_with, tenant, add_tenant, database, clock
):
    async with lend() as ring:
        await keys_with(ring).tenant_key(tenant)
        clock.advance(timedelta(days=1))
        others = [add_tenant() for _ in range(2)]
        for other in others:
            await keys_with(ring).tenant_key(other)
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("UPDATE vault_tenant_key SET wrapped = 'damaged' WHERE tenant = %s", (tenant,))

    async with lend() as ring:
        assert await ring.fault() is None
        assert (await keys_with(ring).tenant_key(add_tenant())).version == 1
        await keys_with(ring).tenant_key(others[0])
        with pytest.raises(Unreadable):
            await keys_with(ring).tenant_key(tenant)


async def test_whoever_opens_only_some_of_the_oldest_keys_wraps_nothing(
    lend, stranger, place, keys_with, tenant, add_tenant, clock
):
    async with lend() as ring:
        for _ in range(3):
            await keys_with(ring).tenant_key(add_tenant())
    stranger()
    clock.advance(timedelta(days=1))
    for _ in range(4):
        await keys_with(FileRing(place)).tenant_key(add_tenant())

    async with lend() as ring:
        assert "7 keys" in await ring.fault()


async def test_a_setting_that_names_another_kind_of_ring_makes_no_new_root_key(lend, place, keys_with, tenant, uses):
    async with lend() as ring:
        await keys_with(ring).tenant_key(tenant)
        exchanged = GuardedRing("transit", ring, uses)

    assert "VOLENS_KEY_RING is `transit`" in await exchanged.fault()
    with pytest.raises(RingUnavailable):
        await keys_with(exchanged).suppression_key(tenant)


async def test_who_serves_or_works_learns_how_many_keys_there_are_and_not_whose(database, keys_with, tenant, lend):
    async with lend() as ring:
        await keys_with(ring).tenant_key(tenant)
    with psycopg.connect(database.urls.app, autocommit=True) as app:
        assert app.execute("SELECT keys FROM vault_root_versions()").fetchall() == [(1,)]
        assert app.execute("SELECT * FROM vault_tenant_key").fetchall() == []
    with psycopg.connect(database.urls.worker, autocommit=True) as worker:
        assert worker.execute("SELECT keys FROM vault_root_versions()").fetchall() == [(1,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            worker.execute("SELECT * FROM vault_tenant_key")


@pytest.mark.parametrize("kind", ["tenant_key", "suppression_key", "index_key"])
async def test_who_serves_or_works_gets_one_wrapped_key_of_each_version(database, keys_with, tenant, lend, begin, kind):
    async with lend() as ring:
        keys = keys_with(ring)
        await {
            "tenant_key": lambda: keys.tenant_key(tenant),
            "suppression_key": lambda: keys.suppression_key(tenant),
            "index_key": lambda: keys.index_keys(tenant, "email"),
        }[kind]()
        async with begin(tenant) as tx:
            [key] = await tx.rotation.under_root()
        [(use, sample)] = await root_uses(begin).samples()
        assert (use.keys, sample, key.context.purpose) == (1, key, kind)
    for url in (database.urls.app, database.urls.worker):
        with psycopg.connect(url, autocommit=True) as connection:
            assert connection.execute("SELECT tenant, kind FROM vault_root_samples()").fetchall() == [(tenant, kind)]
