"""The table in front of Litestar answers as the ordinary handler would, to whatever is sent."""

import json
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar

from service.kernel import Unavailable
from service.web.hot import table
from tests.toy_site import Shelf, Silence, Toy, ToyBroken, ToyUnheardOf, added, bearer, handed, token, toy_site
from tests.twins import Sent, play_both

GOOD = {"id": str(uuid4()), "subject": "s-1", "at": "2026-11-22T12:00:00Z", "colour": "red"}
BODY = json.dumps(GOOD).encode()
AUTHORIZED = (b"authorization", bearer()["authorization"].encode())
JSON = (b"content-type", b"application/json")
LIMIT = 400


def hot_site(shelf: Shelf | None = None, observer: Silence | None = None) -> Litestar:
    shelf = shelf or Shelf()
    hot = {"addToy": partial(added, shelf), "giveToy": handed}
    return toy_site(shelf=shelf, observer=observer, body_limit=LIMIT, hot=hot)


SITE = hot_site()


def authorization(**changes: Any) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {token(**changes)}".encode()


callers = st.sampled_from(
    [
        (),
        (AUTHORIZED,),
        (AUTHORIZED, AUTHORIZED),
        ((b"authorization", b"Basic YTpi"),),
        ((b"authorization", b"Bearer x.y.z"),),
        (authorization(scope="records:read"),),
        (authorization(scope="self", sub="s-1"),),
        (authorization(scope="self", sub="s-2"),),
        (authorization(exp=1),),
    ]
)
kinds = st.sampled_from(
    [
        (),
        (JSON,),
        (JSON, JSON),
        ((b"content-type", b"text/plain"),),
        ((b"content-type", b'Application/JSON ; charset="utf-8"'),),
        (JSON, (b"content-encoding", b"gzip")),
    ]
)
hosts = st.sampled_from(
    [b"volens.example", b"volens.example:8000", b"[::1]:8000", b"", b"two words", b"a/b", b"\xc3\xa4"]
)
lengths = st.sampled_from([b"0", b"10", b"400", b"401", b"-1", b"1e3", b"", b"\xb2"])
bodies = st.sampled_from(
    [
        BODY,
        b"",
        b"null",
        BODY[:-1],
        BODY + b" ",
        BODY.ljust(LIMIT),
        BODY.ljust(LIMIT + 1),
        BODY.replace(b"red", b"\xff"),
        BODY.replace(b"red", b"lovelace@mail.example"),
        BODY.replace(b'"colour"', b'"colour": "blue", "colour"'),
        b"[" * LIMIT,
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    """Nearly good requests: each part is usually the good one."""

    def mostly(good: Any, others: st.SearchStrategy[Any]) -> Any:
        return draw(st.just(good) | st.just(good) | others)

    body = mostly(BODY, bodies | st.binary(max_size=LIMIT + 2))
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
    return Sent(
        method=mostly("POST", st.sampled_from(["GET", "HEAD", "PUT", "OPTIONS", "DELETE", "TRACE"])),
        path=mostly("/v1/toys", st.sampled_from(["/v1/toys/", "//v1/toys", "/v1/Toys", "/v1", "/v1/toys/x/broken"])),
        query=mostly(b"", st.sampled_from([b"soft=true", b"soft", b"&", b"%ff=1"])),
        headers=(
            *mostly((AUTHORIZED,), callers),
            *mostly((JSON,), kinds),
            *mostly((), st.tuples(st.tuples(st.just(b"host"), hosts))),
            *mostly((), st.tuples(st.tuples(st.just(b"content-length"), lengths))),
        ),
        chunks=tuple(body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)),
        gone=mostly(False, st.booleans()),
    )


@given(requests())
async def test_a_hot_route_answers_whatever_is_sent_as_its_ordinary_handler_does(sent: Sent):
    with_table, without, _ = await play_both(SITE, sent)

    assert with_table == without


async def test_the_usual_request_is_answered_by_the_table():
    answer, _, by_table = await play_both(SITE, Sent(path="/v1/toys", headers=(AUTHORIZED, JSON), chunks=(BODY,)))

    assert (answer.status, answer.template, by_table) == (201, "/v1/toys", True)
    assert answer.body["owner"] == "s-1"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"query": b"soft=true"}, id="parameters"),
        pytest.param({"path": "/v1/toys/"}, id="a trailing slash"),
        pytest.param({"method": "OPTIONS"}, id="another method"),
        pytest.param({"headers": (AUTHORIZED, JSON, (b"host", b"two words"))}, id="an odd host"),
    ],
)
async def test_whatever_is_unusual_is_left_to_litestar(changes: dict[str, Any]):
    usual: dict[str, Any] = {"path": "/v1/toys", "headers": (AUTHORIZED, JSON), "chunks": (BODY,)}
    *_, by_table = await play_both(SITE, Sent(**(usual | changes)))

    assert not by_table


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ToyBroken("the toy is broken", toy="bear"), 409),
        (ToyUnheardOf("nobody gave it a status"), 500),
        (Unavailable("the shelf is gone"), 503),
        (RuntimeError("lovelace@mail.example"), 500),
        (RecursionError(), 500),
    ],
)
async def test_a_failure_of_the_work_is_the_same_problem_and_says_what_every_failure_says(
    error: Exception, status: int
):
    class Full(Shelf):
        def put(self, toy: Toy) -> None:
            raise error

    observer = Silence()
    sent = Sent(path="/v1/toys", headers=(AUTHORIZED, JSON), chunks=(BODY,))
    with_table, without, by_table = await play_both(hot_site(Full(), observer), sent)

    assert by_table
    assert with_table == without
    assert with_table.status == status
    assert (with_table.body.get("toy") == "not added") == (status >= 500)
    assert len(observer.bugs) == (2 if status == 500 else 0)
    assert observer.requests == [("/v1/toys", status)] * 2


