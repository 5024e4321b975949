"""A database that lost a part of its schema: every question is answered, and none by a permit or as a bug of ours."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import httpx
import psycopg
import pytest

from tests.conftest import Database

QUESTION = {"subject": "anna", "channel": "email", "purpose": "marketing"}


@pytest.fixture
def client(client_of: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    return client_of()


@contextmanager
def without(database: Database, change: str, back: str) -> Iterator[None]:
    with psycopg.connect(database.urls.admin, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {change}")
        try:
            yield
        finally:
            connection.execute(f"ALTER TABLE {back}")


LOST = [
    pytest.param("policy_activation RENAME TO away", "away RENAME TO policy_activation", id="a table of the law"),
    pytest.param("subject RENAME TO away", "away RENAME TO subject", id="a table of people"),
    pytest.param("subject RENAME flags TO away", "subject RENAME away TO flags", id="a column"),
]


@pytest.mark.parametrize(("change", "back"), LOST)
@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/decisions", QUESTION), ("/v1/decisions?", QUESTION)],
    ids=["in front of Litestar", "through Litestar"],
)
async def test_a_question_gets_a_no_that_may_be_asked_again(
    client: httpx.AsyncClient, database: Database, log: BytesIO, change: str, back: str, path: str, body: object
) -> None:
    with without(database, change, back):
        answer = await client.post(path, json=body)
    again = await client.post(path, json=body)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["decision"] == "deny"
    assert answer.json()["type"] == "https://volens.example/problems/unavailable"
    assert again.status_code == 200, "and it gets an answer as soon as the part is back"
    said = [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == "bug"]
    assert len(said) == 1, "the operator is told"
    assert "policy_activation" not in log.getvalue().decode()


async def test_a_reveal_and_a_record_are_refused_alike(client: httpx.AsyncClient, database: Database) -> None:
    change, back = "subject RENAME TO away", "away RENAME TO subject"
    with without(database, change, back):
        wish = {"subject": "anna", "fields": ["email"], "purpose": "marketing", "channel": "email"}
        reveal = await client.post("/v1/vault/reveal", json=wish)
        record = await client.put("/v1/vault/anna/name", json={"value": "Anna"})

    assert (reveal.status_code, record.status_code) == (503, 503)
