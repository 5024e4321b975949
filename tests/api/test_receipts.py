"""Receipts over HTTP, judged by the verifier that an auditor runs."""

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from service import auditing
from service.audit.evidence import receipt, receipt_text
from service.audit.findings import Report
from service.audit.log_keys import LogKeys
from service.audit.notes import parse_keys
from service.audit.verifier import Verifier
from tests.builders import DAY, a_record_body

Judge = Callable[[str], Awaitable[Report]]
NOTICE = {
    "texts": {"en": "Yes, send me offers."},
    "purposes": ["marketing"],
    "channels": ["email"],
    "controllers": ["ShopCo"],
    "material_change": False,
}


@pytest.fixture
async def keys(client, tenant) -> Callable[[], Awaitable[str]]:
    async def read() -> str:
        answer = await client.get("/.well-known/volens/log-keys", params={"tenant": tenant}, headers={})
        return "\n".join(key["verifier_key"] for key in answer.json()["keys"]) + "\n"

    return read


@pytest.fixture
def judged(keys) -> Judge:
    async def judge(text: str) -> Report:
        verifier = Verifier(parse_keys(await keys()))
        verifier.receipt(text, "receipt")
        return verifier.report

    return judge


async def store(client: httpx.AsyncClient, subject: str = "anna", **changes: Any) -> str:
    body = a_record_body(subject=subject, **changes)
    answer = await client.post("/v1/records", json={"records": [body]})
    assert answer.status_code == 201, answer.text
    return body["id"]


async def fetch(client: httpx.AsyncClient, record: str, **asked: str) -> httpx.Response:
    return await client.get(f"/v1/records/{record}/receipt", params=asked)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


def part(jws: str, number: int) -> dict[str, Any]:
    text = jws.split(".")[number]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def kinds(report: Report) -> list[str]:
    return [finding.kind.name for finding in report.findings]


async def test_a_receipt_is_what_the_offline_verifier_takes(client, sequence, judged, keys, tenant, tmp_path, capsys):
    record = await store(client)
    await sequence()
    answer = await fetch(client, record)
    (tmp_path / "receipt.json").write_bytes(answer.content)
    (tmp_path / "keys").write_text(await keys())

    assert (answer.status_code, set(answer.json())) == (200, {"format", "receipt", "proof"})
    report = await judged(answer.text)
    assert (report.findings, record in report.proved[0]) == ([], True)
    assert auditing.verify([tmp_path / "receipt.json"], tmp_path / "keys", [], whole=False) == 0
    assert f"stands for the receipt of {record}" in capsys.readouterr().out
    assert part(answer.json()["receipt"], 0).items() >= {"alg": "EdDSA", "typ": "consent-receipt+jwt"}.items()
    assert part(answer.json()["receipt"], 1)["iss"] == f"volens.example/{tenant}"


async def test_it_tells_the_record_and_the_hash_of_the_notice_but_not_whose_the_tenant_says_it_was(
    client, sequence, clock
):
    answer = await client.put("/v1/notices/news/versions/v3", json=NOTICE)
    clock.advance(timedelta(seconds=1))
    record = await store(client, evidence="Ada Lovelace ticked it")
    await sequence()
    claims = part((await fetch(client, record)).json()["receipt"], 1)
    told = claims["record"]

    assert claims["jti"] == told["dpv:hasIdentifier"] == record
    assert claims["sub"] == told["dpv:hasDataSubject"]["dpv:hasIdentifier"]
    assert told["@context"]["dpv"] == "https://w3id.org/dpv#"
    assert told["dct:conformsTo"] == "https://w3id.org/dpv/schema/dpv-27560#receipt"
    assert told["dpv:hasNotice"][0]["volens:sha256"] == answer.json()["sha256"]
    assert told["dct:language"] == "en"
    assert told["dpv:hasProcess"][0]["dpv:hasConsentStatus"][0]["@type"] == ["dpv:ConsentGiven"]
    assert "anna" not in json.dumps(claims)
    assert "Lovelace" not in json.dumps(claims)


async def test_the_same_record_has_the_same_content_whatever_came_after_it(client, sequence, clock, judged):
    record = await store(client)
    await sequence()
    first = await fetch(client, record)
    await client.put("/v1/notices/late/versions/v3", json=NOTICE)
    await store(client, action="opt_out")
    await sequence()
    clock.advance(DAY)
    second = await fetch(client, record)

    assert first.json()["proof"] != second.json()["proof"]
    before, after = (part(answer.json()["receipt"], 1) for answer in (first, second))
    assert after.pop("iat") - before.pop("iat") == 86400
    assert before == after
    assert kinds(await judged(second.text)) == []


