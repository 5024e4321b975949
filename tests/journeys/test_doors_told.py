"""An agent's request from the first token to its answer, with real processes and a worker that is killed in between."""

import asyncio
import json
import signal
from datetime import UTC, datetime
from pathlib import Path

import httpx
from aiohttp import web

from tests import doors
from tests.agent import Agent, listed_in
from tests.downstream import Answers, Heard, System, listening
from tests.journeys.conftest import Installation
from tests.journeys.processes import Service, running, volens


def now() -> datetime:
    return datetime.now(UTC)


def answering(status: int, heard: asyncio.Event) -> Answers:
    """Return what answers with a status, and sets `heard`."""

    def answer(_: Heard) -> web.Response:
        heard.set()
        return web.Response(status=status)

    return answer


async def test_an_agent_is_told_what_became_of_a_request_although_a_worker_was_killed(
    installation: Installation, tmp_path: Path
) -> None:
    env = {
        **installation.env,
        **doors.in_environment(doors.opened(tmp_path, now, "acme")),
        "VOLENS_DOWNSTREAM_HTTP": "true",
        "VOLENS_DOWNSTREAM_NETWORKS": "127.0.0.0/8",
    }
    volens("tenant", "place", "acme", "--place", "DE-BE", "--time-zone", "Europe/Berlin", env=env)
    with running("serve", "--port", "0", env=env) as service:
        staff = {"authorization": f"Bearer {installation.token}"}
        async with (
            httpx.AsyncClient(base_url=service.url) as anybody,
            httpx.AsyncClient(base_url=service.url, headers=staff) as officer,
            asyncio.timeout(180),
            listening(System()) as receiver,
        ):
            agent = Agent(anybody, now)
            listed_in(tmp_path / "agents.json", agent)
            assert (await agent.enrol()).status_code == 200
            taken = await agent.exercise(exercise="sale:opt-out", status_callback=f"{receiver.url}/told")
            assert taken.status_code == 200, taken.text
            path = f"/v1/requests/{taken.json()['request_id']}"
            for move in ("execute", "complete"):
                case = (await officer.get(path)).json()
                assert (await officer.post(f"{path}/{move}", json={"version": case["version"]})).status_code == 200
            down, up = asyncio.Event(), asyncio.Event()
            receiver.answers = answering(503, down)
            worker = Service("work", env=env)
            await down.wait()
            await asyncio.sleep(1)  # most likely it is stored by then, and due again sooner than if it isn't
            await asyncio.to_thread(worker.stop, signal.SIGKILL)
            receiver.answers = answering(200, up)
            with running("work", env=env):
                await up.wait()

            told = json.loads(receiver.heard[-1].body)
            assert (told["request_id"], told["status"]) == (taken.json()["request_id"], "fulfilled")
            status = await agent.ask("GET", f"/v1/data-rights-request/{told['request_id']}")
            assert status.json() == told
