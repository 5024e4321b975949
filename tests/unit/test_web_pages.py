"""Pages follow each other by `Link`, without a gap or a row twice."""

import contextlib
import re
from collections.abc import Iterator
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import TestClient

from service.web.pages import cursor_after, position_in
from service.web.problems import Refusal
from tests.toy_site import bearer, toy_site


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(toy_site()) as client:
        yield client


def test_following_the_links_shows_every_row_once(client: TestClient):
    path, seen, pages = "/v1/toys?limit=3&soft=true", [], 0
    while path:
        answer = client.get(path, headers=bearer())
        seen += answer.json()["toys"]
        link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
        path, pages = (link[1] if link else ""), pages + 1

    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert pages == 3


def test_a_link_keeps_the_other_parameters(client: TestClient):
    answer = client.get("/v1/toys?limit=3&since=2026-11-22T12:00:00%2B01:00", headers=bearer())

    assert "since=2026-11-22T12%3A00%3A00%2B01%3A00" in answer.headers["link"]


@pytest.mark.parametrize("cursor", ["abc", "InRleHQi", "0", "bnVsbA"])
def test_a_cursor_that_leads_nowhere_is_a_conflict(client: TestClient, cursor: str):
    answer = client.get(f"/v1/toys?cursor={cursor}", headers=bearer())

    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/unknown_cursor")
    assert answer.json()["errors"] == [{"detail": "Not a cursor of this list", "parameter": "cursor"}]


@pytest.mark.parametrize("text", ["\0", "x-\0", "a\\u0000"])
def test_a_text_that_the_database_cannot_compare_is_no_cursor(text: str):
    with pytest.raises(Refusal) as refused:
        position_in(cursor_after(text), str)

    assert refused.value.code == "unknown_cursor"


@given(
    st.tuples(st.datetimes(), st.uuids(), st.text(st.characters(codec="utf-8", exclude_characters="\0\\"), max_size=50))
)
def test_a_cursor_leads_back_to_its_position(position: tuple[object, UUID, str]):
    cursor = cursor_after(position)

    assert re.fullmatch("[A-Za-z0-9_-]{1,512}", cursor)
    assert cursor_after(position_in(cursor, type(position))) == cursor


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=40))
def test_no_text_is_a_cursor_by_accident_of_another_kind(text: str):
    with contextlib.suppress(Refusal):
        assert isinstance(position_in(text, UUID), UUID)


def test_the_first_page_needs_no_cursor():
    assert position_in(None, int) is None
