"""Systems answer by token or by signature, and nobody answers in their name."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from service.kernel import TenantId
from tests.conftest import FakeClock
from tests.downstream import signed

Assign = Callable[..., Awaitable[UUID]]
CRM = {"kind": "webhook", "url": "https://crm.example/volens", "takes": ["erase", "access"], "client": "crm-adapter"}
CONFIRMED = {"outcome": "confirmed"}


@pytest.fixture
async def secret(client: httpx.AsyncClient) -> str:
    return str((await client.put("/v1/downstreams/crm", json=CRM)).json()["secret"]["secret"])


@pytest.fixture
async def task(client: httpx.AsyncClient, secret: str, assign: Assign) -> str:
    await assign()
    [only] = (await client.get("/v1/downstream-tasks")).json()["tasks"]
    return str(only["id"])


@pytest.fixture
async def stranger(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client without a token."""
    del client.headers["authorization"]
    return client


Say = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def say(client_of: Callable[..., httpx.AsyncClient], tenant: TenantId, task: str, secret: str, clock: FakeClock) -> Say:
    """Sends a message that the system signed, but for what a test changes."""
    stranger = client_of()
    del stranger.headers["authorization"]

    async def say(
        said: dict[str, Any] | None = None,
        *,
        move: str = "confirm",
        by: str = secret,
        message: str = "m-1",
        seconds: int = 0,
        body: bytes | None = None,
        about: str = task,
        of: str = tenant,
        system: str = "crm",
        **headers: str,
    ) -> httpx.Response:
        content = json.dumps({"task": about, **CONFIRMED, **(said or {})}).encode()
        sent = signed(by, message, content, clock, seconds=seconds) | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return await stranger.post(
            f"/v1/downstreams/{system}/tasks/{about}/{move}",
            params={"tenant": of} if of else {},
            content=content if body is None else body,
            headers=sent,
        )

    return say


@pytest.fixture
def state(client_of: Callable[..., httpx.AsyncClient], task: str) -> Callable[[], Awaitable[str]]:
    client = client_of()

    async def state() -> str:
        tasks = (await client.get("/v1/downstream-tasks")).json()["tasks"]
        return str(next(each["state"] for each in tasks if each["id"] == task))

    return state


async def test_a_signed_confirmation_settles_the_task(say: Say, state: Any, client: httpx.AsyncClient, task: str):
    answer = await say()

    assert (answer.status_code, answer.json()["state"]) == (200, "confirmed")
    assert await state() == "confirmed"
    entries = (await client.get("/v1/audit/entries", params={"event": "downstream.confirmed"})).json()["entries"]
    assert [(entry["object_id"], entry["actor"]) for entry in entries] == [(task, "downstream:crm")]


async def test_a_signed_refusal_says_why(say: Say, client: httpx.AsyncClient):
    unknown = await say({"outcome": "refused", "ground": "no_time"}, move="refuse")
    answer = await say({"outcome": "refused", "ground": "legal_claims"}, move="refuse")

    assert (unknown.status_code, "legal_claims" in unknown.json()["reasons"]) == (409, True)
    assert (answer.status_code, answer.json()["ground"]) == (200, "legal_claims")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"by": "whsec_" + "A" * 44}, id="another secret"),
        pytest.param({"seconds": -301}, id="too old"),
        pytest.param({"seconds": 301}, id="from the future"),
        pytest.param({"body": b'{"task":"x","outcome":"confirmed"}'}, id="another body"),
        pytest.param({"webhook_id": "m-2"}, id="another id"),
        pytest.param({"webhook_id": ""}, id="no id"),
        pytest.param({"webhook_timestamp": "0x10"}, id="no time"),
        pytest.param({"webhook_signature": ""}, id="no signature"),
        pytest.param({"webhook_signature": "v1,"}, id="an empty signature"),
        pytest.param({"webhook_signature": "v1,!!!"}, id="no signature at all"),
        pytest.param({"webhook_signature": "v2,AAAA"}, id="another version"),
        pytest.param({"of": "nobody"}, id="another tenant"),
        pytest.param({"of": ""}, id="no tenant"),
        pytest.param({"system": "ledger"}, id="another system"),
        pytest.param({"said": {"task": str(uuid4())}}, id="signed for another task"),
    ],
)
async def test_a_forged_message_is_a_401_and_nothing_changes(
    say: Say, state: Any, client: httpx.AsyncClient, changes: dict[str, Any]
):
    before = (await client.get("/v1/audit/entries")).json()
    if changes.get("body"):
        changes = {**changes, "body": changes["body"].replace(b'"x"', b'"%s"' % str(uuid4()).encode())}
    answer = await say(**changes)

    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"]
    assert await state() == "open"
    assert (await client.get("/v1/audit/entries")).json() == before
    assert (await say()).status_code == 200, "a forged message used nothing up"


