"""Whoever is read while they are merged with somebody is who they became, and not a forgotten person."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import psycopg
import pytest

from tests.api.test_decisions import FACTS, OPT_IN, has, knows_anna
from tests.api.test_reveal_batches import batch, told
from tests.api.test_reveals import EMAIL, kind, reveal, withdraws
from tests.conftest import Database, FakeClock
from tests.vaulted import Put

OFFICER = {"purpose": "legal_claim", "channel": ...}
Meanwhile = Callable[[str, Awaitable[Any]], Awaitable[Any]]


@pytest.fixture
async def merge_meanwhile(client: httpx.AsyncClient, put: Put, database: Database) -> Meanwhile:
    """Asks about Anna, and merges her into Ada once who she is was read, and before anything is opened."""
    await knows_anna(client, OPT_IN)
    await client.put("/v1/subjects/ada", json=FACTS)
    await has(client, "ada", OPT_IN)
    await put("anna", {"email": EMAIL})

    async def meanwhile(table: str, asking: Awaitable[Any]) -> Any:
        with psycopg.connect(database.urls.admin) as held:
            held.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            asked = asyncio.ensure_future(asking)
            waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
            async with asyncio.timeout(30):
                while held.execute(waiting, (table,)).fetchone() is None:  # noqa: ASYNC110, another process waits
                    await asyncio.sleep(0.01)
            merged = await client.post("/v1/subjects/ada/merge", json={"with": "anna", "same": True, "facts": "ours"})
            assert merged.status_code == 200, merged.text
        return await asked

    return meanwhile


@pytest.mark.parametrize(("table", "changes"), [("decision", {}), ("reveal_alone", OFFICER)])
async def test_a_reveal_follows_whom_the_person_became(
    client: httpx.AsyncClient, merge_meanwhile: Meanwhile, table: str, changes: dict[str, Any]
):
    answer = await merge_meanwhile(table, reveal(client, **changes))

    assert answer.status_code == 200, answer.text
    assert answer.json()["values"] == {"email": EMAIL}


async def test_a_denial_stays_one(client: httpx.AsyncClient, clock: FakeClock, merge_meanwhile: Meanwhile):
    await withdraws(client, clock)

    assert kind(await merge_meanwhile("decision", reveal(client))) == (403, "reveal_denied")


async def test_a_line_of_a_batch_says_to_ask_again(client: httpx.AsyncClient, merge_meanwhile: Meanwhile):
    lines, _ = told(await merge_meanwhile("decision", batch(client, "anna", "nobody")))

    assert [line["outcome"] for line in lines] == ["unavailable", "deny"]
