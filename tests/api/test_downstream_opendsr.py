"""Processors of OpenDSR 2.0 are handed requests, and believed by the certificate that was registered."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import structs

from service.courier import Courier
from service.kernel import TenantId
from service.settings import Settings
from tests.conftest import FakeClock
from tests.doors import DOMAIN, certificate
from tests.downstream import Heard, System, listening

Assign = Callable[..., Awaitable[UUID]]
PUBLIC = "https://volens.shop.example"


class Processor(System):
    """Keeps requests and says how far it is, signed. What a test changes it says otherwise."""

    def __init__(self, key: RSAPrivateKey) -> None:
        super().__init__(self.answered)
        self.key = key
        self.domain = DOMAIN
        self.status = "pending"
        self.said: dict[str, Any] = {}

    def headers(self, body: bytes) -> dict[str, str]:
        signature = base64.b64encode(self.key.sign(body, PKCS1v15(), SHA256())).decode()
        return {
            "x-opendsr-processor-domain": self.domain,
            "x-opendsr-signature": signature,
            "content-type": "application/json",
        }

    def answered(self, heard: Heard) -> web.Response:
        if heard.method == "GET":
            body = json.dumps({"subject_request_id": heard.path.split("/")[-1], "request_status": self.status}).encode()
            return web.Response(body=body, headers=self.headers(body))
        said = {
            "controller_id": "shop",
            "expected_completion_time": "2026-11-30T12:00:00Z",
            "received_time": "2026-11-21T09:00:00Z",
            "encoded_request": base64.b64encode(heard.body).decode(),
            "subject_request_id": json.loads(heard.body)["subject_request_id"],
        }
        body = json.dumps(said | self.said).encode()
        return web.Response(status=201, body=body, headers=self.headers(body))


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return structs.replace(
        settings, downstream_http=True, downstream_networks="127.0.0.0/8", public_url=PUBLIC, downstream_hours=1000
    )


@pytest.fixture
async def processor(key: RSAPrivateKey, client: httpx.AsyncClient, clock: FakeClock) -> AsyncIterator[Processor]:
    async with listening(Processor(key)) as processor:
        assert isinstance(processor, Processor)
        said = {"kind": "opendsr", "url": f"{processor.url}/v2", "takes": ["erase", "access"], "domain": DOMAIN}
        said["identities"] = ["email"]
        made = await client.put("/v1/downstreams/ads", json=said | {"certificate": certificate(key, clock)})
        assert made.status_code == 201, made.text
        yield processor


@pytest.fixture
def bring(courier: Courier) -> Callable[[], Awaitable[None]]:
    async def bring() -> None:
        await courier.look()
        await courier.rest()

    return bring


@pytest.fixture
def task(client: httpx.AsyncClient) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def task() -> dict[str, Any]:
        [only] = (await client.get("/v1/downstream-tasks")).json()["tasks"]
        return dict(only)

    return task


async def test_a_processor_is_handed_what_the_specification_wants(
    processor: Processor, assign: Assign, bring: Any, task: Any, tenant: TenantId
):
    await assign()
    await bring()

    [heard] = processor.heard
    said = json.loads(heard.body)
    assert (heard.method, heard.path) == ("POST", "/v2/requests")
    assert UUID(said.pop("subject_request_id")).version == 4
    assert said == {
        "regulation": "gdpr",
        "subject_request_type": "erasure",
        "submitted_time": "2026-11-21T09:00:00Z",
        "subject_identities": [
            {"identity_type": "controller_customer_id", "identity_value": "ada", "identity_format": "raw"},
            {"identity_type": "email", "identity_value": "ada@mail.example", "identity_format": "raw"},
        ],
        "api_version": "2.0",
        "status_callback_urls": [f"{PUBLIC}/v1/downstreams/ads/opendsr?tenant={tenant}"],
    }
    known = await task()
    assert (known["state"], "told_at" in known) == ("open", True)


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param({"key": generate_private_key(65537, 2048)}, id="another key"),
        pytest.param({"domain": "other.example"}, id="another domain"),
        pytest.param({"said": {"encoded_request": "e30="}}, id="another request"),
        pytest.param({"said": {"subject_request_id": "a7551968-d5d6-44b2-9831-815ac9017798"}}, id="another id"),
        pytest.param({"headers": lambda _: {}}, id="unsigned"),
    ],
)
async def test_an_answer_that_is_not_signed_for_this_request_is_none(
    processor: Processor, assign: Assign, bring: Any, task: Any, lie: dict[str, Any], clock: FakeClock
):
    honest = {name: getattr(processor, name) for name in lie}
    for name, value in lie.items():
        setattr(processor, name, value)
    await assign()
    await bring()
    known = await task()
    for name, value in honest.items():
        setattr(processor, name, value)
    clock.advance(timedelta(seconds=6))
    await bring()

    assert (known["fault"], "told_at" in known) == ("unsigned", False)
    assert "told_at" in await task()


async def test_a_processor_that_never_calls_back_is_asked_once_a_day(
    processor: Processor, assign: Assign, bring: Any, task: Any, clock: FakeClock
):
    await assign()
    for _ in range(5 * 24):
        await bring()
        clock.advance(timedelta(hours=1))
    assert [heard.method for heard in processor.heard] == ["POST", "GET", "GET", "GET", "GET"]
    assert (await task())["state"] == "open"
    processor.status = "completed"
    clock.advance(timedelta(days=1))
    await bring()

    assert (await task())["state"] == "confirmed"


async def test_one_that_cancels_escalates(
    processor: Processor, assign: Assign, bring: Any, task: Any, clock: FakeClock
):
    await assign()
    await bring()
    processor.status = "cancelled"
    clock.advance(timedelta(days=1))
    await bring()

    known = await task()
    assert (known["state"], known["fault"]) == ("silent", "cancelled")


@pytest.fixture
def call_back(
    processor: Processor, client_of: Callable[..., httpx.AsyncClient], tenant: TenantId
) -> Callable[..., Awaitable[int]]:
    stranger = client_of()
    del stranger.headers["authorization"]

    async def call_back(*, by: RSAPrivateKey | None = None, of: str = tenant, after: bytes = b"", **said: Any) -> int:
        body = json.dumps(
            {
                "controller_id": "shop",
                "status_callback_url": f"{PUBLIC}/v1/downstreams/ads/opendsr?tenant={tenant}",
                "subject_request_id": json.loads(processor.heard[0].body)["subject_request_id"],
                "request_status": "completed",
                "expected_completion_time": "2026-11-30T12:00:00Z",
            }
            | said
        ).encode()
        own, processor.key = processor.key, by or processor.key
        headers = processor.headers(body)
        processor.key = own
        answer = await stranger.post(
            "/v1/downstreams/ads/opendsr", params={"tenant": of}, content=body + after, headers=headers
        )
        return answer.status_code

    return call_back


async def test_a_signed_callback_confirms(processor: Processor, assign: Assign, bring: Any, task: Any, call_back: Any):
    await assign()
    await bring()

    assert await call_back(request_status="in_progress") == 202
    assert (await task())["state"] == "open"
    assert await call_back() == 202
    assert (await task())["state"] == "confirmed"
    assert await call_back(request_status="pending") == 202
    assert await call_back(request_status="cancelled") == 202
    assert (await task())["state"] == "confirmed", "what was replayed changes nothing"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"by": generate_private_key(65537, 2048)}, 401, id="another key"),
        pytest.param({"after": b" "}, 401, id="changed"),
        pytest.param({"of": "nobody"}, 401, id="another tenant"),
        pytest.param({"status_callback_url": "https://other.example/"}, 404, id="meant for another controller"),
        pytest.param({"subject_request_id": "a7551968-d5d6-44b2-9831-815ac9017798"}, 404, id="no request of ours"),
        pytest.param({"request_status": "done"}, 404, id="no status"),
    ],
)
async def test_a_forged_callback_changes_nothing(
    processor: Processor, assign: Assign, bring: Any, task: Any, call_back: Any, changes: dict[str, Any], status: int
):
    await assign()
    await bring()

    assert await call_back(**changes) == status
    assert (await task())["state"] == "open"


@pytest.mark.parametrize(
    ("domain", "days", "bits"), [("other.example", 365, 2048), (DOMAIN, 0, 2048), (DOMAIN, 365, 1024)]
)
async def test_a_certificate_that_proves_nothing_is_not_registered(
    client: httpx.AsyncClient, clock: FakeClock, domain: str, days: int, bits: int
):
    pem = certificate(generate_private_key(65537, bits), clock, domain, days)
    if days == 0:
        clock.advance(timedelta(seconds=1))
    said = {"kind": "opendsr", "url": "https://ads.example/v2", "takes": ["erase"], "domain": DOMAIN}
    refused = await client.put("/v1/downstreams/ads", json=said | {"certificate": pem})

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (409, "/certificate")


@pytest.mark.parametrize("changed", [{"takes": ["erase", "opt_out"]}, {"identities": ["email", "phone"]}])
async def test_what_opendsr_has_no_word_for_is_not_registered(
    client: httpx.AsyncClient, key: RSAPrivateKey, clock: FakeClock, changed: dict[str, list[str]]
):
    said = {"kind": "opendsr", "url": "https://ads.example/v2", "takes": ["erase"], "domain": DOMAIN} | changed
    refused = await client.put("/v1/downstreams/ads", json=said | {"certificate": certificate(key, clock)})

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (409, f"/{next(iter(changed))}")
