"""Packages while machines fail: whatever happens, a request gets one, whole, that the log tells of once."""

import asyncio
import io
import resource
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from service import given
from service.consent import StoreRecords
from service.decisions.artefacts import read_policy
from service.kernel import Caller, SubjectId, Unavailable
from service.package_parts import Opener, files_of
from service.packager import package_by_itself
from service.packages import FetchPackage
from service.packages.making import MakeParcels
from service.packages.parcels import LEASE, Parcel, ParcelState
from service.requests import Move, MoveRequest
from service.requests.case import Said, Via, Wish
from service.requests.rights import Right
from service.requests.usecases import OpenRequest
from service.settings import Settings
from service.telemetry import Telemetry
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from tests.conftest import FakeClock
from tests.integration.exporting_clock import NOON
from tests.integration.forked import FORK
from tests.integration.packing_child import pack as die_packing
from tests.parcelled import KEEP, LAW, sealed, tending
from tests.vaulted import putter

ANNA = SubjectId("anna")
STEPS = 60


@pytest.fixture
def clock() -> FakeClock:
    clock = FakeClock()
    clock.now = NOON
    return clock


@pytest.fixture(scope="module")
def ring(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("ring") / "root.keys"


@pytest.fixture
def settings(database, tmp_path: Path, ring: Path) -> Settings:
    return Settings(
        data_dir=str(tmp_path),
        key_ring_path=str(ring),
        database_url=database.urls.app,
        owner_database_url=database.urls.owner,
        worker_database_url=database.urls.worker,
    )


@pytest.fixture
def execute(begin, caller, clock, new_id, ring, engine) -> Callable[..., object]:
    """Returns what opens a request of somebody's and carries it out."""
    put = putter(ring, engine, begin, clock, caller.tenant)
    append = StoreRecords(begin, clock, read_policy(given.BUILD).vocabulary)

    async def execute(subject: str) -> UUID:
        await put(subject, {"email": f"{subject}@mail.example"})
        said = Said(via=Via.EMAIL, place="DE-BE", time_zone="Europe/Berlin")
        wish = Wish(id=uuid4(), subject=SubjectId(subject), right=Right.ACCESS, said=said)
        await OpenRequest(begin, clock, new_id, LAW, append)(wish, by=caller)
        for version, (move, reason) in enumerate(((Move.VERIFY, "staff_decision"), (Move.EXECUTE, None)), start=1):
            await MoveRequest(begin, clock, LAW)(
                wish.id, move, version=version, reason=reason, authority=None, by=caller
            )
        return wish.id

    return execute


@pytest.fixture
def tend(settings, database, begin, clock, tenant):
    do = tending(settings, database.urls, begin, clock)
    return lambda: do(tenant)


@pytest.fixture
def parcel(begin, caller) -> Callable[..., object]:
    async def parcel(request: UUID) -> Parcel | None:
        async with begin(caller.tenant) as tx:
            return await tx.parcels.find(request)

    return parcel


@pytest.fixture
def told(database, caller) -> Callable[[UUID], list[str]]:
    """Returns what the log tells of the package of a request."""

    def told(request: UUID) -> list[str]:
        with psycopg.connect(database.urls.owner) as connection:
            rows = connection.execute(
                "SELECT event FROM audit_entry WHERE tenant = %s AND object_id = %s AND event LIKE 'package.%%'"
                " ORDER BY id",
                (caller.tenant, str(request)),
            )
            return [event for (event,) in rows]

    return told


@pytest.fixture
def fetch(begin, ring, settings, clock, new_id, caller):
    keys = Keys(FileRing.open(ring), begin, clock, keep=timedelta(minutes=5))
    files = files_of(settings)
    use = FetchPackage(begin, Opener(begin, keys, files), files, clock, new_id)

    async def fetch(request: UUID, subject: str) -> bytes:
        by = Caller(tenant=caller.tenant, actor="self", request="r", subject=SubjectId(subject))
        handed = await use(request, approval=None, by=by)
        content = b"".join([part async for part in handed.parts])
        await handed.ended(True)
        return content

    return fetch


async def test_a_worker_that_is_killed_at_any_step_leaves_one_whole_package(
    execute, tend, parcel, told, fetch, settings, database, caller, clock
):
    step, finished = 0, False
    while not finished and step < STEPS:
        step += 1
        subject = f"p-{step}"
        request = await execute(subject)
        seconds = (clock() - NOON).total_seconds()
        child = FORK.Process(target=die_packing, args=(settings, database.urls, caller.tenant, step, seconds))
        child.start()
        await asyncio.to_thread(child.join, 60)
        finished = child.exitcode == 0
        left = await parcel(request)

        assert (left is not None and left.state is ParcelState.READY) == (told(request) == ["package.made"]), step
        clock.advance(LEASE)
        await tend()
        ready = await parcel(request)
        assert ready is not None
        assert ready.state is ParcelState.READY, step
        [file] = sealed(settings)  # the dead one's draft is gone
        assert file.name == ready.file
        assert told(request) == ["package.made"], step
        content = await fetch(request, subject)
        assert f"{subject}@mail.example".encode() in zipfile.ZipFile(io.BytesIO(content)).read("package.json")
        assert (len(content), sealed(settings)) == (ready.size, [])
        assert told(request) == ["package.made", "package.downloaded", "package.deleted"]
        await tend()
    assert 8 < step < STEPS


async def test_one_that_ends_its_makers_again_and_again_is_given_up(
    execute, tend, parcel, begin, caller, clock, new_id
):
    request = await execute("anna")
    async with begin(caller.tenant) as tx:
        [handle] = await tx.subjects.names([(await tx.subjects.handle_of(ANNA))])
        await tx.parcels.put(request, new_id(), handle, "en", at=clock(), by=caller)
    for _ in range(3):
        async with begin(caller.tenant) as tx:
            assert await tx.parcels.claim(new_id(), clock()) is not None
        clock.advance(LEASE)
    await tend()

    given_up = await parcel(request)
    assert (given_up.state, given_up.fault) == (ParcelState.FAILED, "whoever made this package was ended by it")


async def test_a_full_disk_ends_it_with_the_reason(execute, tend, parcel, told, settings):
    request = await execute("anna")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, before[1]))
    try:
        await tend()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    full = await parcel(request)
    assert (full.state, full.fault) == (ParcelState.FAILED, "the file can't be written: File too large")
    assert (sealed(settings), told(request)) == ([], [])


