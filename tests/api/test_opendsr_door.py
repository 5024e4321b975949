"""OpenDSR 2.0 as intake: another system hands a request on, and is told how far it is."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate
from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid4, uuid7

from service.connecting import guard
from service.doors.telling import TellStatus
from service.downstreams.outgoing import outgoing
from service.kernel import TenantId
from service.porch import telling
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.settings import Settings
from service.transaction import Begin
from tests import doors
from tests.conftest import FakeClock
from tests.doors import DOMAIN
from tests.downstream import System, listening

CERTIFICATE = f"https://{DOMAIN}/opendsr.pem"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, clock: FakeClock, tenant: TenantId) -> Settings:
    networks = {"downstream_http": True, "downstream_networks": "127.0.0.0/8"}
    return structs.replace(settings, **doors.opened(tmp_path, clock, tenant), **networks)


@pytest.fixture
async def tell(settings: Settings, engine: AsyncEngine, begin: Begin, clock: FakeClock) -> AsyncIterator[TellStatus]:
    """Tells senders how far their requests are, as the worker does."""
    async with guarded_root_keys(settings, root_uses(begin)) as root, outgoing(guard(settings), limit=1.0) as send:
        yield telling(settings, begin, vault_keys(settings, root, engine, clock), send, clock, uuid7)


def asked(**changes: Any) -> dict[str, Any]:
    return {
        "regulation": "gdpr",
        "subject_request_id": str(uuid4()),
        "subject_request_type": "erasure",
        "submitted_time": "2026-11-20T10:00:00Z",
        "subject_identities": [
            {"identity_type": "email", "identity_value": "ada@mail.example", "identity_format": "raw"}
        ],
        "api_version": "2.0",
    } | changes


def by_id(value: str) -> list[dict[str, str]]:
    return [{"identity_type": "controller_customer_id", "identity_value": value, "identity_format": "raw"}]


def check(answer: httpx.Response, settings: Settings) -> None:
    """Verify an answer as a controller would: by the public certificate alone."""
    verified(answer.headers, answer.content, settings)


def verified(headers: Any, body: bytes, settings: Settings) -> None:
    shown = load_pem_x509_certificate(Path(str(settings.opendsr_certificate_path)).read_bytes())
    assert headers["x-opendsr-processor-domain"] == DOMAIN
    public = shown.public_key()
    assert not isinstance(public, bytes)
    signature = base64.b64decode(headers["x-opendsr-signature"], validate=True)
    public.verify(signature, body, PKCS1v15(), SHA256())  # type: ignore[union-attr, call-arg, arg-type]


async def known(client: httpx.AsyncClient, subject: str, email: str) -> None:
    await client.put(f"/v1/subjects/{subject}", json={"residence": "DE"})
    assert (await client.put(f"/v1/vault/{subject}/email", json={"value": email})).status_code in {200, 201}


async def cases(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/v1/requests")).json()["requests"]
    return found


@pytest.mark.usefixtures("seated")
async def test_a_receipt_repeats_the_body_and_verifies_with_the_public_certificate(
    client: httpx.AsyncClient, settings: Settings, tenant: TenantId
) -> None:
    body = json.dumps(asked()).encode()

    answer = await client.post("/v2/requests", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 201, answer.text
    check(answer, settings)
    receipt = answer.json()
    assert base64.b64decode(receipt["encoded_request"]) == body
    assert receipt["controller_id"] == tenant
    assert receipt["expected_completion_time"] > receipt["received_time"]
    with pytest.raises(InvalidSignature):
        verified(answer.headers, answer.content + b" ", settings)


@pytest.mark.usefixtures("seated")
async def test_a_case_is_about_whom_the_claims_fit_alone(client: httpx.AsyncClient) -> None:
    await known(client, "ada", "ada@mail.example")
    await client.post("/v2/requests", json=asked())

    (case,) = await cases(client)

    assert (case["subject"], case["right"], case["law"], case["via"]) == ("ada", "erasure", "GDPR", "system")
    assert case["state"] == "received"


@pytest.mark.usefixtures("seated")
async def test_a_controller_may_name_people_by_our_ids(client: httpx.AsyncClient) -> None:
    await known(client, "ada", "ada@mail.example")
    await client.post("/v2/requests", json=asked(subject_identities=by_id("ada")))
    await client.post("/v2/requests", json=asked(subject_identities=by_id("nobody"), subject_request_type="access"))

    one, other = await cases(client)

    assert one["subject"] == "ada"
    assert other["subject"] == f"claim:{other['id']}"


@pytest.mark.usefixtures("seated")
async def test_nobody_is_told_whether_somebody_is_known(client: httpx.AsyncClient, clock: FakeClock) -> None:
    await known(client, "ada", "ada@mail.example")
    answers = []
    for address in ("ada@mail.example", "nobody@mail.example"):
        identities = [{"identity_type": "email", "identity_value": address, "identity_format": "raw"}]
        sent = asked(subject_identities=identities)
        path = f"/v2/requests/{sent['subject_request_id']}"
        taken, status = await client.post("/v2/requests", json=sent), await client.get(path)
        gone, after = await client.delete(path), await client.get(path)
        own = ("encoded_request", "subject_request_id")
        answers.append(
            [
                (each.status_code, {k: v for k, v in each.json().items() if k not in own})
                for each in (taken, status, gone, after)
            ]
        )

    assert answers[0] == answers[1]
    assert answers[0][1][1]["request_status"] == "pending"
    assert answers[0][3][1]["request_status"] == "cancelled"


@pytest.mark.usefixtures("seated")
async def test_of_several_people_none_is_meant_until_staff_say_who(client: httpx.AsyncClient) -> None:
    await known(client, "ada", "ada@mail.example")
    await known(client, "bob", "ada@mail.example")
    sent = asked()
    await client.post("/v2/requests", json=sent)
    (case,) = await cases(client)
    stand_in = f"claim:{case['id']}"
    assert case["subject"] == stand_in
    letters = (await client.get(f"/v1/requests/{case['id']}/letters")).json()["letters"]
    letter = (await client.get(f"/v1/requests/{case['id']}/letters/{letters[0]['id']}")).json()
    assert (letter["about"], json.loads(letter["text"])) == ("identity", sent)

    merged = await client.post("/v1/subjects/ada/merge", json={"with": stand_in, "same": True})

    assert merged.status_code == 200, merged.text
    (case,) = await cases(client)
    assert case["subject"] == "ada"
    assert (await client.get(f"/v1/requests/{case['id']}/letters/{letters[0]['id']}")).json()["text"] == letter["text"]


@pytest.mark.usefixtures("seated")
async def test_the_same_again_changes_nothing_and_other_content_is_refused(client: httpx.AsyncClient) -> None:
    sent = asked()

    first, again = [await client.post("/v2/requests", json=sent) for _ in range(2)]
    other = await client.post("/v2/requests", json=sent | {"subject_request_type": "access"})

    assert first.content == again.content
    assert (other.status_code, other.json()["title"]) == (409, "Intake reused")
    assert len(await cases(client)) == 1


@pytest.mark.usefixtures("seated")
async def test_hashes_alone_find_nobody_and_are_refused(client: httpx.AsyncClient) -> None:
    hashed = [{"identity_type": "email", "identity_value": "00" * 32, "identity_format": "sha256"}]

    answer = await client.post("/v2/requests", json=asked(subject_identities=hashed))

    assert (answer.status_code, answer.json()["title"]) == (400, "Identities unusable")
    assert answer.json()["error"] == {"code": 400, "message": answer.json()["detail"]}
    discovered = (await client.get("/v2/discovery")).json()
    assert {each["identity_format"] for each in discovered["supported_identities"]} == {"raw"}
    assert discovered["processor_certificate"] == CERTIFICATE


@pytest.mark.usefixtures("seated")
async def test_a_request_is_taken_back_only_while_it_is_pending(client: httpx.AsyncClient) -> None:
    sent = asked()
    await client.post("/v2/requests", json=sent)
    (case,) = await cases(client)
    verify = {"version": case["version"], "reason": "staff_decision"}
    assert (await client.post(f"/v1/requests/{case['id']}/verify", json=verify)).status_code == 200
    path = f"/v2/requests/{sent['subject_request_id']}"

    answer = await client.delete(path)

    assert (answer.status_code, answer.json()["title"]) == (409, "Intake under way")
    assert (await client.get(path)).json()["request_status"] == "in_progress"


@pytest.mark.usefixtures("seated")
async def test_another_tenant_finds_nothing(
    client: httpx.AsyncClient, client_of: Callable[..., httpx.AsyncClient], add_tenant: Callable[[], TenantId]
) -> None:
    sent = asked()
    await client.post("/v2/requests", json=sent)
    path = f"/v2/requests/{sent['subject_request_id']}"

    stranger = client_of(tenant=add_tenant())

    assert (await stranger.get(path)).status_code == 404
    assert (await stranger.delete(path)).status_code == 404


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "https://10.0.0.1/cb", "https://[::1]/cb"])
@pytest.mark.usefixtures("seated")
async def test_nothing_is_sent_to_private_addresses(client: httpx.AsyncClient, url: str) -> None:
    answer = await client.post("/v2/requests", json=asked(status_callback_urls=[url]))

    assert (answer.status_code, answer.json()["title"]) == (409, "Callback unusable")
    assert await cases(client) == []


@pytest.mark.usefixtures("seated")
async def test_a_change_is_told_signed_until_it_arrives_and_by_another_worker_too(
    client: httpx.AsyncClient, tell: TellStatus, tenant: TenantId, clock: FakeClock, settings: Settings
) -> None:
    async with listening(System(lambda _: web.Response(status=500))) as receiver:
        url = f"{receiver.url}/told"
        sent = asked(status_callback_urls=[url])
        await client.post("/v2/requests", json=sent)
        assert await tell(tenant) == []
        (case,) = await cases(client)
        verify = {"version": case["version"], "reason": "staff_decision"}
        await client.post(f"/v1/requests/{case['id']}/verify", json=verify)
        assert await tell(tenant) == ["refused"]
        assert await tell(tenant) == []
        receiver.answers = lambda _: web.Response(status=202)
        clock.advance(timedelta(minutes=1))
        assert await tell(tenant) == ["told"]
        clock.advance(timedelta(days=1))
        assert await tell(tenant) == []

    for heard in receiver.heard:
        verified(heard.headers, heard.body, settings)
    told = json.loads(receiver.heard[-1].body)
    assert told["request_status"] == "in_progress"
    assert (told["status_callback_url"], told["subject_request_id"]) == (url, sent["subject_request_id"])
    assert len(receiver.heard) == 2
