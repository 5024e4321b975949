"""What officers read without a decision, how two of them agree, and tokens that stand for values."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from service.kernel import Handle, TenantId
from service.transaction import Begin, Transaction
from tests.api.test_decisions import OPT_IN, has, knows_anna
from tests.api.test_reveals import EMAIL, PHONE, entries, kind, reveal, rows, withdraws
from tests.conftest import Database, FakeClock
from tests.vaulted import Put

Clients = Callable[..., httpx.AsyncClient]
BIRTH = "1986-02-03"
LEGAL = {"purpose": "legal_claim", "channel": ..., "fields": ["email", "birth_date"]}
ASKED = {"purpose": "legal_claim", "fields": ["email", "birth_date"], "subjects": 2, "reference": "court/7-O-12"}
TOKEN = {"subject": "anna", "field": "email", "purpose": "marketing", "recipient": "mailer"}


@pytest.fixture
async def anna(client: httpx.AsyncClient, put: Put) -> Handle:
    await knows_anna(client, OPT_IN)
    return await put("anna", {"email": EMAIL, "birth_date": BIRTH})


async def test_an_officer_reads_without_a_decision_and_leaves_the_same_trace(
    client: httpx.AsyncClient, clock: FakeClock, anna: Handle, database: Database, tenant: TenantId
):
    await withdraws(client, clock)
    told = (await reveal(client, **LEGAL)).json()

    assert told["values"] == {"email": EMAIL, "birth_date": BIRTH}
    assert told["decision"] is None
    [row] = rows(database, tenant)
    assert (row["purpose"], row["decision"], row["handle"]) == ("legal_claim", None, anna)
    assert len(await entries(client, "vault.revealed")) == 1
    assert await entries(client, "decision.made") == []


async def test_purposes_of_officers_are_for_officers(client_of: Clients, anna: Handle):
    clerk = client_of(scope="vault:reveal")
    for purpose in ("legal_claim", "dsr_response"):
        answer = await reveal(clerk, **LEGAL | {"purpose": purpose})
        assert kind(answer) == (403, "officers_only")
        assert answer.json()["scope"] == "vault:officer"


async def test_an_officer_is_told_that_somebody_is_unknown(client: httpx.AsyncClient):
    assert kind(await reveal(client, **LEGAL, subject="nobody")) == (404, "unknown_subject")


async def test_older_versions_are_for_officers(client: httpx.AsyncClient, client_of: Clients, anna: Handle, put: Put):
    await put("anna", {"email": "new@mail.example"}, version=2)

    assert (await reveal(client)).json()["values"] == {"email": "new@mail.example"}
    assert (await reveal(client, version=1)).json()["values"] == {"email": EMAIL}
    assert kind(await reveal(client_of(scope="vault:reveal"), version=1)) == (403, "officers_only")


async def test_of_many_people_one_by_one_an_officer_reads_a_few_an_hour(
    client: httpx.AsyncClient, signed_for: Clients, clock: FakeClock, put: Put, database: Database, tenant: TenantId
):
    for number in range(22):
        await put(f"p{number}", {"email": EMAIL})

    async def read(by: httpx.AsyncClient, number: int) -> httpx.Response:
        return await reveal(by, **LEGAL | {"subject": f"p{number}"})

    assert [(await read(client, number)).status_code for number in range(20)] == [200] * 20
    clock.advance(timedelta(minutes=20))
    refused = await read(client, 20)
    assert kind(refused) == (429, "too_many_people")
    assert (refused.headers["retry-after"], refused.json()["after"]) == ("2400", 2400)
    assert EMAIL not in refused.text
    assert len(rows(database, tenant)) == 20
    assert (await read(client, 3)).status_code == 200, "who was read already is not one more"
    assert (await read(signed_for("second"), 20)).status_code == 200, "another client has a count of its own"
    clock.advance(timedelta(minutes=40))
    assert (await read(client, 21)).status_code == 200


async def test_of_two_processes_at_once_the_second_counts_what_the_first_reads(
    begin: Begin, clock: FakeClock, tenant: TenantId, put: Put
):
    ann, ben = [await put(subject, {"email": EMAIL}) for subject in ("ann", "ben")]

    async def admit(tx: Transaction, who: Handle) -> datetime | None:
        now = clock()
        return await tx.alone.admit("clerk", who, most=1, since=now - timedelta(hours=1), at=now)

    async def meanwhile() -> datetime | None:
        async with begin(tenant) as tx:
            return await admit(tx, ben)

    async with begin(tenant) as tx:
        assert await admit(tx, ann) is None
        other = asyncio.create_task(meanwhile())
        await asyncio.sleep(0.3)
    assert await other == clock()


async def test_an_approval_is_given_by_somebody_else_and_once(client: httpx.AsyncClient, signed_for: Clients):
    asked = (await client.post("/v1/vault/approvals", json=ASKED)).json()
    place = f"/v1/vault/approvals/{asked['id']}/approve"

    assert (asked["state"], asked["requested_by"]) == ("waiting", "shop-backend")
    alone = await client.post(place)
    assert kind(alone) == (409, "second_person_needed")
    assert alone.json()["detail"] == "another client than the one that asked has to agree"
    second, third = signed_for("second"), signed_for("third")
    for _ in range(2):
        given = (await second.post(place)).json()
        assert (given["state"], given["approved_by"]) == ("approved", "second")
    assert kind(await third.post(place)) == (409, "approval_unusable")
    assert [entry["actor"] for entry in await entries(client, "vault.approval_requested")] == ["shop-backend"]
    assert [entry["actor"] for entry in await entries(client, "vault.approval_given")] == ["second"]


async def test_an_approval_that_nobody_gave_in_a_day_is_gone(
    client: httpx.AsyncClient, signed_for: Clients, clock: FakeClock
):
    asked = (await client.post("/v1/vault/approvals", json=ASKED)).json()
    clock.advance(timedelta(hours=24))

    answer = await signed_for("second").post(f"/v1/vault/approvals/{asked['id']}/approve")
    assert (kind(answer), answer.json()["state"]) == ((409, "approval_unusable"), "expired")
    [listed] = (await client.get("/v1/vault/approvals")).json()["approvals"]
    assert (listed["id"], listed["state"]) == (asked["id"], "expired")


async def test_approvals_are_listed_newest_first_page_by_page(
    client: httpx.AsyncClient, client_of: Clients, add_tenant: Callable[[], TenantId]
):
    asked = [(await client.post("/v1/vault/approvals", json=ASKED)).json()["id"] for _ in range(3)]
    first = await client.get("/v1/vault/approvals", params={"limit": 2})
    rest = await client.get(first.links["next"]["url"])

    assert [each["id"] for page in (first, rest) for each in page.json()["approvals"]] == asked[::-1]
    assert "next" not in rest.links
    other = client_of(tenant=add_tenant())
    assert (await other.get("/v1/vault/approvals")).json() == {"approvals": []}
    assert kind(await other.post(f"/v1/vault/approvals/{asked[0]}/approve")) == (404, "approval_unknown")


async def issued(client: httpx.AsyncClient, **changes: Any) -> str:
    answer = await client.post("/v1/vault/tokens", json=TOKEN | changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


async def by_token(client: httpx.AsyncClient, token: str, **more: Any) -> httpx.Response:
    return await client.post("/v1/vault/reveal", json={"token": token, "channel": "email"} | more)


async def test_a_token_gives_its_recipient_the_value_while_the_decision_is_yes(
    client: httpx.AsyncClient, signed_for: Clients, clock: FakeClock, anna: Handle
):
    token, mailer = await issued(client), signed_for("mailer", "vault:reveal")
    told = (await by_token(mailer, token)).json()

    assert told["values"] == {"email": EMAIL}
    assert told["decision"]["decision"] == "permit"
    await withdraws(client, clock)
    assert kind(await by_token(mailer, token)) == (403, "reveal_denied")


async def test_a_token_opens_no_address_of_another_channel(
    client: httpx.AsyncClient, signed_for: Clients, anna: Handle, put: Put
):
    await put("anna", {"phone#work": PHONE})
    told = (await by_token(signed_for("mailer"), await issued(client, field="phone#work"))).json()

    assert (told["values"], told["masked"]) == ({}, {"phone#work": "•••56"})


async def test_officers_read_every_address_whatever_channel_they_name(
    client: httpx.AsyncClient, anna: Handle, put: Put
):
    await put("anna", {"phone": PHONE})
    for channel in (..., "email"):
        told = (await reveal(client, purpose="legal_claim", channel=channel, fields=["phone", "email"])).json()
        assert told["values"] == {"phone": PHONE, "email": EMAIL}


@pytest.mark.parametrize(
    ("changes", "status", "code", "pointer"),
    [
        ({"field": "shoe_size"}, 404, "unknown_field", "/field"),
        ({"field": "shoe_size#left"}, 404, "unknown_field", "/field"),
        ({"purpose": "x-unheard"}, 409, "unknown_purpose", "/purpose"),
        ({"purpose": "whatever"}, 400, "invalid_request", "/purpose"),
    ],
)
async def test_a_token_for_what_there_is_not_is_refused(
    client: httpx.AsyncClient, anna: Handle, changes: dict[str, Any], status: int, code: str, pointer: str
):
    answer = await client.post("/v1/vault/tokens", json=TOKEN | changes)

    assert kind(answer) == (status, code)
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert await entries(client, "vault.token_issued") == []


async def test_a_token_is_for_fields_and_purposes_of_the_tenants_own_as_well(
    client: httpx.AsyncClient, signed_for: Clients, anna: Handle, put: Put
):
    field = {"type": "text", "sensitivity": "personal", "purposes": ["x-letter"]}
    await client.put("/v1/vault/fields/shoe_size", json=field)
    await client.put("/v1/purposes/x-letter", json={"maps_to": "marketing", "title": "Letter"})
    await has(client, "anna", OPT_IN | {"purpose": "x-letter"})
    await put("anna", {"shoe_size": "42"})
    token = await issued(client, field="shoe_size", purpose="x-letter")

    assert (await by_token(signed_for("mailer"), token)).json()["values"] == {"shoe_size": "42"}


async def test_a_token_is_worth_nothing_to_anybody_else(
    client: httpx.AsyncClient, client_of: Clients, signed_for: Clients, add_tenant: Callable[[], TenantId], anna: Handle
):
    token = await issued(client)
    elsewhere = await issued(client, recipient="shop-backend")

    assert kind(await by_token(client, token)) == (404, "token_unknown")
    assert kind(await by_token(client_of(tenant=add_tenant()), elsewhere)) == (404, "token_unknown")
    assert kind(await by_token(client, "vtk_" + "A" * 43)) == (404, "token_unknown")
    assert kind(await by_token(signed_for("mailer", "decide"), token)) == (403, "insufficient_scope")


async def test_a_revoked_token_is_revoked_for_ever(client: httpx.AsyncClient, signed_for: Clients, anna: Handle):
    token = await issued(client)
    for _ in range(2):
        answer = await client.post("/v1/vault/tokens/revoke", json={"token": token})
        assert (answer.status_code, answer.json()) == (200, {"revoked": True})

    assert kind(await by_token(signed_for("mailer"), token)) == (404, "token_unknown")
    assert len(await entries(client, "vault.token_issued")) == len(await entries(client, "vault.token_revoked")) == 1
    unheard = await client.post("/v1/vault/tokens/revoke", json={"token": "vtk_" + "A" * 43})
    assert kind(unheard) == (404, "token_unknown")


async def test_the_database_does_not_hold_the_token(client: httpx.AsyncClient, anna: Handle, database: Database):
    token = await issued(client)
    with psycopg.connect(database.urls.owner) as connection:
        found = connection.execute("SELECT vault_token::text FROM vault_token").fetchall()

    assert found
    assert not [row for row in found if token in row[0] or token.removeprefix("vtk_") in row[0]]


async def test_tokens_are_for_people_who_are_there_and_purposes_one_may_have(
    client: httpx.AsyncClient, client_of: Clients, anna: Handle, begin: Any, clock: FakeClock, tenant: TenantId
):
    async def refused(by: httpx.AsyncClient, **changes: Any) -> tuple[int, str]:
        return kind(await by.post("/v1/vault/tokens", json=TOKEN | changes))

    assert await refused(client, subject="nobody") == (404, "unknown_subject")
    assert await refused(client_of(scope="vault:reveal"), purpose="legal_claim") == (403, "officers_only")
    token = await issued(client, recipient="shop-backend")
    async with begin(tenant) as tx:
        await tx.keys.destroy_subject_key(anna, clock())
    assert await refused(client) == (410, "subject_erased")
    assert kind(await by_token(client, token)) == (410, "subject_erased")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"token": "vtk_" + "A" * 43, "subject": "anna", "purpose": "marketing"}, ["/subject", "/purpose"]),
        ({"subject": "anna", "purpose": "marketing"}, ["/fields"]),
        ({}, ["/subject", "/fields", "/purpose"]),
    ],
)
async def test_a_reveal_names_a_person_or_a_token(client: httpx.AsyncClient, body: dict[str, Any], pointers: list[str]):
    answer = await client.post("/v1/vault/reveal", json=body)

    assert kind(answer) == (409, "reveal_unclear")
    assert [each["pointer"] for each in answer.json()["errors"]] == pointers
