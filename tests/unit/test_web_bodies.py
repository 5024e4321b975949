"""JSON bodies are taken literally, and a refusal names the place but repeats nothing."""

import json
from collections.abc import Iterator
from typing import Any, Literal
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import TestClient

from service.web.bodies import strictly
from service.web.problems import Refusal
from tests.toy_site import Shelf, Silence, Toy, bearer, toy_site


def body(**changes: Any) -> dict[str, Any]:
    good = {"id": str(uuid4()), "subject": "s-1", "at": "2026-11-22T12:00:00Z", "colour": "red"}
    return {**good, **changes}


def raw(**changes: Any) -> bytes:
    return msgspec.json.encode(body(**changes))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def client(shelf: Shelf) -> Iterator[TestClient]:
    with TestClient(toy_site(shelf=shelf)) as client:
        yield client


SECRET = "lovelace@mail.example"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        pytest.param({"soft": "true"}, "/soft", id="text for a boolean"),
        pytest.param({"soft": 1}, "/soft", id="a number for a boolean"),
        pytest.param({"at": 0}, "/at", id="a number for a time"),
        pytest.param({"at": "2026-11-22T12:00:00"}, "/at", id="no time zone"),
        pytest.param({"at": SECRET}, "/at", id="no time at all"),
        pytest.param({"colour": SECRET}, "/colour", id="unknown word"),
        pytest.param({"colour": None}, "/colour", id="null where there is no null"),
        pytest.param({"subject": SECRET}, "/subject", id="an address for a subject"),
        pytest.param({"subject": "s-1\n"}, "/subject", id="a trailing newline"),
        pytest.param({"id": SECRET}, "/id", id="no UUID"),
        pytest.param({"parts": [{"size": 1}, {"size": "2"}]}, "/parts/1/size", id="text for a number, deep inside"),
        pytest.param({"parts": [{"size": 1.5}]}, "/parts/0/size", id="a fraction for a whole number"),
        pytest.param({"parts": [{"size": 10**30}]}, "/parts/0/size", id="too large a number"),
        pytest.param({"parts": [{"size": 1, SECRET: 1}]}, "/parts/0", id="unknown member inside"),
        pytest.param({"parts": [{"size": 1}] * 4}, "/parts", id="too many"),
        pytest.param({"parts": [{}]}, "/parts/0", id="member missing"),
        pytest.param({"labels": {SECRET: "green"}}, "/labels", id="bad value under a client's own key"),
        pytest.param({SECRET: 1}, "", id="unknown member"),
        pytest.param({"note": "x" * 41}, "/note", id="too long"),
    ],
)
def test_a_malformed_body_is_refused_with_the_pointer_of_the_fault(
    client: TestClient, shelf: Shelf, changes: dict[str, Any], pointer: str
):
    answer = client.post("/v1/toys", json=body(**changes), headers=bearer())

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "https://volens.example/problems/invalid_request"
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert SECRET not in answer.text
    assert shelf.toys == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" ", id="blank"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"text"', id="text"),
        pytest.param(raw()[:-1], id="cut off"),
        pytest.param(raw() + b"{}", id="something after it"),
        pytest.param(b"\xef\xbb\xbf" + raw(), id="byte order mark"),
        pytest.param(raw().decode().encode("utf-16"), id="UTF-16"),
        pytest.param(raw(note="?").replace(b"?", b"\xff"), id="invalid UTF-8"),
        pytest.param(raw(note="?").replace(b"?", b"\xed\xa0\x80"), id="surrogate in UTF-8"),
        pytest.param(raw(note="?").replace(b"?", b"\\ud800"), id="lone surrogate"),
        pytest.param(raw(note="?").replace(b"?", b"\x00"), id="bare control character"),
        pytest.param(raw(note="a\0b"), id="U+0000, escaped"),
        pytest.param(raw(labels={"a\0b": "red"}), id="U+0000 in a key"),
        pytest.param(raw(parts=[]).replace(b"[]", b"[NaN]"), id="NaN"),
        pytest.param(raw(parts=[]).replace(b"[]", b"[1e999]"), id="infinite"),
        pytest.param(raw().replace(b'"colour":"red"', b'"colour":"blue","colour":"red"'), id="member twice"),
        pytest.param(raw(labels={"x": "red"}).replace(b'"x":', b'"x":"blue","x":'), id="key twice, inside"),
        pytest.param(b'{"parts":' + b"[" * 200_000 + b"]" * 200_000 + b"}", id="depth bomb of lists"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="depth bomb of objects"),
        pytest.param(raw(parts=[]).replace(b"[]", b"[" + b"9" * 5000 + b"]"), id="endless digits"),
        pytest.param(raw(parts=[]).replace(b"[]", b'[{"size":1.0},1e999]'), id="infinite, after a point"),
        pytest.param(raw(parts=[]).replace(b"[]", b'[{"size":1.0,"size":1.0}]'), id="twice, with a point"),
        pytest.param(raw(at="0001-01-01T00:00:00+10:00"), id="before the first instant of UTC"),
        pytest.param(raw(at="9999-12-31T23:59:59-00:01"), id="after the last instant of UTC"),
    ],
)
def test_what_is_no_plain_json_is_refused(client: TestClient, shelf: Shelf, content: bytes):
    answer = client.post("/v1/toys", content=content, headers={**bearer(), "content-type": "application/json"})

    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == 1
    assert shelf.toys == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"note": "\\u0000 is not U+0000"}, id="text about an escape"),
        pytest.param({"note": "Grüße 😀"}, id="every script"),
        pytest.param({"at": "0001-01-01T00:00:00Z"}, id="the first instant"),
        pytest.param({"at": "9999-12-31T23:59:59+00:00"}, id="the last instant"),
        pytest.param({"note": "0001-01-01 is a date"}, id="text about a date"),
        pytest.param({"parts": [{"size": 1.0}, {"size": 9.0}]}, id="whole numbers with a point"),
    ],
)
def test_what_only_looks_wrong_is_accepted(client: TestClient, changes: dict[str, Any]):
    assert client.post("/v1/toys", json=body(**changes), headers=bearer()).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"content-type": "text/plain"}, id="text"),
        pytest.param({"content-type": "application/x-www-form-urlencoded"}, id="a form"),
        pytest.param({"content-type": "application/problem+json"}, id="another JSON"),
        pytest.param({"content-type": "application/json; charset=latin-1"}, id="another charset"),
        pytest.param({"content-type": "application/json", "content-encoding": "gzip"}, id="compressed"),
        pytest.param({"content-type": ";;;"}, id="nonsense"),
    ],
)
def test_another_media_type_is_415_and_says_which_is_read(client: TestClient, headers: dict[str, str]):
    answer = client.post("/v1/toys", content=raw(), headers={**bearer(), **headers})

    assert answer.status_code == 415
    assert answer.headers["accept"] == "application/json"


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=UTF-8", "Application/JSON"])
def test_json_in_utf8_is_read(client: TestClient, media_type: str):
    answer = client.post("/v1/toys", content=raw(), headers={**bearer(), "content-type": media_type})

    assert answer.status_code == 201