async def test_forged_receipts_are_refused(client, sequence, judged, settings, tmp_path, tenant):
    record, other = await store(client), await store(client)
    await sequence()
    mine, others = [(await fetch(client, each)).json() for each in (record, other)]
    header, claims, signature = mine["receipt"].split(".")
    changed = part(mine["receipt"], 1) | {"sub": str(uuid4())}
    rewritten = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
    stranger = LogKeys.open(tmp_path / "other.keys", make=True).signer(f"volens.example/{tenant}/receipts")
    logs = LogKeys.open(settings.data.parent / settings.log_keys_path, make=False)

    async def of(jws: str, proof: str = mine["proof"]) -> list[str]:
        return kinds(await judged(receipt_text(jws, proof)))

    assert await of(mine["receipt"]) == []
    assert await of(mine["receipt"], others["proof"]) == ["RECEIPT"]
    assert await of(f"{header}.{rewritten}.{signature}") == ["SIGNATURE"]
    assert await of(f"{header}.{claims}.{others['receipt'].split('.')[2]}") == ["SIGNATURE"]
    assert await of(receipt(part(mine["receipt"], 1), stranger)) == ["UNKNOWN_KEY"]
    assert await of(receipt(changed, logs.signer(f"volens.example/{tenant}"))) == ["UNKNOWN_KEY"]
    assert await of(receipt(changed, logs.signer(f"volens.example/{tenant}/receipts"))) == ["UNKNOWN_KEY"]


async def test_people_read_their_own_and_nobody_elses(client, client_of, sequence):
    mine, theirs = await store(client, "anna"), await store(client, "bert")
    await sequence()
    anna = client_of(subject="anna")

    assert (await fetch(anna, mine)).status_code == 200
    assert code(await fetch(anna, theirs)) == code(await fetch(anna, str(uuid4()))) == (404, "unknown_record")
    assert code(await fetch(anna, theirs, form="kantara")) == (404, "unknown_record")
    assert code(await fetch(client_of(subject="nobody"), mine)) == (404, "unknown_record")


async def test_people_read_what_was_stored_under_an_id_that_was_merged_into_theirs(client, client_of, sequence):
    await client.put("/v1/subjects/one", json={"residence": "DE"})
    await client.put("/v1/subjects/two", json={"residence": "DE"})
    record = await store(client, "two")
    merged = await client.post("/v1/subjects/one/merge", json={"with": "two", "same": True})
    await sequence()

    assert merged.status_code == 200, merged.text
    for name in ("one", "two"):
        assert (await fetch(client_of(subject=name), record)).status_code == 200


async def test_others_need_the_scope_and_the_tenant(client, client_of, add_tenant, sequence):
    record = await store(client)
    await sequence()

    assert code(await fetch(client_of(scope="audit:read"), record)) == (403, "insufficient_scope")
    assert (await fetch(client_of(scope="records:read"), record)).status_code == 200
    assert code(await fetch(client_of(tenant=add_tenant()), record)) == (404, "unknown_record")


async def test_what_waits_is_409_and_what_is_no_id_404(client, client_of):
    record = await store(client)

    assert code(await fetch(client, record)) == (409, "entry_waits")
    assert code(await fetch(client_of(subject="bert"), record)) == (404, "unknown_record")
    assert code(await fetch(client, str(uuid4()))) == (404, "unknown_record")
    assert (await fetch(client, "anna")).status_code == 404
    assert (await fetch(client, record, form="pdf")).status_code == 400


async def test_the_form_of_kantara_has_its_mandatory_fields(client, clock):
    await client.put("/v1/notices/kantara/versions/k1", json=NOTICE)
    clock.advance(timedelta(seconds=1))
    record = await store(
        client, notice_version="k1", data_categories=["health", "purchases"], named_recipients=["MailCo"], explicit=True
    )
    told = (await fetch(client, record, form="kantara")).json()
    [controller], [service] = told["piiControllers"], told["services"]

    assert told["version"] == "KI-CR-v1.1.0"
    assert (
        told
        | {
            "jurisdiction": "not stated",
            "consentTimestamp": 1795176000,
            "collectionMethod": "web_form",
            "consentReceiptID": record,
            "language": "en",
            "policyUrl": "/v1/notices/kantara/versions/k1",
            "sensitive": True,
        }
        == told
    )
    assert told["piiPrincipalId"] != "anna"
    assert told["spiCat"] == ["health"]
    assert controller["piiController"] == "ShopCo"
    assert controller.keys() == {"piiController", "contact", "address", "email", "phone"}
    assert service["purposes"] == [
        {
            "purpose": "marketing",
            "purposeCategory": ["dpv:DirectMarketing"],
            "consentType": "EXPLICIT",
            "piiCategory": ["health", "purchases"],
            "termination": "not stated",
            "thirdPartyDisclosure": True,
            "thirdPartyName": "MailCo",
        }
    ]


@pytest.mark.parametrize("action", ["opt_out", "purchase"])
async def test_a_refusal_does_not_pass_for_a_consent_in_the_form_of_kantara(client, action):
    record = await store(client, action=action)

    assert code(await fetch(client, record, form="kantara")) == (409, "not_a_consent")
