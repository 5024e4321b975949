"""Erasures over HTTP: the plan before, the steps meanwhile, and a certificate that an auditor's verifier believes."""

import base64
import json
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from service.audit.evidence import certificate as signed
from service.audit.findings import Kind
from service.audit.log_keys import LogKeys
from service.audit.notes import parse_keys
from service.audit.verifier import Verifier
from service.downstreams import TaskKind
from service.kernel import SubjectId, TenantId
from service.transaction import Begin

BERLIN = {"place": "DE-BE", "time_zone": "Europe/Berlin"}
Step = Callable[[], Awaitable[None]]
Client = httpx.AsyncClient
PERSONAL = (b"anna", b"mail.example", b"1986")


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


async def move(client: Client, request: str, name: str, **body: Any) -> httpx.Response:
    version = (await client.get(f"/v1/requests/{request}")).json()["version"]
    return await client.post(f"/v1/requests/{request}/{name}", json={"version": version} | body)


async def asked(client: Client, right: str = "erasure", subject: str = "anna", **said: Any) -> str:
    body = {"id": str(uuid4()), "subject": subject, "right": right} | BERLIN | said
    answer = await client.post("/v1/requests", json=body)
    assert answer.status_code == 201, answer.text
    return str(body["id"])


@pytest.fixture
async def anna(client: Client) -> None:
    facts = {"residence": "DE", "birth_date": "1986-05-14", "time_zone": "Europe/Berlin"}
    assert (await client.put("/v1/subjects/anna", json=facts)).status_code == 201
    value = {"value": "anna@mail.example"}
    assert (await client.put("/v1/vault/anna/email", json=value)).status_code == 201
    record = {"id": str(uuid4()), "subject": "anna", "ts": "2026-11-01T12:00:00Z", "channel": "email"}
    agreed = {"purpose": "marketing", "action": "opt_in", "method": "double_opt_in", "evidence": "x"}
    records = {"records": [record | agreed | {"notice_version": "v1"}]}
    assert (await client.post("/v1/records", json=records)).status_code == 201


@pytest.fixture
async def executing(client: Client, anna: None) -> str:
    request = await asked(client)
    assert (await move(client, request, "verify", reason="staff_decision")).status_code == 200
    assert (await move(client, request, "execute")).status_code == 200
    return request


@pytest.fixture
async def certificate(client: Client, executing: str, erase: Step, sequence: Step) -> dict[str, str]:
    await erase()
    await sequence()
    answer = await client.get(f"/v1/requests/{executing}/certificate")
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


def claims_of(certificate: dict[str, str]) -> dict[str, Any]:
    payload = certificate["certificate"].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


@pytest.mark.usefixtures("anna")
async def test_the_plan_says_what_goes_and_what_stays_and_is_always_the_same(client: Client):
    request = await asked(client)
    plan = (await client.get(f"/v1/requests/{request}/plan")).json()

    assert plan == (await client.get(f"/v1/requests/{request}/plan")).json()
    assert {each["what"]: each["count"] for each in plan["goes"]} == {
        "values": 1, "index_entries": 1, "tokens": 0, "records": 1, "facts": 1, "subject_ids": 1
    }  # fmt: skip
    assert {each["what"]: each["rule"] for each in plan["stays"]} == {
        "suppression": "EU-SUP-01",
        "requests": "ENG-AUD-01",
        "decisions": "ENG-AUD-01",
        "reveals": "ENG-AUD-01",
        "audit_entries": "ENG-AUD-01",
    }
    assert (plan["state"], plan["citation"], plan["steps"]) == ("clear", "GDPR Art. 17", [])
    assert plan["policy_revision"] == (await client.get("/v1/policy")).json()["revision"]


@pytest.mark.usefixtures("anna")
async def test_california_keeps_its_own_log_of_requests(client: Client):
    request = await asked(client, law="CCPA")
    stays = (await client.get(f"/v1/requests/{request}/plan")).json()["stays"]

    assert {each["what"]: each["rule"] for each in stays if each["what"] in {"suppression", "requests"}} == {
        "suppression": "USCA-DEL-01",
        "requests": "USCA-REC-01",
    }


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize("reason", ["contract", "litigation"])
async def test_a_hold_stops_an_erasure_and_the_plan_names_it_with_its_law(client: Client, reason: str):
    request = await asked(client)
    await move(client, request, "verify", reason="staff_decision")
    assert (await client.put("/v1/audit/holds/order-7", json={"reason": reason, "subject": "anna"})).status_code == 201

    refused = await move(client, request, "execute")
    assert code(refused) == (409, "erasure_held")
    assert refused.json()["grounds"] == [reason]
    plan = (await client.get(f"/v1/requests/{request}/plan")).json()
    [against] = plan["against"]
    assert (plan["state"], against["ground"], against["hold"]) == ("held", reason, "order-7")
    assert against["citation"].startswith("GDPR Art. 17(")
    assert (await client.delete("/v1/audit/holds/order-7")).status_code == 200
    assert (await move(client, request, "execute")).status_code == 200


