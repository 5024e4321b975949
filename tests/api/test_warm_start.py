"""A new process starts warm: what any process of the tenant was once answered, the table of verdicts tells it."""

import httpx

from service import app
from service.settings import Settings
from service.telemetry import Telemetry
from tests.conftest import Database, FakeClock

STRANGER = {"subject": "anna", "channel": "email", "purpose": "marketing"}


async def test_a_second_process_answers_a_known_question_without_an_evaluation(
    client: httpx.AsyncClient, settings: Settings, database: Database, clock: FakeClock
):
    first = (await client.post("/v1/decisions", json=STRANGER)).json()

    async with app.running(settings, database.urls, Telemetry(clock), clock=clock) as site:
        transport = httpx.ASGITransport(site, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://second.example", headers=client.headers
        ) as second:
            known = await second.post("/v1/decisions", json=STRANGER)
            of_known = (await second.get("/metrics")).text
            other = await second.post("/v1/decisions", json=STRANGER | {"channel": "sms"})
            of_both = (await second.get("/metrics")).text

    assert (known.status_code, other.status_code) == (200, 200)
    assert known.json()["reasons"] == first["reasons"]
    assert "volens_decisions_total{" in of_known
    assert "volens_engine_seconds_count{" not in of_known
    assert 'volens_engine_seconds_count{engine="wasm"} 1.0' in of_both
