"""The timeline of one person: everything that happened, in one order, to whom it may be told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from service.audit.notes import parse_keys
from service.audit.verifier import Verifier
from tests.builders import a_record_body

Clients = Callable[..., httpx.AsyncClient]
CONTACT = {"purpose": "service", "channel": "email", "context": {"content": "service"}}


async def items(client: httpx.AsyncClient, subject: str = "anna", **params: Any) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/subjects/{subject}/timeline", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def send(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    answer = await client.request(method, path, json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()


async def decide(client: httpx.AsyncClient, subject: str = "anna") -> Any:
    asked = {"subject": subject, "channel": "email", "purpose": "marketing"}
    return await send(client, "POST", "/v1/decisions", asked)


@pytest.fixture
async def lived(client, clock, put) -> dict[str, Any]:
    """Anna comes into being, says no, is asked about, and has her address read; a minute apart."""
    await send(client, "PUT", "/v1/subjects/anna", {"residence": "DE", "age": 40})
    clock.advance(timedelta(minutes=1))
    record = a_record_body(subject="anna", action="opt_out", method="keyword_stop")
    await send(client, "POST", "/v1/records", {"records": [record]})
    clock.advance(timedelta(minutes=1))
    decision = await decide(client)
    clock.advance(timedelta(minutes=1))
    await send(client, "PUT", "/v1/vault/anna/email", {"value": "anna@mail.example"})
    clock.advance(timedelta(minutes=1))
    revealed = await send(client, "POST", "/v1/vault/reveal", {"subject": "anna", "fields": ["email"], **CONTACT})
    return {"record": record, "decision": decision, "reveal": revealed}


async def test_it_has_everything_in_one_order_with_what_it_was_in_words(client, lived):
    told = await items(client, order="oldest")

    assert [item["event"] for item in told] == [
        "subject.created", "subject.stored", "record.stored", "decision.made", "vault.value_stored", "decision.made",
        "vault.revealed",
    ]  # fmt: skip
    assert told == sorted(told, key=lambda item: (item["at"], item["entry"]))
    assert list(reversed(told)) == await items(client)
    record, decision, reveal = told[2], told[3], told[-1]
    assert record["id"] == lived["record"]["id"]
    assert record["what"] == "recorded opt_out for marketing by email"
    assert (record["action"], record["purpose"], record["channels"]) == ("opt_out", "marketing", ["email"])
    assert (record["acted_at"], record["actor"]) == (lived["record"]["ts"], "shop-backend")
    assert (decision["id"], decision["permit"]) == (lived["decision"]["id"], False)
    assert decision["rules"] == [reason["rule"] for reason in lived["decision"]["reasons"]]
    assert decision["what"] == f"denied marketing by email: {', '.join(decision['rules'])}"
    assert (reveal["fields"], reveal["purpose"]) == (["email"], "service")
    assert reveal["decision"] == told[5]["id"] == lived["reveal"]["decision"]["id"]
    assert "mail.example" not in str(told)


async def test_each_item_names_its_entry_in_the_log(client, lived):
    log = (await client.get("/v1/audit/entries", params={"subject": "anna"})).json()["entries"]
    told = await items(client, order="oldest")

    assert [(item["entry"], item["event"], item["id"]) for item in told] == [
        (entry["id"], entry["event"], entry["object_id"]) for entry in log
    ]


@pytest.mark.parametrize("order", ["oldest", "newest"])
async def test_pages_join_to_the_whole_also_where_much_happened_at_one_instant(client, order):
    bodies = [a_record_body(subject="anna") for _ in range(23)]
    await send(client, "POST", "/v1/records", {"records": bodies})
    whole = await items(client, order=order)
    joined, url, params = [], "/v1/subjects/anna/timeline", {"limit": 5, "order": order}
    while url:
        answer = await client.get(url, params=params)
        joined += answer.json()["items"]
        assert len(answer.json()["items"]) <= 5
        url, params = answer.links.get("next", {}).get("url"), None

    assert len(whole) == 24
    assert joined == whole


async def test_it_is_narrowed_down_by_kind_and_time(client, lived, clock):
    assert [item["event"] for item in await items(client, kind="decision")] == ["decision.made"] * 2
    assert [item["kind"] for item in await items(client, kind="subject")] == ["subject"] * 2
    assert [item["kind"] for item in await items(client, kind="vault")] == ["vault"]
    reveal_at = clock().isoformat()
    assert {item["event"] for item in await items(client, **{"from": reveal_at})} == {"decision.made", "vault.revealed"}
    earlier = await items(client, to=reveal_at)
    assert len(earlier) == 5
    assert (await client.get("/v1/subjects/anna/timeline", params={"kind": "gossip"})).status_code == 400
    assert (await client.get("/v1/subjects/anna/timeline", params={"from": "0"})).status_code == 400


async def test_after_a_merge_it_has_what_was_theirs_under_either_name(client, lived, clock):
    other = a_record_body(subject="anne", action="object", method="account_setting")
    await send(client, "POST", "/v1/records", {"records": [other]})
    theirs = await decide(client, "anne")
    clock.advance(timedelta(minutes=1))
    await send(client, "POST", "/v1/subjects/anna/merge", {"with": "anne", "same": True})

    whole = await items(client)
    assert whole == await items(client, "anne")
    assert whole[0]["event"] == "subject.merged"
    assert {other["id"], theirs["id"], lived["decision"]["id"]} <= {item["id"] for item in whole}
    pages, url = [], "/v1/subjects/anne/timeline?limit=3"
    while url:
        answer = await client.get(url)
        pages += answer.json()["items"]
        url = answer.links.get("next", {}).get("url")
    assert pages == whole


async def judged(client: httpx.AsyncClient, tenant: str, proofs: list[str]) -> Verifier:
    keys = (await client.get("/.well-known/volens/log-keys", params={"tenant": tenant})).json()["keys"]
    judge = Verifier(parse_keys("\n".join(key["verifier_key"] for key in keys)))
    for proof in proofs:
        judge.proof(proof, "proof")
    return judge


async def test_proofs_on_demand_are_those_of_its_entries(client, lived, sequence, tenant):
    assert all("proof" not in item for item in await items(client, proofs="true")), "nothing was signed yet"
    await sequence()
    later = await decide(client)
    told = await items(client, proofs="true")

    assert [item["id"] for item in told if "proof" not in item] == [later["id"]], "it waits for its place"
    proved = [item for item in told if "proof" in item]
    judge = await judged(client, tenant, [item["proof"] for item in proved])
    assert not judge.report.findings
    assert len(judge.report.proved) == len(proved) == 7
    for item, said in zip(proved, judge.report.proved, strict=True):
        assert item["id"] in said
    single = await client.get("/v1/audit/proofs/inclusion", params={"entry": proved[0]["entry"]})
    assert single.text == proved[0]["proof"]


async def test_people_see_who_asked_and_what_was_read_and_no_employee(
    client, client_of, lived, sequence, begin, tenant
):
    await sequence()
    await send(client, "POST", "/v1/vault/tokens",
               {"subject": "anna", "field": "email", "purpose": "service", "recipient": "mailer"})  # fmt: skip
    own = client_of(subject="anna")
    await send(own, "POST", "/v1/records", {"records": [a_record_body(subject="anna", action="opt_out")]})
    told = await items(own, order="oldest", proofs="true")

    assert [(item["event"], item.get("actor")) for item in told] == [
        ("subject.created", None),
        ("subject.stored", None),
        ("record.stored", "shop-backend"),
        ("decision.made", "shop-backend"),
        ("vault.value_stored", None),
        ("decision.made", "shop-backend"),
        ("vault.revealed", None),
        ("record.stored", "self"),
    ]
    proved = {item["event"] for item in told if "proof" in item}
    assert proved == {"record.stored", "decision.made"}, "other proofs would name an employee"
    assert "vault.token_issued" in {item["event"] for item in await items(client)}
    assert (await own.get("/v1/subjects/ben/timeline")).status_code == 404


async def test_somebody_unknown_has_none_and_other_tenants_see_nothing(client, client_of, add_tenant, lived):
    assert (await client.get("/v1/subjects/nobody/timeline")).status_code == 404
    namesake = client_of(tenant=add_tenant())
    assert (await namesake.get("/v1/subjects/anna/timeline")).status_code == 404
    await send(namesake, "PUT", "/v1/subjects/anna", {"residence": "FR"})
    assert len(await items(namesake)) == 2
    assert (await client_of(scope="records:read").get("/v1/subjects/anna/timeline")).status_code == 403


async def test_a_cursor_of_another_list_is_refused_or_leads_on_and_never_fails(client, lived):
    records = await client.get("/v1/subjects/anna/timeline", params={"cursor": "bm8"})

    assert records.status_code == 409
    assert str(uuid4()) not in records.text
