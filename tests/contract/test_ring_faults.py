"""Rings that answer, but not as they should. Our requests are real; only the other side is made up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import boto3
import pytest
from aiohttp import web
from botocore.config import Config
from botocore.stub import ANY, Stubber

from service.kernel import TenantId
from service.vault.domain import KeyContext, KeyPurpose, RingUnavailable, Unreadable, Wrapped
from service.vault.ring_aws import AwsRing
from service.vault.ring_calls import ATTEMPTS, FAILURES, RingCalls
from service.vault.ring_transit import TransitRing, transit

CONTEXT = KeyContext(tenant=TenantId("acme"), purpose=KeyPurpose.TENANT, version=1)
WRAPPED = Wrapped(ring="transit", version="v1", body=b"vault:v1:AAAA")
OPENED = {"data": {"plaintext": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="}}
KEY = b"k" * 32

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[tuple[TransitRing, list[web.Request]]]:
    """Lend a transit ring whose server does what `answer` does, and the requests it got."""
    seen: list[web.Request] = []

    async def note(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return await answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", note)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    calls = RingCalls(limit=0.3, first_pause=0.001, rest=60)
    try:
        async with transit(url, token="s3cret", name="volens", calls=calls) as ring:
            yield ring, seen
    finally:
        await runner.cleanup()


def with_status(*statuses: int) -> Answer:
    """Answer with each status in turn, and well with what comes after them."""
    left = list(statuses)

    async def answer(_: web.Request) -> web.Response:
        status = left.pop(0) if left else 200
        return web.json_response(OPENED if status == 200 else {"errors": ["hunter2"]}, status=status)

    return answer


@pytest.mark.parametrize("status", [412, 429, 472, 473, 500, 502, 503])
async def test_a_passing_fault_is_asked_again(status):
    async with answering(with_status(status)) as (ring, seen):
        assert await ring.unwrap(WRAPPED, CONTEXT) == KEY
        assert len(seen) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 405])
async def test_being_turned_away_is_unavailable_at_once_and_says_nothing_of_why(status):
    async with answering(with_status(*[status] * 9)) as (ring, seen):
        with pytest.raises(RingUnavailable) as refusal:
            await ring.unwrap(WRAPPED, CONTEXT)
        assert len(seen) == 1
        assert "hunter2" not in str(refusal.value)


async def test_a_redirect_is_not_followed_so_no_token_goes_astray():
    async def elsewhere(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"location": "/v1/elsewhere"})

    async with answering(elsewhere) as (ring, seen):
        with pytest.raises(RingUnavailable):
            await ring.unwrap(WRAPPED, CONTEXT)
        assert {request.path for request in seen} == {"/v1/transit/decrypt/volens"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"data": {}}', b'{"data": {"plaintext": 7}}', b"\xff", b" " * 70_000],
    ids=["nothing", "half", "list", "empty", "number", "no text", "too much"],
)
async def test_an_answer_that_is_none_is_unavailable(body):
    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async with answering(nonsense) as (ring, seen):
        with pytest.raises(RingUnavailable):
            await ring.unwrap(WRAPPED, CONTEXT)
        assert len(seen) == ATTEMPTS


async def test_a_plaintext_that_is_no_base64_is_no_key():
    async def odd(_: web.Request) -> web.Response:
        return web.json_response({"data": {"plaintext": "§"}})

    async with answering(odd) as (ring, _), asyncio.timeout(5):
        with pytest.raises(Unreadable):
            await ring.unwrap(WRAPPED, CONTEXT)


async def test_a_ring_that_never_answers_costs_a_bounded_time_and_is_then_left_alone():
    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async with answering(never) as (ring, seen):
        async with asyncio.timeout(20):
            for _ in range(FAILURES):
                with pytest.raises(RingUnavailable):
                    await ring.unwrap(WRAPPED, CONTEXT)
        asked = len(seen)
        with pytest.raises(RingUnavailable, match="left alone"):
            await ring.unwrap(WRAPPED, CONTEXT)
        assert len(seen) == asked == FAILURES * ATTEMPTS


@pytest.fixture
def stubbed(monkeypatch):
    """Lend an AWS ring whose answers are scripted with botocore's own stubber."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    client = boto3.client("kms", region_name="eu-central-1", config=Config(retries={"total_max_attempts": 1}))
    with Stubber(client) as stubber:
        yield AwsRing(client, "alias/volens", RingCalls(first_pause=0.001)), stubber


OF_AWS = Wrapped(ring="aws-kms", version="arn:aws:kms:eu-central-1:1:key/k", body=b"blob")
ASKED = {"KeyId": OF_AWS.version, "CiphertextBlob": b"blob", "EncryptionContext": CONTEXT.bound()}


@pytest.mark.parametrize("code", ["ThrottlingException", "KMSInternalException", "KeyUnavailableException", "Odd"])
async def test_a_passing_fault_of_aws_is_asked_again(stubbed, code):
    ring, stubber = stubbed
    stubber.add_client_error("decrypt", code, http_status_code=500 if code == "Odd" else 400, expected_params=ASKED)
    stubber.add_response("decrypt", {"Plaintext": KEY}, ASKED)

    assert await ring.unwrap(OF_AWS, CONTEXT) == KEY


@pytest.mark.parametrize("code", ["InvalidCiphertextException", "IncorrectKeyException"])
async def test_a_key_that_aws_can_not_open_is_unreadable(stubbed, code):
    ring, stubber = stubbed
    stubber.add_client_error("decrypt", code, "hunter2", expected_params=ASKED)

    with pytest.raises(Unreadable) as failure:
        await ring.unwrap(OF_AWS, CONTEXT)
    assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("AccessDeniedException", "turns us away"),
        ("DisabledException", "turns us away"),
        ("NotFoundException", "no such key"),
    ],
)
async def test_being_turned_away_by_aws_is_unavailable_at_once(stubbed, code, told):
    ring, stubber = stubbed
    stubber.add_client_error(
        "encrypt", code, expected_params={"KeyId": ANY, "Plaintext": ANY, "EncryptionContext": ANY}
    )

    with pytest.raises(RingUnavailable, match=told):
        await ring.wrap(KEY, CONTEXT)
    stubber.assert_no_pending_responses()


async def test_a_disabled_key_of_aws_fails_the_check(stubbed):
    ring, stubber = stubbed
    stubber.add_response("describe_key", {"KeyMetadata": {"KeyId": "k", "Enabled": False}}, {"KeyId": "alias/volens"})

    with pytest.raises(RingUnavailable, match="disabled"):
        await ring.check()
