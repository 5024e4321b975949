"""Both engines keep the port's promise: a well-formed verdict, or `DecisionUnavailable`."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from service.decisions import DecisionUnavailable, PolicyEngine
from service.decisions.asking import taken
from service.decisions.opa import OpaPolicyEngine, served
from service.decisions.wasm import WasmPolicyEngine
from service.opa_process import opa_server
from tests.toy_policy import build, opa, policy

PERMIT: dict[str, Any] = {
    "allow": True,
    "basis": "consent",
    "reasons": [{"rule": "EU-EPD-01", "effect": "permit", "stage": 10}],
    "obligations": ["log_decision"],
    "acts": [0],
    "closed_hours": False,
}
DENY = PERMIT | {"allow": False, "basis": "none", "acts": []}
DENY["reasons"] = [{"rule": "ENG-DENY-01", "effect": "deny", "stage": 10}]
NO_VERDICTS: dict[str, Any] = {
    "bare true": True,
    "null": None,
    "a list": [PERMIT],
    "no basis": {name: value for name, value in PERMIT.items() if name != "basis"},
    "an unknown field": PERMIT | {"expires": "never"},
    "an unknown basis": PERMIT | {"basis": "friendship"},
    "an unknown effect": PERMIT | {"reasons": [PERMIT["reasons"][0] | {"effect": "allow"}]},
    "an unknown rule": PERMIT | {"reasons": [PERMIT["reasons"][0] | {"rule": "XX-01"}]},
    "an unknown stage": PERMIT | {"reasons": [PERMIT["reasons"][0] | {"stage": 99}]},
    "an act out of range": PERMIT | {"acts": [1]},
    "a negative act": PERMIT | {"acts": [-1]},
    "a word for a truth": PERMIT | {"allow": "true"},
    "a number for a truth": PERMIT | {"allow": 1},
    "an odd obligation": PERMIT | {"obligations": ["log_decision\n"]},
    "a permit with a denial": PERMIT | {"reasons": [*PERMIT["reasons"], *DENY["reasons"]]},
    "a permit while closed": PERMIT | {"closed_hours": True},
    "no reason": PERMIT | {"reasons": []},
    "too many reasons": DENY | {"reasons": DENY["reasons"] * 501},
    "a huge answer": DENY | {"reasons": DENY["reasons"] * 20_000},
}
ANSWERS = {"permit": PERMIT, "deny": DENY, **NO_VERDICTS}
REVISION = "sha256:test"

Open = Callable[..., AbstractAsyncContextManager[PolicyEngine]]


class Shaped(msgspec.Struct, forbid_unknown_fields=True):
    place: str


def facts(answer: str) -> bytes:
    return json.dumps({"acts": [{}], "answer": answer}).encode()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, Path]:
    return build(tmp_path_factory.mktemp("toy"), ANSWERS, REVISION)


@pytest.fixture(scope="module")
def server(built: tuple[bytes, bytes, Path]) -> Iterator[str]:
    opa()
    with opa_server(built[2]) as url:
        yield url


@pytest.fixture(params=["embedded", "opa"])
def opened(request: pytest.FixtureRequest, built: tuple[bytes, bytes, Path]) -> Open:
    """Opens an engine of the toy policy."""
    if request.param == "opa":
        url = request.getfixturevalue("server")
        return lambda *, limit=5.0: served(url, policy(), limit=limit)

    @asynccontextmanager
    async def embedded(*, limit: float = 5.0) -> AsyncIterator[PolicyEngine]:
        engine = WasmPolicyEngine(built[0], built[1], policy(), limit=limit)
        yield engine
        engine.close()

    return embedded


async def test_an_engine_says_what_its_policy_says(opened: Open):
    async with opened() as engine:
        await engine.check()
        permit = await engine.evaluate(facts("permit"))
        deny = await engine.evaluate(facts("deny"))

    assert (permit.allow, permit.basis, permit.acts, permit.obligations) == (True, "consent", (0,), ("log_decision",))
    assert (deny.allow, [reason.rule for reason in deny.reasons]) == (False, ["ENG-DENY-01"])


@pytest.mark.parametrize("answer", [*NO_VERDICTS, "undefined"])
async def test_anything_but_a_verdict_is_none(opened: Open, answer: str):
    async with opened() as engine:
        with pytest.raises(DecisionUnavailable) as refused:
            await engine.evaluate(facts(answer))

    assert refused.value.details["decision"] == "deny"


async def test_an_engine_is_asked_for_other_documents_by_their_entrypoints(opened: Open):
    async with opened() as engine:
        considered = await engine.ask("volens/decision/considered", facts("an odd obligation"))

    assert considered == NO_VERDICTS["an odd obligation"]


@pytest.mark.parametrize(
    ("entrypoint", "answer"),
    [("volens/decision/considered", "undefined"), ("volens/decision/imagined", "permit")],
)
async def test_what_the_policy_does_not_say_is_no_answer(opened: Open, entrypoint: str, answer: str):
    async with opened() as engine:
        with pytest.raises(DecisionUnavailable) as refused:
            await engine.ask(entrypoint, facts(answer))

    assert refused.value.details["decision"] == "deny"


@pytest.mark.parametrize("answer", [{"place": 1}, {"place": "DE", "also": "FR"}, [], None, "DE"])
def test_an_answer_of_another_shape_is_none(answer: Any):
    with pytest.raises(DecisionUnavailable, match="odd answer"):
        taken(answer, Shaped)


async def test_an_engine_that_takes_too_long_gives_no_verdict(opened: Open):
    async with opened(limit=0.05) as engine:
        with pytest.raises(DecisionUnavailable):
            await engine.evaluate(facts("late"))


async def test_an_engine_answers_again_after_it_failed(opened: Open):
    async with opened() as engine:
        with pytest.raises(DecisionUnavailable):
            await engine.evaluate(facts("bare true"))

        assert (await engine.evaluate(facts("permit"))).allow


async def test_an_engine_answers_many_at_once(opened: Open):
    async with opened() as engine:
        verdicts = await asyncio.gather(*(engine.evaluate(facts(answer)) for answer in ["permit", "deny"] * 20))

    assert [verdict.allow for verdict in verdicts] == [True, False] * 20


async def test_a_refused_connection_gives_no_verdict():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        async with served(f"http://127.0.0.1:{taken.getsockname()[1]}", policy()) as engine:
            for ask in (engine.check(), engine.evaluate(facts("permit"))):
                with pytest.raises(DecisionUnavailable):
                    await ask


async def test_a_server_with_another_policy_gives_no_verdict(server: str):
    async with served(server, replace(policy(), revision="sha256:other")) as engine:
        for ask in (engine.check(), engine.evaluate(facts("permit"))):
            with pytest.raises(DecisionUnavailable, match="another policy"):
                await ask


def http(kind: bytes, body: bytes, length: int | None = None) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"
    return head % (kind, len(body) if length is None else length) + body


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", id="an error of the server"),
        pytest.param(http(b"text/html", b"hi"), id="a web page"),
        pytest.param(http(b"application/json", b"{]"), id="no JSON"),
        pytest.param(http(b"application/json", b"\xff"), id="no UTF-8"),
        pytest.param(http(b"application/json", b"[" * 100_000), id="nested too deeply"),
        pytest.param(http(b"application/json", b"{}", 9), id="cut short"),
        pytest.param(http(b"application/json", b"{}"), id="no policy"),
        pytest.param(http(b"application/json", b"1"), id="a number"),
        pytest.param(b"nonsense\r\n\r\n", id="no HTTP"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_a_server_that_answers_oddly_gives_no_verdict(answer: bytes):
    async with stand_in(answer) as (url, _), served(url, policy(), limit=2.0) as engine:
        with pytest.raises(DecisionUnavailable):
            await engine.evaluate(facts("permit"))


async def test_a_server_that_keeps_failing_is_left_alone_for_a_while():
    async with (
        stand_in(b"HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n") as (url, calls),
        served(url, policy()) as first,
    ):
        engine = OpaPolicyEngine(first._client, policy(), failures=3, pause=0.2)
        for _ in range(10):
            with pytest.raises(DecisionUnavailable):
                await engine.evaluate(facts("permit"))
        assert len(calls) == 3

        await asyncio.sleep(0.25)
        with pytest.raises(DecisionUnavailable):
            await engine.evaluate(facts("permit"))
        assert len(calls) == 4


async def test_the_token_for_the_server_is_sent():
    async with stand_in(b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n") as (url, calls):
        async with served(url, policy(), token="open-sesame") as engine:
            with pytest.raises(DecisionUnavailable):
                await engine.check()

    assert b"authorization: bearer open-sesame" in calls[0].lower()


@pytest.mark.parametrize("url", ["localhost:8181", "ftp://opa.example", "http://opa.example/v1", "http://"])
async def test_an_address_that_the_client_cannot_reach_is_refused(url: str):
    with pytest.raises(ValueError, match="HOST:PORT"):
        async with served(url, policy()):
            pass


@asynccontextmanager
async def stand_in(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that says one thing, and what it was sent."""
    calls: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(await reader.read(65536))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", calls
