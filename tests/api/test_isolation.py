"""Tenants are strangers to each other, and so are people: every operation of the document is asked by all of them."""

import json
from collections.abc import Callable

import httpx
import pytest

from service.kernel import TenantId
from tests import bulked, connected, doors, parcelled, permitted
from tests.conftest import SCOPES
from tests.isolated import (
    DOCUMENT,
    GUARDED,
    NOBODYS,
    OPERATIONS,
    PUBLIC,
    Clients,
    a_trial,
    bodies,
    do,
    fill,
    reached,
)


@pytest.fixture(autouse=True)
async def alpha(client: httpx.AsyncClient, tenant: TenantId, seat: Callable[[TenantId], None]) -> httpx.AsyncClient:
    seat(tenant)
    return client


@pytest.fixture
async def beta(
    client_of: Clients, add_tenant: Callable[[], TenantId], seat: Callable[[TenantId], None]
) -> httpx.AsyncClient:
    other = add_tenant()
    seat(other)
    return client_of(tenant=other)


def test_every_operation_is_public_by_decision_or_has_one_scope():
    assert {operation.id for operation in OPERATIONS.values() if not operation.scopes} == PUBLIC
    assert all(len(operation.scopes) == 1 and operation.scopes[0] in SCOPES.split() for operation in GUARDED)


def test_every_operation_with_a_body_is_sent_one():
    with_body = {
        said["operationId"] for path in DOCUMENT["paths"].values() for said in path.values() if "requestBody" in said
    }

    assert bodies("alpha", "anna").keys() == with_body


async def test_what_one_tenant_stored_is_not_there_for_another(alpha: httpx.AsyncClient, beta: httpx.AsyncClient):
    decision, trial = await fill(alpha, "alpha"), await a_trial(alpha)
    seen = {
        operation.id: await do(beta, operation.id, decision=decision, trial=trial)
        for operation in GUARDED
        if operation.method == "GET"
    }

    assert {operation: answer.status_code for operation, answer in seen.items()} == {
        "readSubject": 404,
        "readRecords": 404,
        "readNotice": 404,
        "readDecision": 404,
        "readPurposes": 200,
        "readAuditEntries": 200,
        "readPolicy": 200,
        "readRule": 200,
        "readCoverage": 200,
        "readOverlay": 200,
        "readOverlayVersions": 200,
        "readTrial": 404,
        "readTrials": 200,
        "readTrialChanges": 404,
        "readApprovals": 200,
        "readFields": 200,
        "readField": 404,
        "readValues": 404,
        "readReceipt": 404,
        "readTimeline": 404,
        "readHolds": 200,
        "readCheckpoint": 404,
        "proveInclusion": 404,
        "proveConsistency": 404,
        "readTile": 404,
        "readTimestamp": 404,
        "readExport": 404,
        "readExports": 200,
        "readFilter": 404,
        "readFilters": 200,
        "readRequests": 200,
        "readRequest": 404,
        "readLetters": 404,
        "readLetter": 404,
    } | dict.fromkeys(
        ("readPlan", "readCertificate", "fetchPackage", "readPackage"), 404
    ) | bulked.TO_OTHERS | connected.TO_OTHERS | doors.TO_OTHERS | permitted.TO_OTHERS
    assert all(field["built_in"] for field in seen["readFields"].json()["fields"])
    assert (await do(beta, "lookUp")).json() == {"subjects": []}
    assert seen["readOverlay"].json()["version"] == 0
    assert seen["readOverlayVersions"].json() == {"versions": []}
    assert seen["readTrials"].json() == {"trials": []}
    assert seen["readRequests"].json() == {"requests": []}
    assert seen["readPurposes"].json() == {"purposes": []}
    assert seen["readAuditEntries"].json() == {"entries": []}
    assert seen["readExports"].json() == {"exports": []}
    assert seen["readFilters"].json() == {"filters": []}
    decided = (await do(beta, "decide")).json()
    assert (decided["decision"], decided["records"]) == ("deny", [])
    assert (await do(beta, "appendRecords")).status_code == 201, "the same id is another record"
    notice = bodies("alpha", "anna")["putNotice"]
    refused = await beta.put("/v1/notices/news/versions/v1", json=notice)
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (409, "unknown_purpose")


async def test_tenants_who_call_everything_alike_see_their_own(alpha: httpx.AsyncClient, beta: httpx.AsyncClient):
    decisions = {"alpha": await fill(alpha, "alpha"), "beta": await fill(beta, "beta")}
    for client, mine, theirs in ((alpha, "alpha", "beta"), (beta, "beta", "alpha")):
        seen = {}
        trial = await a_trial(client, mine)
        for operation in GUARDED:
            answer = await do(client, operation.id, mark=mine, decision=decisions[mine], trial=trial)
            assert reached(operation.id, answer), (operation.id, answer.text)
            assert theirs not in answer.text, operation.id
            assert decisions[theirs] not in answer.text, operation.id
            seen[operation.id] = answer.text
        for operation in ("readRecords", "readNotice", "readPurposes"):
            assert mine in seen[operation]
        assert json.loads(seen["readOverlay"])["overlay"] == bodies(mine, "anna")["putOverlay"]
        assert json.loads(seen["readSubject"])["facts"]["residence"] == {"alpha": "DE", "beta": "FR"}[mine]
        assert (await do(client, "readDecision", decision=decisions[theirs])).status_code == 404
        handles = {entry["subject"] for entry in json.loads(seen["readAuditEntries"])["entries"]} - {None}
        assert len(handles) == 1


