"""Every check is answered by the table in front of Litestar as the ordinary handler would have answered it."""

import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from uuid_utils.compat import uuid7

from service import app
from service.kernel import TenantId
from service.postgres import DatabaseUrls
from service.settings import Settings
from service.telemetry import Telemetry
from service.web.local_issuer import LocalIssuer
from tests.api.test_unavailable import NOWHERE
from tests.conftest import Database, FakeClock
from tests.twins import Played, Sent, play_both

Sign = Callable[..., bytes]

QUESTION = {"subject": "anna", "channel": "email", "purpose": "marketing"}
BODY = json.dumps(QUESTION).encode()
JSON = (b"content-type", b"application/json")
LIMIT = 1024 * 1024

BODIES: Mapping[str, tuple[bytes, int]] = {
    "a question": (BODY, 200),
    "of another day": (json.dumps(QUESTION | {"at": "2025-11-21T10:00:00+01:00"}).encode(), 200),
    "with a context": (json.dumps(QUESTION | {"context": {"brand": "north"}}).encode(), 200),
    "as long as the limit": (BODY.ljust(LIMIT), 200),
    "a byte longer": (BODY.ljust(LIMIT + 1), 413),
    "too far ahead": (json.dumps(QUESTION | {"at": "2029-11-21T10:00:00Z"}).encode(), 409),
    "an unknown purpose": (json.dumps(QUESTION | {"purpose": "x-unheard-of"}).encode(), 409),
    "an unknown zone": (json.dumps(QUESTION | {"context": {"plausible_time_zones": ["Mars/Base"]}}).encode(), 409),
    "a wish for a permit": (json.dumps(QUESTION | {"permit": True}).encode(), 200),
    "a permit for somebody": (json.dumps(QUESTION | {"permit": {"audience": "relay"}}).encode(), 200),
    "a permit of another day": (json.dumps(QUESTION | {"permit": True, "at": "2025-11-21T10:00:00Z"}).encode(), 409),
    "a permit for an address": (json.dumps(QUESTION | {"permit": {"audience": "a@mail.example"}}).encode(), 400),
    "empty": (b"", 400),
    "blank": (b" ", 400),
    "null": (b"null", 400),
    "a list": (b"[" + BODY + b"]", 400),
    "cut off": (BODY[:-1], 400),
    "something after it": (BODY + b"{}", 400),
    "a byte order mark": (b"\xef\xbb\xbf" + BODY, 400),
    "invalid UTF-8": (BODY.replace(b"anna", b"ann\xff"), 400),
    "U+0000": (BODY.replace(b"anna", b"ann\\u0000"), 400),
    "a member twice": (BODY.replace(b'"subject"', b'"subject": "bert", "subject"'), 400),
    "an unknown member": (json.dumps(QUESTION | {"lovelace@mail.example": 1}).encode(), 400),
    "a missing member": (b'{"subject": "anna", "channel": "email"}', 400),
    "an address for a subject": (json.dumps(QUESTION | {"subject": "lovelace@mail.example"}).encode(), 400),
    "a number for a subject": (json.dumps(QUESTION | {"subject": 7}).encode(), 400),
    "an unknown channel": (json.dumps(QUESTION | {"channel": "pigeon"}).encode(), 400),
    "a time without a zone": (json.dumps(QUESTION | {"at": "2026-11-21T10:00:00"}).encode(), 400),
    "a number for a time": (json.dumps(QUESTION | {"at": 0}).encode(), 400),
    "NaN": (BODY[:-1] + b', "at": NaN}', 400),
    "nested too deeply": (b'{"context": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", 400),
}

HEADERS: Mapping[str, tuple[list[tuple[bytes, bytes]], int]] = {
    "no media type": ([], 415),
    "two of them": ([JSON, JSON], 415),
    "text": ([(b"content-type", b"text/plain")], 415),
    "another charset": ([(b"content-type", b"application/json; charset=latin-1")], 415),
    "UTF-8": ([(b"content-type", b"application/json; charset=UTF-8")], 200),
    "compressed": ([JSON, (b"content-encoding", b"gzip")], 415),
    "a length that is too large": ([JSON, (b"content-length", b"1048577")], 413),
    "a length that is none": ([JSON, (b"content-length", b"-1")], 400),
    "the address of a network": ([JSON, (b"host", b"127.0.0.1:8000")], 200),
    "the address of a newer network": ([JSON, (b"host", b"[::1]:8000")], 200),
    "no name of a host": ([JSON, (b"host", b"two words")], 400),
}

UNUSUAL: Mapping[str, tuple[dict[str, Any], int]] = {
    "OPTIONS": ({"method": "OPTIONS"}, 204),
    "GET": ({"method": "GET"}, 405),
    "HEAD": ({"method": "HEAD"}, 405),
    "PUT": ({"method": "PUT"}, 405),
    "DELETE": ({"method": "DELETE"}, 405),
    "a parameter": ({"query": b"replay=true"}, 400),
    "a trailing slash": ({"path": "/v1/decisions/"}, 200),
    "two slashes": ({"path": "//v1/decisions"}, 200),
    "capitals": ({"path": "/V1/decisions"}, 404),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path), body_limit=LIMIT)