@pytest.mark.usefixtures("anna")
async def test_data_whose_use_is_restricted_are_not_erased(client: Client):
    restriction, request = await asked(client, "restriction"), await asked(client)
    await move(client, restriction, "verify", reason="staff_decision")
    await move(client, request, "verify", reason="staff_decision")

    refused = await move(client, request, "execute")
    assert (code(refused), refused.json()["grounds"]) == ((409, "erasure_held"), ["restricted"])
    [against] = (await client.get(f"/v1/requests/{request}/plan")).json()["against"]
    assert (against["rule"], against["hold"]) == ("EU-RES-01", None)


async def test_nobody_says_that_somebody_was_erased_but_the_certificate(client: Client, executing: str, erase: Step):
    assert code(await move(client, executing, "complete")) == (409, "certificate_needed")
    assert code(await client.get(f"/v1/requests/{executing}/certificate")) == (409, "erasure_not_certified")
    await erase()
    assert code(await client.get(f"/v1/requests/{executing}/certificate")) == (409, "entry_waits")

    assert (await move(client, executing, "complete")).status_code == 200
    assert (await move(client, executing, "close")).status_code == 200


async def test_who_was_forgotten_can_not_be_refused_any_more(client: Client, executing: str, erase: Step):
    await erase()
    refused = await move(client, executing, "refuse", reason="legal_claims")

    assert code(refused) == (409, "move_not_allowed")


async def test_the_request_outlives_the_person(client: Client, executing: str, erase: Step):
    before = (await client.get(f"/v1/requests/{executing}")).json()
    await erase()
    after = (await client.get(f"/v1/requests/{executing}")).json()

    assert (before["subject"], after["subject"]) == ("anna", None)
    assert {**before, "subject": None} == after
    plan = (await client.get(f"/v1/requests/{executing}/plan")).json()
    assert plan["state"] == "certified"
    assert [step["step"] for step in plan["steps"]] == [
        "begun", "told", "forgotten", "replaced", "reduced", "settled", "verified", "certified"
    ]  # fmt: skip


async def test_contact_stops_with_the_request_and_begins_by_no_replay(client: Client, executing: str, erase: Step):
    question = {"subject": "anna", "channel": "email", "purpose": "marketing"}
    assert (await client.post("/v1/decisions", json=question)).json()["decision"] == "deny"
    await erase()
    answer = (await client.post("/v1/decisions", json=question)).json()

    assert answer["decision"] == "deny"
    assert "EU-ERA-03" in {reason["rule"] for reason in answer["reasons"]}
    facts = await client.put("/v1/subjects/anna", json={"residence": "DE"})
    value = await client.put("/v1/vault/anna/name", json={"value": "Anna"})
    other = await client.put("/v1/vault/ben/email", json={"value": "anna@mail.example"})
    assert [code(facts), code(value), code(other)] == [
        (410, "subject_erased"), (410, "subject_erased"), (409, "suppressed")
    ]  # fmt: skip


async def test_a_certificate_holds_and_has_nothing_of_the_person(certificate, executing: str, judge):
    [proved] = await judge(json.dumps(certificate).encode())

    assert f"stands for the erasure of request {executing}: 7 steps" in proved
    claims = claims_of(certificate)
    assert [step["step"] for step in claims["erasure"]["steps"]][-1] == "verified"
    assert claims["erasure"]["gone"] == {
        "facts": 1, "index_entries": 1, "records": 1, "subject_ids": 1, "suppressed": 1, "systems": 0, "tokens": 0,
        "values": 1,
    }  # fmt: skip
    assert {"suppression", "audit_entries"} <= {each["what"] for each in claims["erasure"]["stays"]}
    content = json.dumps(claims).encode() + certificate["proof"].encode()
    assert not [mark for mark in PERSONAL if mark in content]