async def test_a_withdrawal_in_one_tenant_refuses_nothing_in_another(alpha: httpx.AsyncClient, beta: httpx.AsyncClient):
    opt_in = {"action": "opt_in", "method": "double_opt_in", "notice_version": "v1", "evidence": "confirmed"}
    for client, changes in ((alpha, {}), (beta, opt_in)):
        (record,) = bodies("alpha", "anna")["appendRecords"]["records"]
        await do(client, "putSubject")
        await client.post("/v1/records", json={"records": [record | changes | {"brand": None}]})

    assert (await do(alpha, "decide")).json()["decision"] == "deny"
    assert (await do(beta, "decide")).json()["decision"] == "permit"


async def test_a_page_of_one_tenant_leads_nowhere_in_another(alpha: httpx.AsyncClient, beta: httpx.AsyncClient):
    for client, mark in ((alpha, "alpha"), (beta, "beta")):
        await fill(client, mark)
        await client.put("/v1/purposes/x-zoo", json={"maps_to": "marketing", "title": mark})
        record = bodies(mark, "anna")["appendRecords"]["records"][0] | {"id": NOBODYS, "ts": "2026-11-20T13:00:00Z"}
        await client.post("/v1/records", json={"records": [record]})
    for path in ("/v1/subjects/anna/records", "/v1/purposes", "/v1/audit/entries"):
        first = await alpha.get(path, params={"limit": 1})
        rest = await beta.get(first.links["next"]["url"].replace("limit=1", "limit=100"))

        assert rest.status_code == 200
        assert "alpha" not in rest.text
        assert not {entry["id"] for entry in first.json().get("entries", [])} & {
            entry["id"] for entry in rest.json().get("entries", [])
        }


async def test_no_operation_answers_a_stranger(client_of: Clients, client: httpx.AsyncClient):
    for operation in GUARDED:
        for headers in ({"authorization": ""}, {"authorization": "Bearer"}, {"authorization": "Bearer a.b.c"}):
            asked = client.build_request(operation.method, operation.path.format_map(_Anything()), headers=headers)
            answer = await client.send(asked)
            assert answer.status_code == 401, operation.id


async def test_each_operation_takes_its_own_scope_and_no_other(client_of: Clients, client: httpx.AsyncClient):
    decision, trial = await fill(client, "alpha"), await a_trial(client)
    for operation in GUARDED:
        (scope,) = operation.scopes
        others = " ".join(other for other in SCOPES.split() if other != scope)

        answer = await do(client_of(scope=scope), operation.id, decision=decision, trial=trial)
        assert reached(operation.id, answer), operation.id
        refused = await do(client_of(scope=others), operation.id, decision=decision)
        assert refused.status_code == 403, operation.id
        assert f'scope="{scope}' in refused.headers["www-authenticate"]


async def test_a_persons_own_token_reaches_that_person_and_nothing_else(client_of: Clients, client: httpx.AsyncClient):
    for subject in ("anna", "ben"):
        await do(client, "putSubject", subject=subject)
    assert (await do(client, "openRequest", subject="ben")).status_code == 201
    own = str((await do(client, "decide", subject="anna")).json()["id"])
    bens = str((await do(client, "decide", subject="ben")).json()["id"])
    before = (await client.get("/v1/audit/entries")).json()
    anna = client_of(subject="anna")
    for operation in GUARDED:
        about_ben = await do(anna, operation.id, subject="ben", decision=bens)
        assert about_ben.status_code == (404 if operation.own else 403), operation.id
    assert (await client.get("/v1/audit/entries")).json() == before, "nothing was stored"

    for operation in GUARDED:
        about_anna = await do(anna, operation.id, decision=own)
        let_in = reached(operation.id, about_anna) if operation.own else about_anna.status_code == 403
        assert let_in, (operation.id, about_anna.text)
    assert {operation.id for operation in GUARDED if operation.own} == {
        "appendRecords", "decide", "moveRequest", "openRequest", "readDecision", "readLetter", "readLetters",
        "readReceipt", "readRecords", "readRequest", "readSubject", "readTimeline", "readValues", "sendIdentityCode",
        "showIdentity", "writeLetter",
    } | parcelled.OWN  # fmt: skip


async def test_people_who_are_unknown_reach_nobody(client_of: Clients, client: httpx.AsyncClient):
    """Decisions about strangers have no handle: none of them may pass for another's."""
    about_zoe = str((await do(client, "decide", subject="zoe")).json()["id"])

    for subject in ("zoe", "yan"):
        stranger = client_of(subject=subject)
        assert (await do(stranger, "readDecision", decision=about_zoe)).status_code == 404
        assert (await do(stranger, "readSubject", subject=subject)).status_code == 404


async def test_a_batch_with_one_record_of_somebody_else_stores_none(client_of: Clients, client: httpx.AsyncClient):
    await do(client, "putSubject", subject="ben")
    (mine,) = bodies("alpha", "anna")["appendRecords"]["records"]
    answer = await client_of(subject="anna").post(
        "/v1/records", json={"records": [mine, mine | {"id": NOBODYS, "subject": "ben"}]}
    )

    assert answer.status_code == 404
    assert (await do(client, "readRecords", subject="anna")).status_code == 404
    assert (await do(client, "readRecords", subject="ben")).json() == {"records": []}


async def test_a_persons_own_token_of_another_tenant_reaches_nothing(
    client_of: Clients, client: httpx.AsyncClient, add_tenant: Callable[[], TenantId]
):
    decision = await fill(client, "alpha")
    namesake = client_of(subject="anna", tenant=add_tenant())

    for operation in ("readSubject", "readRecords", "readDecision"):
        assert (await do(namesake, operation, decision=decision)).status_code == 404


class _Anything(dict[str, str]):
    """A word for every parameter of a path."""

    def __missing__(self, name: str) -> str:
        return NOBODYS
