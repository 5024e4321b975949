"""Every answer has an id and safe headers, and nothing that goes wrong is told to strangers."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from litestar.testing import TestClient

from service.web.limits import Edge
from tests.toy_site import Silence, bearer, toy_site

GIVEN = "01981234-5678-7abc-8def-0123456789ab"


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(toy_site()) as client:
        yield client


@pytest.mark.parametrize("path", ["/v1/toys", "/nowhere", "/", "/docs", "/problems/not_found", "/v1/toys?limit=x"])
def test_every_answer_has_safe_headers(client: TestClient, path: str):
    headers = client.get(path, headers=bearer()).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert len(headers.get_list("content-security-policy")) == 1
    assert "strict-transport-security" not in headers
    assert "server" not in headers


def test_answers_about_people_are_not_stored_on_the_way(client: TestClient):
    assert client.get("/v1/toys", headers=bearer()).headers["cache-control"] == "no-store"
    assert client.get("/v1/toys").headers["cache-control"] == "no-store"


def test_behind_tls_the_browser_is_told_to_stay_there():
    with TestClient(toy_site(hsts=True)) as client:
        assert client.get("/docs").headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


def test_a_request_id_is_taken_from_the_client(client: TestClient):
    answer = client.get("/v1/toys", headers={"x-request-id": GIVEN})

    assert answer.headers["x-request-id"] == GIVEN
    assert answer.json()["instance"].endswith(GIVEN)


@pytest.mark.parametrize(
    "given", ["", "lovelace@mail.example", "0049-151-1234567", GIVEN + "\t", GIVEN * 2, "x" * 5000, "ada-lovelace"]
)
def test_a_request_id_that_could_say_something_is_replaced(client: TestClient, given: str):
    answer = client.get("/v1/toys", headers={"x-request-id": given})

    assert UUID(answer.headers["x-request-id"])
    assert answer.headers["x-request-id"] != given


def test_each_finished_request_is_observed_by_its_template():
    observer = Silence()
    with TestClient(toy_site(observer=observer)) as client:
        client.get("/v1/subjects/s-1/toys", headers=bearer())
        client.get("/nowhere/lovelace@mail.example")

    assert observer.requests == [("/v1/subjects/{subject}/toys", 200), ("none", 404)]


async def converse(edge: Edge) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await edge({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)  # type: ignore[typeddict-item]
    return sent


async def test_a_failure_outside_of_litestar_is_a_silent_500():
    async def explode(*_: Any) -> None:
        raise RuntimeError("lovelace@mail.example")

    observer = Silence()
    start, body = await converse(Edge(explode, observer, uuid4, hsts=False))

    assert start["status"] == 500
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert b"lovelace" not in body["body"]
    assert len(observer.bugs) == 1


async def test_a_failure_after_the_answer_began_leaves_it_unfinished():
    async def explode(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("lovelace@mail.example")

    observer = Silence()
    sent = await converse(Edge(explode, observer, uuid4, hsts=False))

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert len(observer.bugs) == 1


async def test_a_request_that_is_cancelled_is_observed_as_unanswered():
    async def wait(*_: Any) -> None:
        await asyncio.sleep(60)

    observer = Silence()
    conversation = asyncio.create_task(converse(Edge(wait, observer, uuid4, hsts=False)))
    await asyncio.sleep(0)
    conversation.cancel()
    with pytest.raises(asyncio.CancelledError):
        await conversation

    assert observer.requests == [("none", 0)]


async def test_one_more_than_may_be_under_way_is_refused_and_nothing_of_it_is_read():
    go_on, read = asyncio.Event(), 0

    async def wait(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def receive() -> Any:
        nonlocal read
        read += 1

    observer = Silence()
    said = {("POST", "/v1/decisions"): {"decision": "deny"}}
    edge = Edge(wait, observer, uuid4, hsts=False, at_once=2, said=said)
    under_way = [asyncio.create_task(asked(edge, "/v1/decisions", receive)) for _ in range(2)]
    await asyncio.sleep(0)
    assert observer.under_way() == 2

    start, body = await asked(edge, "/v1/decisions", receive)
    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"1")
    problem = json.loads(body["body"])
    assert (problem["decision"], problem["type"].rsplit("/")[-1]) == ("deny", "overloaded")
    assert (await asked(edge, "/v1/records", receive))[0]["status"] == 503
    alive = [asyncio.create_task(asked(edge, path, receive)) for path in ("/health/live", "/metrics")]
    await asyncio.sleep(0)
    assert observer.under_way() == 4
    go_on.set()
    assert [(await each)[0]["status"] for each in (*under_way, *alive)] == [204] * 4
    assert (observer.under_way(), observer.refused, read) == (0, 2, 0)
    assert (await asked(edge, "/v1/decisions", receive))[0]["status"] == 204


async def test_a_request_that_fails_or_is_given_up_is_under_way_no_more():
    async def explode(*_: Any) -> None:
        raise RuntimeError

    observer = Silence()
    edge = Edge(explode, observer, uuid4, hsts=False, at_once=1)
    for _ in range(3):
        assert (await converse(edge))[0]["status"] == 500
    assert observer.under_way() == 0


async def asked(edge: Edge, path: str, receive: Any) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await edge({"type": "http", "method": "POST", "path": path, "headers": []}, receive, send)  # type: ignore[typeddict-item]
    return sent
