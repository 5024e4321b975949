"""Log lines, metrics and traces hold what is on the list and nothing else."""

import asyncio
import io
import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import TestClient
from prometheus_client import generate_latest

from service.telemetry import FIELDS, Telemetry, described
from service.tracing import trace
from tests.toy_site import NOON, Clock, bearer, toy_site

SECRET = "lovelace@mail.example"


class Desk:
    """A telemetry whose lines can be read."""

    def __init__(self) -> None:
        self.stream = io.BytesIO()
        self.telemetry = Telemetry(Clock(), stream=self.stream, level="info")

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.stream.getvalue().splitlines()]

    @property
    def metrics(self) -> str:
        return generate_latest(self.telemetry.registry).decode()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    with TestClient(toy_site(observer=desk.telemetry)) as client:
        yield client


def test_a_finished_request_is_one_line_without_its_path(desk: Desk, client: TestClient):
    answer = client.get("/v1/subjects/ada-l/toys", headers=bearer())
    (line,) = desk.lines

    assert line.pop("ms") > 0
    assert line == {
        "at": NOON.isoformat().replace("+00:00", "Z"),
        "level": "info",
        "event": "request",
        "request": answer.headers["x-request-id"],
        "method": "GET",
        "route": "/v1/subjects/{subject}/toys",
        "status": 200,
        "tenant": "acme",
        "actor": "mailer",
    }


@pytest.mark.parametrize("path", ["/v1/toys?cursor=lovelace", "/nowhere/lovelace", "/v1/toys/bug/broken"])
def test_nothing_a_client_sends_reaches_log_or_metrics(desk: Desk, client: TestClient, path: str):
    for method in ("GET", "PUT", "LOVELACE"):
        client.request(method, path, headers={**bearer(), "user-agent": SECRET, "x-request-id": SECRET})
    client.post("/v1/toys", json={SECRET: SECRET}, headers=bearer())

    assert len(desk.lines) >= 4
    assert b"lovelace" not in desk.stream.getvalue().lower()
    assert "lovelace" not in desk.metrics.lower()


def test_a_bug_is_logged_by_type_and_place(desk: Desk, client: TestClient):
    answer = client.put("/v1/toys/bug/broken", headers=bearer())
    bug, request = desk.lines

    assert answer.status_code == 500
    assert (bug["event"], bug["error"], bug["request"]) == ("bug", "RuntimeError", request["request"])
    assert 'volens_bugs_total{error="RuntimeError"} 1.0' in desk.metrics


def test_the_place_of_an_error_is_the_last_line_of_ours():
    try:
        msgspec.json.decode(Telemetry)  # a library fails, called by us
    except TypeError as error:
        facts = described(error)

    assert facts["error"] == "TypeError"
    assert facts["place"].rpartition("/")[2].startswith("test_telemetry_reports.py:")


def test_the_cause_of_an_error_is_named_by_its_type():
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as cause:
            raise ValueError(SECRET) from cause
    except ValueError as error:
        facts = described(error)

    assert facts["cause"] == "KeyError"
    assert SECRET not in str(facts)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True) | st.sampled_from(sorted(FIELDS)), st.text()))
def test_only_listed_members_are_written(line: dict[str, str]):
    desk = Desk()

    desk.telemetry.log.info("event", **{name: value for name, value in line.items() if name != "event"})

    assert set(desk.lines[0]) <= FIELDS
    assert desk.lines[0]["at"].startswith("2026-11-22T12:00:00")


def test_lines_below_the_level_are_not_written(desk: Desk):
    desk.telemetry.log.debug("noise")

    assert desk.lines == []


@pytest.fixture
def adopted(desk: Desk) -> Iterator[Desk]:
    names = ["", "uvicorn", "uvicorn.error", "uvicorn.access"]
    before = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).level) for name in names}
    desk.telemetry.adopt_library_loggers()
    yield desk
    logging.captureWarnings(capture=False)
    for name, (handlers, level) in before.items():
        logging.getLogger(name).handlers[:] = handlers
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).disabled = False


def test_a_library_is_quoted_by_place_and_type_alone(adopted: Desk):
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("psycopg.pool").exception(f"error connecting to {SECRET}: %s", SECRET)  # noqa: G004
    (line,) = adopted.lines

    assert (line["logger"], line["event"], line["level"]) == ("psycopg.pool", "library", "error")
    assert line["error"] == "ValueError"
    assert SECRET not in str(line)


def test_the_server_may_say_what_it_does_without_arguments(adopted: Desk):
    logging.getLogger("uvicorn.error").info("Started server process [%s]", SECRET)
    logging.getLogger("uvicorn.error").error("Cancel %s running task(s), timeout exceeded", SECRET)
    logging.getLogger("uvicorn.access").info("GET /v1/subjects/%s", SECRET)

    assert [line["event"] for line in adopted.lines] == [
        "Started server process", "Cancel running task(s), timeout exceeded",
    ]  # fmt: skip


def test_every_number_has_a_name(desk: Desk):
    telemetry = desk.telemetry
    telemetry.decided("permit", "consent")
    telemetry.decided("deny", "none", 3)
    telemetry.evaluated("wasm", 0.001)
    telemetry.engine_failed("opa", TimeoutError(SECRET))
    telemetry.issuer_failed("https://id.example")
    telemetry.policy("sha256:1")
    telemetry.policy("sha256:2")

    for sample in (
        'volens_decisions_total{basis="consent",outcome="permit"} 1.0',
        'volens_decisions_total{basis="none",outcome="deny"} 3.0',
        'volens_engine_seconds_count{engine="wasm"} 1.0',
        'volens_engine_failures_total{engine="opa"} 1.0',
        'volens_issuer_failures_total{issuer="https://id.example"} 1.0',
        'volens_policy{revision="sha256:2"} 1.0',
    ):
        assert sample in desk.metrics
    assert "sha256:1" not in desk.metrics
    assert SECRET not in str(desk.lines)


def test_what_the_worker_leaves_to_others_does_not_look_like_work_of_its_own(desk: Desk):
    desk.telemetry.backlog("outbox", 7)
    (told,) = [line for line in desk.metrics.splitlines() if line.startswith("# HELP volens_backlog ")]

    assert "which retention takes away" in told


def test_two_services_in_one_process_count_apart():
    first, second = Desk(), Desk()
    first.telemetry.decided("permit", "consent")

    assert "permit" in first.metrics
    assert "permit" not in second.metrics


def test_without_a_collector_nothing_is_traced():
    async def app(*_: Any) -> None: ...

    assert trace(app, None) is app


async def test_a_trace_names_the_route_and_never_the_path(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def collect(request: web.Request) -> web.Response:
        await received.put(await request.read())
        return web.Response()

    collector = web.Application()
    collector.router.add_post("/v1/traces", collect)
    async with TestServer(collector) as server:
        app = toy_site(otlp_endpoint=str(server.make_url("/v1/traces")))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://volens.example") as client:
            answer = await client.get("/v1/subjects/ada-lovelace/toys", headers=bearer())
        span = await asyncio.wait_for(received.get(), 10)

    assert answer.status_code == 200
    assert b"GET /v1/subjects/{subject}/toys" in span
    assert answer.headers["x-request-id"].encode() in span
    assert b"lovelace" not in span


def test_an_unknown_value_in_a_line_is_named_by_its_type(desk: Desk):
    desk.telemetry.log.info("event", count=object(), tenant=uuid4)

    assert desk.lines[0]["count"] == "object"
