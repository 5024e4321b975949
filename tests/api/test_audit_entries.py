"""The audit log over HTTP: what each write leaves, and how to find it again."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from service.audit import AuditEvent
from service.kernel import TenantId
from tests.builders import a_record_body
from tests.conftest import FakeClock

FACTS = {"residence": "DE", "age": 40}
NOTICE = {
    "texts": {"de": "Ja, gern."},
    "purposes": ["marketing"],
    "channels": ["email"],
    "controllers": ["ShopCo"],
    "material_change": False,
}
Clients = Callable[..., httpx.AsyncClient]


async def entries(client: httpx.AsyncClient, **conditions: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/audit/entries", params=conditions)
    assert answer.status_code == 200, answer.text
    return answer.json()["entries"]


async def events(client: httpx.AsyncClient, **conditions: Any) -> list[str]:
    return [entry["event"] for entry in await entries(client, **conditions)]


async def write(client: httpx.AsyncClient, method: str, path: str, body: Any, *statuses: int) -> Any:
    answer = await client.request(method, path, json=body)
    assert answer.status_code in (statuses or (200, 201)), answer.text
    return answer.json()


async def put_subject(client: httpx.AsyncClient, subject: str = "anna", **facts: Any) -> Any:
    return await write(client, "PUT", f"/v1/subjects/{subject}", FACTS | facts)


async def append(client: httpx.AsyncClient, *records: dict[str, Any]) -> Any:
    return await write(client, "POST", "/v1/records", {"records": list(records)})


async def decide(client: httpx.AsyncClient, subject: str = "anna") -> Any:
    return await write(
        client, "POST", "/v1/decisions", {"subject": subject, "channel": "email", "purpose": "marketing"}
    )


async def test_every_write_leaves_the_entries_that_it_promises(client: httpx.AsyncClient):
    async def left_by(method: str, path: str, body: Any, *statuses: int) -> list[str]:
        before = len(await entries(client))
        await write(client, method, path, body, *statuses)
        return (await events(client))[before:]

    one, two = a_record_body(subject="anna"), a_record_body(subject="ben")
    question = {"subject": "anna", "channel": "email", "purpose": "marketing"}
    purpose = {"maps_to": "marketing", "title": "Club"}
    notice = "/v1/notices/news/versions/v1"

    assert await left_by("PUT", "/v1/subjects/anna", FACTS) == ["subject.created", "subject.stored"]
    assert await left_by("PUT", "/v1/subjects/anna", FACTS | {"age": 41}) == ["subject.stored"]
    assert await left_by("PUT", "/v1/subjects/anna", FACTS | {"age": 41}) == []
    batch = {"records": [one, two]}
    assert sorted(await left_by("POST", "/v1/records", batch)) == ["record.stored", "record.stored", "subject.created"]
    assert await left_by("POST", "/v1/records", batch) == []
    assert await left_by("PUT", notice, NOTICE) == ["notice.stored"]
    assert await left_by("PUT", notice, NOTICE) == []
    assert await left_by("PUT", "/v1/purposes/x-club", purpose) == ["purpose.stored"]
    assert await left_by("PUT", "/v1/purposes/x-club", purpose) == []
    assert await left_by("POST", "/v1/decisions", question) == ["decision.made"]
    assert await left_by("POST", "/v1/decisions", question) == ["decision.made"], "each answer is an answer given"
    simulation = {"jurisdiction": "DE", "channel": "email", "purpose": "marketing"}
    assert await left_by("POST", "/v1/simulations/decision", simulation) == []


async def test_a_refused_write_leaves_nothing(client: httpx.AsyncClient, clock: FakeClock):
    record = a_record_body(subject="anna")
    await append(client, record)
    await write(client, "PUT", "/v1/notices/news/versions/v1", NOTICE)
    before = await entries(client)
    ahead = (clock() + timedelta(days=1)).isoformat()

    await write(client, "POST", "/v1/records", {"records": [a_record_body(), record | {"evidence": "other"}]}, 409)
    await write(client, "POST", "/v1/records", {"records": [a_record_body(), a_record_body(ts=ahead)]}, 409)
    await write(client, "POST", "/v1/records", {"records": [a_record_body(), {}]}, 400)
    await write(client, "PUT", "/v1/notices/news/versions/v1", NOTICE | {"texts": {"de": "Nein."}}, 409)
    await write(client, "PUT", "/v1/subjects/zoe", FACTS | {"residence": "QQ"}, 409)
    await write(
        client, "POST", "/v1/decisions", {"subject": "anna", "channel": "email", "purpose": "x-unheard-of"}, 409
    )
    assert await entries(client) == before


async def test_an_entry_says_who_did_what_in_which_request_and_names_the_person_by_handle(
    client: httpx.AsyncClient, clock: FakeClock
):
    request = str(uuid4())
    record = a_record_body(subject="anna")
    answer = await client.post("/v1/records", json={"records": [record]}, headers={"x-request-id": request})
    created, stored = await entries(client)
    decision = await decide(client)
    (made,) = await entries(client, event="decision.made")
    await write(client, "PUT", "/v1/notices/news/versions/v1", NOTICE)
    (noted,) = await entries(client, event="notice.stored")

    assert answer.headers["x-request-id"] == request
    assert stored == {
        "id": stored["id"],
        "at": clock().isoformat().replace("+00:00", "Z"),
        "event": "record.stored",
        "object_id": record["id"],
        "subject": created["subject"],
        "actor": "shop-backend",
        "request": request,
        "commitment": stored["commitment"],
    }
    assert (len(stored["commitment"]), created["commitment"]) == (64, None)
    assert created["object_id"] == created["subject"]
    assert (made["object_id"], made["subject"]) == (decision["id"], created["subject"])
    assert (noted["object_id"], noted["subject"]) == ("news/v1", None)
    sha256 = (await client.get("/v1/notices/news/versions/v1")).json()["sha256"]
    assert noted["commitment"] == sha256
    assert "anna" not in str(await entries(client))


async def test_a_person_who_acts_alone_is_the_actor_self(client: httpx.AsyncClient, client_of: Clients):
    anna = client_of(subject="anna")
    objection = a_record_body(subject="anna", action="object", method="account_setting")
    await append(anna, objection)
    await decide(anna)

    assert await events(client, actor="self") == ["subject.created", "record.stored", "decision.made"]
    assert await events(client, actor="shop-backend") == []
    assert {entry["subject"] for entry in await entries(client, actor="self")} == {
        entry["subject"] for entry in await entries(client, subject="anna")
    }


async def test_each_condition_leaves_what_it_names_and_all_must_hold(
    client: httpx.AsyncClient, client_of: Clients, clock: FakeClock
):
    start = clock()
    await put_subject(client, "anna")
    clock.advance(timedelta(minutes=1))
    middle = clock()
    await append(client_of(subject="anna"), a_record_body(subject="anna", action="object"))
    await put_subject(client, "ben")
    clock.advance(timedelta(minutes=1))
    await decide(client, "ben")
    created = ["subject.created", "subject.stored"]

    assert await events(client) == [*created, "record.stored", *created, "decision.made"]
    assert await events(client, subject="anna") == [*created, "record.stored"]
    assert await events(client, subject="ben") == [*created, "decision.made"]
    assert await events(client, subject="nobody") == []
    assert await events(client, event="subject.created") == ["subject.created"] * 2
    assert await events(client, actor="self") == ["record.stored"]
    assert await events(client, actor="nobody") == []
    assert await events(client, **{"from": middle.isoformat()}) == ["record.stored", *created, "decision.made"]
    assert await events(client, to=middle.isoformat()) == created, "the end is the first instant that is left out"
    only_middle = {"from": middle.isoformat(), "to": clock().isoformat()}
    assert await events(client, **only_middle, subject="ben", event="subject.stored") == ["subject.stored"]
    assert await events(client, **{"from": clock().isoformat(), "to": start.isoformat()}) == []


async def test_a_decision_about_nobody_is_about_no_subject(client: httpx.AsyncClient):
    await decide(client, "nobody")

    assert [entry["subject"] for entry in await entries(client)] == [None]
    assert await entries(client, subject="nobody") == []


async def test_pages_follow_each_other_by_link_and_hold_everything_once(client: httpx.AsyncClient, clock: FakeClock):
    for day in range(4):
        await append(client, *(a_record_body(subject="anna") for _ in range(3)))
        clock.advance(timedelta(days=day))
    everything = await entries(client)
    seen, url, pages = [], "/v1/audit/entries?limit=5&event=record.stored", 0
    while url:
        answer = await client.get(url)
        seen += answer.json()["entries"]
        url = answer.links.get("next", {}).get("url")
        pages += 1
        if pages == 1:
            await append(client, a_record_body(subject="late"))

    assert pages == 3
    assert [entry for entry in everything if entry["event"] == "record.stored"] == seen[:12]
    assert len({entry["id"] for entry in seen}) == len(seen) == 13, "the late one comes last"
    assert [datetime.fromisoformat(entry["at"]) for entry in seen] == sorted(
        datetime.fromisoformat(entry["at"]) for entry in seen
    )


async def test_a_condition_that_means_nothing_is_refused_by_its_name(client: httpx.AsyncClient):
    for name, value, status in [
        ("limit", 0, 400),
        ("limit", 501, 400),
        ("event", "record.deleted", 400),
        ("from", "2026-11-21T09:00:00", 400),
        ("from", "yesterday", 400),
        ("to", "0", 400),
        ("subject", "anna@shop.example", 400),
        ("actor", "Ada Lovelace", 400),
        ("actor", "shop\n", 400),
        ("cursor", "not a cursor", 400),
        ("cursor", "e30", 409),
    ]:
        answer = await client.get("/v1/audit/entries", params={name: value})

        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), value
        assert answer.json()["errors"][0]["parameter"] == name
        assert "shop.example" not in answer.text
        assert "Lovelace" not in answer.text


async def test_every_kind_of_entry_can_be_asked_for(client: httpx.AsyncClient):
    for event in AuditEvent:
        assert await entries(client, event=event.value) == []


async def test_the_log_is_for_those_who_may_read_it(client_of: Clients, add_tenant: Callable[[], TenantId]):
    everything_else = (
        "decide records:write records:read subjects:write vault:write vault:reveal requests:write requests:manage "
        "audit:export policy:read admin"
    )
    assert (await client_of(scope=everything_else).get("/v1/audit/entries")).status_code == 403
    assert (await client_of(subject="anna").get("/v1/audit/entries")).status_code == 403
    await put_subject(client_of())
    assert await entries(client_of(tenant=add_tenant())) == []
