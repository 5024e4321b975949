"""The parts of the worker outlast what they need, and end when they are asked to."""

import asyncio
import json
from datetime import UTC, datetime
from io import BytesIO

import pytest

from service import stopping
from service.kernel import Unavailable
from service.stopping import waiting_for
from service.telemetry import Telemetry


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "LOST", 0.0)


@pytest.fixture
def log() -> BytesIO:
    return BytesIO()


@pytest.fixture
def telemetry(log: BytesIO) -> Telemetry:
    return Telemetry(lambda: datetime(2026, 11, 23, tzinfo=UTC), stream=log)


async def test_what_is_lost_is_waited_for_and_logged_until_the_end_is_asked_for(telemetry: Telemetry, log: BytesIO):
    stop, tries = asyncio.Event(), 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Unavailable("the database is gone")
        stop.set()

    await asyncio.wait_for(waiting_for("part_waits", work, telemetry, stop), 5)

    assert tries == 3
    assert [json.loads(line)["event"] for line in log.getvalue().splitlines()] == ["part_waits"] * 2


async def test_a_fault_is_nothing_to_wait_for(telemetry: Telemetry):
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await waiting_for("part_waits", work, telemetry, asyncio.Event())