async def test_a_message_counts_once(say: Say, state: Any, clock: FakeClock, client: httpx.AsyncClient):
    assert (await say()).status_code == 200
    before = (await client.get("/v1/audit/entries")).json()
    for later in (timedelta(), timedelta(minutes=4), timedelta(minutes=4)):
        clock.advance(later)
        assert (await say()).status_code == 401
        replayed = await say({"outcome": "refused", "ground": "legal_claims"}, move="refuse")
        assert replayed.status_code == 401
    assert await state() == "confirmed"
    assert (await client.get("/v1/audit/entries")).json() == before


async def test_the_same_answer_again_is_fine_and_another_is_refused(say: Say, state: Any):
    assert (await say(message="m-1")).status_code == 200
    assert (await say(message="m-2")).status_code == 200
    refused = await say({"outcome": "refused", "ground": "legal_claims"}, move="refuse", message="m-3")

    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (409, "task_settled")
    assert await state() == "confirmed"


async def test_the_old_secret_is_good_until_it_ends(say: Say, state: Any, client: httpx.AsyncClient, clock: FakeClock):
    await client.post("/v1/downstreams/crm/secrets")
    clock.advance(timedelta(days=7))
    assert (await say()).status_code == 401
    clock.advance(timedelta(seconds=-1))
    assert (await say()).status_code == 200


@pytest.mark.usefixtures("secret")
async def test_the_client_of_a_system_answers_by_token(
    signed_for: Callable[..., httpx.AsyncClient], task: str, state: Any
):
    path, said = f"/v1/downstreams/crm/tasks/{task}/confirm", {"task": task, **CONFIRMED}
    stranger = await signed_for("ledger-adapter").post(path, json=said)
    mixed_up = await signed_for("crm-adapter").post(path, json={"task": str(uuid4()), **CONFIRMED})
    lacking = await signed_for("crm-adapter", scope="downstreams:manage").post(path, json=said)
    assert (stranger.status_code, mixed_up.status_code, lacking.status_code) == (404, 404, 403)
    assert await state() == "open"

    answer = await signed_for("crm-adapter", scope="downstreams:tasks").post(path, json=said)
    assert (answer.status_code, await state()) == (200, "confirmed")


async def test_a_signature_beside_a_bad_token_helps_nobody(say: Say, state: Any):
    assert (await say(authorization="Bearer a.b.c")).status_code == 401
    assert await state() == "open"


async def test_an_unsigned_message_without_a_token_is_refused(stranger: httpx.AsyncClient, tenant: TenantId):
    path = f"/v1/downstreams/crm/tasks/{uuid4()}/confirm"
    answer = await stranger.post(path, params={"tenant": tenant}, json={"task": str(uuid4()), **CONFIRMED})

    assert answer.status_code == 401


async def test_no_other_operation_takes_a_signature_for_a_token(stranger: httpx.AsyncClient):
    answer = await stranger.get("/v1/downstreams", headers={"webhook-signature": "v1,AAAA"})

    assert answer.status_code == 401


async def test_a_system_asks_for_its_tasks_itself(
    client: httpx.AsyncClient,
    signed_for: Callable[..., httpx.AsyncClient],
    assign: Assign,
):
    said = {"kind": "pull", "client": "ledger-adapter", "takes": ["erase"], "identities": ["email"]}
    await client.put("/v1/downstreams/ledger", json=said)
    requests = [str(await assign()) for _ in range(3)]
    own = signed_for("ledger-adapter", scope="downstreams:tasks")
    first = await own.get("/v1/downstreams/ledger/tasks", params={"limit": 2})
    rest = await own.get(first.links["next"]["url"])
    await own.get("/v1/downstreams/ledger/tasks")

    tasks = [*first.json()["tasks"], *rest.json()["tasks"]]
    assert [task["request"] for task in tasks] == requests
    assert tasks[0]["subjects"] == ["ada"]
    assert tasks[0]["identities"] == [{"type": "email", "value": "ada@mail.example"}]
    assert "next" not in rest.links
    entries = (await client.get("/v1/audit/entries", params={"event": "downstream.told"})).json()["entries"]
    assert len(entries) == 3, "once each"
    for task in tasks[:2]:
        path = f"/v1/downstreams/ledger/tasks/{task['id']}/confirm"
        assert (await own.post(path, json={"task": task["id"], **CONFIRMED})).status_code == 200
    left = (await own.get("/v1/downstreams/ledger/tasks")).json()["tasks"]
    assert [task["request"] for task in left] == requests[2:]
    others = signed_for("crm-adapter", scope="downstreams:tasks")
    assert (await others.get("/v1/downstreams/ledger/tasks")).status_code == 404


async def test_a_system_that_owes_an_answer_is_not_forgotten(client: httpx.AsyncClient, task: str, say: Say):
    refused = await client.delete("/v1/downstreams/crm")
    other = await client.put("/v1/downstreams/crm", json={"kind": "pull", "client": "x", "takes": ["erase"]})

    assert (refused.status_code, other.status_code) == (409, 409)
    assert other.json()["type"].endswith("/downstream_busy")
    assert (await client.get("/v1/downstreams/crm")).json()["kind"] == "webhook"
    await say()
    assert (await client.delete("/v1/downstreams/crm")).status_code == 204
    assert (await client.get("/v1/downstream-tasks")).json()["tasks"][0]["state"] == "confirmed"
