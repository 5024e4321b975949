"""The timeline shows what batches decided about a person, in its order among all else."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.api.test_batches import QUESTION, batch, people, told
from tests.conftest import FakeClock

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
async def asked(client: httpx.AsyncClient, people: list[str], clock: FakeClock) -> list[str]:
    """p2 is asked about in turns by itself and in batches, twice in the last; the ids, oldest first."""
    ids = []
    for number in range(3):
        clock.advance(timedelta(minutes=1))
        single = (await client.post("/v1/decisions", json=QUESTION | {"subject": "p2"})).json()
        clock.advance(timedelta(minutes=1))
        lines, _ = told(await batch(client, "p1", *["p2"] * (number + 1), "p3"))
        ids += [single["id"], *(line["id"] for line in lines if line["subject"] == "p2")]
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
