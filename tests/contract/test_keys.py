"""Where keys come from: a server that may be slow, wrong or hostile, and files."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from service.kernel import Unavailable
from service.web import keys
from service.web.auth import Authenticator
from service.web.keys import IssuerSettings, KeyRing, fetch, usable_keys
from service.web.problems import Refusal
from tests.toy_site import AUDIENCE, EC, ED, ISSUER, STRANGER, Clock, Issuer, jwk, jwks, ring_of, token

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[TestServer] = []

    async def start(handler: Handler) -> str:
        application = web.Application()
        application.router.add_get("/{path:.*}", handler)
        servers.append(TestServer(application))
        await servers[-1].start_server()
        return str(servers[-1].make_url("/jwks"))

    yield start
    for server in servers:
        await server.close()


def ring_at(place: str, failures: list[str]) -> KeyRing:
    return KeyRing([IssuerSettings(issuer=ISSUER, jwks=place)], Clock(), failed=failures.append)


async def test_keys_are_read_from_a_server(serve: Serve):
    async def answer(request: web.Request) -> web.Response:
        assert "cookie" not in request.headers
        return web.Response(body=jwks(jwk(ED, "ed")))

    found = await ring_at(await serve(answer), []).find(ISSUER, "ed")

    assert found is not None
    assert found.algorithm_name == "EdDSA"


async def test_keys_are_read_from_a_file(tmp_path: Path):
    place = tmp_path / "jwks.json"
    place.write_bytes(jwks(jwk(ED, "ed")))

    assert await ring_at(str(place), []).find(ISSUER, "ed") is not None


async def redirect(request: web.Request) -> web.Response:
    if request.path == "/elsewhere":
        return web.Response(body=jwks(jwk(ED, "ed")))
    raise web.HTTPFound("/elsewhere")


async def too_large(_: web.Request) -> web.Response:
    return web.Response(body=jwks(jwk(ED, "ed")) + b" " * keys.MAX_JWKS)


async def endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b" " * 65536)


async def bomb(_: web.Request) -> web.Response:
    return web.Response(body=gzip.compress(b" " * 50_000_000), headers={"content-encoding": "gzip"})


async def silent(_: web.Request) -> web.Response:
    await asyncio.sleep(60)
    raise AssertionError("nobody waits so long")


async def broken(_: web.Request) -> web.Response:
    return web.Response(status=500, body=jwks(jwk(ED, "ed")))


async def nonsense(_: web.Request) -> web.Response:
    return web.Response(text="<html>")


@pytest.mark.parametrize("handler", [redirect, too_large, endless, bomb, silent, broken, nonsense])
async def test_a_server_that_misbehaves_has_no_keys(serve: Serve, handler: Handler, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keys, "TIMEOUT", 0.5)
    failures: list[str] = []
    failing = ring_at(await serve(handler), failures)

    with pytest.raises(Unavailable):
        await failing.find(ISSUER, "ed")

    assert failures == [ISSUER]
    assert not failing.ready()


@pytest.mark.parametrize("place", ["http://127.0.0.1:1/jwks", "no/such/file.json", "/dev/zero"])
async def test_a_place_that_is_not_there_has_no_keys(place: str):
    with pytest.raises((OSError, ValueError)):
        await fetch(place)


@pytest.mark.parametrize(
    "document",
    [
        b"", b"null", b"[]", b"{}", b'{"keys":{}}', b'{"keys":"x"}', b"\xff", b'{"keys":' + b"[" * 100_000,
        jwks(*[jwk(ED, str(number)) for number in range(101)]),
    ],
)  # fmt: skip
def test_what_is_no_key_set_is_refused(document: bytes):
    with pytest.raises(ValueError, match="not a JWKS"):
        usable_keys(document)


def test_other_members_of_a_key_set_do_no_harm():
    document = b'{"keys":[1,null,"x",[],{"kid":7},%s]}' % msgspec.json.encode(jwk(ED, "ed"))

    assert list(usable_keys(document)) == ["ed"]


async def test_a_storm_of_unknown_key_ids_asks_the_issuer_once():
    issuer, clock = Issuer(jwk(ED, "ed")), Clock()
    storm = ring_of(issuer, clock)

    await asyncio.gather(*(storm.find(ISSUER, f"kid-{number}") for number in range(500)))
    for number in range(500):
        await storm.find(ISSUER, f"other-{number}")

    assert issuer.asked == 1


async def test_after_the_interval_the_issuer_is_asked_once_more():
    issuer, clock = Issuer(jwk(ED, "ed")), Clock()
    ring = ring_of(issuer, clock)
    await ring.find(ISSUER, "x")

    clock.advance(keys.INTERVAL)
    await asyncio.gather(*(ring.find(ISSUER, "x") for _ in range(50)))

    assert issuer.asked == 2


async def test_an_issuer_that_is_down_is_asked_no_more_often():
    issuer, clock = Issuer(jwk(ED, "ed")), Clock()
    issuer.down = True
    ring = ring_of(issuer, clock)
    for _ in range(50):
        with pytest.raises(Unavailable):
            await ring.find(ISSUER, "ed")

    assert issuer.asked == 1


async def test_a_known_key_is_found_without_asking():
    issuer, clock = Issuer(jwk(ED, "ed")), Clock()
    ring = ring_of(issuer, clock)
    for _ in range(3):
        assert await ring.find(ISSUER, "ed") is not None
        clock.advance(timedelta(hours=1))

    assert issuer.asked == 1


async def test_an_unknown_issuer_is_never_asked_about():
    issuer = Issuer(jwk(ED, "ed"))

    assert await ring_of(issuer, Clock()).find("https://evil.example", "ed") is None
    assert issuer.asked == 0


def headers(text: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Bearer {text}".encode())]


async def test_a_new_key_is_accepted_and_a_withdrawn_one_refused_at_once():
    issuer, clock = Issuer(jwk(ED, "ed")), Clock()
    ring = ring_of(issuer, clock)
    known = Authenticator(ring, clock, audience=AUDIENCE)
    old, new = headers(token()), headers(token(EC, "ES256", "ec"))
    await known.caller(old, "r")
    await known.caller(old, "r")

    issuer.document = jwks(jwk(EC, "ec"))
    clock.advance(keys.INTERVAL)

    assert (await known.caller(new, "r")).tenant == "acme"
    with pytest.raises(Refusal):
        await known.caller(old, "r")


async def test_a_key_replaced_under_its_id_no_longer_verifies_remembered_tokens():
    issuer, clock = Issuer(jwk(ED, "ed")), Clock()
    ring = ring_of(issuer, clock)
    known = Authenticator(ring, clock, audience=AUDIENCE)
    await known.caller(headers(token()), "r")

    issuer.document = jwks(jwk(STRANGER, "ed"))
    clock.advance(keys.INTERVAL)
    await ring.refresh()

    with pytest.raises(Refusal):
        await known.caller(headers(token()), "r")


async def test_keys_outlive_a_short_outage_of_their_issuer_but_not_a_long_one():
    issuer, clock = Issuer(jwk(ED, "ed")), Clock()
    ring = ring_of(issuer, clock)
    await ring.refresh()
    generation = ring.generation

    issuer.down = True
    clock.advance(keys.TRUST)
    await ring.refresh()
    assert await ring.find(ISSUER, "ed") is not None

    clock.advance(keys.INTERVAL)
    await ring.refresh()
    with pytest.raises(Unavailable):
        await ring.find(ISSUER, "ed")
    assert ring.generation > generation


async def test_an_entered_ring_fetches_on_its_own_and_stops_when_left():
    asked = asyncio.Event()

    async def answer(_: str) -> bytes:
        asked.set()
        return jwks(jwk(ED, "ed"))

    async with KeyRing([IssuerSettings(issuer=ISSUER, jwks="https://id.example/jwks")], Clock(), answer):
        await asked.wait()

    assert len(asyncio.all_tasks()) == 1


async def test_a_request_that_is_given_up_does_not_stop_the_fetch_of_the_others():
    released = asyncio.Event()

    async def slow(_: str) -> bytes:
        await released.wait()
        return jwks(jwk(ED, "ed"))

    ring = KeyRing([IssuerSettings(issuer=ISSUER, jwks="https://id.example/jwks")], Clock(), slow)
    first, second = (asyncio.create_task(ring.find(ISSUER, "ed")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    released.set()

    assert await second is not None


@pytest.mark.parametrize(
    "settings",
    [
        {"issuer": ISSUER, "jwks": "http://id.example/jwks"},
        {"issuer": "", "jwks": "https://id.example/jwks"},
        {"issuer": ISSUER, "jwks": ""},
    ],
)
def test_an_issuer_without_a_safe_place_for_its_keys_is_refused(settings: dict[str, Any]):
    with pytest.raises(ValueError, match="keys"):
        IssuerSettings(**settings)


def test_an_issuer_is_listed_once():
    one = IssuerSettings(issuer=ISSUER, jwks="https://id.example/jwks")

    with pytest.raises(ValueError, match="twice"):
        KeyRing([one, one], Clock())
