"""The package of a request over HTTP: made by the worker, fetched once by whose it is, gone after its time."""

import io
import json
import zipfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from service.kernel import Handle, TenantId
from service.vault import DestroyKey
from tests.api.test_requests import asked, move, moved, problem
from tests.exported import told
from tests.integration.test_access_package import SCHEMA
from tests.parcelled import KEEP, sealed
from tests.vaulted import Put

Client = httpx.AsyncClient
Work = Callable[[], Awaitable[None]]
EMAIL = "anna@mail.example"


@pytest.fixture
def work(pack: Work) -> Work:
    return pack


@pytest.fixture
def own(client_of: Callable[..., Client]) -> Client:
    """Anna, with her own token."""
    return client_of(subject="anna")


@pytest.fixture
async def anna(client: Client, put: Put) -> Handle:
    await client.put("/v1/subjects/anna", json={"residence": "DE", "age": 40})
    return await put("anna", {"email": EMAIL, "name": "Anna Ash"})


async def executed(client: Client, right: str = "access", **changes: Any) -> dict[str, Any]:
    """Return a request of Anna's that is carried out."""
    request = await asked(client, right, **changes)
    if request["state"] == "received":
        request = await moved(client, request, "verify", reason="identity_service")
    return await moved(client, request, "execute")


def place(request: dict[str, Any]) -> str:
    return f"/v1/requests/{request['id']}/package"


async def state(client: Client, request: dict[str, Any]) -> str:
    return str((await client.get(place(request))).json()["state"])


async def fetch(client: Client, request: dict[str, Any], **parameters: Any) -> httpx.Response:
    return await client.get(f"{place(request)}/file", params=parameters)


