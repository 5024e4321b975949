"""Every way to fail is one problem (RFC 9457), and bugs are silent."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.exceptions import HTTPException, InternalServerException, NotAuthorizedException
from litestar.testing import TestClient

from service.kernel import DomainError, Unavailable
from service.web.problems import STATUS_OF, Problems, Refusal
from tests.toy_site import EngineSilent, Silence, ToyBroken, ToyUnheardOf, bearer, toy_site


@pytest.fixture
def observer() -> Silence:
    return Silence()


@pytest.fixture
def client(observer: Silence) -> Iterator[TestClient]:
    with TestClient(toy_site(observer=observer)) as client:
        yield client


def fail(client: TestClient, how: str) -> Any:
    return client.put(f"/v1/toys/{how}/broken", headers=bearer())


def test_a_domain_error_is_a_problem_with_its_code_title_and_details(client: TestClient):
    answer = fail(client, "domain")

    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "https://volens.example/problems/toy_broken",
        "title": "Toy broken",
        "status": 409,
        "detail": "the toy is broken",
        "instance": f"urn:volens:request:{answer.headers['x-request-id']}",
        "toy": "bear",
    }


def test_a_part_that_does_not_answer_is_503_with_retry_after(client: TestClient, observer: Silence):
    answer = fail(client, "database")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert observer.bugs == []


def test_a_kind_of_unavailable_keeps_its_code_and_its_details(client: TestClient):
    answer = fail(client, "engine")

    assert (answer.status_code, answer.json()["decision"]) == (503, "deny")
    assert answer.json()["type"].endswith("/engine_silent")


@pytest.mark.parametrize("how", ["bug", "nobody", "unheard-of name"])
def test_a_bug_says_nothing_about_its_cause_to_the_caller_and_is_reported(
    client: TestClient, observer: Silence, how: str
):
    answer = fail(client, how)

    assert answer.status_code == 500
    assert answer.json()["detail"] == "The request failed and was not applied."
    assert "lovelace" not in answer.text
    assert len(observer.bugs) == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/subjects//toys", 404, "not_found"),
        ("DELETE", "/v1/toys", 405, "method_not_allowed"),
        ("TRACE", "/v1/toys", 405, "method_not_allowed"),
        ("GET", "/v1/toys", 401, "unauthenticated"),
    ],
)
def test_what_litestar_refuses_is_a_problem_as_well(client: TestClient, method: str, path: str, status: int, code: str):
    answer = client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"https://volens.example/problems/{code}"


def test_405_and_options_name_the_methods_that_are_there(client: TestClient):
    refused = client.delete("/v1/toys")
    asked = client.options("/v1/toys")

    assert set(refused.headers["allow"].split(", ")) == {"GET", "POST", "OPTIONS"}
    assert (asked.status_code, asked.headers["allow"]) == (204, "GET, OPTIONS, POST")


def test_two_controllers_may_share_a_path(client: TestClient):
    asked = client.options("/v1/subjects/s-1/toys")

    assert asked.headers["allow"] == "GET, OPTIONS, PUT"
    assert client.get("/v1/subjects/s-1/toys", headers=bearer()).status_code == 200
    assert client.put("/v1/subjects/s-1/toys", headers=bearer(), json={"size": 1}).status_code == 200


def test_a_path_is_never_repeated(client: TestClient):
    answer = client.get("/v1/subjects/lovelace@mail.example/toys?q=lovelace", headers=bearer())

    assert answer.status_code == 400
    assert "lovelace" not in answer.text


def test_details_cannot_replace_what_a_problem_says_about_itself():
    problems = Problems({ToyBroken: 409}, lambda error, request: None)

    body = problems.answer(ToyBroken("broken", status=200, type="https://evil.example"), "r").body

    assert b'"status":409' in body
    assert b"evil" not in body


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(HTTPException(detail="lovelace@mail.example", status_code=418), id="an odd status"),
        pytest.param(NotAuthorizedException(detail="lovelace@mail.example"), id="a text of Litestar"),
    ],
)
def test_texts_of_litestar_are_dropped(error: Exception):
    answer = Problems({}, lambda error, request: None).answer(error, "r")

    assert 400 <= answer.status < 500
    assert b"lovelace" not in answer.body


def test_a_server_error_of_litestar_counts_as_a_bug():
    seen: list[BaseException] = []

    answer = Problems({}, lambda error, request: seen.append(error)).answer(InternalServerException(), "r")

    assert answer.status == 500
    assert len(seen) == 1


def test_an_error_finds_the_status_of_its_nearest_parent():
    class Parent(DomainError):
        code = "parent"

    class Child(Parent):
        code = "child"

    problems = Problems({Parent: 404, Unavailable: 503}, lambda error, request: None)

    assert problems.answer(Child("gone"), "r").status == 404
    assert problems.answer(EngineSilent("silent"), "r").status == 503
    assert problems.answer(ToyUnheardOf("?"), "r").status == 500


@pytest.mark.parametrize("code", STATUS_OF)
def test_each_refusal_of_the_web_layer_has_a_sentence(code: str):
    assert Refusal(code).detail.endswith(".")


class RefusedByTheDatabase(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__("lovelace")
        self.sqlstate = sqlstate


class Around(Exception):
    def __init__(self, orig: Exception) -> None:
        super().__init__("lovelace")
        self.orig = orig


@pytest.mark.parametrize(
    ("sqlstate", "status"),
    [("42P01", 503), ("42703", 503), ("42883", 503), ("3F000", 503), ("42601", 500), ("42501", 500), ("23505", 500)],
)
@pytest.mark.parametrize("wrap", [lambda error: error, Around], ids=["plain", "wrapped"])
def test_a_part_of_the_schema_that_is_missing_is_no_bug_for_callers_and_reported_as_one(
    wrap: Any, sqlstate: str, status: int
):
    reported = []
    answer = Problems({}, lambda error, _: reported.append(error)).answer(wrap(RefusedByTheDatabase(sqlstate)), "r-1")

    assert answer.status == status
    assert ("retry-after" in answer.headers) == (status == 503)
    assert b"lovelace" not in answer.body
    assert len(reported) == 1
