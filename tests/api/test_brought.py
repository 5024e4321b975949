"""What connected systems bring for somebody's package: who may, what is kept of it, how, and until when."""

import base64
import io
import json
import zipfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from service.courier import Courier
from service.downstreams import files
from service.teller import Teller
from tests.api.test_requests import asked, move, moved, problem
from tests.conftest import Database, FakeClock
from tests.downstream import signed
from tests.vaulted import Put

Client = httpx.AsyncClient
Clients = Callable[..., Client]
Lying = Callable[[], list[tuple[Any, ...]]]
Work = Callable[[], Awaitable[None]]
NOTES = b'{"note": "Likes Darjeeling"}'
pytestmark = pytest.mark.usefixtures("systems", "anna")


@pytest.fixture
async def systems(client: Client) -> dict[str, str]:
    """Two that hand over copies; returns the secrets by which they sign."""
    found = {}
    for name, said in (
        ("crm", {"kind": "webhook", "url": "https://crm.example/volens", "client": "crm-adapter"}),
        ("ledger", {"kind": "pull", "client": "ledger-adapter"}),
    ):
        answer = await client.put(f"/v1/downstreams/{name}", json=said | {"takes": ["access", "erase"]})
        found[name] = answer.json()["secret"]["secret"]
    return found


@pytest.fixture
async def anna(client: Client, put: Put) -> None:
    await client.put("/v1/subjects/anna", json={"residence": "DE", "age": 40})
    await put("anna", {"email": "anna@mail.example"})


@pytest.fixture
async def request_(client: Client, systems: dict[str, str]) -> dict[str, Any]:
    """A request for access that is carried out; nobody was told of it yet."""
    accepted = await moved(client, await asked(client, "access"), "verify", reason="staff_decision")
    return await moved(client, accepted, "execute")


@pytest.fixture
async def tasks(client: Client, request_: dict[str, Any], tell: Teller) -> dict[str, str]:
    """What each system was given to do."""
    await tell()
    found = await client.get("/v1/downstream-tasks", params={"request": request_["id"]})
    return {task["system"]: task["id"] for task in found.json()["tasks"]}


def file_of(task: str, content: bytes = NOTES, **changes: Any) -> dict[str, Any]:
    said = {"task": task, "file": str(uuid4()), "name": "notes of Anna.json", "media_type": "application/json"}
    return said | {"content": base64.b64encode(content).decode()} | changes


async def bring(client: Client, said: dict[str, Any], system: str = "ledger", **more: Any) -> httpx.Response:
    path = f"/v1/downstreams/{system}/tasks/{said['task']}/files/{said['file']}"
    return await client.put(path, json=said, **more)


async def confirm(client: Client, task: str, system: str = "ledger") -> None:
    said = {"task": task, "outcome": "confirmed"}
    assert (await client.post(f"/v1/downstreams/{system}/tasks/{task}/confirm", json=said)).status_code == 200


@pytest.fixture
def ledger(signed_for: Clients) -> Client:
    return signed_for("ledger-adapter", scope="downstreams:tasks")


@pytest.fixture
def crm(signed_for: Clients) -> Client:
    return signed_for("crm-adapter", scope="downstreams:tasks")


@pytest.fixture
def fetched(client_of: Clients, request_: dict[str, Any]) -> Callable[[], Awaitable[zipfile.ZipFile]]:
    """Has Anna fetch her package."""

    async def fetched() -> zipfile.ZipFile:
        answer = await client_of(subject="anna").get(f"/v1/requests/{request_['id']}/package/file")
        assert answer.status_code == 200, answer.text
        return zipfile.ZipFile(io.BytesIO(answer.content))

    return fetched


@pytest.fixture
def lying(database: Database, tenant: str) -> Callable[[], list[tuple[Any, ...]]]:
    """Reads what lies of the tenant, as it lies."""
    rows = "SELECT about, sealed, downstream_file::text FROM downstream_file WHERE tenant = %s"

    def lying() -> list[tuple[Any, ...]]:
        with psycopg.connect(database.urls.owner) as owner:
            return owner.execute(rows, (tenant,)).fetchall()

    return lying


