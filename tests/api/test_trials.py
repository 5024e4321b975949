"""What a change of policy would do, as a client asks and is told."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from service.kernel import TenantId
from tests.builders import a_record_body
from tests.conftest import FakeClock

PATH = "/v1/simulations/policy"
LAW = Path(__file__).parents[2] / "policies"
PERIODS = json.loads((LAW / "data/periods.json").read_text())
BANDS = json.loads((LAW / "data/bands.json").read_text())
SHORTER = {"periods": PERIODS | {"stale": PERIODS["stale"] | {"other": 12, "DE": 12}}}
LONG = {"decisions": {"since": "2026-01-01T00:00:00Z"}}
NO_MAIL = {"denied": [{"channel": "email"}]}
Clients = Callable[..., httpx.AsyncClient]


async def person(client: httpx.AsyncClient, name: str, given: str, **changes: Any) -> None:
    """Store someone in Germany who opted in to e-mail at an instant."""
    facts = {"residence": "DE", "age": 40, "time_zone": "Europe/Berlin"}
    assert (await client.put(f"/v1/subjects/{name}", json=facts)).status_code == 201
    body = a_record_body(subject=name, ts=given, method="double_opt_in", **changes)
    answer = await client.post("/v1/records", json={"records": [body]})
    assert answer.status_code == 201, answer.text


async def ask(client: httpx.AsyncClient, name: str, **changes: Any) -> Any:
    answer = await client.post(
        "/v1/decisions", json={"subject": name, "channel": "email", "purpose": "marketing"} | changes
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def start(client: httpx.AsyncClient, status: int = 202, **body: Any) -> httpx.Response:
    answer = await client.post(PATH, json=body)
    assert answer.status_code == status, answer.text
    return answer


async def ended(client: httpx.AsyncClient, started: httpx.Response) -> Any:
    for _ in range(600):
        trial = (await client.get(started.headers["location"])).json()
        if trial["state"] in {"done", "failed"}:
            return trial
        await asyncio.sleep(0.05)
    raise AssertionError(f"the trial does not end: {trial}")


async def tried(client: httpx.AsyncClient, **body: Any) -> tuple[Any, list[Any]]:
    """Return the trial when it is done, and everything that it would change."""
    started = await start(client, **body)
    trial = await ended(client, started)
    assert trial["state"] == "done", trial
    changes: list[Any] = []
    url = f"{started.headers['location']}/changes?limit=2"
    while url:
        page = await client.get(url)
        assert page.status_code == 200, page.text
        changes += page.json()["changes"]
        url = page.links.get("next", {}).get("url", "")
    return trial, changes


@pytest.fixture
async def asked(client: httpx.AsyncClient, clock: FakeClock) -> dict[str, str]:
    """The ids of decisions about someone who consented lately, and someone who did 18 months ago."""
    await person(client, "new", "2026-11-01T12:00:00Z")
    await person(client, "old", "2025-05-20T12:00:00Z")
    decided = {name: await ask(client, name) for name in ("new", "old")}
    assert {name: answer["decision"] for name, answer in decided.items()} == {"new": "permit", "old": "permit"}
    decided["nobody"] = await ask(client, "nobody")
    clock.advance(timedelta(minutes=1))
    return {name: str(answer["id"]) for name, answer in decided.items()}


async def test_a_shorter_period_denies_those_whose_consent_is_older(client: httpx.AsyncClient, asked: dict[str, str]):
    trial, changes = await tried(client, tables=SHORTER, over=LONG)

    result = trial["result"]
    assert {name: result[name] for name in ("judged", "unchanged", "to_deny", "to_permit", "unjudged")} == {
        "judged": 3,
        "unchanged": 2,
        "to_deny": 1,
        "to_permit": 0,
        "unjudged": 0,
    }
    (change,) = changes
    assert change.pop("rules") == [each["name"] for each in result["rules"]]
    assert change == {
        "channel": "email",
        "purpose": "marketing",
        "then": "permit",
        "now": "deny",
        "decision": asked["old"],
    }
    for group, name in (("channels", "email"), ("purposes", "marketing")):
        assert result[group] == [{"name": name, "to_deny": 1, "to_permit": 0, "examples": [asked["old"]]}]
    assert trial["progress"] == {"done": 3, "total": 3}
    assert (await ask(client, "old"))["decision"] == "permit", "nothing was activated"