async def test_an_answer_that_is_no_json_is_a_bug_with_a_problem():
    async def odd(*_: Any) -> object:
        return object()

    observer = Silence()
    sent = Sent(path="/v1/toys", headers=(AUTHORIZED, JSON), chunks=(BODY,))
    answer, _, _ = await play_both(toy_site(observer=observer, hot={"addToy": odd}), sent)

    assert (answer.status, answer.body["toy"]) == (500, "not added")
    assert len(observer.bugs) == 1


@pytest.mark.parametrize(
    ("path", "status", "by_table"),
    [
        pytest.param("/v1/subjects/s-1/toys", 200, True, id="a good one"),
        pytest.param("/v1/subjects/lovelace@mail.example/toys", 400, False, id="an address"),
        pytest.param("/v1/subjects/s-1\n/toys", 400, False, id="a line's end"),
        pytest.param("/v1/subjects//toys", 404, False, id="nothing"),
        pytest.param("/v1/subjects/s-1/toys/", 200, False, id="a slash after it"),
    ],
)
async def test_a_parameter_in_the_path_means_what_it_means_to_litestar(path: str, status: int, by_table: bool):
    sent = Sent(method="PUT", path=path, headers=(AUTHORIZED, JSON), chunks=(b'{"size": 3}',))
    with_table, without, hot = await play_both(SITE, sent)

    assert with_table == without
    assert (with_table.status, hot) == (status, by_table)


@pytest.mark.parametrize(("own", "status"), [("s-1", 200), ("s-2", 404)])
async def test_a_subject_in_the_path_is_theirs_alone(own: str, status: int):
    headers = (authorization(scope="self", sub=own), JSON)
    sent = Sent(method="PUT", path="/v1/subjects/s-1/toys", headers=headers, chunks=(b'{"size": 3}',))
    with_table, without, by_table = await play_both(SITE, sent)

    assert by_table
    assert with_table == without
    assert with_table.status == status


@pytest.mark.parametrize("operation", ["unheardOf", "getLiveness"])
def test_an_operation_that_is_unknown_or_needs_no_scope_can_not_be_hot(operation: str):
    with pytest.raises(ValueError, match="hot"):
        table(SITE, {operation: added})
