"""`POST /v1/records` and the history, as a client sees them."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tests.builders import a_record_body


async def send(client, *records):
    return await client.post("/v1/records", json={"records": list(records)})


async def history(client, subject: str = "s-1") -> list[dict]:
    answer = await client.get(f"/v1/subjects/{subject}/records")
    return answer.json()["records"] if answer.status_code == 200 else []


async def test_new_records_are_created_and_shown_as_they_were_sent(client, clock):
    record = a_record_body(channel=["email", "sms"], evidence=None, two_step=False, named_controllers=[])
    answer = await send(client, record)

    assert answer.status_code == 201
    received_at = clock().isoformat().replace("+00:00", "Z")
    assert answer.json() == {"records": [{"id": record["id"], "subject": "s-1", "received_at": received_at}]}
    assert await history(client) == [{**record, "received_at": received_at}]


async def test_the_same_again_is_200_with_the_same_answer(client, clock):
    batch = [a_record_body(), a_record_body(subject="s-2")]
    first = await send(client, *batch)
    clock.advance(timedelta(hours=1))
    again = await send(client, *batch)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


async def test_another_record_under_a_used_id_is_a_conflict_that_points_to_it(client):
    record = a_record_body()
    await send(client, record)
    answer = await send(client, a_record_body(subject="s-2"), {**record, "evidence": "something else"})

    assert answer.status_code == 409
    assert answer.json()["type"].endswith("record_id_reused")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/records/1/id"]
    assert record["id"] not in answer.text
    assert "something else" not in answer.text
    assert await history(client, "s-2") == []


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"purpose": "newsletter"}, "purpose"),
        ({"channel": "pigeon"}, "channel"),
        ({"channel": ["email", "pigeon"]}, "channel/1"),
        ({"ts": "2026-11-20T12:00:00"}, "ts"),
        ({"ts": 0}, "ts"),
        ({"subject": "ada@shop.example"}, "subject"),
        ({"subject": "s-1\n"}, "subject"),
        ({"address": "ada@shop.example"}, "address"),
        ({"evidence": "e" * 4097}, "evidence"),
        ({"two_step": "true"}, "two_step"),
        ({"email": "ada@shop.example"}, ""),
        ({"action": ...}, ""),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_one_malformed_record_stores_nothing_and_is_pointed_at(client, changes, member):
    answer = await send(client, a_record_body(subject="s-9"), a_record_body(**changes))
    place = "/records/1" + (f"/{member}" if member else "")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert place in {error.get("pointer", "").removeprefix("#") for error in answer.json()["errors"]}
    assert "shop.example" not in answer.text
    assert await history(client, "s-9") == []


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_holds_one_record_to_a_thousand(client, count):
    assert (await send(client, *(a_record_body() for _ in range(count)))).status_code == 400


async def test_a_thousand_records_are_one_batch(client):
    batch = [a_record_body(subject=f"s-{number % 100}") for number in range(1000)]
    answer = await send(client, *batch)

    assert answer.status_code == 201
    assert [record["id"] for record in answer.json()["records"]] == [record["id"] for record in batch]


async def test_only_a_refusal_may_come_from_the_future(client, clock):
    ahead = (clock() + timedelta(days=1)).isoformat()
    permission = await send(client, a_record_body(ts=ahead))
    refusal = await send(client, a_record_body(ts=ahead, action="opt_out"))

    assert permission.status_code == 409
    assert permission.json()["type"].endswith("record_from_the_future")
    assert refusal.status_code == 201


async def test_a_purpose_nobody_registered_is_a_conflict(client):
    answer = await send(client, a_record_body(), a_record_body(purpose="x-coffee"), a_record_body(purpose="x-tea"))

    assert answer.status_code == 409
    assert answer.json()["type"].endswith("unknown_purpose")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/records/1/purpose", "/records/2/purpose"]
    assert "x-" not in answer.text


async def test_a_history_is_paged_oldest_first(client):
    batch = [a_record_body(ts=f"2026-11-{day:02}T12:00:00Z") for day in range(15, 5, -1)]
    await send(client, *batch)
    seen, url = [], "/v1/subjects/s-1/records?limit=4"
    while url:
        answer = await client.get(url)
        seen += answer.json()["records"]
        url = answer.links.get("next", {}).get("url")

    assert [record["id"] for record in seen] == [record["id"] for record in reversed(batch)]


async def test_nobody_has_no_history(client):
    assert (await client.get("/v1/subjects/nobody/records")).status_code == 404


async def test_people_speak_for_themselves_alone(client, client_of):
    ann = client_of(subject="ann")
    other = await send(ann, a_record_body(subject="ben"))
    not_theirs = await send(ann, a_record_body(subject="ann", action="unrestrict"))
    own = await send(ann, a_record_body(subject="ann", action="object", method="account_setting"))

    assert (other.status_code, not_theirs.status_code, own.status_code) == (404, 403, 201)
    assert (await ann.get("/v1/subjects/ann/records")).status_code == 200
    assert (await ann.get("/v1/subjects/ben/records")).status_code == 404


async def test_scopes_are_asked_for(client_of):
    assert (await send(client_of(scope="records:read"), a_record_body())).status_code == 403
    assert (await client_of(scope="records:write").get("/v1/subjects/s-1/records")).status_code == 403


async def test_texts_are_never_logged(client, log):
    await send(client, a_record_body(evidence="bitte keine Werbung mehr", method="secret method", brand="secret brand"))
    await send(client, a_record_body(id=str(uuid4()), evidence=["bitte keine Werbung mehr"]))

    assert b"Werbung" not in log.getvalue()
    assert b"secret" not in log.getvalue()