async def test_what_a_system_brings_is_in_the_package_and_gone_with_it(
    client: Client,
    client_of: Clients,
    request_: dict[str, Any],
    tasks: dict[str, str],
    ledger: Client,
    crm: Client,
    pack: Work,
    fetched: Any,
    lying: Lying,
):
    said = file_of(tasks["ledger"])
    assert [(await bring(ledger, said)).status_code for _ in range(2)] == [201, 200]
    await confirm(ledger, tasks["ledger"])
    await pack()
    waiting = await client_of(subject="anna").get(f"/v1/requests/{request_['id']}/package")
    assert waiting.json()["state"] == "waiting", "crm has not answered yet"
    [kept] = lying()
    assert not any(b"Darjeeling" in bytes(part) or b"notes of" in bytes(part) for part in kept[:2])
    assert "Anna" not in kept[2]

    refused = {"task": tasks["crm"], "outcome": "refused", "ground": "own_controller"}
    assert (await crm.post(f"/v1/downstreams/crm/tasks/{tasks['crm']}/refuse", json=refused)).status_code == 200
    await pack()
    package = await fetched()
    assert package.read("connected/ledger/0001-notes-of-Anna.json") == NOTES
    told = json.loads(package.read("package.json"))
    assert [(each["system"], each["outcome"], each["ground"]) for each in told["systems"]] == [
        ("crm", "refused", "own_controller"), ("ledger", "confirmed", None),
    ]  # fmt: skip
    assert "hat abgelehnt" in package.read("index.html").decode()
    await pack()
    assert lying() == []
    entries = (await client.get("/v1/audit/entries")).json()["entries"]
    events = [(entry["event"], entry["actor"]) for entry in entries if entry["object_id"] == said["file"]]
    assert sorted(events) == [("downstream.brought", "ledger-adapter"), ("downstream.dropped", "worker")]
    answered = (await client.get(f"/v1/requests/{request_['id']}")).json()
    assert answered["state"] == "answered"
    await moved(client, answered, "close")


async def test_a_silent_system_is_not_waited_for_and_the_package_says_so(
    client: Client,
    request_: dict[str, Any],
    tasks: dict[str, str],
    ledger: Client,
    courier: Courier,
    clock: FakeClock,
    pack: Work,
    fetched: Any,
):
    assert (await bring(ledger, file_of(tasks["ledger"]))).status_code == 201
    clock.advance(timedelta(hours=120))
    for _ in range(2):
        await courier.look()
        await courier.rest()
    await pack()

    package = await fetched()
    told = json.loads(package.read("package.json"))
    assert {each["system"]: each["outcome"] for each in told["systems"]} == {"crm": "silent", "ledger": "silent"}
    assert told["connected"] == [], "what was never confirmed may be half of it"
    await pack()
    answered = (await client.get(f"/v1/requests/{request_['id']}")).json()
    assert (answered["state"], problem(await move(client, answered, "close"))[1]) == ("answered", "answers_owed")
    for task in tasks.values():
        said = {"reason": "holds_nothing"}
        assert (await client.post(f"/v1/downstream-tasks/{task}/excuse", json=said)).status_code == 200
    await moved(client, answered, "close")


@pytest.mark.usefixtures("tasks")
async def test_staff_have_it_made_without_them_and_the_person_waits(
    client: Client, client_of: Clients, request_: dict[str, Any], pack: Work, fetched: Any
):
    path = f"/v1/requests/{request_['id']}/package"
    own = await client_of(subject="anna").post(path, json={})
    assert problem(own) == (409, "package_unfinished")
    assert (await client.post(path, json={})).status_code == 202
    await pack()

    told = json.loads((await fetched()).read("package.json"))
    assert {each["outcome"] for each in told["systems"]} == {"open"}


async def test_a_package_waits_though_nobody_was_told_yet(
    client_of: Clients, request_: dict[str, Any], pack: Work, tell: Teller
):
    await pack()
    await tell()
    await pack()

    found = await client_of(subject="anna").get(f"/v1/requests/{request_['id']}/package")
    assert (found.json()["state"], found.json().get("asked_at")) == ("waiting", None)


async def test_a_system_brings_by_its_signature_once_for_each_message(
    client_of: Clients,
    tenant: str,
    systems: dict[str, str],
    tasks: dict[str, str],
    clock: FakeClock,
    lying: Lying,
):
    stranger = client_of()
    del stranger.headers["authorization"]

    async def sent(said: dict[str, Any], message: str, *, by: str = systems["crm"], body: bytes | None = None) -> int:
        plain = json.dumps(said).encode()
        path = f"/v1/downstreams/crm/tasks/{tasks['crm']}/files/{said['file']}"
        headers = signed(by, message, plain, clock)
        answer = await stranger.put(path, params={"tenant": tenant}, content=body or plain, headers=headers)
        return answer.status_code

    said = file_of(tasks["crm"])
    assert await sent(said, "m-0", by=systems["ledger"]) == 401
    assert await sent(said, "m-0", body=json.dumps(file_of(tasks["crm"], b"forged", file=said["file"])).encode()) == 401
    assert lying() == []
    assert await sent(said, "m-1") == 201
    assert await sent(said, "m-1") == 401, "replayed"
    assert await sent(said, "m-2") == 200
    assert len(lying()) == 1


