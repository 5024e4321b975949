"""A chunk goes as a whole when its period is over, unless somebody in it is held."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from service import operations
from service.indexing import index_batches
from service.retention import WORKER, ExpireAll
from service.telemetry import Telemetry
from tests.api.test_batches import batch, chunks, told
from tests.api.test_decisions import FACTS
from tests.conftest import FakeClock

LONG_AGO = datetime(2019, 6, 3, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _long_ago(clock: FakeClock):
    """The database lets go only what is past its period by its own clock too."""
    clock.now = LONG_AGO


async def test_a_past_chunk_goes_and_a_held_one_stays(
    client: httpx.AsyncClient, clock: FakeClock, database: Any, tenant: Any, sequence: Any
):
    for name in ("p0", "p1", "p2", "p3"):
        await client.put(f"/v1/subjects/{name}", json=FACTS)
    past, _ = told(await batch(client, "p0", "p1", "nobody"))
    clock.advance(timedelta(days=1))
    held, _ = told(await batch(client, "p2", "p3"))
    await sequence()
    clock.now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    fresh, _ = told(await batch(client, "p0"))
    answer = await client.put("/v1/audit/holds/order-7", json={"reason": "litigation", "subject": "p3"})
    assert answer.status_code == 201, answer.text

    await index_batches(database.urls.worker, Telemetry(clock), enough=1)
    async with operations.transactions(database.urls.worker) as begin:
        await ExpireAll(begin, WORKER, lambda *_: None, dry=False)(tenant)

    gone = [await client.get(f"/v1/decisions/{line['id']}") for line in past]
    assert [(each.status_code, each.json()["type"].rpartition("/")[2]) for each in gone] == [
        (410, "content_expired")
    ] * 3
    for line in (*held, *fresh):
        assert (await client.get(f"/v1/decisions/{line['id']}")).status_code == 200
    assert {row["id"].hex[:26] for row in chunks(database, tenant)} == {
        line["id"].replace("-", "")[:26] for line in (held[0], fresh[0])
    }
    with psycopg.connect(database.urls.admin) as connection:
        left = connection.execute(
            "SELECT count(DISTINCT batch) FROM batch_answer WHERE tenant = %s", (tenant,)
        ).fetchone()
        runs = "SELECT count(*), count(run) FROM batch_run WHERE tenant = %s"
        assert connection.execute(runs, (tenant,)).fetchone() == (2, 0), "the index that had it went with it"
    assert left == (2,)
    proof = await client.get("/v1/audit/proofs/inclusion", params={"decision": past[0]["id"]})
    assert proof.text.startswith("c2sp.org/tlog-proof@v1"), "of the entry alone: what it told of is gone"
    entries = (await client.get("/v1/audit/entries", params={"event": "content.expired"})).json()["entries"]
    assert [entry["object_id"] for entry in entries if entry["object_id"].startswith("batch/")] == ["batch/1"]
    timeline = (await client.get("/v1/subjects/p0/timeline", params={"kind": "decision"})).json()["items"]
    assert [item["id"] for item in timeline] == [fresh[0]["id"]]
