"""Reading in plain over HTTP: decided first, minimal, and never without a trace."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
from psycopg.rows import dict_row

from service.kernel import Handle, TenantId
from service.reveals.domain import Revealed, canonical, commitment
from tests.api.test_decisions import FACTS, OPT_IN, has, knows_anna, rules
from tests.conftest import SCOPES, Database, FakeClock
from tests.vaulted import Put

EMAIL = "anna@mail.example"
PHONE = "+4989123456"
OUT = {"action": "opt_out", "method": "unsubscribe_link"}
BOUGHT = {"action": "purchase", "method": "checkout", "channel": "any", "purpose": "any", "ts": "2026-11-01T09:00:00Z"}
WISH = {"subject": "anna", "fields": ["email"], "purpose": "marketing", "channel": "email"}


@pytest.fixture
async def anna(client: httpx.AsyncClient, put: Put) -> Handle:
    """Anna agreed to e-mail, and the vault knows her."""
    await knows_anna(client, OPT_IN)
    return await put("anna", {"email": EMAIL, "email#work": "a@work.example", "birth_date": "1986-02-03"})


async def withdraws(client: httpx.AsyncClient, clock: FakeClock) -> None:
    await has(client, "anna", OPT_IN | OUT | {"ts": clock.now.isoformat()})


async def reveal(client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    body = {name: value for name, value in {**WISH, **changes}.items() if value is not ...}
    return await client.post("/v1/vault/reveal", json=body)


def kind(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


def rows(database: Database, tenant: TenantId) -> list[dict[str, Any]]:
    with psycopg.connect(database.urls.owner, row_factory=dict_row) as connection:
        return connection.execute("SELECT * FROM reveal WHERE tenant = %s ORDER BY id", (tenant,)).fetchall()


async def entries(client: httpx.AsyncClient, event: str) -> list[dict[str, Any]]:
    return (await client.get("/v1/audit/entries", params={"event": event})).json()["entries"]


async def test_a_permitted_reveal_gives_the_values_and_the_decision_behind_it(client: httpx.AsyncClient, anna: Handle):
    answer = await reveal(client, fields=["email", "email#work", "phone"])

    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert set(told) == {"id", "values", "masked", "missing", "decision", "expires_at"}
    assert told["values"] == {"email": EMAIL, "email#work": "a@work.example"}
    assert (told["masked"], told["missing"]) == ({}, ["phone"])
    assert (told["decision"]["decision"], told["decision"]["basis"]) == ("permit", "consent")
    assert told["expires_at"] == "2026-11-21T10:00:00Z", "an hour at most"
    assert answer.headers["cache-control"] == "no-store"
    logged = (await client.get(f"/v1/decisions/{told['decision']['id']}")).json()
    assert told["decision"].items() <= logged.items()


async def test_a_withdrawal_is_seen_by_the_very_next_reveal(client: httpx.AsyncClient, clock: FakeClock, anna: Handle):
    assert (await reveal(client)).status_code == 200
    await withdraws(client, clock)
    answer = await reveal(client)

    assert kind(answer) == (403, "reveal_denied")
    decision = answer.json()["decision"]
    assert decision["decision"] == "deny"
    assert "ENG-OPT-01" in rules(decision)
    assert EMAIL not in answer.text
    logged = (await client.get(f"/v1/decisions/{decision['id']}")).json()
    assert decision.items() <= logged.items()


async def test_a_denial_opens_nothing_and_leaves_no_reveal(
    client: httpx.AsyncClient, clock: FakeClock, anna: Handle, database: Database, tenant: TenantId
):
    await withdraws(client, clock)
    await reveal(client)

    assert rows(database, tenant) == []
    assert await entries(client, "vault.revealed") == []
    assert len(await entries(client, "decision.made")) == 1


async def test_somebody_nobody_told_us_about_is_a_denial_and_stays_unknown(client: httpx.AsyncClient):
    answer = await reveal(client, subject="nobody")

    assert kind(answer) == (403, "reveal_denied")
    assert "ENG-DENY-01" in rules(answer.json()["decision"])
    assert (await client.get("/v1/subjects/nobody")).status_code == 404


async def test_a_field_that_does_not_allow_the_purpose_comes_masked(client: httpx.AsyncClient, anna: Handle):
    told = (await reveal(client, fields=["birth_date", "email"])).json()

    assert told["values"] == {"email": EMAIL}
    assert told["masked"] == {"birth_date": "1986-••-••"}


async def test_a_permit_for_one_channel_opens_no_address_of_another(
    client: httpx.AsyncClient, anna: Handle, put: Put, database: Database, tenant: TenantId
):
    own = {"type": "phone", "sensitivity": "contact", "purposes": ["marketing"], "masking": "last_two"}
    await client.put("/v1/vault/fields/hotline", json=own)
    address = {"lines": ["Way 1"], "locality": "Ulm", "region": None, "postcode": "89073", "country": "DE"}
    others = {
        "phone": PHONE,
        "phone#work": PHONE,
        "hotline": PHONE,
        "postal_address": address,
        "device_id": "device-77",
    }
    await put("anna", {**others, "name": "Anna Ash"})
    await has(client, "anna", {"channel": "phone", "purpose": "marketing", "ts": OPT_IN["ts"]} | OUT)
    assert kind(await reveal(client, fields=["phone"], channel="phone")) == (403, "reveal_denied")
    told = (await reveal(client, fields=[*others, "email", "email#work", "name"])).json()

    assert told["values"] == {"email": EMAIL, "email#work": "a@work.example", "name": "Anna Ash"}
    masked = {"phone", "phone#work", "hotline"}
    assert told["masked"] == dict.fromkeys(masked, "•••56") | {"postal_address": "DE 89•••", "device_id": "•••77"}
    [row] = rows(database, tenant)
    assert (set(row["fields"]), set(row["masked"])) == ({"email", "email#work", "name"}, set(others))


async def test_the_channel_counts_for_a_purpose_of_the_tenants_own_as_well(
    client: httpx.AsyncClient, anna: Handle, put: Put
):
    await put("anna", {"phone": PHONE})
    await client.put("/v1/purposes/x-letter", json={"maps_to": "marketing", "title": "Letter"})
    await has(client, "anna", OPT_IN | {"purpose": "x-letter"})
    told = (await reveal(client, purpose="x-letter", fields=["phone", "email"])).json()

    assert (told["values"], told["masked"]) == ({"email": EMAIL}, {"phone": "•••56"})


async def test_a_purpose_of_the_tenants_own_reads_what_its_meaning_reads(client: httpx.AsyncClient, anna: Handle):
    await client.put("/v1/purposes/x-letter", json={"maps_to": "marketing", "title": "Letter"})
    await has(client, "anna", OPT_IN | {"purpose": "x-letter"})
    told = (await reveal(client, purpose="x-letter")).json()

    assert told["values"] == {"email": EMAIL}
    assert kind(await reveal(client, purpose="x-unheard")) == (409, "unknown_purpose")


async def test_every_reveal_is_a_row_and_an_audit_entry_that_commits_to_it(
    client: httpx.AsyncClient, anna: Handle, database: Database, tenant: TenantId
):
    told = (await reveal(client, fields=["email", "birth_date", "phone"])).json()

    [row] = rows(database, tenant)
    assert (str(row["id"]), row["handle"], row["actor"]) == (told["id"], anna, "shop-backend")
    assert (row["fields"], row["masked"]) == ({"email": 1}, {"birth_date": 1})
    assert (row["purpose"], row["channel"], str(row["decision"])) == ("marketing", "email", told["decision"]["id"])
    [entry] = await entries(client, "vault.revealed")
    assert (entry["object_id"], entry["subject"], entry["actor"]) == (told["id"], str(anna), "shop-backend")
    stored = msgspec.convert({name: value for name, value in row.items() if name != "tenant"}, Revealed)
    assert entry["commitment"] == commitment(stored, tenant).hex()
    assert EMAIL not in canonical(stored, tenant).decode()


async def test_nothing_is_told_when_the_trace_can_not_be_kept(
    client: httpx.AsyncClient, anna: Handle, database: Database
):
    with psycopg.connect(database.urls.admin, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON reveal FROM volens_app")
        try:
            answer = await reveal(client)
        finally:
            connection.execute("GRANT INSERT ON reveal TO volens_app")

    assert answer.status_code == 500
    assert EMAIL not in answer.text
    assert await entries(client, "vault.revealed") == []


async def test_a_contact_needs_a_channel(client: httpx.AsyncClient, anna: Handle):
    answer = await reveal(client, channel=...)

    assert kind(answer) == (409, "channel_needed")
    assert answer.json()["errors"][0]["pointer"] == "/channel"


async def test_whose_key_was_destroyed_is_gone_whatever_the_decision(
    client: httpx.AsyncClient, clock: FakeClock, anna: Handle, begin: Any, tenant: TenantId
):
    assert (await reveal(client)).status_code == 200
    async with begin(tenant) as tx:
        await tx.keys.destroy_subject_key(anna, clock())

    assert kind(await reveal(client)) == (410, "subject_erased")
    await withdraws(client, clock)
    assert kind(await reveal(client)) == (410, "subject_erased")


async def test_who_lacks_the_scope_reads_nothing(client_of: Callable[..., httpx.AsyncClient], anna: Handle):
    others = " ".join(scope for scope in SCOPES.split() if scope != "vault:reveal")
    for client in (client_of(scope=others), client_of(subject="anna")):
        assert kind(await reveal(client)) == (403, "insufficient_scope")


async def test_another_tenant_finds_a_stranger(
    client_of: Callable[..., httpx.AsyncClient], add_tenant: Callable[[], TenantId], put: Put, anna: Handle
):
    other = add_tenant()
    theirs = client_of(tenant=other)
    assert kind(await reveal(theirs)) == (403, "reveal_denied")

    await knows_anna(theirs, OPT_IN)
    answer = await reveal(theirs)
    assert answer.status_code == 200, answer.text
    assert answer.json()["missing"] == ["email"]
    await put("anna", {"email": "other@mail.example"}, tenant=other)
    assert (await reveal(theirs)).json()["values"] == {"email": "other@mail.example"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"fields": []}, id="no fields"),
        pytest.param({"fields": ["email"] * 21}, id="too many fields"),
        pytest.param({"fields": [EMAIL]}, id="an address for a field"),
        pytest.param({"purpose": "whatever"}, id="a purpose nobody knows"),
        pytest.param({"subject": EMAIL}, id="an address for a subject"),
        pytest.param({"value": EMAIL}, id="a member nobody knows"),
        pytest.param({"token": "vtk_short"}, id="no token of ours"),
    ],
)
async def test_a_malformed_wish_is_refused_without_an_echo(client: httpx.AsyncClient, changes: dict[str, Any]):
    answer = await reveal(client, **changes)

    assert kind(answer) == (400, "invalid_request")
    assert EMAIL not in answer.text


async def test_those_who_ask_at_the_same_moment_get_their_own_and_no_more(
    client: httpx.AsyncClient, anna: Handle, put: Put
):
    await client.put("/v1/subjects/ben", json=FACTS)
    await has(client, "ben", OPT_IN)
    await put("ben", {"email": "ben@mail.example", "name": "Ben Ash"})
    wishes: list[dict[str, Any]] = [
        {}, {"fields": ["email#work"]}, {"subject": "ben"}, {"subject": "ben", "fields": ["name"]}, {"subject": "zoe"},
    ]  # fmt: skip
    answers = await asyncio.gather(*(reveal(client, **wishes[turn % 5]) for turn in range(40)))

    expected = [{"email": EMAIL}, {"email#work": "a@work.example"}, {"email": "ben@mail.example"}, {"name": "Ben Ash"}]
    for turn, answer in enumerate(answers):
        if turn % 5 == 4:
            assert kind(answer) == (403, "reveal_denied")
        else:
            assert (answer.json()["values"], answer.json()["missing"]) == (expected[turn % 5], [])
    assert len({answer.json()["id"] for answer in answers if answer.is_success}) == 32
    assert len(await entries(client, "vault.revealed")) == 32


async def test_the_ordinary_handler_answers_as_the_table_in_front_does(client: httpx.AsyncClient, anna: Handle):
    async def both(wish: dict[str, Any]) -> list[tuple[int, Any]]:
        answers = [await client.post(path, json=wish) for path in ("/v1/vault/reveal", "/v1/vault/reveal/")]
        return [(answer.status_code, steady(answer.json())) for answer in answers]

    for wish in (WISH, WISH | {"fields": ["phone"]}, WISH | {"channel": "fax"}, {"token": "vtk_" + "A" * 43}, {}):
        by_table, ordinary = await both(wish)
        assert by_table == ordinary


def steady(told: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without what is new each time."""
    said = {name: value for name, value in told.items() if name not in {"id", "instance"}}
    decision = said.get("decision")
    return said | ({"decision": {**decision, "id": None}} if isinstance(decision, dict) else {})
