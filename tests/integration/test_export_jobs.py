"""Exports while machines fail: whatever happens, a file is whole or not there, and the log tells of it once."""

import asyncio
import hashlib
import resource
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from service import db, extents, given
from service.audit import AuditEvent, Draft
from service.audit.growing import GrowTree
from service.audit.log_keys import LogKeys
from service.audit.published import PublishedFiles
from service.audit.tree_store import add_public_key, growing
from service.export_parts import files_of
from service.exporter import Writer, export_by_itself
from service.exports import Export, ExportFailed, ExportPurpose, Form, Order, Progress, State, Wanted
from service.exports.domain import LEASE
from service.exports.running import RunExports
from service.kernel import Unavailable
from service.settings import Settings
from service.telemetry import Telemetry
from tests.conftest import FakeClock
from tests.exported import files
from tests.integration.exporting_child import write as die_writing
from tests.integration.exporting_clock import NOON, keep
from tests.integration.forked import FORK

ENTRIES = 300


@pytest.fixture
def clock() -> FakeClock:
    clock = FakeClock()
    clock.now = NOON
    return clock


@pytest.fixture
def settings(database, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=str(tmp_path),
        database_url=database.urls.app,
        owner_database_url=database.urls.owner,
        worker_database_url=database.urls.worker,
    )


@pytest.fixture
async def log(begin, caller, database, clock, settings, tmp_path) -> AsyncIterator[None]:
    """A log that is signed."""
    async with begin(caller.tenant) as tx:
        drafts = [Draft(event=AuditEvent.RECORD_STORED, object_id=str(UUID(int=each))) for each in range(ENTRIES)]
        await tx.audit.append_many(drafts, by=caller)
    async with db.pool(database.urls.worker) as pool:
        keys = LogKeys.open(tmp_path / "log.keys", make=True)
        await add_public_key(pool, keys.public[-1], clock())
        published = PublishedFiles(tmp_path / "checkpoints")
        grow = GrowTree(settings.log_name, growing(pool), keys.signer, published, clock, batch=100)
        while await grow(caller.tenant):
            pass
        yield


@pytest.fixture
def ask(begin, caller, clock, log) -> Callable[..., object]:
    async def ask(form: Form = Form.NDJSON, **wanted) -> UUID:
        order = Order(form=form, wanted=Wanted(**wanted), purpose=ExportPurpose.INTERNAL_AUDIT)
        id_ = uuid7()
        async with begin(caller.tenant) as tx:
            await tx.exports.add(id_, order, State.WAITING, at=clock(), actor=caller.actor, request=caller.request)
        return id_

    return ask


@pytest.fixture
def run(settings, database, begin, clock) -> RunExports:
    written = files_of(settings)
    return RunExports(begin, Writer(settings, database.urls, written), written, clock, uuid7, keep=keep)


@pytest.fixture
def read(begin, caller) -> Callable[..., object]:
    async def read(export: UUID) -> Export:
        async with begin(caller.tenant) as tx:
            found = await tx.exports.find(export)
        assert found is not None
        return found

    return read


@pytest.fixture
def told(database, caller) -> Callable[[], list[str]]:
    """Returns the hashes of the files that the log tells of."""

    def told() -> list[str]:
        with psycopg.connect(database.urls.owner) as connection:
            rows = connection.execute(
                "SELECT encode(commitment, 'hex') FROM audit_entry WHERE tenant = %s AND event = 'audit.exported'",
                (caller.tenant,),
            )
            return [sha256 for (sha256,) in rows]

    return told


def only(settings: Settings) -> bytes:
    [file] = files(settings)
    return file.read_bytes()


