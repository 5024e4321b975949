"""What asks witnesses beside the sequencer: it holds nothing up, comes back, and is loud where a witness says no."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import web

from service import attesting
from service.audit import AuditEvent, Draft
from service.audit.growing import GrowTree
from service.audit.notes import COSIGNER, Checkpoint
from service.audit.quorum import Witness
from service.audit.tree_store import growing
from service.given import utc_now
from service.own_files import FileUnusable
from service.settings import Settings
from service.telemetry import Telemetry
from tests.audited import a_signer
from tests.integration.growing_child import NAME
from tests.timestamping import Authority, served
from tests.witnessing import Answers, answering, cosignature, policy_text

ONE = a_signer("one.example", COSIGNER, seed=21)
OTHER = a_signer("other.example", COSIGNER, seed=22)


@pytest.fixture
def add(begin, caller, worker_pool, log_keys, published, clock):
    grow = GrowTree(NAME, growing(worker_pool), log_keys.signer, published, clock, batch=100)

    async def add(number: int) -> None:
        async with begin(caller.tenant) as tx:
            drafts = [Draft(event=AuditEvent.RECORD_STORED, object_id=f"r-{each}") for each in range(number)]
            await tx.audit.append_many(drafts, by=caller)
        while await grow(caller.tenant):
            pass

    return add


@pytest.fixture
def cosigners(begin, caller):
    """The names of who cosigned what was signed last."""

    async def names() -> list[str]:
        async with begin(caller.tenant) as tx:
            note = await tx.tree.checkpoint(None)
        return [name for name, _, _ in Checkpoint.parse(note).note.signatures][1:]

    return names


@pytest.fixture
def log() -> BytesIO:
    return BytesIO()


@pytest.fixture
def telemetry(log) -> Telemetry:
    return Telemetry(utc_now, stream=log)


@asynccontextmanager
async def attested(settings: Settings, url: str, telemetry: Telemetry) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(attesting.attest(attesting.attestors(settings), settings, url, telemetry, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(running, 5)


def named(tmp_path: Path, *witnesses: Witness) -> Settings:
    (tmp_path / "policy").write_text(policy_text(*witnesses))
    return Settings(witnesses_path=str(tmp_path / "policy"), witness_seconds=1)


async def until(what) -> None:
    for _ in range(200):
        if await what():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("not within ten seconds")


def events(log: BytesIO, tenant: str) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [(line["event"], line.get("host")) for line in lines if line.get("tenant") in (tenant, None)]


def counted(telemetry: Telemetry, who: str, outcome: str) -> float:
    return telemetry.registry.get_sample_value("volens_audit_attested_total", {"who": who, "outcome": outcome}) or 0


def believes(signer) -> Answers:
    return lambda asked: web.Response(text=cosignature(asked, signer, utc_now()))


async def test_one_that_hangs_holds_up_no_other_and_stops_at_once(add, cosigners, database, telemetry, log, tmp_path):
    async def hangs(asked: str) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    await add(3)
    async with answering(hangs) as slow, answering(believes(OTHER)) as quick:
        settings = named(tmp_path, Witness("slow", ONE.key, slow), Witness("quick", OTHER.key, quick))
        async with attested(settings, database.urls.worker, telemetry):

            async def by_the_quick() -> bool:
                return await cosigners() == [OTHER.key.name]

            await until(by_the_quick)
            await add(3)
            await until(by_the_quick)

    assert counted(telemetry, OTHER.key.name, "signed") >= 2


async def test_one_that_was_silent_is_asked_again(add, cosigners, database, telemetry, log, tmp_path, caller):
    asked = []

    def recovers(request: str) -> web.Response:
        asked.append(request)
        return web.Response(status=503) if len(asked) == 1 else believes(ONE)(request)

    await add(3)
    async with answering(recovers) as url:
        async with attested(named(tmp_path, Witness("w", ONE.key, url)), database.urls.worker, telemetry):

            async def done() -> bool:
                return await cosigners() == [ONE.key.name]

            await until(done)

    assert ("log_unattested", ONE.key.name) in events(log, caller.tenant)
    assert counted(telemetry, ONE.key.name, "silent") == 1


async def test_a_fork_is_an_error_in_the_log_once_and_counted(
    add, cosigners, database, telemetry, log, tmp_path, caller, monkeypatch
):
    monkeypatch.setattr(attesting, "REFUSED", 0.1)
    await add(3)
    async with answering(lambda asked: web.Response(status=409, text="7\n")) as url:
        async with attested(named(tmp_path, Witness("w", ONE.key, url)), database.urls.worker, telemetry):

            async def twice() -> bool:
                return counted(telemetry, ONE.key.name, "fork") >= 2

            await until(twice)

    assert events(log, caller.tenant).count(("log_forked", ONE.key.name)) == 1
    [line] = [
        json.loads(line) for line in log.getvalue().splitlines() if b'"tenant":"%b"' % caller.tenant.encode() in line
    ]
    assert (line["level"], "saw a tree of 7 entries" in line["cause"]) == ("error", True)
    assert await cosigners() == []


async def test_what_one_refuses_is_not_asked_about_again_at_once(add, database, telemetry, log, tmp_path, caller):
    asked = []

    def refuses(request: str) -> web.Response:
        asked.append(request)
        return web.Response(status=404)

    await add(3)
    async with answering(refuses) as url:
        async with attested(named(tmp_path, Witness("w", ONE.key, url)), database.urls.worker, telemetry):
            await asyncio.sleep(3)

    assert len([each for each in asked if f"/{caller.tenant}\n" in each]) == 1
    assert ("log_refused", ONE.key.name) in events(log, caller.tenant)


async def test_a_log_is_stamped_by_itself(add, begin, caller, database, telemetry, tmp_path, monkeypatch):
    monkeypatch.setattr(attesting, "LOOK", 0.1)
    authority = Authority(tmp_path / "authority")
    await add(3)
    with served(authority) as url:
        settings = Settings(tsa_url=url, tsa_roots_path=str(authority.roots))
        async with attested(settings, database.urls.worker, telemetry):

            async def done() -> bool:
                async with begin(caller.tenant) as tx:
                    return await tx.tree.timestamp(3) is not None

            await until(done)

    assert counted(telemetry, "tsa", "signed") >= 1


def test_files_that_say_nothing_usable_stop_the_start(tmp_path: Path):
    place = tmp_path / "file"
    for text in ("", "quorum w", "\xff", f"witness w {'x' * 40}\nquorum none"):
        place.write_bytes(text.encode("latin-1"))
        with pytest.raises(FileUnusable, match="no policy"):
            attesting.attestors(Settings(witnesses_path=str(place)))
    place.write_text(policy_text(Witness("w", ONE.key, "witness.example")))
    with pytest.raises(FileUnusable, match="no address"):
        attesting.attestors(Settings(witnesses_path=str(place)))
    with pytest.raises(FileUnusable, match="can't be read"):
        attesting.attestors(Settings(witnesses_path=str(tmp_path / "nothing")))
    with pytest.raises(FileUnusable, match="no certificates"):
        attesting.attestors(Settings(tsa_url="http://tsa.example", tsa_roots_path=str(place)))
    place.write_text(policy_text(Witness("w", ONE.key, None)))
    assert attesting.attestors(Settings(witnesses_path=str(place))) == [], "it says where nobody can be asked"
    assert attesting.attestors(Settings()) == []