async def test_nobody_brings_in_the_name_of_another(
    client_of: Clients, tenant: str, tasks: dict[str, str], ledger: Client, crm: Client, lying: Lying
):
    said = file_of(tasks["ledger"])
    mixed_up = said | {"task": tasks["crm"]}
    elsewhere = f"/v1/downstreams/ledger/tasks/{tasks['ledger']}/files/{said['file']}"

    assert (await bring(crm, said)).status_code == 404, "another system's client"
    assert (await bring(crm, said, "crm")).status_code == 404, "another system's task"
    assert (await bring(ledger, mixed_up)).status_code == 404
    assert (await ledger.put(elsewhere, json=mixed_up)).status_code == 404
    assert (await bring(client_of(scope="downstreams:manage"), said)).status_code == 403
    assert (await bring(client_of(tenant=f"{tenant}-x"), said)).status_code in (401, 404)
    assert lying() == []


async def test_a_file_is_refused_that_is_too_large_another_one_or_one_too_many(
    tasks: dict[str, str], ledger: Client, lying: Lying, monkeypatch: pytest.MonkeyPatch
):
    said = file_of(tasks["ledger"])
    large = file_of(tasks["ledger"], bytes(files.LARGEST + 1))
    assert problem(await bring(ledger, large)) == (400, "file_too_large")
    assert problem(await bring(ledger, file_of(tasks["ledger"], bytes(18 * 1024 * 1024))))[0] == 413
    assert (await bring(ledger, file_of(tasks["ledger"], bytes(files.LARGEST)))).status_code == 201
    assert (await bring(ledger, said)).status_code == 201
    assert problem(await bring(ledger, file_of(tasks["ledger"], b"other", file=said["file"]))) == (
        409,
        "file_id_reused",
    )
    assert problem(await bring(ledger, said | {"name": "other"})) == (409, "file_id_reused")
    monkeypatch.setattr("service.downstreams.handing.MOST", 2)
    assert problem(await bring(ledger, file_of(tasks["ledger"]))) == (409, "too_many_files")
    assert len(lying()) == 2


async def test_a_settled_task_and_one_that_asks_for_no_copy_take_nothing(
    client: Client, tasks: dict[str, str], ledger: Client, assign: Callable[..., Awaitable[Any]], lying: Lying
):
    await confirm(ledger, tasks["ledger"])
    assert problem(await bring(ledger, file_of(tasks["ledger"]))) == (409, "task_settled")
    erasing = await assign()
    found = (await client.get("/v1/downstream-tasks", params={"request": str(erasing)})).json()["tasks"]
    [task] = [each["id"] for each in found if each["system"] == "ledger"]
    assert problem(await bring(ledger, file_of(task))) == (409, "file_not_asked")
    assert lying() == []


async def test_what_was_brought_goes_with_the_case(
    client: Client, request_: dict[str, Any], tasks: dict[str, str], ledger: Client, pack: Work, lying: Lying
):
    assert (await bring(ledger, file_of(tasks["ledger"]))).status_code == 201
    await pack()
    assert len(lying()) == 1
    await moved(client, request_, "refuse", reason="excessive")
    await pack()

    assert lying() == []
    assert problem(await bring(ledger, file_of(tasks["ledger"]))) == (409, "task_settled")


async def test_what_was_brought_of_who_is_forgotten_opens_no_more_and_nothing_more_is_taken(
    client: Client, tasks: dict[str, str], ledger: Client, erase: Work, pack: Work, lying: Lying
):
    assert (await bring(ledger, file_of(tasks["ledger"]))).status_code == 201
    accepted = await moved(client, await asked(client, "erasure"), "verify", reason="staff_decision")
    await moved(client, accepted, "execute")
    await erase()

    assert problem(await bring(ledger, file_of(tasks["ledger"]))) == (409, "task_settled"), "nobody is asked any more"
    await pack()
    assert lying() == []
