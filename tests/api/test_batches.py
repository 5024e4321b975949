"""One question about many, as a stream: the answers of single checks, a line each, on the record before they leave."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.api.test_decisions import FACTS, OPT_IN, has
from tests.conftest import FakeClock

NDJSON = {"content-type": "application/x-ndjson"}
QUESTION = {"channel": "email", "purpose": "marketing"}


@pytest.fixture
async def people(client: httpx.AsyncClient) -> list[str]:
    """Six people; the even ones agreed."""
    names = [f"p{number}" for number in range(6)]
    for name in names:
        await client.put(f"/v1/subjects/{name}", json=FACTS)
    for name in names[::2]:
        await has(client, name, OPT_IN)
    return names


def body(*lines: Any, question: Any = None) -> bytes:
    said = [question or QUESTION, *lines]
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in said)


async def batch(client: httpx.AsyncClient, *lines: Any, question: Any = None) -> httpx.Response:
    return await client.post("/v1/decisions/batch", content=body(*lines, question=question), headers=NDJSON)


def told(answer: httpx.Response) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    *lines, last = map(json.loads, answer.text.splitlines())
    return lines, last["summary"]


async def test_each_gets_a_line_in_order(client: httpx.AsyncClient, people: list[str]):
    answer = await batch(client, *people, {"subject": "nobody"})
    lines, summary = told(answer)

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [line["subject"] for line in lines] == [*people, "nobody"]
    assert [line["line"] for line in lines] == list(range(1, 8))
    assert [line["outcome"] for line in lines] == ["permit", "deny"] * 3 + ["deny"]
    assert {key: summary[key] for key in ("lines", "outcomes")} == {"lines": 7, "outcomes": {"deny": 4, "permit": 3}}
    assert summary["rules"]["permit"][lines[0]["rules"][0]] == 3
    assert summary["read_at_length"] == 7


async def test_whoever_was_read_once_is_answered_from_a_narrow_row(
    client: httpx.AsyncClient, people: list[str], clock: FakeClock
):
    clock.advance(timedelta(days=3))
    first, _ = told(await batch(client, *people))
    second, summary = told(await batch(client, *people))

    assert summary["read_at_length"] == 0
    own = {"id", "at"}
    assert [{k: v for k, v in line.items() if k not in own} for line in first] == [
        {k: v for k, v in line.items() if k not in own} for line in second
    ]


async def test_a_decision_of_a_batch_is_read_as_any(client: httpx.AsyncClient, people: list[str]):
    lines, _ = told(await batch(client, *people, "nobody"))
    for line in lines:
        answer = await client.get(f"/v1/decisions/{line['id']}", params={"replay": "true"})
        assert answer.status_code == 200, answer.text
        decision = answer.json()
        assert decision["decision"] == line["outcome"]
        assert decision["at"] == line["at"]
        assert decision["valid_until"] == line["valid_until"]
        assert decision["replay"]["same"]
