"""What moves of requests tell connected systems, when, and what waits for their answers."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from service.courier import Courier
from service.teller import Teller
from tests.api.test_requests import asked, move, moved, problem
from tests.conftest import Database, FakeClock
from tests.vaulted import Put

EVERYTHING = ["erase", "rectify", "restrict", "lift", "access", "opt_out", "limit"]
Client = httpx.AsyncClient
Told = Callable[[], Awaitable[list[tuple[str, str]]]]
ASSIGNED = "SELECT object_id FROM audit_entry WHERE event = 'downstream.assigned' AND object_id = ANY (%s)"
pytestmark = pytest.mark.usefixtures("systems")


@pytest.fixture
async def systems(client: Client) -> None:
    """`ledger` asks for tasks of every kind, `ads` for opt-outs; `crm` is told nothing of what happens here."""
    for name, takes, more in (
        ("ledger", EVERYTHING, {}),
        ("ads", ["opt_out"], {"identities": ["email", "device_id"]}),
        ("crm", ["erase"], {"identities": ["phone"]}),
    ):
        said = {"kind": "pull", "client": f"{name}-adapter", "takes": takes, **more}
        assert (await client.put(f"/v1/downstreams/{name}", json=said)).status_code == 201


@pytest.fixture
def told(client: Client, tell: Teller) -> Told:
    """Has the worker tell what is noted; returns what systems were told, and which."""

    async def told() -> list[tuple[str, str]]:
        await tell()
        tasks = (await client.get("/v1/downstream-tasks")).json()["tasks"]
        return [(task["system"], task["kind"]) for task in tasks]

    return told


@pytest.fixture
def answer(signed_for: Callable[..., Client]) -> Callable[..., Awaitable[None]]:
    """Has systems confirm all that they are asked for."""

    async def answer(*systems: str) -> None:
        for name in systems:
            own = signed_for(f"{name}-adapter", scope="downstreams:tasks")
            for task in (await own.get(f"/v1/downstreams/{name}/tasks")).json()["tasks"]:
                path = f"/v1/downstreams/{name}/tasks/{task['id']}/confirm"
                assert (await own.post(path, json={"task": task["id"], "outcome": "confirmed"})).status_code == 200

    return answer


async def executing(client: Client, right: str, **said: Any) -> dict[str, Any]:
    request = await asked(client, right, **said)
    if request["state"] != "accepted":
        request = await moved(client, request, "verify", reason="staff_decision")
    return await moved(client, request, "execute")


async def test_an_opt_out_is_told_on_receipt_and_holds_up_the_end_of_the_case_alone(
    client: Client, told: Told, answer: Any
):
    """11 CCR 7026(f): it counts here since its receipt, so that the answer waits for nobody."""
    await client.put("/v1/subjects/anna", json={"residence": "US-CA"})
    request = await executing(client, "opt_out_of_sale")
    assert await told() == [("ads", "opt_out"), ("ledger", "opt_out")]

    answered = await moved(client, request, "complete")
    refused = await move(client, answered, "close")
    assert problem(refused) == (409, "answers_owed")
    assert refused.json()["systems"] == ["ads", "ledger"]
    await answer("ads", "ledger")
    await moved(client, answered, "close")


async def test_nobody_is_told_twice_of_a_request_that_joins_another(client: Client, told: Told):
    await asked(client, "objection")
    joined = await asked(client, "objection")

    assert joined["state"] == "duplicate"
    assert await told() == [("ads", "opt_out"), ("ledger", "opt_out")]
    assert await told() == [("ads", "opt_out"), ("ledger", "opt_out")]


async def test_one_that_had_joined_tells_once_it_goes_on_by_itself(client: Client, told: Told):
    first = await asked(client, "objection")
    await asked(client, "objection")
    await told()
    await moved(client, first, "withdraw")

    assert sorted(await told()) == [("ads", "opt_out")] * 2 + [("ledger", "opt_out")] * 2


async def test_a_rectification_is_told_when_it_is_carried_out_and_answered_when_all_have_confirmed(
    client: Client, told: Told, answer: Any
):
    """GDPR Art. 19."""
    accepted = await moved(client, await asked(client, "rectification"), "verify", reason="staff_decision")
    assert await told() == []
    request = await moved(client, accepted, "execute")
    untold = await move(client, request, "complete")
    assert (problem(untold), untold.json()["systems"]) == ((409, "answers_owed"), ["ledger"])

    assert await told() == [("ledger", "rectify")]
    owed = await move(client, request, "complete")
    assert (problem(owed), owed.json()["systems"]) == ((409, "answers_owed"), ["ledger"])
    await answer("ledger")
    await moved(client, await moved(client, request, "complete"), "close")


async def test_a_silent_system_holds_the_case_up_until_an_officer_says_why_it_does_not(
    client: Client, told: Told, courier: Courier, clock: FakeClock
):
    request = await executing(client, "rectification")
    await told()
    clock.advance(timedelta(hours=120))
    await courier.look()
    await courier.rest()
    [task] = (await client.get("/v1/downstream-tasks", params={"state": "silent"})).json()["tasks"]
    assert problem(await move(client, request, "complete")) == (409, "answers_owed")

    said = {"reason": "disproportionate"}
    assert (await client.post(f"/v1/downstream-tasks/{task['id']}/excuse", json=said)).status_code == 200
    await moved(client, request, "complete")


async def test_a_restriction_is_told_once_it_holds_and_again_when_it_is_over(client: Client, told: Told, answer: Any):
    """GDPR Art. 18(3), 19."""
    request = await moved(client, await asked(client, "restriction"), "verify", reason="staff_decision")
    assert await told() == [("ledger", "restrict")]
    await answer("ledger")
    for name in ("execute", "complete", "lift"):
        request = await moved(client, request, name)

    assert sorted(await told()) == [("ledger", "lift"), ("ledger", "restrict")]
    assert problem(await move(client, request, "close")) == (409, "answers_owed")


async def test_a_restriction_that_is_refused_after_it_was_told_is_lifted_there_too(client: Client, told: Told):
    request = await moved(client, await asked(client, "restriction"), "verify", reason="staff_decision")
    await told()
    await moved(client, request, "refuse", reason="excessive")

    assert sorted(await told()) == [("ledger", "lift"), ("ledger", "restrict")]
    tasks = (await client.get("/v1/downstream-tasks")).json()["tasks"]
    assert {task["kind"]: (task["state"], task.get("ground")) for task in tasks} == {
        "restrict": ("excused", "case_ended"), "lift": ("open", None),
    }  # fmt: skip


async def test_what_nobody_was_told_yet_is_not_told_after_a_refusal(client: Client, told: Told):
    request = await moved(client, await asked(client, "restriction"), "verify", reason="staff_decision")
    await moved(client, request, "refuse", reason="excessive")

    assert await told() == []


async def test_what_counted_on_receipt_is_owed_though_the_request_was_refused(client: Client, told: Told):
    request = await asked(client, "objection")
    await told()
    await moved(client, request, "refuse", reason="compelling_grounds")

    tasks = (await client.get("/v1/downstream-tasks")).json()["tasks"]
    assert {task["state"] for task in tasks} == {"open"}


async def test_what_counted_on_receipt_is_told_though_the_request_was_withdrawn(client: Client, told: Told):
    await moved(client, await asked(client, "objection"), "withdraw")

    assert await told() == [("ads", "opt_out"), ("ledger", "opt_out")]


async def test_nobody_is_told_of_who_was_forgotten_meanwhile(client: Client, told: Told, erase: Any):
    request = await asked(client, "objection")
    await executing(client, "erasure")
    await erase()

    assert {kind for _, kind in await told()} == {"erase"}
    assert problem(await move(client, request, "close"))[1] == "move_not_allowed"


async def test_a_system_is_told_the_addresses_that_it_may_be_told_and_each_time_is_on_record(
    client: Client, told: Told, put: Put, signed_for: Callable[..., Client]
):
    await put("anna", {"email": "anna@mail.example", "email#work": "anna@work.example", "phone": "+4930123456"})
    await asked(client, "objection")
    await told()

    shown = {}
    for name in ("ads", "ledger"):
        own = signed_for(f"{name}-adapter", scope="downstreams:tasks")
        [task] = (await own.get(f"/v1/downstreams/{name}/tasks")).json()["tasks"]
        assert task["subjects"] == ["anna"]
        shown[name] = sorted(each["value"] for each in task["identities"])
    assert shown == {"ads": ["anna@mail.example", "anna@work.example"], "ledger": []}
    entries = (await client.get("/v1/audit/entries", params={"event": "vault.revealed"})).json()["entries"]
    assert [entry["actor"] for entry in entries] == ["worker"], "once, for the system that was told"


async def test_a_system_whose_fields_nobody_has_is_told_the_ids_alone(
    client: Client, told: Told, put: Put, signed_for: Callable[..., Client]
):
    await put("anna", {"phone": "+4930123456"})
    await asked(client, "objection")
    await told()

    own = signed_for("ads-adapter", scope="downstreams:tasks")
    [task] = (await own.get("/v1/downstreams/ads/tasks")).json()["tasks"]
    assert (task["subjects"], task["identities"]) == (["anna"], [])
    assert not (await client.get("/v1/audit/entries", params={"event": "vault.revealed"})).json()["entries"]


async def test_a_worker_that_is_ended_anywhere_leaves_the_rest_to_the_next(
    client: Client, tell: Teller, told: Told, put: Put, database: Database
):
    await put("anna", {"email": "anna@mail.example"})
    for turns in range(0, 80, 4):
        request = await asked(client, "objection")
        worker = asyncio.create_task(tell())
        for _ in range(turns):
            await asyncio.sleep(0.001)
        worker.cancel()
        await asyncio.wait([worker])
        await told()

        found = await client.get("/v1/downstream-tasks", params={"request": request["id"]})
        tasks = [task["id"] for task in found.json()["tasks"]]
        assert len(tasks) == 2, turns
        with psycopg.connect(database.urls.owner) as owner:
            entries = owner.execute(ASSIGNED, (tasks,)).fetchall()
        assert sorted(entry for (entry,) in entries) == sorted(tasks), turns
        await moved(client, request, "withdraw")
