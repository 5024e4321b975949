"""People are found by what they have, by equality alone, and never more often than a client may ask."""

import asyncio

import pytest

from service.vault.blind import form, index_digest, suppression_mark
from service.vault.domain import HashKey, Secret
from service.vault.fields import FieldType
from tests.twins import Sent, play_both

EMAIL = "Ann.Ash@Mail.example"


async def found(client, value, field="email"):
    answer = await client.post("/v1/vault/lookup", json={"field": field, "value": value})
    assert answer.status_code == 200, answer.text
    return answer.json()["subjects"]


async def test_everybody_who_has_a_value_is_found_however_it_is_written(client):
    for who in ("ann", "bob"):
        await client.put(f"/v1/vault/{who}/email", json={"value": EMAIL})
    await client.put("/v1/vault/cem/email%23work", json={"value": "ann.ash@mail.example"})
    await client.put("/v1/vault/ann/phone", json={"value": "+49 (30) 123456"})

    assert await found(client, "ANN.ASH@mail.EXAMPLE") == ["ann", "bob", "cem"]
    assert await found(client, "+4930123456", "phone") == ["ann"]
    assert await found(client, "ann.as@mail.example") == []


async def test_who_has_another_value_by_now_is_not_found_by_the_old_one(client, begin, tenant, clock):
    await client.put("/v1/vault/ann/email", json={"value": EMAIL})
    await client.put("/v1/vault/ann/email", json={"value": "ann@post.example"})
    await client.put("/v1/vault/bob/email", json={"value": EMAIL})
    await client.delete("/v1/vault/bob/email")

    assert await found(client, EMAIL) == []
    assert await found(client, "ann@post.example") == ["ann"]


async def test_a_person_of_another_tenant_is_not_found(client, client_of, add_tenant):
    await client.put("/v1/vault/ann/email", json={"value": EMAIL})
    other = client_of(tenant=add_tenant())
    await other.put("/v1/vault/zoe/email", json={"value": EMAIL})

    assert (await found(client, EMAIL), await found(other, EMAIL)) == (["ann"], ["zoe"])


async def test_searches_of_one_moment_get_their_own_answers(client):
    for who in ("ann", "bob", "cem"):
        await client.put(f"/v1/vault/{who}/email", json={"value": f"{who}@mail.example"})

    answers = await asyncio.gather(*(found(client, f"{who}@mail.example") for who in ("cem", "dan", "ann", "bob")))

    assert answers == [["cem"], [], ["ann"], ["bob"]]


async def test_each_lookup_is_audited_with_whom_it_found(client):
    await client.put("/v1/vault/ann/email", json={"value": EMAIL})

    await found(client, EMAIL)
    await found(client, "nobody@mail.example")

    entries = (await client.get("/v1/audit/entries?event=vault.looked_up")).json()["entries"]
    assert [(entry["object_id"], entry["subject"] is None) for entry in entries] == [("email", False), ("email", True)]


async def test_a_lookup_takes_two_round_trips_of_which_the_second_is_durable(client, trips):
    await client.put("/v1/vault/ann/email", json={"value": EMAIL})
    await found(client, EMAIL)
    trips.clear()

    assert await found(client, EMAIL) == ["ann"]
    # Who has it; what they are called, and the audit entries.
    assert trips == [1, 2]


@pytest.mark.parametrize(
    ("field", "value", "status", "problem"),
    [
        ("name", "Ann Ash", 409, "field_not_indexed"),
        ("shoe_size", "42", 404, "unknown_field"),
        ("email", "lovelace", 400, "value_refused"),
    ],
)
async def test_what_nobody_can_be_found_by_is_refused(client, field, value, status, problem):
    answer = await client.post("/v1/vault/lookup", json={"field": field, "value": value})

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, problem)
    assert "lovelace" not in answer.text


async def test_lookups_need_a_scope_of_their_own(client_of):
    answer = await client_of(scope="vault:read vault:write vault:reveal vault:officer").post(
        "/v1/vault/lookup", json={"field": "email", "value": EMAIL}
    )

    assert answer.status_code == 403


async def test_who_may_not_look_up_learns_nothing_from_a_write(signed_for, client):
    await client.put("/v1/vault/ann/email", json={"value": EMAIL})
    writer = signed_for("writer", "vault:write")
    shared, alone = [
        (await writer.put(f"/v1/vault/{subject}/email", json={"value": value})).json()
        for subject, value in (("ben", EMAIL), ("cem", "cem@mail.example"))
    ]

    assert shared.keys() == alone.keys() == {"subject", "field", "version", "masked", "at"}
    entries = (await client.get("/v1/audit/entries?event=subject.unresolved")).json()["entries"]
    assert [entry["actor"] for entry in entries] == ["writer", "writer"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"field": "email", "value": "Ann.Ash@mail.example"}', 200),
        (b'{"field": "email", "value": "lovelace"}', 400),
        (b'{"field": "email"}', 400),
        (b'{"field": "name", "value": "Ann"}', 409),
    ],
)
async def test_the_table_in_front_answers_as_the_handler_does(site, client, body, status):
    await client.put("/v1/vault/ann/email", json={"value": EMAIL})
    headers = (
        (b"content-type", b"application/json"),
        (b"authorization", client.headers["authorization"].encode()),
    )

    first, second, by_table = await play_both(site, Sent(path="/v1/vault/lookup", headers=headers, chunks=(body,)))

    assert by_table
    assert first == second
    assert first.status == status


class TestPace:
    @pytest.fixture
    def settings(self, settings):
        import msgspec

        return msgspec.structs.replace(settings, lookups_per_minute=3)

    async def test_whoever_asks_too_often_has_to_wait_and_nobody_else_does(self, client, client_of, add_tenant):
        question = {"field": "email", "value": EMAIL}
        answers = [await client.post("/v1/vault/lookup", json=question) for _ in range(5)]

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert answers[-1].json()["type"].endswith("/too_many_requests")
        other = await client_of(tenant=add_tenant()).post("/v1/vault/lookup", json=question)
        assert other.status_code == 200

    async def test_a_write_that_tells_who_shares_a_value_is_a_lookup(self, client):
        written = [await client.put(f"/v1/vault/p{number}/email", json={"value": EMAIL}) for number in range(5)]
        lookup = await client.post("/v1/vault/lookup", json={"field": "email", "value": EMAIL})

        assert [answer.status_code for answer in written] == [201] * 5
        assert [answer.json().get("shared_with") for answer in written] == [0, 1, 2, None, None]
        assert lookup.status_code == 429


def test_a_hash_depends_on_key_field_and_value_and_on_nothing_else():
    one, two = (HashKey(version=1, secret=Secret(bytes([byte]) * 32)) for byte in (1, 2))

    digests = {
        index_digest(key, field, form(FieldType.EMAIL, value)).digest
        for key in (one, two)
        for field in ("email", "other")
        for value in ("ann@mail.example", "bob@mail.example")
    }

    assert len(digests) == 8
    assert form(FieldType.IDENTIFIER, "AB 12 c") == form(FieldType.IDENTIFIER, "ab12C")
    marked = suppression_mark(one, FieldType.EMAIL, form(FieldType.EMAIL, "ann@mail.example"))
    assert marked.digest not in digests
