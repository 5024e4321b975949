"""Refused tokens are counted, and the tenant's log says how many; strangers write to nobody's log."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from uuid_utils.compat import uuid7

from service import refused_tokens
from service.bridges import known_tenant
from service.kernel import TenantId, Unavailable
from service.refused_tokens import tell, telling
from service.web import failures
from service.web.failures import FailureCounts, Why
from service.web.local_issuer import LocalIssuer


@pytest.fixture(autouse=True)
def interval(monkeypatch) -> None:
    monkeypatch.setattr(refused_tokens, "INTERVAL", 0.05)


@pytest.fixture
def token(settings, clock, tenant, client_of):
    """Signs tokens as the local issuer, whom the service trusts."""
    issuer = LocalIssuer.open(settings.data, settings.audience)

    def token(*, of=tenant, ttl=timedelta(hours=1), now=None, audience=None) -> str:
        by = LocalIssuer.open(settings.data, audience) if audience else issuer
        return by.sign(
            tenant=of, scope="decide", subject="crm", ttl=ttl, now=now or clock(), new_id=uuid7, client="crm"
        )

    return token


async def told(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await client.get("/v1/audit/entries", params={"event": "authentication.failed"})
    return answer.json()["entries"]


async def until(client: httpx.AsyncClient, number: int) -> list[dict[str, Any]]:
    for _ in range(100):
        if len(found := await told(client)) >= number:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("nothing was told")


async def ask(client_of, token: str, times: int = 1) -> None:
    for _ in range(times):
        answer = await client_of(token=token).get("/v1/purposes")
        assert answer.status_code == 401


async def test_the_log_says_how_many_tokens_were_refused_and_why_and_nothing_of_them(
    client, client_of, token, clock, log, tenant
):
    minute = clock().strftime("%Y-%m-%dT%H:%MZ")
    past = clock() - timedelta(days=1)
    await ask(client_of, token(now=past), 3)
    await ask(client_of, token(now=clock() + timedelta(hours=1)))
    await ask(client_of, token(audience="elsewhere"), 2)

    found = await until(client, 3)
    counted: dict[str, int] = {}
    for entry in found:
        why, at, count = entry["object_id"].split("/")
        assert at == minute
        counted[why] = counted.get(why, 0) + int(count)
    assert counted == {"expired": 3, "not_yet": 1, "audience": 2}
    assert {(entry["actor"], entry["subject"]) for entry in found} == {("server", None)}
    assert "crm" not in str(found)


async def test_whoever_has_no_good_signature_is_counted_in_the_metrics_and_in_no_log(client, client_of, token, tenant):
    good = token()
    head, body, signature = good.split(".")
    forged = f"{head}.{body}.{signature[:-6]}{'A' * 6}"
    await ask(client_of, forged, 20)
    await ask(client_of, "rubbish", 5)
    await ask(client_of, token(of="nobody-here"), 4)
    metrics = (await client.get("/metrics")).text
    await ask(client_of, token(now=datetime(2020, 1, 1, tzinfo=UTC)))
    found = await until(client, 1)

    assert 'volens_authentication_failures_total{why="untrusted"} 20.0' in metrics
    assert 'volens_authentication_failures_total{why="malformed"} 5.0' in metrics
    assert 'volens_authentication_failures_total{why="tenant"} 4.0' in metrics
    assert [entry["object_id"].split("/")[0] for entry in found] == ["expired"]


async def test_counts_are_kept_while_the_database_is_silent_and_never_without_bound(begin, clock, tenant, monkeypatch):
    monkeypatch.setattr(failures, "MOST", 5)
    seen: list[str] = []
    counts = FailureCounts(clock, seen.append)
    for number in range(50):
        counts(Why.EXPIRED, TenantId(f"t-{number}"))
        counts(Why.MISSING, None)
    for _ in range(1_000):
        counts(Why.EXPIRED, TenantId("t-0"))

    async def silent(_: TenantId) -> bool:
        raise Unavailable("the database does not answer")

    await tell(counts, begin, silent, uuid7)
    kept = counts.take()
    assert {refused.tenant for refused in kept} == {f"t-{number}" for number in range(5)}
    assert max(kept.values()) == 1_001
    assert len(seen) == 50 + 50 + 1_000, "the metrics have them all"


async def test_what_was_counted_is_told_at_the_end_and_of_tenants_that_there_are(begin, clock, tenant, client):
    counts = FailureCounts(clock, lambda _: None)
    async with telling(counts, begin, known_tenant(begin), uuid7):
        counts(Why.EXPIRED, tenant)
        counts(Why.EXPIRED, TenantId("no-such-tenant"))

    minute = clock().strftime("%Y-%m-%dT%H:%MZ")
    assert [entry["object_id"] for entry in await told(client)] == [f"expired/{minute}/1"]
    assert counts.take() == {}
