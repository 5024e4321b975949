"""A case waits for silent systems until an officer says why it doesn't."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from service.courier import Courier, publish
from service.downstreams import TaskKind, is_over, settled
from service.kernel import TenantId
from service.telemetry import Telemetry
from service.transaction import Begin
from tests.conftest import Database, FakeClock

Assign = Callable[..., Awaitable[UUID]]
PULLING = {"kind": "pull", "client": "ledger-adapter", "takes": ["erase", "access"]}


@pytest.fixture
async def silent(client: httpx.AsyncClient, assign: Assign, courier: Courier, clock: FakeClock) -> dict[str, Any]:
    """A task to which nobody answered in time."""
    await client.put("/v1/downstreams/ledger", json=PULLING)
    await assign()
    clock.advance(timedelta(hours=120))
    await courier.look()
    await courier.rest()
    [task] = (await client.get("/v1/downstream-tasks", params={"state": "silent"})).json()["tasks"]
    return dict(task)


async def test_silence_is_told_once_by_entry_event_and_metric(
    client: httpx.AsyncClient,
    silent: dict[str, Any],
    courier: Courier,
    begin: Begin,
    tenant: TenantId,
    clock: FakeClock,
    database: Database,
):
    await courier.look()
    await courier.rest()

    entries = (await client.get("/v1/audit/entries", params={"event": "downstream.silent"})).json()["entries"]
    assert [entry["object_id"] for entry in entries] == [silent["id"]]
    async with begin(tenant) as tx:
        outcomes = await settled(tx, UUID(silent["request"]))
    assert not is_over(outcomes)
    telemetry = Telemetry(clock, stream=BytesIO())
    await publish(database.urls.worker, telemetry)
    assert (telemetry.registry.get_sample_value("volens_downstream_tasks", {"state": "silent"}) or 0) >= 1
    with psycopg.connect(database.urls.owner) as owner:
        told = owner.execute("SELECT type FROM outbox WHERE object_id = %s ORDER BY id", (silent["id"],)).fetchall()
    assert told == [("downstream.assigned",), ("downstream.silent",)]


async def test_an_officer_says_why_a_case_goes_on(
    client: httpx.AsyncClient, silent: dict[str, Any], begin: Begin, tenant: TenantId
):
    path = f"/v1/downstream-tasks/{silent['id']}/excuse"
    unknown = await client.post(path, json={"reason": "no_time"})
    assert unknown.status_code == 409
    assert "impossible" in unknown.json()["reasons"]
    for _ in range(2):
        answer = await client.post(path, json={"reason": "impossible"})
        assert (answer.status_code, answer.json()["state"], answer.json()["ground"]) == (200, "excused", "impossible")

    async with begin(tenant) as tx:
        assert is_over(await settled(tx, UUID(silent["request"])))
        assert await tx.downstreams.sealed([UUID(silent["id"])]) == {}, "it names nobody any more"
    entries = (await client.get("/v1/audit/entries", params={"event": "downstream.excused"})).json()["entries"]
    assert [entry["actor"] for entry in entries] == ["shop-backend"]


async def test_a_reason_goes_with_what_was_to_be_done(
    client: httpx.AsyncClient, assign: Assign, courier: Courier, clock: FakeClock
):
    await client.put("/v1/downstreams/ledger", json=PULLING)
    await assign(TaskKind.ACCESS)
    clock.advance(timedelta(hours=120))
    await courier.look()
    await courier.rest()
    [task] = (await client.get("/v1/downstream-tasks")).json()["tasks"]

    refused = await client.post(f"/v1/downstream-tasks/{task['id']}/excuse", json={"reason": "disproportionate"})
    assert refused.status_code == 409, "nobody goes without their data for that"


async def test_what_is_not_silent_is_not_excused_or_repeated(client: httpx.AsyncClient, assign: Assign):
    await client.put("/v1/downstreams/ledger", json=PULLING)
    await assign()
    [task] = (await client.get("/v1/downstream-tasks")).json()["tasks"]

    for move, said in (("excuse", {"reason": "impossible"}), ("repeat", None)):
        refused = await client.post(f"/v1/downstream-tasks/{task['id']}/{move}", json=said)
        assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (409, "task_not_silent")
    unknown = await client.post(f"/v1/downstream-tasks/{UUID(int=5)}/repeat")
    assert unknown.status_code == 404


async def test_an_answer_that_comes_late_counts(silent: dict[str, Any], signed_for: Callable[..., httpx.AsyncClient]):
    own = signed_for("ledger-adapter", scope="downstreams:tasks")
    [task] = (await own.get("/v1/downstreams/ledger/tasks")).json()["tasks"]
    path = f"/v1/downstreams/ledger/tasks/{task['id']}/confirm"

    answer = await own.post(path, json={"task": task["id"], "outcome": "confirmed"})
    assert (task["id"], answer.json()["state"]) == (silent["id"], "confirmed")


async def test_a_repeated_task_has_its_time_anew(
    client: httpx.AsyncClient, silent: dict[str, Any], courier: Courier, clock: FakeClock
):
    again = await client.post(f"/v1/downstream-tasks/{silent['id']}/repeat")
    await courier.look()
    await courier.rest()

    assert (again.json()["state"], again.json()["answer_by"]) == ("open", "2026-12-01T09:00:00Z")
    [task] = (await client.get("/v1/downstream-tasks")).json()["tasks"]
    assert task["state"] == "open"
    clock.advance(timedelta(hours=120))
    await courier.look()
    await courier.rest()
    [task] = (await client.get("/v1/downstream-tasks")).json()["tasks"]
    assert task["state"] == "silent"