async def test_two_workers_make_each_package_once(execute, settings, database, begin, clock, caller, told):
    requests = [await execute(f"q-{number}") for number in range(3)]
    workers = [tending(settings, database.urls, begin, clock) for _ in range(2)]
    await asyncio.gather(*(tend(caller.tenant) for tend in workers))

    assert [told(request) for request in requests] == [["package.made"]] * 3
    assert len(sealed(settings)) == 3


async def test_a_lost_database_loses_none_and_a_fault_of_ours_is_not_told_as_it_is(
    execute, tend, parcel, begin, caller, clock, settings, new_id
):
    async def lost(*_: object) -> None:
        raise Unavailable("the database does not answer")

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("secret")

    request = await execute("anna")
    await tend()
    async with begin(caller.tenant) as tx:
        ready = await tx.parcels.find(request)
        await tx.parcels.put(request, new_id(), ready.handle, ready.language, at=clock(), by=caller)
    files = files_of(settings)
    with pytest.raises(Unavailable):
        await MakeParcels(begin, lost, files, clock, new_id, keep=KEEP)(caller.tenant)
    assert (await parcel(request)).state is ParcelState.RUNNING
    clock.advance(LEASE)
    with pytest.raises(ZeroDivisionError):
        await MakeParcels(begin, broken, files, clock, new_id, keep=KEEP)(caller.tenant)

    failed = await parcel(request)
    assert (failed.state, failed.fault) == (ParcelState.FAILED, "the package failed through a fault of this service")


async def test_what_the_dead_left_is_swept_up(execute, tend, settings, caller):
    folder = files_of(settings).folder / caller.tenant
    folder.mkdir(parents=True)
    for name in (".half", "whole"):
        (folder / name).write_bytes(b"left")
    await execute("anna")
    await tend()

    assert len(sealed(settings)) == 1


async def test_the_worker_finds_what_is_to_do_by_itself_and_ends_when_it_is_asked(
    execute, parcel, settings, database, clock
):
    request = await execute("anna")
    stop = asyncio.Event()
    working = asyncio.create_task(package_by_itself(settings, database.urls, Telemetry(clock), stop))
    for _ in range(600):
        if (made := await parcel(request)) is not None and made.state is ParcelState.READY:
            break
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(working, 5)

    assert made.state is ParcelState.READY
