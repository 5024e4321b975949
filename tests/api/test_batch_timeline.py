"""The timeline shows what batches decided about a person, in its order among all else."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

import httpx
import pytest

from service import indexing
from service.given import utc_now
from service.kernel import SubjectId, TenantId
from service.telemetry import Telemetry
from service.transaction import Begin
from tests.api.test_batches import QUESTION, batch, people, told
from tests.conftest import Database, FakeClock

__all__ = ["people"]


async def pages(client: httpx.AsyncClient, subject: str, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    answer = await client.get(f"/v1/subjects/{subject}/timeline", params=asked)
    while True:
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if "next" not in answer.links:
            return found
        answer = await client.get(answer.links["next"]["url"])


@pytest.fixture
def index(database: Database) -> Callable[[], Awaitable[None]]:
    """Has whatever chunks there are indexed, as the worker does when they are worth it."""

    async def index() -> None:
        await indexing.index_batches(database.urls.worker, Telemetry(utc_now, stream=BytesIO()), enough=1)

    return index


@pytest.fixture(params=[(), (1,), (2,), (0, 1, 2)], ids=["no index", "in part", "whole", "in runs"])
async def asked(
    client: httpx.AsyncClient, people: list[str], clock: FakeClock, index: Any, request: pytest.FixtureRequest
) -> list[str]:
    """p2 is asked about in turns by itself and in batches, thrice in the last; the ids, oldest first.

    Chunks are indexed after some of the batches, or none: nobody may notice.
    """
    ids = []
    for number in range(3):
        clock.advance(timedelta(minutes=1))
        single = (await client.post("/v1/decisions", json=QUESTION | {"subject": "p2"})).json()
        clock.advance(timedelta(minutes=1))
        lines, _ = told(await batch(client, "p1", *["p2"] * (number + 1), "p3"))
        ids += [single["id"], *(line["id"] for line in lines if line["subject"] == "p2")]
        if number in request.param:
            await index()
    return ids


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_each_decision_of_a_batch_has_its_place(client: httpx.AsyncClient, asked: list[str], limit: int):
    oldest = await pages(client, "p2", kind="decision", order="oldest", limit=limit)
    newest = await pages(client, "p2", limit=limit)

    assert [item["id"] for item in oldest] == asked
    assert [item["id"] for item in newest if item["kind"] == "decision"] == asked[::-1]
    assert sorted(newest, key=lambda item: item["at"], reverse=True) == newest


async def test_an_item_says_what_was_decided_and_leads_to_its_proof(
    client: httpx.AsyncClient, asked: list[str], sequence: Any
):
    await sequence()
    single, item = (await pages(client, "p2", kind="decision", order="oldest", proofs=True))[:2]
    [entry, *_] = (await client.get("/v1/audit/entries", params={"event": "batch.decided"})).json()["entries"]

    assert (item["event"], item["entry"]) == ("batch.decided", entry["id"])
    same = ("kind", "what", "actor", "purpose", "channels", "permit", "rules")
    assert {name: item[name] for name in same} == {name: single[name] for name in same}
    assert "proof" in single
    assert "proof" not in item
    proof = await client.get("/v1/audit/proofs/inclusion", params={"decision": item["id"]})
    assert item["id"] in proof.json()["payload"]


async def test_from_and_to_bound_what_batches_decided(client: httpx.AsyncClient, asked: list[str]):
    items = await pages(client, "p2", kind="decision", order="oldest")
    since, until = items[1]["at"], items[3]["at"]

    found = await pages(client, "p2", kind="decision", order="oldest", **{"from": since, "to": until})

    assert [item["id"] for item in found] == [item["id"] for item in items if since <= item["at"] < until]
    assert len(found) == 2


async def test_others_have_only_theirs(client: httpx.AsyncClient, asked: list[str]):
    assert len(await pages(client, "p1", kind="decision")) == 3
    assert await pages(client, "p0", kind="decision") == []
    assert all(item["kind"] != "decision" for item in await pages(client, "p2", kind="record"))


async def test_a_package_has_them_all_in_their_order(
    client: httpx.AsyncClient, asked: list[str], begin: Begin, tenant: TenantId
):
    async with begin(tenant) as tx:
        handle = await tx.subjects.handle_of(SubjectId("p2"))
        assert handle is not None
        found = [str(made.id) async for page in tx.decisions.about([handle]) for made in page]

    single = [each for each in asked if not each.endswith(("000000", "000001", "000002", "000003"))]
    assert found == single + [each for each in asked if each not in single]


@pytest.mark.parametrize("indexed", [False, True])
async def test_who_was_merged_has_what_was_decided_under_both_names(
    client: httpx.AsyncClient, people: list[str], clock: FakeClock, index: Any, *, indexed: bool
):
    lines, _ = told(await batch(client, "p4", "p3", "p5"))
    clock.advance(timedelta(minutes=1))
    merged = await client.post("/v1/subjects/p4/merge", json={"with": "p5", "same": True})
    assert merged.status_code == 200, merged.text
    clock.advance(timedelta(minutes=1))
    later, _ = told(await batch(client, "p5", "p4"))
    if indexed:
        await index()

    both = [lines[0]["id"], lines[2]["id"], *(line["id"] for line in later)]
    for name in ("p4", "p5"):
        items = await pages(client, name, kind="decision", order="oldest", limit=1)
        assert [item["id"] for item in items] == both