@pytest.mark.parametrize("form", [Form.NDJSON, Form.PACK])
async def test_a_writer_that_is_killed_at_any_step_leaves_the_export_to_another(
    ask, run, read, told, settings, database, caller, clock, form, monkeypatch
):
    monkeypatch.setattr(extents, "BATCH", 50)
    step, finished = 0, False
    while not finished and step < 60:
        step += 1
        export, before = await ask(form), len(told())
        seconds = (clock() - NOON).total_seconds()
        child = FORK.Process(target=die_writing, args=(settings, database.urls, caller.tenant, step, seconds))
        child.start()
        await asyncio.to_thread(child.join, 60)
        finished = child.exitcode == 0
        left = await read(export)

        assert left.state in {State.WAITING, State.RUNNING, State.DONE}
        assert (left.made is not None) == (left.state is State.DONE) == (len(told()) == before + 1), step
        clock.advance(LEASE + timedelta(seconds=1))
        while await run(caller.tenant):
            pass
        done = await read(export)
        assert done.state is State.DONE
        assert done.made is not None
        [file] = files(settings)  # the dead one's draft is gone
        assert (hashlib.sha256(file.read_bytes()).digest(), file.name) == (done.made.sha256, done.made.file)
        assert told().count(done.made.sha256.hex()) >= 1
        assert len(told()) == before + 1, step
        file.unlink()
    assert 10 < step < 60


async def test_one_that_ends_its_writers_again_and_again_is_given_up(ask, run, read, begin, caller, clock):
    export = await ask()
    for _ in range(3):
        async with begin(caller.tenant) as tx:
            assert await tx.exports.claim(uuid7(), clock()) is not None
        clock.advance(LEASE + timedelta(seconds=1))

    assert not await run(caller.tenant)
    shown = await read(export)
    assert (shown.state, shown.fault) == (State.FAILED, "whoever wrote this export was ended by it")


async def test_a_full_disk_ends_it_with_the_reason(ask, run, read, told, settings, caller):
    export = await ask()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        assert await run(caller.tenant)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    shown = await read(export)
    assert (shown.state, shown.fault, shown.made) == (
        State.FAILED,
        "the file can't be written: File too large",
        None,
    )
    assert (files(settings), told()) == ([], [])


async def test_two_workers_write_each_export_once(ask, settings, database, begin, clock, read, caller, told):
    exports = [await ask() for _ in range(4)]
    written = files_of(settings)
    runs = [
        RunExports(begin, Writer(settings, database.urls, written), written, clock, uuid7, keep=keep) for _ in range(2)
    ]

    async def work(run: RunExports) -> int:
        number = 0
        while await run(caller.tenant):
            number += 1
        return number

    numbers = await asyncio.gather(*map(work, runs))

    assert sum(numbers) == 4
    assert [(await read(export)).state for export in exports] == [State.DONE] * 4
    assert len(told()) == len(files(settings)) == 4


class Slow:
    """Waits with the writing until it is told to go on."""

    def __init__(self, write: Writer) -> None:
        self._write = write
        self.began, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, tenant, export, progress):
        progress.done, progress.total = 7, ENTRIES
        self.began.set()
        await self.go_on.wait()
        return await self._write(tenant, export, progress)


@pytest.fixture
def slow(settings, database) -> Slow:
    return Slow(Writer(settings, database.urls, files_of(settings)))


@pytest.fixture
def slow_run(settings, begin, clock, slow, monkeypatch) -> RunExports:
    monkeypatch.setattr("service.exports.running.BEAT", 0.02)
    return RunExports(begin, slow, files_of(settings), clock, uuid7, keep=keep)


async def test_how_far_it_got_can_be_seen(ask, slow, slow_run, read, caller):
    export = await ask()
    running = asyncio.create_task(slow_run(caller.tenant))
    await slow.began.wait()
    for _ in range(1000):
        if (shown := await read(export)).done:
            break
        await asyncio.sleep(0.01)

    assert (shown.state, shown.done, shown.total) == (State.RUNNING, 7, ENTRIES)
    slow.go_on.set()
    assert await running
    assert (await read(export)).state is State.DONE


