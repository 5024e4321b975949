"""`PUT` and `GET /v1/subjects/{subject}` as a client sees them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from service.kernel import VAULT_WORDS
from tests.builders import a_record_body

FACTS = {"residence": "DE", "time_zone": "Europe/Berlin", "is_customer": True, "signals": {"gpc": True}}


def a_record(**changes) -> dict:
    return a_record_body(**{"subject": "ann", **changes})


async def test_facts_are_stored_and_shown(client):
    put = await client.put("/v1/subjects/ann", json=FACTS)
    shown = await client.get("/v1/subjects/ann")

    assert put.status_code == 201
    assert put.json() == {"subject": "ann", "version": 1, "facts": FACTS}
    assert shown.status_code == 200
    assert shown.json() == {"subject": "ann", "version": 1, "facts": FACTS, "flags": {}, "state": []}


async def test_the_same_facts_again_are_200_and_the_same_version(client):
    await client.put("/v1/subjects/ann", json=FACTS)
    again = await client.put("/v1/subjects/ann", json=FACTS)

    assert (again.status_code, again.json()["version"]) == (200, 1)


async def test_what_is_left_out_is_unknown_from_then_on(client):
    await client.put("/v1/subjects/ann", json=FACTS)
    answer = await client.put("/v1/subjects/ann", json={"residence": "FR", "is_customer": None})

    assert answer.json() == {"subject": "ann", "version": 2, "facts": {"residence": "FR"}}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"residence": "Germany"}, "/residence"),
        ({"residence": "DE\n"}, "/residence"),
        ({"age": "40"}, "/age"),
        ({"age": 131}, "/age"),
        ({"birth_date": "2012-02-30"}, "/birth_date"),
        ({"last_sent_at": "2026-11-20T12:00:00"}, "/last_sent_at"),
        ({"last_sent_at": 0}, "/last_sent_at"),
        ({"signals": {"gpc": "true"}}, "/signals/gpc"),
        ({"email": "ann@shop.example"}, ""),
        ([], ""),
    ],
    ids=str,
)
async def test_malformed_facts_are_refused_with_the_place_of_the_fault(client, body, pointer):
    answer = await client.put("/v1/subjects/ann", json=body)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in {error.get("pointer", "").removeprefix("#") for error in answer.json()["errors"]}
    assert "shop.example" not in answer.text
    assert (await client.get("/v1/subjects/ann")).status_code == 404


@pytest.mark.parametrize(
    ("body", "code", "pointers"),
    [
        ({"residence": "QQ"}, "unknown_jurisdiction", ["/residence"]),
        ({"time_zone": "Europe/Atlantis"}, "unknown_time_zone", ["/time_zone"]),
        ({"birth_date": "2000-01-01", "age": 90}, "contradictory_facts", ["/age", "/birth_date"]),
    ],
    ids=str,
)
async def test_facts_that_cannot_be_are_a_conflict_that_points_to_them(client, body, code, pointers):
    answer = await client.put("/v1/subjects/ann", json=body)

    assert answer.status_code == 409
    assert answer.json()["type"].endswith(code)
    assert [fault["pointer"] for fault in answer.json()["errors"]] == pointers
    told = answer.text.replace(answer.json()["instance"], "")  # the id of the request may have any digits
    assert not [value for value in map(str, body.values()) if value in told]


@pytest.mark.parametrize("path", ["ann%40shop.example", "%2B4930901820", "ann%0A", "a" * 129])
async def test_an_address_is_no_subject(client, path):
    answer = await client.put(f"/v1/subjects/{path}", json=FACTS)

    assert answer.status_code in (400, 404)
    assert "shop.example" not in answer.text


async def test_the_state_is_shown_for_each_purpose_and_channel(client):
    opt_in = a_record(ts="2026-11-19T12:00:00Z")
    opt_out = a_record(action="opt_out", method="unsubscribe_link", evidence=...)
    purchase = a_record(action="purchase", channel="any", purpose="contract", method="checkout", notice_version=...)
    await client.post("/v1/records", json={"records": [opt_out, opt_in, purchase]})
    state = (await client.get("/v1/subjects/ann")).json()["state"]

    assert [(one["purpose"], one["channel"], [act["record"] for act in one["acts"]]) for one in state] == [
        ("contract", "any", [purchase["id"]]),
        ("marketing", "email", [opt_out["id"], opt_in["id"]]),
    ]


async def test_as_of_shows_what_had_been_received_by_then(client, clock):
    await client.put("/v1/subjects/ann", json=FACTS)
    await client.post("/v1/records", json={"records": [a_record()]})
    then = clock()
    clock.advance(timedelta(hours=1))
    await client.put("/v1/subjects/ann", json={"residence": "FR"})
    await client.post("/v1/records", json={"records": [a_record(action="opt_out")]})
    past = (await client.get("/v1/subjects/ann", params={"as_of": then.isoformat()})).json()
    present = (await client.get("/v1/subjects/ann")).json()

    assert past["facts"]["residence"] == "DE"
    assert [act["action"] for act in past["state"][0]["acts"]] == ["opt_in"]
    assert present["facts"]["residence"] == "FR"
    assert len(present["state"][0]["acts"]) == 2


@pytest.mark.parametrize("as_of", ["0", "2026-11-20", "2026-11-20T12:00:00", "now"])
async def test_a_time_without_a_zone_is_no_time(client, as_of):
    assert (await client.get("/v1/subjects/ann", params={"as_of": as_of})).status_code == 400


async def test_nobody_knows_who_was_never_named(client):
    assert (await client.get("/v1/subjects/ann")).status_code == 404


async def test_another_tenants_subject_is_not_found(client, client_of, add_tenant):
    await client.put("/v1/subjects/ann", json=FACTS)

    assert (await client_of(tenant=add_tenant()).get("/v1/subjects/ann")).status_code in (401, 404)


async def test_people_read_themselves_and_nobody_else_and_state_no_facts(client, client_of):
    await client.put("/v1/subjects/ann", json=FACTS)
    await client.put("/v1/subjects/ben", json=FACTS)
    ann = client_of(subject="ann")

    assert (await ann.get("/v1/subjects/ann")).status_code == 200
    assert (await ann.get("/v1/subjects/ben")).status_code == 404
    assert (await ann.put("/v1/subjects/ann", json=FACTS)).status_code == 403


async def test_scopes_are_asked_for(client_of):
    assert (await client_of(scope="records:read").put("/v1/subjects/ann", json=FACTS)).status_code == 403
    assert (await client_of(scope="subjects:write").get("/v1/subjects/ann")).status_code == 403


@pytest.mark.parametrize("word", VAULT_WORDS)
async def test_nobody_is_named_like_a_word_of_the_vault(client, word):
    answer = await client.put(f"/v1/subjects/{word}", json={})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "subject")

    line = f'{{"subject": "{word}", "field": "name", "value": "Ann"}}'
    imported = await client.post("/v1/vault/import", content=line, headers={"content-type": "application/x-ndjson"})
    assert '"code":"line_refused"' in imported.text
    assert (await client.put(f"/v1/subjects/{word}s", json={})).status_code == 201


def test_the_words_of_the_vault_are_those_of_its_addresses():
    paths = json.loads((Path(__file__).parents[2] / "openapi" / "openapi.json").read_text())["paths"]
    after = {path.split("/")[3] for path in paths if path.startswith("/v1/vault/")}

    assert after - {"{subject}"} == set(VAULT_WORDS)
