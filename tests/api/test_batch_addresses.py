"""Lines of a batch that name a person by a value in the vault: found, or nobody; told to nobody."""

import json
from typing import Any

import httpx
import psycopg
import pytest

from service.kernel import TenantId
from tests.api.test_batches import QUESTION, batch, body, told
from tests.api.test_decisions import FACTS, OPT_IN, has
from tests.conftest import Database
from tests.isolated import Clients

ANN, BEN, SHARED, NOBODYS = "ann@letters.example", "ben@letters.example", "club@letters.example", "zoe@letters.example"


def by(value: str, field: str = "email") -> dict[str, str]:
    return {"field": field, "value": value}


@pytest.fixture
async def people(client: httpx.AsyncClient) -> None:
    for name, address in (("ann", ANN), ("ben", BEN), ("cem", SHARED), ("dan", SHARED)):
        await client.put(f"/v1/subjects/{name}", json=FACTS)
        await client.put(f"/v1/vault/{name}/email", json={"value": address})
        await has(client, name, *([OPT_IN] if name != "ben" else []))


@pytest.mark.usefixtures("people")
async def test_a_person_is_found_by_an_address_and_nobody_is_guessed(client: httpx.AsyncClient, log: Any):
    answer = await batch(client, by(ANN.upper()), by(BEN), by(SHARED), "ann", by(NOBODYS), by(ANN, "email"))
    lines, summary = told(answer)

    assert [line["outcome"] for line in lines] == [
        "permit", "deny", "unidentified", "permit", "unidentified", "permit",
    ]  # fmt: skip
    assert [line.get("subject") for line in lines] == ["ann", "ben", None, "ann", None, "ann"]
    assert lines[2]["errors"][0]["detail"] == "Several people have this value"
    assert lines[4]["errors"][0]["detail"] == "Nobody has this value"
    assert all("id" not in lines[place] for place in (2, 4))
    assert summary["outcomes"] == {"deny": 1, "permit": 3, "unidentified": 2}
    for leaked in (answer.text.lower(), log.getvalue().decode().lower()):
        assert "letters.example" not in leaked


@pytest.mark.usefixtures("people")
async def test_each_look_is_audited_with_whom_it_found(client: httpx.AsyncClient):
    before = await looks(client)
    told(await batch(client, by(ANN), by(SHARED), by(NOBODYS), "ben"))
    after = await looks(client)

    assert len(after) - len(before) == 4
    assert sum("subject" not in entry or entry["subject"] is None for entry in after) == 1


async def looks(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await client.get("/v1/audit/entries", params={"event": "vault.looked_up"})
    return list(answer.json()["entries"])


@pytest.mark.usefixtures("people")
async def test_without_the_scope_nobody_is_looked_for(client_of: Clients, client: httpx.AsyncClient):
    lines, _ = told(await batch(client_of(scope="decide"), by(ANN), by(NOBODYS), "ann"))

    assert [line["outcome"] for line in lines] == ["invalid", "invalid", "permit"]
    assert lines[0]["errors"] == lines[1]["errors"]
    assert "vault:lookup" in lines[0]["errors"][0]["detail"]
    assert await looks(client) == []


@pytest.mark.usefixtures("people")
async def test_people_of_another_tenant_are_not_found(client_of: Clients, add_tenant: Any):
    [line], _ = told(await batch(client_of(tenant=add_tenant()), by(ANN)))

    assert line["outcome"] == "unidentified"


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    "line",
    [
        by("no address"),
        by(ANN, "name"),
        by(ANN, "unheard"),
        by(ANN, "no field"),
        by(""),
        by(ANN) | {"subject": "ann"},
        {"field": "email"},
        {"value": ANN},
        {"field": "email", "value": [ANN]},
        {},
    ],
)
async def test_lines_that_can_not_be_looked_up_harm_no_other(client: httpx.AsyncClient, line: dict[str, Any]):
    lines, _ = told(answer := await batch(client, "ann", line, by(ANN)))

    assert [each["outcome"] for each in lines] == ["permit", "invalid", "permit"]
    assert lines[1]["errors"]
    assert "letters.example" not in answer.text
    assert "no address" not in answer.text


@pytest.mark.usefixtures("people")
async def test_where_nobody_can_be_looked_for_nobody_is_permitted(
    client: httpx.AsyncClient, database: Database, tenant: TenantId
):
    with psycopg.connect(database.urls.admin, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON audit_entry FROM volens_app")
        try:
            answer = await client.post(
                "/v1/decisions/batch",
                content=body(by(ANN), question=QUESTION),
                headers={"content-type": "application/x-ndjson"},
            )
        finally:
            connection.execute("GRANT INSERT ON audit_entry TO volens_app")

    assert "permit" not in answer.text
    assert answer.status_code >= 500 or "error" in json.loads(answer.text.splitlines()[-1])
