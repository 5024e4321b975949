"""Every write of a value is answered by the table in front of Litestar as the ordinary handler would have answered."""

import json

import msgspec
import pytest
from litestar import Litestar

from tests.twins import Sent, play, play_both

JSON = (b"content-type", b"application/json")
BODY = json.dumps({"value": "ann@mail.example"}).encode()
PATH = "/v1/vault/ann/email"


@pytest.fixture
def authorization(client_of) -> tuple[bytes, bytes]:
    return b"authorization", client_of(scope="vault:write").headers["authorization"].encode()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param(PATH, BODY, 200, id="an address"),
        pytest.param(f"{PATH}#work", BODY, 200, id="with a label"),
        pytest.param("/v1/vault/ann/payment_ref", BODY, 200, id="of a field that nobody is found by"),
        pytest.param(PATH, b'{"value": "no address"}', 400, id="no address"),
        pytest.param(PATH, b'{"value": "ann@mail.example", "value": "x"}', 400, id="a member twice"),
        pytest.param(PATH, b"", 400, id="nothing"),
        pytest.param(PATH, b'{"value": "ann@mail.example", "reenrol": true}', 403, id="for officers"),
        pytest.param("/v1/vault/ann/unheard_of", BODY, 404, id="an unknown field"),
    ],
)
async def test_a_write_gets_the_same_answer(site: Litestar, authorization, path: str, body: bytes, status: int):
    sent = Sent(method="PUT", path=path, headers=(authorization, JSON), chunks=(body,))
    await play_both(site, sent)  # from now on there is a value
    with_table, without, by_table = await play_both(site, sent)

    assert by_table
    assert (with_table.status, without.status) == (status, status)
    if status == 200:
        tag = dict(with_table.headers)[b"etag"]
        assert tag == f'"{with_table.body["version"]}"'.encode()
        assert without.body == with_table.body | {"version": with_table.body["version"] + 1}
        assert [name for name, _ in with_table.headers] == [name for name, _ in without.headers]
    else:
        assert with_table == without


async def test_the_first_write_of_a_value_is_a_creation_to_both(site: Litestar, authorization):
    first, second = [
        Sent(method="PUT", path=f"/v1/vault/{who}/email", headers=(authorization, JSON), chunks=(BODY,))
        for who in ("ann", "ben")
    ]
    (created, again, by_table), (other, *_) = await play_both(site, first), await play_both(site, second)

    assert by_table
    assert (created.status, again.status, other.status) == (201, 200, 201)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"path": "/v1/vault/fields/email"}, 403, id="a path of another operation"),
        pytest.param({"path": "/v1/vault/approvals/email"}, 404, id="a word of another path"),
        pytest.param({"path": "/v1/vault/ann@mail.example/email"}, 400, id="an address for a subject"),
        pytest.param({"path": "/v1/vault/ann/email\n"}, 400, id="a line's end"),
        pytest.param({"path": "/v1/vault/ann/Email"}, 400, id="a name of no field"),
        pytest.param({"query": b"force=true"}, 400, id="a parameter"),
        pytest.param({"method": "POST"}, 405, id="another method"),
    ],
)
async def test_what_is_unusual_gets_the_answer_of_the_ordinary_handler(
    site: Litestar, authorization, changes: dict, status: int
):
    sent = Sent(method="PUT", path=PATH, headers=(authorization, JSON), chunks=(BODY,))
    with_table, without, by_table = await play_both(site, msgspec.structs.replace(sent, **changes))

    assert not by_table
    assert with_table == without
    assert with_table.status == status


async def test_a_condition_is_left_to_the_ordinary_handler(site: Litestar, authorization):
    sent = Sent(method="PUT", path=PATH, headers=(authorization, JSON, (b"if-match", b'"7"')), chunks=(BODY,))
    with_table, without, by_table = await play_both(site, sent)

    assert not by_table
    assert with_table == without
    assert with_table.status == 412


async def test_a_write_takes_three_round_trips_before_its_commit(site: Litestar, authorization, trips):
    sent = Sent(method="PUT", path=PATH, headers=(authorization, JSON), chunks=(BODY,))
    await play(site, sent, aside=False)
    trips.clear()
    answer, _ = await play(site, sent, aside=False)

    assert answer.status == 200
    # The person; their key, how the value stands and how it is masked; value, audit, event, index twice, holders.
    assert trips == [1, 3, 6]
