"""Connected systems are registered, and their secrets shown once."""

import base64
from datetime import timedelta

import httpx
import pytest

from tests.conftest import FakeClock

CRM = {"kind": "webhook", "url": "https://crm.example/volens", "takes": ["erase", "restrict"]}
PULLING = {"kind": "pull", "client": "ledger", "takes": ["erase"]}


async def problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["type"]).rsplit("/", 1)[-1]


async def test_a_new_system_gets_a_secret_that_is_shown_once(client: httpx.AsyncClient):
    made = await client.put("/v1/downstreams/crm", json=CRM)

    assert made.status_code == 201
    secret = made.json()["secret"]
    assert len(base64.b64decode(secret["secret"].removeprefix("whsec_"))) == 32
    assert len(base64.b64decode(secret["public_key"].removeprefix("whpk_"))) == 32
    known = (await client.get("/v1/downstreams/crm")).json()
    assert known["takes"] == ["erase", "restrict"]
    assert [key["public_key"] for key in known["keys"]] == [secret["public_key"]]
    assert secret["secret"] not in str(known)
    again = await client.put("/v1/downstreams/crm", json=CRM)
    assert (again.status_code, "secret" in again.json()) == (200, False)


async def test_the_secret_before_is_good_for_seven_days_more(client: httpx.AsyncClient, clock: FakeClock):
    first = (await client.put("/v1/downstreams/crm", json=CRM)).json()["secret"]["public_key"]
    second = (await client.post("/v1/downstreams/crm/secrets")).json()["public_key"]

    keys = (await client.get("/v1/downstreams/crm")).json()["keys"]
    assert [key["public_key"] for key in keys] == [second, first]
    assert keys[0]["ends_at"] is None
    assert keys[1]["ends_at"] == "2026-11-28T09:00:00Z"
    clock.advance(timedelta(days=7))
    keys = (await client.get("/v1/downstreams/crm")).json()["keys"]
    assert [key["public_key"] for key in keys] == [second]


async def test_of_two_rotations_in_a_row_the_first_secret_ends_at_once(client: httpx.AsyncClient):
    first = (await client.put("/v1/downstreams/crm", json=CRM)).json()["secret"]["public_key"]
    await client.post("/v1/downstreams/crm/secrets")
    await client.post("/v1/downstreams/crm/secrets")

    keys = (await client.get("/v1/downstreams/crm")).json()["keys"]
    assert len(keys) == 2
    assert first not in {key["public_key"] for key in keys}


async def test_systems_are_listed_by_name_and_forgotten(client: httpx.AsyncClient):
    for name, said in (("ledger", PULLING), ("crm", CRM)):
        assert (await client.put(f"/v1/downstreams/{name}", json=said)).status_code == 201

    page = await client.get("/v1/downstreams", params={"limit": 1})
    assert [each["name"] for each in page.json()["downstreams"]] == ["crm"]
    rest = await client.get(page.links["next"]["url"])
    assert [each["name"] for each in rest.json()["downstreams"]] == ["ledger"]
    assert (await client.delete("/v1/downstreams/crm")).status_code == 204
    assert await problem(await client.get("/v1/downstreams/crm"), 404) == "downstream_unknown"
    assert await problem(await client.delete("/v1/downstreams/crm"), 404) == "downstream_unknown"
    assert await problem(await client.post("/v1/downstreams/crm/secrets"), 404) == "downstream_unknown"
    made = await client.put("/v1/downstreams/crm", json=CRM)
    assert made.status_code == 201, "under the same name it is a new one"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(CRM | {"url": None}, id="a webhook without a URL"),
        pytest.param(CRM | {"url": "http://crm.example/volens"}, id="without TLS"),
        pytest.param(CRM | {"url": "https://127.0.0.1/volens"}, id="this machine"),
        pytest.param(CRM | {"url": "https://[::1]/volens"}, id="this machine, by version 6"),
        pytest.param(CRM | {"url": "https://[::ffff:10.0.0.1]/"}, id="a private address in another spelling"),
        pytest.param(CRM | {"url": "https://169.254.169.254/latest/meta-data"}, id="a cloud's metadata"),
        pytest.param(CRM | {"url": "https://ada:secret@crm.example/"}, id="a password in the URL"),
        pytest.param(CRM | {"url": "https://crm.example:0/"}, id="no port"),
        pytest.param(PULLING | {"url": "https://crm.example/"}, id="one that pulls has no URL"),
        pytest.param(PULLING | {"client": None}, id="one that pulls has a client"),
        pytest.param(CRM | {"kind": "opendsr"}, id="a processor without a certificate"),
        pytest.param(CRM | {"domain": "crm.example"}, id="a domain that nobody looks at"),
    ],
)
async def test_what_does_not_go_together_is_refused(client: httpx.AsyncClient, said: dict[str, object]):
    assert await problem(await client.put("/v1/downstreams/crm", json=said), 409) == "downstream_unusable"
    assert await problem(await client.get("/v1/downstreams/crm"), 404) == "downstream_unknown"


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "fax"},
        {"takes": []},
        {"takes": ["forget"]},
        {"url": "ftp://crm.example"},
        {"url": "https://crm.example/\n"},
        {"secret": "whsec_mine"},
        {"client": "a b"},
    ],
)
async def test_a_malformed_system_is_refused(client: httpx.AsyncClient, changes: dict[str, object]):
    assert (await client.put("/v1/downstreams/crm", json=CRM | changes)).status_code == 400
