"""A key of receipts counts once, for ever, and is never silently replaced."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from service import auditing, db
from service.audit.log_keys import LogKeys, add_key
from service.audit.tree_ports import KeyPurpose
from service.audit.tree_store import add_public_key, public_keys
from service.given import utc_now
from service.kernel import Unavailable
from service.own_files import FileUnusable
from service.receipt_keys import ReceiptKeys
from service.settings import Settings
from tests.conftest import Database

NAME = "volens.example/acme/receipts"
STATE = "SELECT state_first_receipt_key(%s)"


@pytest.fixture
def database(new_database) -> Database:
    """One for each test: what a log_key has, it keeps."""
    return Database(urls=new_database())


@pytest.fixture
def lost() -> list[BaseException]:
    return []


@pytest.fixture
def serving(begin, lost) -> Callable[[Path], ReceiptKeys]:
    return lambda place: ReceiptKeys(place, begin, lost.append)


async def stated(database: Database) -> list[bytes]:
    async with db.pool(database.urls.worker) as pool:
        return list(await public_keys(pool, KeyPurpose.RECEIPTS))


async def state(database: Database, public: bytes, clock) -> None:
    async with db.pool(database.urls.worker) as pool:
        await add_public_key(pool, public, clock(), KeyPurpose.RECEIPTS)


async def test_the_first_key_is_made_and_counts_before_it_signs(database, serving, tmp_path):
    signer = await serving(tmp_path / "receipts.keys")(NAME)
    again = await serving(tmp_path / "receipts.keys")(NAME)

    assert await stated(database) == [signer.key.public] == [again.key.public]
    assert signer.key.name == NAME


async def test_a_key_that_was_made_and_not_stated_is_stated_by_the_next_start(database, serving, tmp_path):
    made = LogKeys.open(tmp_path / "receipts.keys", make=True).public

    assert (await serving(tmp_path / "receipts.keys")(NAME)).key.public == made[0]
    assert await stated(database) == list(made)


async def test_a_lost_file_is_not_replaced(database, serving, tmp_path, lost):
    place = tmp_path / "receipts.keys"
    await serving(place)(NAME)
    place.rename(tmp_path / "elsewhere")
    keys = serving(place)

    with pytest.raises(Unavailable):
        await keys(NAME)
    assert (place.exists(), [type(error) for error in lost]) == (False, [FileUnusable])
    (tmp_path / "elsewhere").rename(place)
    assert [(await keys(NAME)).key.public] == await stated(database)


async def test_another_file_is_refused_and_its_key_does_not_count(database, serving, tmp_path, lost):
    first = (await serving(tmp_path / "receipts.keys")(NAME)).key.public
    LogKeys.open(tmp_path / "other.keys", make=True)

    with pytest.raises(Unavailable):
        await serving(tmp_path / "other.keys")(NAME)
    assert await stated(database) == [first]
    assert "lacks the newest key" in str(lost[0])


async def test_the_key_of_the_log_does_not_become_one_of_receipts(database, serving, tmp_path, clock):
    place = tmp_path / "log.keys"
    async with db.pool(database.urls.worker) as pool:
        await add_public_key(pool, LogKeys.open(place, make=True).public[0], clock())

    with pytest.raises(Unavailable):
        await serving(place)(NAME)
    assert await stated(database) == []


async def test_a_further_key_signs_once_the_worker_stated_it(database, serving, tmp_path, clock):
    place = tmp_path / "receipts.keys"
    first = (await serving(place)(NAME)).key.public
    added = add_key(place)

    assert (await serving(place)(NAME)).key.public == first
    await state(database, added, clock)
    assert (await serving(place)(NAME)).key.public == added


async def test_an_operator_adds_a_key_and_the_earlier_one_still_counts(database, serving, tmp_path):
    urls = database.urls
    settings = Settings(
        data_dir=str(tmp_path),
        database_url=urls.app,
        owner_database_url=urls.owner,
        worker_database_url=urls.worker,
    )
    place = settings.data / "receipts.keys"
    first = (await serving(place)(NAME)).key.public
    added = await auditing.rotate_receipts(settings)

    assert set(await stated(database)) == {first, added}
    assert (await serving(place)(NAME)).key.public == added


async def test_a_file_of_before_the_newest_key_is_refused_and_one_with_it_alone_is_not(database, serving, tmp_path):
    before, after = tmp_path / "receipts.keys", tmp_path / "made.keys"
    first = (await serving(before)(NAME)).key.public
    [newest] = LogKeys.open(after, make=True).public
    await state(database, newest, utc_now)  # as the database's own clock dated the first one

    with pytest.raises(Unavailable):
        await serving(before)(NAME)
    assert (await serving(after)(NAME)).key.public == newest
    assert set(await stated(database)) == {first, newest}


async def test_who_serves_can_state_no_second_key(database):
    with psycopg.connect(database.urls.app, autocommit=True) as app:
        app.execute(STATE, (b"1" * 32,))
        app.execute(STATE, (b"2" * 32,))
        for wrong in (b"", b"3" * 33, None):
            with pytest.raises(psycopg.errors.InvalidParameterValue):
                app.execute(STATE, (wrong,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("INSERT INTO log_key VALUES (%s, 'receipts', now())", (b"3" * 32,))

    assert await stated(database) == [b"1" * 32]


async def test_nobody_else_may_state_one(database):
    with (
        psycopg.connect(database.urls.worker, autocommit=True) as worker,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        worker.execute(STATE, (b"1" * 32,))
