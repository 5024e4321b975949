"""The service directory of agents: read again and again, believed for an hour, and not guessed at."""

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from service.doors.directory import AgentDirectory
from service.kernel import Unavailable
from tests.conftest import FakeClock
from tests.downstream import System, listening

KEY = bytes(range(32))
LISTED = {
    "id": "AGENT",
    "name": "An agent",
    "verify_key": base64.b64encode(KEY).decode(),
    "web_url": "https://a.example",
}


async def test_agents_are_read_over_http_and_remembered_for_ten_minutes(clock: FakeClock) -> None:
    async with listening(System(lambda _: web.json_response([LISTED]))) as system:
        directory = AgentDirectory(f"{system.url}/agents.json", clock)
        assert await directory("AGENT") == KEY
        assert await directory("NOBODY") is None
        assert len(system.heard) == 1
        clock.advance(timedelta(minutes=10))
        system.answers = lambda _: web.json_response([])
        assert await directory("AGENT") is None


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 404},
        {"status": 302, "headers": {"location": "/elsewhere"}},
        {"text": "[{"},
        {"text": '{"agents": []}'},
        {"text": '[{"id": 1}]'},
    ],
)
async def test_what_is_no_directory_is_not_believed(clock: FakeClock, answer: dict[str, object]) -> None:
    async with listening(System(lambda _: web.Response(**answer))) as system:  # type: ignore[arg-type]
        with pytest.raises(Unavailable):
            await AgentDirectory(system.url, clock)("AGENT")


async def test_the_one_before_is_good_for_an_hour(clock: FakeClock, tmp_path: Path) -> None:
    file = tmp_path / "agents.json"
    file.write_text(json.dumps([LISTED]))
    directory = AgentDirectory(str(file), clock)
    assert await directory("AGENT") == KEY
    file.write_text("")

    clock.advance(timedelta(minutes=59))
    assert await directory("AGENT") == KEY
    clock.advance(timedelta(minutes=1))
    with pytest.raises(Unavailable):
        await directory("AGENT")


async def test_an_agent_without_a_usable_key_spoils_no_other(clock: FakeClock, tmp_path: Path) -> None:
    file = tmp_path / "agents.json"
    file.write_text(
        json.dumps([LISTED | {"id": "SHORT", "verify_key": "AAAA"}, LISTED | {"id": "ODD", "verify_key": "%"}, LISTED])
    )
    directory = AgentDirectory(str(file), clock)

    assert [await directory(name) for name in ("SHORT", "ODD", "AGENT")] == [None, None, KEY]
