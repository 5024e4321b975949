"""Packages that break off, that many want at once, and that somebody has touched."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from service.kernel import Handle
from service.packages.parcels import GRACE
from tests.api.test_packages import executed, fetch, place, read, state
from tests.api.test_requests import problem
from tests.exported import told
from tests.parcelled import sealed
from tests.vaulted import Put

Client = httpx.AsyncClient


@pytest.fixture
def work(pack: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    return pack


@pytest.fixture
def own(client_of: Callable[..., Client]) -> Client:
    """Anna, with her own token."""
    return client_of(subject="anna")


@pytest.fixture
async def anna(put: Put) -> Handle:
    return await put("anna", {"email": "anna@mail.example"})


def leaving_after(site: Any, parts: int) -> Client:
    """Return a client that hangs up after so many parts of an answer."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        gone, seen, asked = asyncio.Event(), 0, False

        async def wary_receive() -> Any:
            nonlocal asked
            if not asked:
                asked = True
                return await receive()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def counting_send(message: Any) -> None:
            nonlocal seen
            if message["type"] == "http.response.body":
                seen += 1
                if seen >= parts:
                    gone.set()
            await send(message)

        await site(scope, wary_receive, counting_send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://volens.example")


@pytest.fixture
async def long(put: Put, anna: Handle) -> None:
    """Something that takes several parts to hand out."""
    noise = random.Random(7).randbytes(400_000)  # which no ZIP makes smaller
    await put("anna", {"document": {"media_type": "image/png", "content": noise}})


@pytest.mark.usefixtures("long")
async def test_one_that_broke_off_can_be_had_again_for_a_while(client, own, work, site, clock):
    request = await executed(client)
    await work()
    async with leaving_after(site, 2) as hasty:
        hasty.headers = own.headers
        with pytest.raises(AssertionError):  # the transport of the test wants a whole answer
            await fetch(hasty, request)

    assert await state(own, request) == "ready"
    clock.advance(GRACE - timedelta(seconds=1))
    assert read(await fetch(own, request))["subject"] == "anna"
    assert problem(await fetch(own, request)) == (410, "package_gone")
    assert len(await told(client, "package.downloaded")) == 2


@pytest.mark.usefixtures("long")
async def test_one_that_broke_off_is_gone_when_the_while_is_over(client, own, work, site, clock):
    request = await executed(client)
    await work()
    async with leaving_after(site, 2) as hasty:
        hasty.headers = own.headers
        with pytest.raises(AssertionError):
            await fetch(hasty, request)
    clock.advance(GRACE)

    assert problem(await fetch(own, request)) == (410, "package_gone")


@pytest.mark.usefixtures("long")
async def test_of_many_at_once_one_gets_it(client, own, work):
    request = await executed(client)
    await work()

    answers = await asyncio.gather(*(fetch(own, request) for _ in range(8)))

    assert [answer.status_code for answer in answers].count(200) == 1
    assert {problem(answer) for answer in answers if answer.status_code != 200} <= {
        (409, "package_taken"), (410, "package_gone"),
    }  # fmt: skip
    assert len(await told(client, "package.downloaded")) == 1


@pytest.mark.usefixtures("anna")
async def test_a_file_that_is_not_there_or_was_touched_is_never_handed_out(client, own, work, settings):
    request = await executed(client)
    await work()
    [file] = sealed(settings)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert problem(await fetch(own, request)) == (500, "unreadable")
    file.unlink()
    assert problem(await fetch(own, request)) == (410, "package_gone")
    file.write_bytes(whole)

    assert read(await fetch(own, request))["subject"] == "anna"
    assert len(await told(client, "package.downloaded")) == 1


async def test_of_an_id_whose_person_was_erased_there_is_nothing_to_hand_out(client, work, anna, erase):
    """Nothing could be sealed for them. That nothing is kept any more is for staff to answer."""
    await executed(client, "erasure")
    await erase()
    request = await executed(client)

    await work()
    assert problem(await client.post(place(request), json={})) == (410, "subject_erased")
    done = await client.post(f"/v1/requests/{request['id']}/complete", json={"version": request["version"]})
    assert done.json()["state"] == "answered"
