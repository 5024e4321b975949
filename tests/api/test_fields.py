"""The registry: what every tenant has, what one adds, and what never changes about a field."""

import asyncio

import pytest

SHOE = {"type": "text", "sensitivity": "personal", "purposes": ["service", "x-club"], "masking": "last_two"}
WRITTEN = ["shoe_size", "email"]


async def test_every_tenant_has_the_built_in_fields(client):
    fields = (await client.get("/v1/vault/fields")).json()["fields"]

    assert [field["name"] for field in fields] == [
        "birth_date", "device_id", "document", "email", "free_text", "name", "national_id", "payment_ref", "phone",
        "postal_address", "request_letter", "request_proof",
    ]  # fmt: skip
    assert all(field["built_in"] and {"dsr_response", "legal_claim"} <= set(field["purposes"]) for field in fields)
    assert {field["name"] for field in fields if field["indexed"]} == {"email", "phone", "national_id", "device_id"}


async def test_a_field_of_ones_own_is_there_from_the_answer_on(client, client_of, add_tenant):
    assert (await client.put("/v1/vault/ann/shoe_size", json={"value": "42 wide"})).status_code == 404

    first = await client.put("/v1/vault/fields/shoe_size", json=SHOE)
    again = await client.put("/v1/vault/fields/shoe_size", json=SHOE)

    assert (first.status_code, again.status_code) == (201, 200)
    assert (await client.get("/v1/vault/fields/shoe_size")).json() == first.json()
    assert first.json()["built_in"] is False
    assert (await client.put("/v1/vault/ann/shoe_size", json={"value": "42 wide"})).json()["masked"] == "•••de"
    assert (await client_of(tenant=add_tenant()).get("/v1/vault/fields/shoe_size")).status_code == 404
    entries = (await client.get("/v1/audit/entries?event=vault.field_stored")).json()["entries"]
    assert [entry["object_id"] for entry in entries] == ["shoe_size"]


async def test_masking_and_purposes_change_and_type_and_index_do_not(client):
    await client.put("/v1/vault/fields/shoe_size", json=SHOE)
    await client.put("/v1/vault/ann/shoe_size", json={"value": "42 wide"})

    hidden = await client.put("/v1/vault/fields/shoe_size", json=SHOE | {"masking": "hidden", "retention_days": 30})
    other = await client.put("/v1/vault/fields/shoe_size", json=SHOE | {"type": "identifier"})
    indexed = await client.put(
        "/v1/vault/fields/email",
        json={"type": "email", "sensitivity": "contact", "purposes": [], "indexed": False, "masking": "hidden"},
    )

    assert hidden.json()["retention_days"] == 30
    assert (await client.get("/v1/vault/ann")).json()["values"][0]["masked"] == "•••"
    assert [answer.json()["type"].rpartition("/")[2] for answer in (other, indexed)] == ["field_redefined"] * 2


async def test_a_stricter_masking_holds_for_answers_to_writes_from_then_on(client):
    await client.put("/v1/vault/fields/shoe_size", json=SHOE)
    before = [await client.put(f"/v1/vault/ann/{name}", json={"value": "ann@mail.example"}) for name in WRITTEN]

    await client.put("/v1/vault/fields/shoe_size", json=SHOE | {"masking": "hidden"})
    email = {"type": "email", "sensitivity": "sensitive", "purposes": [], "indexed": True, "masking": "hidden"}
    await client.put("/v1/vault/fields/email", json=email)
    after = [await client.put(f"/v1/vault/ann/{name}", json={"value": "ann@mail.example"}) for name in WRITTEN]

    assert [answer.json()["masked"] for answer in before] == ["•••le", "a•••@m•••.example"]
    assert [answer.json()["masked"] for answer in after] == ["•••", "•••"]


async def test_a_built_in_field_can_be_masked_otherwise(client):
    email = {"type": "email", "sensitivity": "sensitive", "purposes": ["service"], "indexed": True}

    changed = await client.put("/v1/vault/fields/email", json=email)

    assert (changed.status_code, changed.json()["masking"], changed.json()["built_in"]) == (200, "hidden", True)
    assert (await client.get("/v1/vault/fields/email")).json() == changed.json()


@pytest.mark.parametrize("odd", [{"masking": "email"}, {"indexed": True}])
async def test_a_field_that_contradicts_itself_is_refused(client, odd):
    answer = await client.put("/v1/vault/fields/shoe_size", json=SHOE | odd)

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "field_unusable")
    assert answer.json()["errors"][0]["pointer"] == "/" + next(iter(odd))


async def test_two_who_add_a_field_at_once_end_up_with_one(client):
    answers = await asyncio.gather(
        *(client.put("/v1/vault/fields/shoe_size", json=SHOE | {"retention_days": days}) for days in range(5))
    )

    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert (await client.get("/v1/vault/fields/shoe_size")).json() in [answer.json() for answer in answers]


async def test_who_keeps_values_may_not_define_fields(client_of):
    client = client_of(scope="vault:write vault:read")

    assert (await client.put("/v1/vault/fields/shoe_size", json=SHOE)).status_code == 403
    assert (await client.get("/v1/vault/fields")).status_code == 200
