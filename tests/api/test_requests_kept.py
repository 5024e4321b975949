"""Requests are kept for three years from their end, with what was written about them; what is open stays."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from service import operations
from service.audit import Content
from service.kernel import TenantId
from service.retention import WORKER, ExpireAll
from tests.api.test_letters import letters, open_, write
from tests.api.test_requests import Client, Clients, asked, moved, problem
from tests.conftest import Database, FakeClock

LONG_AGO = datetime(2019, 6, 3, 9, tzinfo=UTC)
Expire = Callable[..., Awaitable[tuple[int, int]]]


@pytest.fixture(autouse=True)
def _long_ago(clock: FakeClock) -> None:
    clock.now = LONG_AGO


@pytest.fixture
def expire(database: Database, tenant: TenantId) -> Expire:
    """Does what the worker does at night; returns how many requests went, and how many are held."""

    async def expire(*, dry: bool = False) -> tuple[int, int]:
        async with operations.transactions(database.urls.worker) as begin:
            outcomes = await ExpireAll(begin, WORKER, lambda *_: None, dry=dry)(tenant)
        (outcome,) = [each for each in outcomes if each.content is Content.REQUEST]
        return outcome.removed, outcome.held

    return expire


async def ended(client: Client, right: str = "access", subject: str = "anna") -> dict[str, Any]:
    request = await asked(client, right, subject)
    return await moved(client, request, "refuse", reason="excessive")


async def read(client: Client, request: dict[str, Any]) -> httpx.Response:
    return await client.get(f"/v1/requests/{request['id']}")


async def test_what_ended_three_years_ago_goes_with_its_letters_and_the_rest_stays(
    client: Client, client_of: Clients, clock: FakeClock, expire: Expire, database: Database, tenant: TenantId
):
    running = await asked(client, "portability")
    late = await asked(client, "erasure")
    old = await ended(client)
    for request in (old, late):
        assert (await write(client, request, id=str(uuid4()), text="Dear Anna")).status_code == 201
    clock.now = datetime(2026, 11, 1, tzinfo=UTC)
    await moved(client, late, "refuse", reason="excessive")

    assert await expire(dry=True) == (1, 0)
    assert await expire() == (1, 0)
    assert await expire() == (0, 0)
    assert problem(await read(client, old)) == (410, "content_expired")
    assert problem(await read(client_of(subject="anna"), old)) == (410, "content_expired")
    assert problem(await read(client_of(subject="ben"), old)) == (404, "request_unknown")
    assert [(await read(client, one)).status_code for one in (running, late)] == [200, 200]
    (kept,) = await letters(client, late)
    assert (await open_(client, late, kept)).json()["text"] == "Dear Anna"
    with psycopg.connect(database.urls.owner) as connection:
        for table in ("request_letter", "vault_value"):
            query = f"SELECT count(*) FROM {table} WHERE tenant = %s"
            assert connection.execute(query, (tenant,)).fetchone() == (1,), table


async def test_of_what_others_were_to_be_told_nothing_stays_without_the_request(
    client: Client, expire: Expire, database: Database, tenant: TenantId
):
    noted = "SELECT count(*) FROM request_telling WHERE tenant = %s"
    with psycopg.connect(database.urls.owner, autocommit=True) as connection:
        await ended(client, "objection")
        assert connection.execute(noted, (tenant,)).fetchone() == (1,)
        assert await expire() == (1, 0)
        assert connection.execute(noted, (tenant,)).fetchone() == (0,)


async def test_a_hold_and_a_restriction_keep_requests(client: Client, clock: FakeClock, expire: Expire):
    await ended(client, subject="held")
    restricted = await asked(client, "restriction", "ben")
    for name, body in (("verify", {"reason": "staff_decision"}), ("execute", {}), ("complete", {})):
        restricted = await moved(client, restricted, name, **body)
    hold = {"reason": "litigation", "subject": "held"}
    assert (await client.put("/v1/audit/holds/case-7", json=hold)).status_code == 201

    assert await expire() == (0, 2)
    clock.now = datetime(2026, 11, 1, tzinfo=UTC)
    await moved(client, restricted, "lift")
    assert (await client.delete("/v1/audit/holds/case-7")).status_code == 200
    assert await expire() == (1, 0), "the lifting begins the period of the restriction anew"
