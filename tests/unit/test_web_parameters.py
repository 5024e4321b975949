"""Parameters are taken literally."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from tests.toy_site import bearer, toy_site


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(toy_site()) as client:
        yield client


def ask(client: TestClient, query: str) -> Any:
    return client.get(f"/v1/toys?{query}", headers=bearer())


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=true", "limit"),
        ("limit=1.0", "limit"),
        ("limit=1e2", "limit"),
        ("limit=+1", "limit"),
        ("limit=01", "limit"),
        ("limit=%201", "limit"),
        ("limit=٣", "limit"),
        ("limit=", "limit"),
        ("limit", "limit"),
        ("limit=null", "limit"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=-1", "limit"),
        ("limit=99999999999999999999999999", "limit"),
        ("limit=1&limit=2", "limit"),
        ("soft=1", "soft"),
        ("soft=True", "soft"),
        ("soft=yes", "soft"),
        ("since=0", "since"),
        ("since=2026-11-22", "since"),
        ("since=2026-11-22T12:00:00", "since"),
        ("cursor=%00", "cursor"),
        ("cursor=%ff", "cursor"),
        ("cursor=a%0a", "cursor"),
        ("cursor=!", "cursor"),
        ("Limit=1", "Limit"),
        ("limits=1", "limits"),
        ("lovelace@mail.example=1", "(not a plain name)"),
    ],
)
def test_a_parameter_that_must_be_guessed_at_is_refused_by_name(client: TestClient, query: str, parameter: str):
    answer = ask(client, query)

    assert answer.status_code == 400
    assert [fault["parameter"] for fault in answer.json()["errors"]] == [parameter]
    assert "mail.example" not in answer.text


def test_each_faulty_parameter_is_named(client: TestClient):
    answer = ask(client, "limit=x&soft=y&z=1")

    assert {fault["parameter"] for fault in answer.json()["errors"]} == {"limit", "soft", "z"}


@pytest.mark.parametrize(
    "query",
    ["", "limit=1", "limit=500", "soft=true", "soft=false", "since=2026-11-22T12:00:00Z"],
)
def test_a_plain_parameter_is_read(client: TestClient, query: str):
    assert ask(client, query).status_code == 200


@pytest.mark.parametrize("subject", ["lovelace@mail.example", "%2B4915112345678", "s-1%0A", "x" * 129, "a%00b", "%ff"])
def test_what_is_no_subject_id_is_refused_in_a_path(client: TestClient, subject: str):
    answer = client.get(f"/v1/subjects/{subject}/toys", headers=bearer())

    assert answer.status_code == 400
    assert [fault["parameter"] for fault in answer.json()["errors"]] == ["subject"]


@pytest.mark.parametrize("path", ["/v1/toys?limit=1", "/health/live?x=1"])
def test_parameters_are_checked_after_the_token(client: TestClient, path: str):
    assert client.get(path).status_code in {401, 404}