async def test_one_that_is_deleted_while_it_is_written_leaves_no_file(
    ask, slow, slow_run, read, begin, caller, clock, settings, told
):
    export = await ask()
    running = asyncio.create_task(slow_run(caller.tenant))
    await slow.began.wait()
    async with begin(caller.tenant) as tx:
        await tx.exports.settle(export, State.DELETED, at=clock())
    slow.go_on.set()
    assert await running

    assert (await read(export)).state is State.DELETED
    assert (files(settings), told()) == ([], [])


async def test_a_writer_that_was_silent_for_too_long_has_lost_it_to_another(
    ask, slow, slow_run, run, read, caller, clock, settings, told, monkeypatch
):
    monkeypatch.setattr("service.exports.running.BEAT", 60)
    export = await ask()
    late = asyncio.create_task(slow_run(caller.tenant))
    await slow.began.wait()
    clock.advance(LEASE + timedelta(seconds=1))
    assert await run(caller.tenant)
    first = await read(export)
    slow.go_on.set()
    await late

    assert await read(export) == first
    assert len(told()) == 1
    assert hashlib.sha256(only(settings)).digest() == first.made.sha256


async def test_a_worker_that_is_stopped_leaves_it_to_the_next_at_once(ask, slow, slow_run, run, read, caller):
    export = await ask()
    running = asyncio.create_task(slow_run(caller.tenant))
    await slow.began.wait()
    running.cancel()
    slow.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert (await read(export)).state is State.WAITING
    assert await run(caller.tenant)
    assert (await read(export)).state is State.DONE


async def test_a_lost_database_loses_no_export(ask, read, settings, begin, caller, clock, run):
    async def lost(*_: object) -> None:
        raise Unavailable("the database does not answer")

    export = await ask()
    with pytest.raises(Unavailable):
        await RunExports(begin, lost, files_of(settings), clock, uuid7, keep=keep)(caller.tenant)
    clock.advance(LEASE + timedelta(seconds=1))

    assert await run(caller.tenant)
    assert (await read(export)).state is State.DONE


async def test_a_fault_of_ours_is_not_told_as_it_is(ask, read, settings, begin, caller, clock):
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("secret")

    export = await ask()
    with pytest.raises(ZeroDivisionError):
        await RunExports(begin, broken, files_of(settings), clock, uuid7, keep=keep)(caller.tenant)

    shown = await read(export)
    assert (shown.state, shown.fault) == (State.FAILED, "the export failed through a fault of this service")


async def test_what_dead_writers_left_is_swept_up(run, caller, settings, clock, ask):
    folder = Path(settings.data_dir) / "exports" / caller.tenant
    folder.mkdir(parents=True)
    (folder / ".left").write_bytes(b"half")
    clock.now = given.utc_now()
    await run.expire(caller.tenant)
    assert [file.name for file in files(settings)] == [".left"]

    clock.advance(timedelta(hours=2))
    await run.expire(caller.tenant)
    assert files(settings) == []


async def test_the_worker_finds_what_is_to_do_by_itself_and_ends_when_it_is_asked(
    ask, read, settings, database, clock, caller
):
    export = await ask(Form.CSV)
    stop = asyncio.Event()
    working = asyncio.create_task(export_by_itself(settings, database.urls, Telemetry(clock), stop))
    for _ in range(600):
        if (await read(export)).state is State.DONE:
            break
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(working, 5)

    assert only(settings).startswith(b"index,leaf,")


async def test_a_writer_whom_nobody_waits_for_stops(ask, begin, caller, clock, settings, database):
    await ask()
    async with begin(caller.tenant) as tx:
        claimed = await tx.exports.claim(uuid7(), clock())
    progress = Progress()
    progress.stopped = True

    with pytest.raises(ExportFailed, match="nobody waits"):
        await Writer(settings, database.urls, files_of(settings))(caller.tenant, claimed, progress)
    assert files(settings) == []
