"""Notices and the tenant's own purposes, as a client sees them."""

import hashlib
import json

import pytest

from tests.builders import a_record_body

NOTICE = {
    "texts": {"de": "Ja, ich möchte Angebote per E-Mail.", "en": "Yes, send me offers."},
    "purposes": ["marketing"],
    "channels": ["email"],
    "controllers": ["ShopCo"],
    "material_change": True,
}
PATH = "/v1/notices/newsletter/versions/v3"
PURPOSE = {"maps_to": "marketing", "title": "Coffee club"}


async def test_a_notice_is_stored_with_its_hash_and_shown(client, clock):
    put = await client.put(PATH, json=NOTICE)
    shown = await client.get(PATH)
    content = {"notice": "newsletter", "version": "v3", **NOTICE}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    assert put.status_code == 201
    assert shown.status_code == 200
    assert put.json() == shown.json()
    assert put.json() == {
        **content,
        "sha256": hashlib.sha256(canonical).hexdigest(),
        "created_at": clock().isoformat().replace("+00:00", "Z"),
    }


async def test_the_same_content_again_is_200_and_other_content_a_conflict(client):
    first = await client.put(PATH, json=NOTICE)
    again = await client.put(PATH, json=NOTICE)
    other = await client.put(PATH, json={**NOTICE, "texts": {"de": "Nein."}})

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.json() == first.json()
    assert (await client.get(PATH)).json() == first.json()


@pytest.mark.parametrize("texts", [{}, {"german": "Ja."}], ids=str)
async def test_a_notice_that_says_nothing_is_a_conflict(client, texts):
    answer = await client.put(PATH, json={**NOTICE, "texts": texts})

    assert answer.status_code == 409
    assert answer.json()["type"].endswith("unacceptable_notice")
    assert (await client.get(PATH)).status_code == 404


@pytest.mark.parametrize(
    "changes",
    [{"texts": {"de": ""}}, {"texts": []}, {"channels": ["any"]}, {"purposes": ["all"]}, {"sha256": "00"}],
    ids=str,
)
async def test_a_malformed_notice_is_refused(client, changes):
    assert (await client.put(PATH, json={**NOTICE, **changes})).status_code == 400


async def test_an_own_purpose_can_be_used_once_it_is_registered(client):
    put = await client.put("/v1/purposes/x-coffee", json=PURPOSE)
    record = await client.post("/v1/records", json={"records": [a_record_body(purpose="x-coffee")]})
    notice = await client.put(PATH, json={**NOTICE, "purposes": ["x-coffee"]})

    assert put.status_code == 201
    assert put.json() == {"purpose": "x-coffee", **PURPOSE}
    assert record.status_code == 201
    assert notice.status_code == 201


async def test_a_notice_for_a_purpose_nobody_registered_is_a_conflict(client):
    answer = await client.put(PATH, json={**NOTICE, "purposes": ["x-unknown"]})

    assert answer.status_code == 409
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/purposes/0"]
    assert "x-unknown" not in answer.text


async def test_the_mapping_of_a_purpose_never_changes(client):
    await client.put("/v1/purposes/x-coffee", json=PURPOSE)
    again = await client.put("/v1/purposes/x-coffee", json=PURPOSE)
    other = await client.put("/v1/purposes/x-coffee", json={**PURPOSE, "maps_to": "service"})

    assert (again.status_code, other.status_code) == (200, 409)
    assert (await client.get("/v1/purposes")).json() == {"purposes": [{"purpose": "x-coffee", **PURPOSE}]}


async def test_purposes_are_listed_by_name_page_by_page(client):
    for name in ("x-c", "x-a", "x-b"):
        await client.put(f"/v1/purposes/{name}", json=PURPOSE)
    first = await client.get("/v1/purposes?limit=2")
    second = await client.get(first.links["next"]["url"])

    assert [one["purpose"] for one in first.json()["purposes"]] == ["x-a", "x-b"]
    assert [one["purpose"] for one in second.json()["purposes"]] == ["x-c"]
    assert "link" not in second.headers


@pytest.mark.parametrize("name", ["coffee", "marketing", "x-", "x-Coffee", "x-" + "a" * 61, "x-a%0A"])
async def test_only_a_name_that_says_it_is_the_tenants_own_can_be_registered(client, name):
    assert (await client.put(f"/v1/purposes/{name}", json=PURPOSE)).status_code in (400, 404)


@pytest.mark.parametrize("maps_to", ["x-other", "any", "contract", None])
async def test_a_purpose_maps_onto_a_known_one(client, maps_to):
    assert (await client.put("/v1/purposes/x-coffee", json={**PURPOSE, "maps_to": maps_to})).status_code == 400


async def test_scopes_are_asked_for(client_of):
    reader = client_of(scope="records:read")

    assert (await reader.put(PATH, json=NOTICE)).status_code == 403
    assert (await reader.put("/v1/purposes/x-coffee", json=PURPOSE)).status_code == 403
    assert (await client_of(scope="decide").get("/v1/purposes")).status_code == 403
