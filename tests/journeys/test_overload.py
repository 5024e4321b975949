"""More requests than may be under way: each is answered, and afterwards all is as before."""

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.journeys.conftest import Installation
from tests.journeys.processes import Service, running

AT_ONCE = 4
QUESTION = json.dumps({"subject": "anna", "channel": "email", "purpose": "marketing"}).encode()


@pytest.fixture(scope="module")
def service(installation: Installation) -> Iterator[Service]:
    env = {**installation.env, "VOLENS_REQUESTS_AT_ONCE": str(AT_ONCE)}
    with running("serve", "--port", "0", env=env) as service:
        yield service


def head(token: str) -> bytes:
    lines = (
        "POST /v1/decisions HTTP/1.1", "host: volens", f"authorization: Bearer {token}",
        "content-type: application/json", f"content-length: {len(QUESTION)}",
    )  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode()


class Held:
    """A request whose body is kept back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def begun(cls, url: str, token: str) -> "Held":
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head(token))
        await writer.drain()
        return cls(reader, writer)

    async def answer(self, *, send: bool) -> tuple[int, dict[str, str], dict[str, object]]:
        """Return what comes; with `send`, once the body was sent as well."""
        if send:
            self._writer.write(QUESTION)
        raw = (await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 30)).decode()
        first, *lines = raw.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = json.loads(await self._reader.readexactly(int(headers["content-length"])))
        self._writer.close()
        return int(first.split()[1]), headers, body


async def under_way(client: httpx.AsyncClient) -> int:
    for line in (await client.get("/metrics")).text.splitlines():
        if line.startswith("volens_requests_in_progress "):
            return int(float(line.split()[1])) - 1  # without this one
    raise AssertionError


async def test_one_more_than_may_be_under_way_is_refused_before_its_body_has_come(
    service: Service, installation: Installation
):
    async with httpx.AsyncClient(base_url=service.url) as client:
        held = [await Held.begun(service.url, installation.token) for _ in range(AT_ONCE)]
        for _ in range(1_000):
            if await under_way(client) == AT_ONCE:
                break

        refused = await Held.begun(service.url, installation.token)
        status, headers, problem = await refused.answer(send=False)
        assert (status, headers["retry-after"], headers["content-type"]) == (503, "1", "application/problem+json")
        assert (problem["decision"], str(problem["type"]).rsplit("/")[-1]) == ("deny", "overloaded")
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/v1/policy")).status_code == 503, "also who has no token"

        answers = [await each.answer(send=True) for each in held]
        assert [(status, body["decision"]) for status, _, body in answers] == [(200, "deny")] * AT_ONCE
        later = await (await Held.begun(service.url, installation.token)).answer(send=True)
        assert (later[0], later[2]["decision"]) == (200, "deny")
        assert await under_way(client) == 0


async def test_of_many_at_once_each_is_answered_and_afterwards_it_works_again(
    service: Service, installation: Installation
):
    begun = await asyncio.gather(*(Held.begun(service.url, installation.token) for _ in range(200)))
    answers = await asyncio.gather(*(each.answer(send=True) for each in begun))

    assert {status for status, _, _ in answers} <= {200, 503}
    assert all(body["decision"] == "deny" for _, _, body in answers)
    assert all(headers["retry-after"] == "1" for status, headers, _ in answers if status == 503)
    for _ in range(2 * AT_ONCE):
        status, _, _ = await (await Held.begun(service.url, installation.token)).answer(send=True)
        assert status == 200
    async with httpx.AsyncClient(base_url=service.url) as client:
        told = (await client.get("/metrics")).text
    refused = 2 + [status for status, _, _ in answers].count(503)
    assert f"volens_requests_overloaded_total {float(refused)}" in told
