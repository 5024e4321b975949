"""Orchestrators learn whether the service lives and is ready; strangers learn no more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from litestar.testing import TestClient

from service.web.auth import Authenticator
from service.web.health import health
from service.web.site import site
from tests.toy_site import AUDIENCE, ED, Clock, Issuer, Silence, jwk, ring_of


async def there() -> bool:
    return True


async def away() -> bool:
    return False


async def broken() -> bool:
    raise ConnectionError("postgresql://volens:secret@db.example")


async def silent() -> bool:
    await asyncio.Event().wait()
    return True


async def nothing_measured() -> bytes:
    return b""


def ask(path: str, **checks: Callable[[], Awaitable[bool]]) -> Any:
    clock = Clock()
    app = site(
        [health(checks, nothing_measured, lambda: "sha256:law", tolerated={"log"})],
        statuses={},
        dependencies={},
        authenticator=Authenticator(ring_of(Issuer(jwk(ED, "ed")), clock), clock, audience=AUDIENCE),
        observer=Silence(),
        new_id=uuid4,
    )
    with TestClient(app) as client:
        return client.get(path)


def test_a_process_that_answers_is_alive():
    assert ask("/health/live", database=broken).json() == {"alive": True}


def test_it_is_ready_when_every_part_is():
    answer = ask("/health/ready", database=there, policy=there)

    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "checks": {"database": True, "policy": True},
        "degraded": [],
        "policy_revision": "sha256:law",
    }


@pytest.mark.parametrize("check", [away, broken, silent])
def test_it_is_not_ready_when_a_part_is_missing_and_says_only_which(
    check: Callable[[], Awaitable[bool]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("service.web.health.LIMIT", 0.05)
    answer = ask("/health/ready", database=check, policy=there)

    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "checks": {"database": False, "policy": True},
        "degraded": [],
        "policy_revision": "sha256:law",
    }


def test_a_part_that_is_tolerated_is_told_of_and_takes_no_requests_away():
    alone = ask("/health/ready", database=there, log=away)
    beside_another = ask("/health/ready", database=away, log=away)

    assert (alone.status_code, alone.json()["checks"]["log"], alone.json()["degraded"]) == (200, False, ["log"])
    assert (beside_another.status_code, beside_another.json()["ready"]) == (503, False)


def test_metrics_are_in_the_format_of_prometheus():
    answer = ask("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-type"].count("charset") == 1