@pytest.fixture
def sign(settings: Settings, clock: FakeClock, tenant: TenantId) -> Sign:
    """Signs tokens, as the value of the header."""

    def signed(scope: str = "decide", tenant: TenantId = tenant, subject: str = "shop") -> bytes:
        issuer = LocalIssuer.open(settings.data, settings.audience)
        hour = timedelta(hours=1)
        token = issuer.sign(tenant=tenant, scope=scope, subject=subject, ttl=hour, now=clock(), new_id=uuid7)
        return f"Bearer {token}".encode()

    return signed


def check(authorization: bytes, *chunks: bytes, **others: Any) -> Sent:
    usual = {"path": "/v1/decisions", "headers": ((b"authorization", authorization), JSON), "chunks": chunks or (BODY,)}
    return Sent(**(usual | others))


async def hold(site: Litestar, cases: Mapping[str, tuple[Sent, int]], *, by_table: bool = True) -> None:
    """Hold the two to the same answer in each case, and both to its status."""
    for name, (sent, status) in cases.items():
        with_table, without, hot = await play_both(site, sent)
        assert (with_table, with_table.status) == (without, status), name
        assert hot == by_table, name


async def test_every_body_gets_the_same_answer(site: Litestar, sign: Sign):
    token = sign()

    await hold(site, {name: (check(token, body), status) for name, (body, status) in BODIES.items()})


async def test_a_body_gets_the_same_answer_however_it_comes(site: Litestar, sign: Sign):
    token = sign()
    long = [b" " * 100_000] * 11

    await hold(
        site,
        {
            "in parts": (check(token, BODY[:9], b"", BODY[9:]), 200),
            "in parts, more than the limit": (check(token, BODY, *long), 413),
            "not to its end": (check(token, BODY, gone=True), 400),
            "not at all": (check(token, b"", gone=True), 400),
        },
    )


async def test_every_header_gets_the_same_answer(site: Litestar, sign: Sign):
    authorization = (b"authorization", sign())
    cases = {
        name: (check(b"", headers=(authorization, *headers)), status) for name, (headers, status) in HEADERS.items()
    }

    odd = {name: cases.pop(name) for name in ("the address of a newer network", "no name of a host")}
    await hold(site, cases)
    await hold(site, odd, by_table=False)


async def test_every_caller_gets_the_same_answer(site: Litestar, sign: Sign):
    own, other = sign("self", subject="anna"), sign("self", subject="bert")
    twice = ((b"authorization", sign()), (b"authorization", sign()), JSON)

    await hold(
        site,
        {
            "nobody": (check(b"", headers=(JSON,)), 401),
            "two tokens": (check(b"", headers=twice), 401),
            "no token": (check(b"Basic YTpi"), 401),
            "a forged one": (check(sign()[:-8] + b"AAAAAAAA"), 401),
            "of a tenant that isn't there": (check(sign(tenant=TenantId("nobody"))), 401),
            "without the scope": (check(sign("records:read")), 403),
            "the subject": (check(own), 200),
            "another subject": (check(other), 404),
            "another subject, who asks badly": (check(other, b"{}"), 400),
            "nobody, who asks badly": (check(b"", b"{", headers=()), 401),
        },
    )


async def test_whatever_is_unusual_gets_the_answer_of_the_ordinary_handler(site: Litestar, sign: Sign):
    cases = {name: (check(sign(), **changes), status) for name, (changes, status) in UNUSUAL.items()}

    await hold(site, cases, by_table=False)


async def test_the_log_tells_the_same_of_both(site: Litestar, sign: Sign, log: BytesIO):
    await play_both(site, check(sign()))
    await play_both(site, check(sign(), b"{"))
    lines = [msgspec.json.decode(line) for line in log.getvalue().splitlines()]
    told = [{name: line[name] for name in line if name != "ms"} for line in lines if line["event"] == "request"]

    assert [(line["route"], line["status"], line["actor"]) for line in told] == [
        ("/v1/decisions", status, "volens-cli") for status in (200, 200, 400, 400)
    ]
    assert told[0::2] == told[1::2]


async def test_an_engine_that_does_not_answer_is_the_same_no(
    settings: Settings, database: Database, clock: FakeClock, sign: Sign
):
    with nobody_there() as address:
        async with running(msgspec.structs.replace(settings, opa_url=address), database.urls, clock) as site:
            answer, twin, by_table = await play_both(site, check(sign()))

    assert by_table
    assert_denied(answer)
    assert answer == twin


async def test_a_database_that_is_gone_is_the_same_no(settings: Settings, clock: FakeClock, sign: Sign):
    urls = DatabaseUrls(owner=NOWHERE, app=NOWHERE, worker=NOWHERE, admin=NOWHERE)
    async with running(settings, urls, clock) as site:
        answer, twin, by_table = await play_both(site, check(sign()))

    assert by_table
    assert_denied(answer)
    assert answer == twin


def assert_denied(answer: Played) -> None:
    assert (answer.status, answer.body["decision"]) == (503, "deny")


@contextmanager
def nobody_there() -> Iterator[str]:
    """Lend an address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@asynccontextmanager
async def running(settings: Settings, urls: DatabaseUrls, clock: FakeClock) -> AsyncIterator[Litestar]:
    async with app.running(settings, urls, Telemetry(clock, stream=BytesIO()), clock=clock) as site:
        yield site
