"""Every append is answered by the table in front of Litestar as the ordinary handler would have answered it."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from litestar import Litestar

from tests.builders import a_record_body
from tests.twins import Sent, play, play_both

JSON = (b"content-type", b"application/json")
PATH = "/v1/records"
KNOWN = a_record_body()


def body(*records: Any, **others: Any) -> bytes:
    return json.dumps({"records": list(records), **others}).encode()


def asked(client: Any, sent: bytes) -> Sent:
    return Sent(path=PATH, headers=((b"authorization", client.headers["authorization"].encode()), JSON), chunks=(sent,))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(body(KNOWN), 200, id="known"),
        pytest.param(body(KNOWN, KNOWN), 200, id="twice"),
        pytest.param(body(KNOWN | {"brand": "B"}), 409, id="of other content"),
        pytest.param(body(KNOWN, KNOWN | {"brand": "B"}), 409, id="contradicting itself"),
        pytest.param(body(a_record_body(ts="2029-11-20T12:00:00Z")), 409, id="of another year"),
        pytest.param(body(a_record_body(purpose="x-unheard-of")), 409, id="for an unknown purpose"),
        pytest.param(body(a_record_body(ts="2026-11-20T12:00:00")), 400, id="without a zone"),
        pytest.param(body(a_record_body(ts=0)), 400, id="a number for a time"),
        pytest.param(body(a_record_body(subject="ann@mail.example")), 400, id="an address for a subject"),
        pytest.param(body(a_record_body(unheard_of=1)), 400, id="an unknown member"),
        pytest.param(body(), 400, id="no records"),
        pytest.param(body(*[KNOWN] * 1001), 400, id="too many"),
        pytest.param(body(KNOWN, more=1), 400, id="more than records"),
        pytest.param(b'{"records": [], "records": []}', 400, id="a member twice"),
        pytest.param(b"", 400, id="nothing"),
    ],
)
async def test_an_append_gets_the_same_answer(site: Litestar, client_of, sent: bytes, status: int):
    client = client_of(scope="records:write")
    await play(site, asked(client, body(KNOWN)), aside=False)
    with_table, without, by_table = await play_both(site, asked(client, sent))

    assert by_table
    assert with_table == without
    assert with_table.status == status


async def test_what_is_new_is_a_creation_to_both(site: Litestar, client_of):
    client = client_of(scope="records:write")
    first, second = (asked(client, body(a_record_body())) for _ in range(2))
    (created, again, by_table), (_, other, _) = await play_both(site, first), await play_both(site, second)
    alone, _ = await play(site, asked(client, body(a_record_body())), aside=True)

    assert by_table
    assert (created.status, again.status, other.status, alone.status) == (201, 200, 200, 201)
    assert created.body == again.body


@pytest.mark.parametrize(
    ("who", "subject", "status"),
    [
        ({"scope": "records:read"}, "s-1", 403),
        ({"subject": "s-1"}, "s-1", 200),
        ({"subject": "s-1"}, "s-2", 404),
    ],
    ids=str,
)
async def test_who_may_append_is_the_same_to_both(site: Litestar, client_of, who: dict, subject: str, status: int):
    said = body(a_record_body(subject=subject))
    await play(site, asked(client_of(scope="records:write"), said), aside=False)
    with_table, without, by_table = await play_both(site, asked(client_of(**who), said))

    assert by_table
    assert with_table == without
    assert with_table.status == status


async def test_what_is_unusual_is_left_to_the_ordinary_handler(site: Litestar, client_of):
    sent = asked(client_of(scope="records:write"), body(KNOWN))
    with_table, without, by_table = await play_both(site, msgspec.structs.replace(sent, query=b"force=true"))

    assert not by_table
    assert with_table == without
    assert with_table.status == 400


async def test_appends_of_one_moment_take_three_round_trips_before_their_commit(site: Litestar, client_of, trips):
    client = client_of(scope="records:write")
    await play(site, asked(client, body(KNOWN, a_record_body(subject="s-2"))), aside=False)
    trips.clear()
    played = await asyncio.gather(
        *(play(site, asked(client, body(a_record_body(subject=f"s-{1 + n % 2}"))), aside=n == 2) for n in range(4))
    )

    assert [answer.status for answer, _ in played] == [201] * 4
    # Who they are, what is known and what is gone; the states, made and held, records, secrets; states, audit, events.
    assert trips == [3, 4, 3]
