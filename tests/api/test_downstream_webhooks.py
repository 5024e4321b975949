"""Tasks reach connected systems: signed, at least once, for three days, and nowhere they shouldn't go."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import structs

from service.courier import Courier
from service.settings import Settings
from tests.conftest import Database, FakeClock
from tests.downstream import System, confirmed, listening, signed

Assign = Callable[..., Awaitable[UUID]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return structs.replace(settings, downstream_http=True, downstream_networks="127.0.0.0/8")


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with listening(System()) as system:
        yield system


@pytest.fixture
async def secret(client: httpx.AsyncClient, system: System) -> dict[str, str]:
    said = {"kind": "webhook", "url": f"{system.url}/hooks", "takes": ["erase"], "identities": ["email"]}
    made: dict[str, str] = (await client.put("/v1/downstreams/crm", json=said)).json()["secret"]
    return made


@pytest.fixture
def bring(courier: Courier) -> Callable[[], Awaitable[None]]:
    async def bring() -> None:
        await courier.look()
        await courier.rest()

    return bring


@pytest.fixture
def task(client: httpx.AsyncClient) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def task() -> dict[str, Any]:
        [only] = (await client.get("/v1/downstream-tasks")).json()["tasks"]
        return dict(only)

    return task


async def test_a_system_is_told_once_signed_by_both_ways(
    secret: dict[str, str], system: System, assign: Assign, bring: Any, task: Any, clock: FakeClock
):
    request = await assign()
    await bring()
    await bring()

    [heard] = system.heard
    known = await task()
    assert (heard.method, heard.path) == ("POST", "/hooks")
    assert heard.told == {
        "task": known["id"],
        "request": str(request),
        "kind": "erase",
        "subjects": ["ada"],
        "identities": [{"type": "email", "value": "ada@mail.example"}],
        "answer_by": "2026-11-26T09:00:00Z",
    }
    mine = signed(secret["secret"], heard.headers["webhook-id"], heard.body, clock)
    by_secret, by_key = heard.headers["webhook-signature"].split(" ")
    assert by_secret == mine["webhook-signature"]
    version, _, signature = by_key.partition(",")
    content = f"{heard.headers['webhook-id']}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(secret["public_key"].removeprefix("whpk_")))
    assert version == "v1a"
    public.verify(base64.b64decode(signature), content)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), content + b" ")
    assert (known["state"], known["told_at"], known["attempts"]) == ("open", "2026-11-21T09:00:00Z", 0)


async def test_both_secrets_sign_until_the_old_one_ends(
    client: httpx.AsyncClient, secret: dict[str, str], system: System, assign: Assign, bring: Any, clock: FakeClock
):
    second = (await client.post("/v1/downstreams/crm/secrets")).json()
    for later, good in ((timedelta(), [second, secret]), (timedelta(days=7), [second])):
        clock.advance(later)
        await assign()
        await bring()

        heard = system.heard[-1]
        mine = [signed(each["secret"], heard.headers["webhook-id"], heard.body, clock) for each in good]
        theirs = [each for each in heard.headers["webhook-signature"].split(" ") if each.startswith("v1,")]
        assert theirs == [each["webhook-signature"] for each in mine]


@pytest.mark.usefixtures("secret")
async def test_the_first_attempt_fails_and_the_second_is_confirmed(
    client: httpx.AsyncClient,
    secret: dict[str, str],
    system: System,
    assign: Assign,
    bring: Any,
    task: Any,
    clock: FakeClock,
):
    system.answers = lambda _: web.Response(status=503)
    await assign()
    await bring()
    failed = await task()
    system.answers = confirmed
    clock.advance(timedelta(seconds=6))
    await bring()

    assert (failed["state"], failed["fault"], failed["attempts"]) == ("open", "refused", 1)
    assert (await task())["state"] == "confirmed"
    first, second = system.heard
    assert first.headers["webhook-id"] == second.headers["webhook-id"], "the same message"
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    events = [entry["event"] for entry in (await client.get("/v1/audit/entries")).json()["entries"]]
    assert events == ["downstream.stored", "downstream.assigned", "downstream.confirmed"]


async def test_a_system_that_is_down_for_two_days_misses_nothing(
    client: httpx.AsyncClient, assign: Assign, bring: Any, task: Any, clock: FakeClock
):
    system = System(confirmed)
    async with listening(system):
        port = int(system.url.rpartition(":")[2])
    said = {"kind": "webhook", "url": system.url, "takes": ["erase"]}
    await client.put("/v1/downstreams/crm", json=said)
    await assign()
    for _ in range(48):
        await bring()
        clock.advance(timedelta(hours=1))
    waiting = await task()
    async with listening(system, port):
        for _ in range(25):
            await bring()
            clock.advance(timedelta(hours=1))

    assert (waiting["state"], waiting["fault"]) == ("open", "unreachable")
    assert len(system.heard) == 1
    assert (await task())["state"] == "confirmed"


@pytest.mark.usefixtures("secret")
async def test_after_three_days_somebody_has_to_look(
    client: httpx.AsyncClient,
    secret: dict[str, str],
    system: System,
    assign: Assign,
    bring: Any,
    task: Any,
    clock: FakeClock,
):
    system.answers = lambda _: web.Response(status=500)
    await assign()
    times = []
    for _ in range(24 * 4):
        before = len(system.heard)
        await bring()
        if len(system.heard) > before:
            times.append(clock())
        clock.advance(timedelta(hours=1))

    silent = await task()
    assert (silent["state"], silent["fault"]) == ("silent", "refused")
    assert len(system.heard) == 10
    assert timedelta(hours=72) < times[-1] - times[0] < timedelta(hours=90)
    assert await events_about(client, silent["id"]) == ["downstream.assigned", "downstream.silent"]


async def test_a_system_that_is_gone_escalates_at_once(
    secret: dict[str, str], system: System, assign: Assign, bring: Any, task: Any
):
    system.answers = lambda _: web.Response(status=410)
    await assign()
    await bring()

    silent = await task()
    assert (silent["state"], silent["fault"]) == ("silent", "gone")


@pytest.mark.usefixtures("secret")
async def test_who_took_the_task_and_says_no_more_is_silent_in_the_end(
    client: httpx.AsyncClient,
    secret: dict[str, str],
    system: System,
    assign: Assign,
    bring: Any,
    task: Any,
    clock: FakeClock,
):
    await assign()
    await bring()
    clock.advance(timedelta(hours=119))
    await bring()
    assert (await task())["state"] == "open"
    clock.advance(timedelta(hours=1))
    await bring()
    await bring()

    silent = await task()
    assert silent["state"] == "silent"
    assert await events_about(client, silent["id"]) == [
        "downstream.assigned", "downstream.told", "downstream.silent",
    ]  # fmt: skip
    assert len(system.heard) == 1


async def test_what_can_not_be_read_any_more_is_not_tried_for_ever(
    secret: dict[str, str], system: System, assign: Assign, bring: Any, task: Any, database: Database
):
    await assign()
    with psycopg.connect(database.urls.owner) as owner:
        owner.execute("TRUNCATE vault_secret_key")
    await bring()

    known = await task()
    assert (known["state"], known["fault"], system.heard) == ("silent", "unreadable", [])


@pytest.mark.parametrize(
    ("status", "headers", "fault"),
    [
        (302, {"location": "/elsewhere"}, "refused"),
        (307, {"location": "/elsewhere"}, "refused"),
        (404, {}, "refused"),
        (200, {"x-large": "1"}, "too_long"),
    ],
)
async def test_what_is_no_success_is_a_failure_and_no_redirect_is_followed(
    secret: dict[str, str], system: System, assign: Assign, bring: Any, task: Any, status: int, headers: Any, fault: str
):
    body = b"x" * 100_000 if "x-large" in headers else b""
    system.answers = lambda _: web.Response(status=status, headers=headers, body=body)
    await assign()
    await bring()

    assert [heard.path for heard in system.heard] == ["/hooks"]
    known = await task()
    assert (known["state"], known["fault"]) == ("open", fault)


async def test_one_that_does_not_answer_is_given_up_in_time_and_holds_up_no_other(
    client: httpx.AsyncClient, secret: dict[str, str], system: System, assign: Assign, bring: Any
):
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    hanging = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = hanging.sockets[0].getsockname()[1]
    await client.put(
        "/v1/downstreams/slow", json={"kind": "webhook", "url": f"http://127.0.0.1:{port}/", "takes": ["erase"]}
    )
    system.answers = confirmed
    await assign()
    async with hanging:
        await asyncio.wait_for(bring(), 4)

    tasks = (await client.get("/v1/downstream-tasks")).json()["tasks"]
    assert {each["system"]: (each["state"], each.get("fault")) for each in tasks} == {
        "crm": ("confirmed", None),
        "slow": ("open", "too_slow"),
    }


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"ok", id="no JSON"),
        pytest.param(b"[" * 10_000, id="too deep"),
        pytest.param(b'{"task": "0198a0b0-0000-7000-8000-000000000000", "outcome": "confirmed"}', id="another task"),
        pytest.param(b'{"outcome": "confirmed"}', id="no task"),
    ],
)
async def test_a_success_that_confirms_nothing_leaves_the_task_open(
    secret: dict[str, str], system: System, assign: Assign, bring: Any, task: Any, body: bytes
):
    system.answers = lambda _: web.Response(body=body)
    await assign()
    await bring()

    known = await task()
    assert (known["state"], "told_at" in known) == ("open", True)


@pytest.mark.parametrize(("ground", "state"), [("legal_claims", "refused"), ("no_time", "open"), (None, "open")])
async def test_a_refusal_in_the_answer_counts_with_a_known_ground(
    secret: dict[str, str], system: System, assign: Assign, bring: Any, task: Any, ground: str | None, state: str
):
    system.answers = lambda heard: web.json_response(
        {"task": heard.told["task"], "outcome": "refused", "ground": ground}
    )
    await assign()
    await bring()

    assert (await task())["state"] == state


async def events_about(client: httpx.AsyncClient, task: str) -> list[str]:
    entries = (await client.get("/v1/audit/entries")).json()["entries"]
    return [entry["event"] for entry in entries if entry["object_id"] == task]