def test_a_body_larger_than_the_limit_is_refused_by_its_announced_length():
    with TestClient(toy_site(body_limit=1000)) as client:
        answer = client.post("/v1/toys", json=body(note="x" * 1000), headers=bearer())

    assert (answer.status_code, answer.json()["title"]) == (413, "Body too large")


def test_a_body_of_unannounced_length_is_read_no_further_than_the_limit():
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 100
            yield b" " * 100

    with TestClient(toy_site(body_limit=1000)) as client:
        answer = client.post("/v1/toys", content=chunks(), headers={**bearer(), "content-type": "application/json"})

    assert answer.status_code == 413


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


async def test_a_client_that_goes_away_amid_its_body_is_no_bug_of_ours(shelf: Shelf):
    observer = Silence()
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    scope: Any = {
        "type": "http",
        "method": "POST",
        "path": "/v1/toys",
        "raw_path": b"/v1/toys",
        "query_string": b"",
        "root_path": "",
        "http_version": "1.1",
        "headers": [(b"content-type", b"application/json"), (b"authorization", bearer()["authorization"].encode())],
    }

    async def receive() -> Any:
        return next(messages)

    async def send(_: Any) -> None:
        """Nobody listens."""

    await toy_site(observer=observer, shelf=shelf)(scope, receive, send)

    assert observer.bugs == []
    assert observer.requests == [("/v1/toys", 400)]


def outcome(content: bytes) -> Toy | Refusal:
    try:
        return strictly(content, Toy)
    except Refusal as refusal:
        return refusal


@given(documents)
def test_no_document_gets_anything_but_a_model_or_a_refusal(document: Any):
    assert isinstance(outcome(json.dumps(document).encode("utf-8", "surrogatepass")), Toy | Refusal)


@given(st.binary())
def test_no_bytes_get_anything_but_a_model_or_a_refusal(content: bytes):
    assert isinstance(outcome(content), Refusal)


@given(st.sampled_from(["subject", "colour", "at", "id", "note"]), st.text(min_size=8))
def test_a_refusal_never_repeats_what_was_sent(member: str, text: str):
    match outcome(raw(**{member: f"<<{text}>>"})):
        case Refusal() as refusal:
            assert text not in "".join(fault.detail for fault in refusal.faults)
        case Toy() as toy:
            assert toy.note == f"<<{text}>>"


def test_decoded_values_are_checked_as_strictly_as_bytes():
    with pytest.raises(Refusal) as refused:
        strictly(body(soft="true"), Toy)

    assert refused.value.faults[0].pointer == "/soft"


class Tin(msgspec.Struct):
    size: Literal["small", "large"]
    colours: list[Literal["red", "blue"]] = []
    labels: dict[str, Literal["a", "b"] | None] = {}
    lid: Literal["flat", "round"] | int | None = None
    long: Literal[*(f"v{number}" for number in range(31))] = "v0"


@pytest.mark.parametrize(
    ("changes", "pointer", "known"),
    [
        ({"size": SECRET}, "/size", ": large, small"),
        ({"colours": ["red", SECRET]}, "/colours/1", ": blue, red"),
        ({"labels": {SECRET: SECRET}}, "/labels", ": a, b"),
        ({"lid": SECRET}, "/lid", ": flat, round"),
        ({"long": SECRET}, "/long", ""),
    ],
    ids=str,
)
def test_where_there_are_few_known_values_they_are_named(changes: dict[str, Any], pointer: str, known: str):
    with pytest.raises(Refusal) as refused:
        strictly(msgspec.json.encode([{"size": "small"} | changes]), list[Tin])

    (fault,) = refused.value.faults
    assert (fault.pointer, fault.detail) == (f"/0{pointer}", f"Not one of the known values{known}")