def read(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(zipfile.ZipFile(io.BytesIO(answer.content)).read("package.json"))
    Draft202012Validator(SCHEMA).validate(found)
    return found


@pytest.mark.usefixtures("anna")
async def test_what_is_carried_out_is_packed_and_fetched_once_by_whose_it_is(client, own, work, settings):
    request = await executed(client)
    assert await state(own, request) == "waiting"
    await work()
    ready = (await own.get(place(request))).json()
    [file] = sealed(settings)

    assert (ready["state"], ready["language"], ready["request"]) == ("ready", "de", request["id"])
    assert EMAIL.encode() not in file.read_bytes()
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    first = await fetch(own, request)
    again = await fetch(own, request)

    assert {value["value"] for value in read(first)["values"]} == {EMAIL, "Anna Ash"}
    assert (first.headers["content-type"], first.headers["cache-control"]) == ("application/zip", "no-store")
    assert int(first.headers["content-length"]) == len(first.content) == ready["bytes"]
    assert first.headers["content-disposition"] == f'attachment; filename="{request["id"]}.zip"'
    assert problem(again) == (410, "package_gone")
    assert again.json()["state"] == "fetched"
    assert sealed(settings) == []


@pytest.mark.usefixtures("anna")
async def test_the_request_is_answered_once_its_person_has_the_package(client, own, work):
    request = await executed(client)
    await work()
    assert (await own.get(f"/v1/requests/{request['id']}")).json()["state"] == "executing"
    await fetch(own, request)
    await work()

    answered = (await own.get(f"/v1/requests/{request['id']}")).json()
    assert (answered["state"], answered["history"][-1]["actor"]) == ("answered", "worker")


async def test_each_step_is_an_entry_about_the_person(client, own, work, anna):
    request = await executed(client)
    await work()
    await fetch(own, request)

    for event, actor in (("made", "worker"), ("downloaded", "self"), ("deleted", "self")):
        [entry] = await told(client, f"package.{event}")
        assert (entry["object_id"], entry["subject"], entry["actor"]) == (request["id"], str(anna), actor)
    assert {entry["actor"] for entry in await told(client, "vault.revealed")} == {"worker"}


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize(
    ("right", "residence"), [("access", "GB"), ("portability", "DE"), ("access", "US-CA"), ("access", "US-VA")]
)
async def test_these_rights_are_answered_with_a_package(client, own, work, right, residence):
    await client.put("/v1/subjects/anna", json={"residence": residence, "age": 40})
    request = await executed(client, right)
    await work()

    assert read(await fetch(own, request))["subject"] == "anna"


async def test_who_asks_for_kinds_of_data_is_told_kinds_and_nothing_that_they_say(client, own, work, anna):
    """Cal. Civ. Code 1798.110: less has to be shown of who asks than for the data themselves."""
    await client.put("/v1/subjects/anna", json={"residence": "US-CA", "age": 40})
    await client.post("/v1/decisions", json={"subject": "anna", "channel": "email", "purpose": "marketing"})
    request = await asked(client, "know_categories")
    verified = await moved(client, request, "verify", reason="staff_decision")
    request = await moved(client, verified, "execute")
    await work()
    answer = await fetch(own, request)
    found, pack = read(answer), zipfile.ZipFile(io.BytesIO(answer.content))

    assert (found["package"], found["categories"]) == ("categories", ["email", "name", "facts", "decisions"])
    assert [found[name] for name in ("values", "facts", "state", "records", "decisions", "reveals")] == [[]] * 6
    assert {each["who"] for each in found["recipients"]} == {"shop-backend"}
    everything = b"".join(pack.read(name) for name in pack.namelist())
    assert EMAIL.encode() not in everything
    assert b"Anna Ash" not in everything
    assert b'id="categories"' in pack.read("index.html")
    assert b'id="values"' not in pack.read("index.html")
    assert sorted(name for name in pack.namelist() if name.endswith(".csv")) == [
        "recipients.csv", "retention.csv", "rules.csv", "sources.csv",
    ]  # fmt: skip
    assert await told(client, "vault.revealed") == []


@pytest.mark.usefixtures("anna")
async def test_other_rights_and_other_states_have_none(client, own, work):
    erasure = await executed(client, "erasure")
    early = await asked(client, "access")
    await work()

    assert problem(await client.post(place(erasure), json={})) == (404, "package_unknown")
    assert problem(await client.post(place(early), json={})) == (409, "package_not_due")
    for request in (erasure, early):
        assert problem(await own.get(place(request))) == (404, "package_unknown")
        assert problem(await fetch(own, request)) == (404, "package_unknown")
        assert problem(await client.delete(place(request))) == (404, "package_unknown")


@pytest.mark.usefixtures("anna")
async def test_nobody_fetches_what_is_not_theirs(client, client_of, add_tenant, work):
    request = await executed(client)
    await work()

    ben, stranger = client_of(subject="ben"), client_of(tenant=add_tenant())
    for other in (ben, stranger):
        assert problem(await other.get(place(request))) == (404, "request_unknown")
    assert problem(await fetch(ben, request)) == (404, "request_unknown")
    assert problem(await fetch(stranger, request)) == (404, "request_unknown")
    for scope in ("requests:manage", "vault:reveal", "audit:read"):
        assert problem(await fetch(client_of(scope=scope), request)) == (403, "insufficient_scope")
    assert problem(await client_of(subject="anna").delete(place(request))) == (403, "insufficient_scope")
    assert await state(client, request) == "ready"


# --- staff ------------------------------------------------------------------------------------


async def approved(client: Client, second: Client, request: str, **changes: Any) -> str:
    wish = {"purpose": "dsr_response", "fields": ["email", "name"], "subjects": 1, "reference": request} | changes
    approval = (await client.post("/v1/vault/approvals", json=wish)).json()["id"]
    assert (await second.post(f"/v1/vault/approvals/{approval}/approve")).status_code == 200
    return str(approval)


@pytest.mark.usefixtures("anna")
async def test_staff_fetch_it_with_what_a_second_officer_agreed_to_and_no_more(client, signed_for, work):
    request, second = await executed(client), signed_for("officer-2")
    await work()

    assert problem(await fetch(client, request)) == (409, "approval_needed")
    assert problem(await fetch(client, request, approval=request["id"])) == (404, "approval_unknown")
    for changes in ({"purpose": "legal_claim"}, {"fields": ["email"]}, {"reference": "another"}):
        other = await approved(client, second, request["id"], **changes)
        assert problem(await fetch(client, request, approval=other)) == (409, "approval_unusable"), changes
    approval = await approved(client, second, request["id"])
    assert problem(await fetch(second, request, approval=approval)) == (409, "approval_unusable")
    assert read(await fetch(client, request, approval=approval))["subject"] == "anna"
    await work()
    assert (await client.get(f"/v1/requests/{request['id']}")).json()["state"] == "executing"
    assert [entry["actor"] for entry in await told(client, "package.downloaded")] == ["shop-backend"]


@pytest.mark.usefixtures("anna")
async def test_a_second_package_is_for_staff_to_have_made(client, own, work):
    request = await executed(client)
    await work()
    await fetch(own, request)

    assert problem(await own.post(place(request), json={})) == (409, "for_staff")
    anew = await client.post(place(request), json={})
    assert (anew.status_code, anew.json()["state"]) == (202, "waiting")
    await work()
    assert read(await fetch(own, request))["subject"] == "anna"
    assert [entry["object_id"] for entry in await told(client, "package.requested")] == [request["id"]]


async def test_staff_have_packages_made_of_so_many_people_an_hour(client, put, work, settings):
    most = settings.officer_people_per_hour
    requests = []
    for number in range(most + 1):
        await put(f"p-{number}", {"email": EMAIL})
        requests.append(await executed(client, subject=f"p-{number}"))
    answers = [await client.post(place(request), json={}) for request in requests]

    assert [answer.status_code for answer in answers] == [202] * most + [429]
    assert problem(answers[-1]) == (429, "too_many_people")
    assert int(answers[-1].headers["retry-after"]) > 0
    alone = {"subject": "p-9999", "fields": ["email"], "purpose": "dsr_response"}
    await put("p-9999", {"email": EMAIL})
    assert problem(await client.post("/v1/vault/reveal", json=alone)) == (429, "too_many_people")


# --- language ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("anna")
async def test_it_is_made_anew_in_the_language_that_is_asked_for(client, own, work, settings):
    request = await executed(client)
    await work()
    [before] = sealed(settings)

    same = await own.post(place(request), json={"language": "de"})
    arabic = await own.post(place(request), json={"language": "ar"})
    assert (same.json()["state"], arabic.json()["state"], arabic.json()["language"]) == ("ready", "waiting", "ar")
    assert not before.exists()
    assert problem(await fetch(own, request)) == (409, "package_unfinished")
    await work()
    page = zipfile.ZipFile(io.BytesIO((await fetch(own, request)).content)).read("index.html").decode()

    assert '<html lang="ar" dir="rtl">' in page
    assert problem(await own.post(place(request), json={"language": "tlh"})) == (400, "invalid_request")


@pytest.mark.parametrize(("residence", "language"), [("EG", "ar"), ("CA-QC", "fr"), ("CA-ON", "en"), (None, "en")])
async def test_the_language_is_that_of_where_they_live(client, put, work, own, residence, language):
    await put("anna", {"email": EMAIL})
    if residence is not None:
        await client.put("/v1/subjects/anna", json={"residence": residence, "age": 40})
    request = await executed(client, law="GDPR")
    await work()

    assert (await own.get(place(request))).json()["language"] == language


# --- its end ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("anna")
async def test_it_is_gone_after_its_time(client, own, work, clock, settings):
    request = await executed(client)
    await work()
    clock.advance(KEEP)

    assert await state(own, request) == "expired"
    assert problem(await fetch(own, request)) == (410, "package_gone")
    await work()
    assert sealed(settings) == []
    assert [entry["actor"] for entry in await told(client, "package.deleted")] == ["worker"]
    anew = await own.post(place(request), json={})
    assert (anew.status_code, anew.json()["state"]) == (202, "waiting")


@pytest.mark.usefixtures("anna")
async def test_it_is_gone_when_its_request_is_refused_or_staff_delete_it(client, own, work, settings):
    refused, dropped = await executed(client), await executed(client, "portability")
    await work()
    await moved(client, refused, "refuse", reason="excessive")

    assert problem(await fetch(own, refused)) == (410, "package_gone")
    assert (await client.delete(place(dropped))).status_code == 204
    assert (await client.delete(place(dropped))).status_code == 204
    assert problem(await fetch(own, dropped)) == (410, "package_gone")
    await work()
    assert sealed(settings) == []
    assert len(await told(client, "package.deleted")) == 2


async def test_it_is_unreadable_at_once_when_the_person_is_forgotten(
    client, own, work, anna, begin, clock, caller, settings
):
    request = await executed(client)
    await work()
    await DestroyKey(begin, clock)(anna, by=caller)

    assert problem(await fetch(own, request)) == (410, "subject_erased")
    await work()
    assert sealed(settings) == []
    assert await state(client, request) == "deleted"


async def test_it_is_sealed_anew_when_the_person_turns_out_to_be_another(client, client_of, work, put, anna, settings):
    await put("anna-2", {"phone": "+4930123456"})
    request = await executed(client, subject="anna-2")
    await work()
    merged = await client.post("/v1/subjects/anna/merge", json={"with": "anna-2", "same": True})
    assert merged.status_code == 200, merged.text
    own = client_of(subject="anna")
    assert problem(await fetch(own, request)) == (410, "subject_erased")
    await work()

    assert {value["value"] for value in read(await fetch(own, request))["values"]} == {EMAIL, "Anna Ash", "+4930123456"}


# --- the same bytes ---------------------------------------------------------------------------


async def test_the_same_data_give_the_same_bytes_but_for_the_time(client, own, work, clock):
    """Without values: opening them is itself something that the next package tells of."""
    await client.put("/v1/subjects/anna", json={"residence": "DE", "age": 40})
    request = await executed(client)
    contents = []
    for later in (0, 0, 1):
        clock.advance(timedelta(hours=later))
        await work()
        contents.append((await fetch(own, request)).content)
        await client.post(place(request), json={})

    assert contents[0] == contents[1] != contents[2]
    names = zipfile.ZipFile(io.BytesIO(contents[0])).namelist()
    assert names == zipfile.ZipFile(io.BytesIO(contents[2])).namelist()


# --- what the controller states ---------------------------------------------------------------


@pytest.mark.usefixtures("anna")
async def test_what_the_controller_states_is_in_it_and_what_is_about_others_is_not(
    client, own, work, settings, tenant: TenantId, put
):
    await put("anna", {"free_text": "Husband: Max Moss"})
    folder = settings.data / "declared"
    folder.mkdir()
    stated = folder / f"{tenant}.json"
    stated.write_text(json.dumps({"contact": {"controller": "ShopCo"}, "hide_texts": ["Max Moss"]}))
    request = await executed(client)
    await work()
    shown = (await client.get(place(request))).json()
    assert (shown["state"], "must belong to" in shown["fault"]) == ("failed", True)
    assert (
        "fault" not in (await own.get(place(request))).json() or (await own.get(place(request))).json()["fault"] is None
    )

    stated.chmod(0o600)
    await own.post(place(request), json={})
    await work()
    found = read(await fetch(own, request))
    assert found["contact"]["controller"] == "ShopCo"
    assert "Max Moss" not in json.dumps(found)
    (folder / f"{tenant}.fr.json").write_text("{")
    (folder / f"{tenant}.fr.json").chmod(0o600)
    await client.post(place(request), json={"language": "fr"})
    await work()
    assert "can't be read" in (await client.get(place(request))).json()["fault"]


@pytest.mark.usefixtures("anna")
async def test_a_move_that_is_late_finds_the_request_answered(client, own, work):
    """Staff who complete a request themselves are not overtaken."""
    request = await executed(client)
    await work()
    await fetch(own, request)
    assert (await move(client, request, "complete")).status_code == 200
    await work()

    assert (await client.get(f"/v1/requests/{request['id']}")).json()["state"] == "answered"
