"""Doors under trouble: many at once, workers that die, names that lead inward, erasure, the end of retention."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from service import operations
from service.connecting import guard
from service.doors.telling import TellStatus
from service.downstreams import Send
from service.downstreams.outgoing import outgoing
from service.kernel import TenantId
from service.porch import processor, telling
from service.retention import WORKER, ExpireAll
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.settings import InvalidSettings, Settings
from service.transaction import Begin
from tests import doors
from tests.api.test_opendsr_door import asked, cases, known
from tests.conftest import Database, FakeClock
from tests.downstream import System, listening

pytestmark = pytest.mark.usefixtures("seated")
Worker = Callable[..., Awaitable[TellStatus]]


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, clock: FakeClock, tenant: TenantId) -> Settings:
    networks = {"downstream_http": True, "downstream_networks": "127.0.0.0/8"}
    return structs.replace(settings, **doors.opened(tmp_path, clock, tenant), **networks)


@pytest.fixture
async def worker(settings: Settings, engine: AsyncEngine, begin: Begin, clock: FakeClock) -> AsyncIterator[Worker]:
    """Makes workers, each with what it sends by, and sees through the guard of the settings that it is given."""
    async with AsyncExitStack() as stack:

        async def make(send: Send | None = None, judged_by: Settings = settings) -> TellStatus:
            root = await stack.enter_async_context(guarded_root_keys(settings, root_uses(begin)))
            sending = send or await stack.enter_async_context(outgoing(guard(judged_by), limit=1.0))
            keys = vault_keys(settings, root, engine, clock)
            return telling(settings, begin, keys, sending, clock, uuid7)

        yield make


async def verified(client: httpx.AsyncClient) -> dict[str, Any]:
    (case,) = await cases(client)
    said = {"version": case["version"], "reason": "staff_decision"}
    answer = await client.post(f"/v1/requests/{case['id']}/verify", json=said)
    moved: dict[str, Any] = answer.json()
    return moved


async def test_of_many_at_once_there_is_one_case(client: httpx.AsyncClient) -> None:
    sent = asked()

    answers = await asyncio.gather(*(client.post("/v2/requests", json=sent) for _ in range(6)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(await cases(client)) == 1


async def test_what_a_worker_took_who_died_is_told_by_the_next(
    client: httpx.AsyncClient, worker: Worker, tenant: TenantId, clock: FakeClock
) -> None:
    async def die(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Any:
        raise asyncio.CancelledError

    async with listening(System(lambda _: web.Response(status=202))) as receiver:
        await client.post("/v2/requests", json=asked(status_callback_urls=[receiver.url]))
        await verified(client)
        with pytest.raises(asyncio.CancelledError):
            await (await worker(die))(tenant)
        another = await worker()
        assert await another(tenant) == []
        clock.advance(timedelta(seconds=61))
        assert await another(tenant) == ["told"]

    assert len(receiver.heard) == 1


async def test_a_receiver_that_is_down_for_three_days_is_given_up_and_told_of_the_next_change(
    client: httpx.AsyncClient, worker: Worker, tenant: TenantId, clock: FakeClock
) -> None:
    async with listening(System(lambda _: web.Response(status=503))) as receiver:
        await client.post("/v2/requests", json=asked(status_callback_urls=[receiver.url]))
        case = await verified(client)
        tell, attempts = await worker(), 0
        for _ in range(10 * 24):
            attempts += len(await tell(tenant))
            clock.advance(timedelta(hours=1))
        assert attempts == 10
        receiver.answers = lambda _: web.Response(status=200)
        await client.post(f"/v1/requests/{case['id']}/withdraw", json={"version": case["version"]})
        assert await tell(tenant) == ["told"]

    assert json.loads(receiver.heard[-1].body)["request_status"] == "cancelled"
    entries = (await client.get("/v1/audit/entries", params={"limit": 100})).json()["entries"]
    told = [entry["event"] for entry in entries if entry["event"].startswith("door.")]
    assert sorted(told) == ["door.not_told", "door.taken", "door.told"]


async def test_a_name_that_leads_inward_is_not_asked(
    client: httpx.AsyncClient, worker: Worker, tenant: TenantId, settings: Settings
) -> None:
    closed = structs.replace(settings, downstream_networks=None)
    async with listening(System()) as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        await client.post("/v2/requests", json=asked(status_callback_urls=[url]))
        await verified(client)
        assert await (await worker(judged_by=closed))(tenant) == ["forbidden_address"]

    assert receiver.heard == []


async def test_each_of_several_addresses_is_told_by_itself(
    client: httpx.AsyncClient, worker: Worker, tenant: TenantId
) -> None:
    async with (
        listening(System(lambda _: web.Response(status=202))) as one,
        listening(System(lambda _: web.Response(status=500))) as other,
    ):
        await client.post("/v2/requests", json=asked(status_callback_urls=[one.url, other.url]))
        await verified(client)
        tell = await worker()
        assert sorted(await tell(tenant)) == ["refused", "told"]
        assert await tell(tenant) == []


async def test_the_worker_learns_of_tenants_alone_what_is_due(
    client: httpx.AsyncClient, database: Database, tenant: TenantId, clock: FakeClock
) -> None:
    await client.post("/v2/requests", json=asked(status_callback_urls=["https://shop.example/told"]))
    async with operations.transactions(database.urls.worker) as look:
        async with look(TenantId("")) as tx:
            assert tenant not in await tx.doors.due(clock())
        await verified(client)
        async with look(TenantId("")) as tx:
            assert tenant in await tx.doors.due(clock())


async def test_after_an_erasure_it_is_told_and_what_was_said_is_gone(
    client: httpx.AsyncClient, worker: Worker, tenant: TenantId, erase: Callable[[], Awaitable[None]]
) -> None:
    await known(client, "ada", "ada@mail.example")
    async with listening(System(lambda _: web.Response(status=202))) as receiver:
        sent = asked(status_callback_urls=[receiver.url])
        await client.post("/v2/requests", json=sent)
        case = await verified(client)
        (letter,) = (await client.get(f"/v1/requests/{case['id']}/letters")).json()["letters"]
        case = (await client.post(f"/v1/requests/{case['id']}/execute", json={"version": case["version"]})).json()
        await erase()
        (case,) = await cases(client)
        assert (await client.post(f"/v1/requests/{case['id']}/complete", json={"version": case["version"]})).is_success
        tell = await worker()
        assert await tell(tenant) == ["told"]

    told = json.loads(receiver.heard[-1].body)
    assert (told["subject_request_id"], told["request_status"]) == (sent["subject_request_id"], "completed")
    assert (await client.get(f"/v1/requests/{case['id']}/letters/{letter['id']}")).status_code in {404, 410}
    status = await client.get(f"/v2/requests/{sent['subject_request_id']}")
    assert status.json()["request_status"] == "completed"
    again = await client.post("/v2/requests", json=sent)
    assert again.status_code == 201


async def test_a_request_whose_period_is_over_is_forgotten_here_too(
    client_of: Callable[..., httpx.AsyncClient], database: Database, tenant: TenantId, clock: FakeClock
) -> None:
    clock.now = datetime(2019, 6, 3, 9, tzinfo=UTC)
    client = client_of()
    sent = asked(status_callback_urls=["https://shop.example/told"], submitted_time="2019-06-03T08:00:00Z")
    path = f"/v2/requests/{sent['subject_request_id']}"
    assert (await client.post("/v2/requests", json=sent)).status_code == 201
    assert (await client.delete(path)).status_code == 202
    clock.now = datetime(2026, 11, 1, tzinfo=UTC)

    async with operations.transactions(database.urls.worker) as begin:
        await ExpireAll(begin, WORKER, lambda *_: None, dry=False)(tenant)

    assert (await client.get(path)).status_code == 404


async def test_the_tables_of_the_doors_name_nobody(client: httpx.AsyncClient, database: Database) -> None:
    await client.post("/v2/requests", json=asked(status_callback_urls=["https://shop.example/told?key=k1"]))

    with psycopg.connect(database.urls.owner) as connection:
        rows = [
            repr(row)
            for table in ("door_request", "door_callback")
            for row in connection.execute(f"SELECT * FROM {table}")
        ]

    assert rows
    assert not [row for row in rows if "ada" in row or "shop.example" in row]


async def test_what_is_too_large_for_a_letter_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v2/requests", json=asked(extensions={"shop.example": {"text": "a" * 1024 * 1024}}))

    assert (answer.status_code, answer.json()["title"]) == (400, "Letter too large")
    assert await cases(client) == []


def test_a_certificate_that_ended_keeps_nothing_from_starting(
    settings: Settings, tmp_path: Path, clock: FakeClock
) -> None:
    key = generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "dsr.key").write_bytes(pem)
    (tmp_path / "dsr.pem").write_text(doors.certificate(key, lambda: clock() - timedelta(days=900)))

    assert processor(settings) is not None


def test_a_key_that_is_not_the_certificates_opens_nothing(settings: Settings, tmp_path: Path, clock: FakeClock) -> None:
    other = generate_private_key(65537, 2048)
    (tmp_path / "dsr.pem").write_text(doors.certificate(other, clock))

    with pytest.raises(InvalidSettings, match="VOLENS_OPENDSR_CERTIFICATE_PATH"):
        processor(settings)
    (tmp_path / "dsr.key").write_text("no key")
    with pytest.raises(InvalidSettings, match="VOLENS_OPENDSR_KEY_PATH"):
        processor(settings)
