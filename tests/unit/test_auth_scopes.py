"""What a token reaches: its scopes, its tenant, and for a customer's own token one person."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from tests.toy_site import Shelf, bearer, toy_site

OWN = {"scope": "self", "sub": "s-1", "client_id": "shop"}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def client(shelf: Shelf) -> Iterator[TestClient]:
    with TestClient(toy_site(shelf=shelf)) as client:
        yield client


def toy(subject: str) -> dict[str, Any]:
    return {
        "id": "01981234-5678-7abc-8def-0123456789ab",
        "subject": subject,
        "at": "2026-11-22T12:00:00Z",
        "colour": "red",
    }


def test_a_caller_is_the_tenant_and_the_client_of_its_token(client: TestClient):
    answer = client.post("/v1/toys", json=toy("s-1"), headers=bearer(client_id="mailer", tenant="acme"))

    assert (answer.json()["tenant"], answer.json()["actor"]) == ("acme", "mailer")


@pytest.mark.parametrize("scope", ["decide", "records:readx", "records", "records:write:x", "RECORDS:READ", "admin"])
def test_another_scope_does_not_open_a_route(client: TestClient, scope: str):
    answer = client.get("/v1/toys", headers=bearer(scope=scope))

    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="records:read"'
    assert answer.json()["scope"] == "records:read"


def test_one_scope_of_several_opens_a_route(client: TestClient):
    assert client.get("/v1/toys", headers=bearer(scope="decide records:read admin")).status_code == 200


def test_an_own_token_reaches_its_subject_and_acts_as_self(client: TestClient):
    answer = client.get("/v1/subjects/s-1/toys", headers=bearer(**OWN))

    assert (answer.status_code, answer.json()["actor"]) == (200, "self")


@pytest.mark.parametrize("subject", ["s-2", "S-1", "s-1.", "s-11"])
def test_for_an_own_token_another_subject_is_not_found(client: TestClient, subject: str):
    assert client.get(f"/v1/subjects/{subject}/toys", headers=bearer(**OWN)).status_code == 404


def test_an_own_token_reaches_no_route_about_everybody(client: TestClient):
    assert client.get("/v1/toys", headers=bearer(**OWN)).status_code == 403


def test_an_own_token_gains_nothing_by_other_scopes(client: TestClient):
    own = {**OWN, "scope": "self records:read records:write admin"}

    assert client.get("/v1/toys", headers=bearer(**own)).status_code == 403
    assert client.get("/v1/subjects/s-2/toys", headers=bearer(**own)).status_code == 404


@pytest.mark.parametrize(("subject", "status"), [("s-1", 201), ("s-2", 404)])
def test_an_own_token_names_only_its_subject_in_a_body(client: TestClient, shelf: Shelf, subject: str, status: int):
    answer = client.post("/v1/toys", json=toy(subject), headers=bearer(**OWN))

    assert answer.status_code == status
    assert len(shelf.toys) == (1 if status == 201 else 0)


@pytest.mark.parametrize("path", ["/v1/toys", "/v1/subjects/s-1/toys"])
def test_every_route_needs_a_token_unless_it_says_that_it_is_public(client: TestClient, path: str):
    assert client.get(path).status_code == 401


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_the_contract_is_public(client: TestClient, path: str):
    assert client.get(path).status_code == 200
    assert client.get(path, headers={"authorization": "Bearer nonsense"}).status_code == 200
