"""A service that never reached its database: every question is answered, and none by a permit."""

from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from uuid_utils.compat import uuid7

from service import app
from service.postgres import DatabaseUrls
from service.settings import Settings
from service.telemetry import Telemetry
from service.web.local_issuer import LocalIssuer
from tests.conftest import FakeClock

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=1"
QUESTION = {"subject": "anna", "channel": "email", "purpose": "marketing"}


@pytest.fixture
async def client(tmp_path: Path, clock: FakeClock) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(data_dir=str(tmp_path))
    urls = DatabaseUrls(owner=NOWHERE, app=NOWHERE, worker=NOWHERE, admin=NOWHERE)
    async with app.running(settings, urls, Telemetry(clock, stream=BytesIO()), clock=clock) as site:
        token = LocalIssuer.open(settings.data, settings.audience).sign(
            tenant="acme", scope="decide", subject="shop", ttl=timedelta(hours=1), now=clock(), new_id=uuid7
        )
        transport = httpx.ASGITransport(site, raise_app_exceptions=False)
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://volens.example", headers=headers) as client:
            yield client


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/decisions", QUESTION), ("/v1/simulations/decision", {"channel": "email", "purpose": "marketing"})],
)
async def test_a_failure_before_the_handler_is_a_no_too(client: httpx.AsyncClient, path: str, body: object) -> None:
    answer = await client.post(path, json=body)

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["decision"] == "deny"


async def test_readiness_says_what_is_missing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": False, "migrations": False, "policy": True, "log": False}