async def test_a_certificate_that_was_changed_is_told_whoever_signed_it(certificate, client: Client, tenant, settings):
    keys = (await client.get("/.well-known/volens/log-keys", params={"tenant": tenant})).json()["keys"]

    def findings(text: str) -> list[Kind]:
        verifier = Verifier(parse_keys("".join(f"{key['verifier_key']}\n" for key in keys)))
        assert verifier.file(BytesIO(text.encode()), "certificate")
        return [finding.kind for finding in verifier.report.findings]

    header, _, signature = certificate["certificate"].split(".")
    told = claims_of(certificate)
    told["erasure"]["stays"] = []
    forged = base64.urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode().rstrip("=")
    assert findings(json.dumps(certificate)) == []
    assert findings(json.dumps(certificate | {"certificate": f"{header}.{forged}.{signature}"})) == [Kind.SIGNATURE]
    signer = LogKeys.open(Path(settings.receipt_keys_path), make=False).signer(told["iss"] + "/receipts")
    assert findings(json.dumps(certificate | {"certificate": signed(told, signer)})) == [Kind.RECEIPT]
    as_receipt = {"format": "volens-receipt/v1", "receipt": certificate["certificate"], "proof": certificate["proof"]}
    assert findings(json.dumps(as_receipt)) == [Kind.FORMAT]


@pytest.mark.usefixtures("anna")
async def test_plans_are_of_erasures_alone(client: Client):
    request = await asked(client, "access")
    for what in ("plan", "certificate"):
        assert code(await client.get(f"/v1/requests/{request}/{what}")) == (409, "not_an_erasure")
        assert code(await client.get(f"/v1/requests/{uuid4()}/{what}")) == (404, "request_unknown")


@pytest.mark.parametrize(
    ("answer", "said"),
    [("confirm", {"outcome": "confirmed"}), ("refuse", {"outcome": "refused", "ground": "legal_obligation"})],
)
async def test_the_case_waits_for_a_connected_system_and_certifies_what_it_said(
    client: Client, signed_for, anna: None, erase: Step, sequence: Step, answer: str, said: dict[str, str]
):
    ledger = {"kind": "pull", "client": "ledger-adapter", "takes": ["erase"]}
    assert (await client.put("/v1/downstreams/ledger", json=ledger)).status_code == 201
    request = await asked(client)
    assert (await client.get(f"/v1/requests/{request}/plan")).json()["systems"] == ["ledger"]
    await move(client, request, "verify", reason="staff_decision")
    await move(client, request, "execute")
    await erase()

    plan = (await client.get(f"/v1/requests/{request}/plan")).json()
    assert (plan["state"], plan["steps"][-1]["step"]) == ("begun", "reduced"), "all but its answer is done"
    assert [(each["system"], each["state"]) for each in plan["downstreams"]] == [("ledger", "open")]
    assert code(await move(client, request, "complete")) == (409, "certificate_needed")
    adapter = signed_for("ledger-adapter", scope="downstreams:tasks")
    [task] = (await adapter.get("/v1/downstreams/ledger/tasks")).json()["tasks"]
    assert (task["kind"], task["subjects"], task["identities"]) == ("erase", ["anna"], [])
    place = f"/v1/downstreams/ledger/tasks/{task['id']}/{answer}"
    assert (await adapter.post(place, json={"task": task["id"]} | said)).status_code == 200
    await erase()
    await sequence()

    certified = (await client.get(f"/v1/requests/{request}/certificate")).json()
    [told] = claims_of(certified)["erasure"]["downstreams"]
    assert (told["system"], told["state"], told.get("ground")) == ("ledger", said["outcome"], said.get("ground"))
    assert (await move(client, request, "complete")).status_code == 200


async def test_whom_another_task_is_about_is_not_certified_as_erased_until_it_is_answered(
    client: Client,
    signed_for: Callable[..., Client],
    executing: str,
    assign: Callable[..., Awaitable[UUID]],
    begin: Begin,
    tenant: TenantId,
    erase: Step,
    sequence: Step,
):
    """A task holds, sealed, whom it is about. A copy is asked for no longer: nobody could be given it."""
    crm = {"kind": "pull", "client": "crm-adapter", "takes": ["opt_out", "access"]}
    assert (await client.put("/v1/downstreams/crm", json=crm)).status_code == 201
    async with begin(tenant) as tx:
        anna = await tx.subjects.handle_of(SubjectId("anna"))
    for kind in (TaskKind.OPT_OUT, TaskKind.ACCESS):
        await assign(kind, anna)

    await erase()
    assert code(await client.get(f"/v1/requests/{executing}/certificate")) == (409, "erasure_not_certified")
    mine = signed_for("crm-adapter", scope="downstreams:tasks")
    [left] = (await mine.get("/v1/downstreams/crm/tasks")).json()["tasks"]
    assert left["kind"] == "opt_out"
    said = {"task": left["id"], "outcome": "confirmed"}
    assert (await mine.post(f"/v1/downstreams/crm/tasks/{left['id']}/confirm", json=said)).is_success
    await erase()
    await sequence()

    assert (await client.get(f"/v1/requests/{executing}/certificate")).json()["format"].startswith("volens-erasure")
