"""The `type` of each problem leads to a page that explains it."""

import re
from pathlib import Path

import pytest
from litestar.testing import TestClient

from service.routes import STATUSES
from service.web.problems import STATUS_OF, title_of, type_of
from tests.toy_site import Silence, toy_site

PAGES = Path(__file__).parents[2] / "openapi" / "problems"
PROBLEMS = STATUS_OF | {error.code: status for error, status in STATUSES.items()}


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_each_problem_has_a_page_with_its_title_type_and_status(code: str):
    title, _, line, *_ = (PAGES / f"{code}.md").read_text().splitlines()

    assert title == f"# {title_of(code)}"
    assert line == f"`{type_of(code)}` · status {int(PROBLEMS[code])}"


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_each_page_is_about_a_problem_and_says_what_to_do(page: Path):
    assert page.stem in PROBLEMS
    assert re.search(r"^\*\*What to do\.\*\* \S", page.read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_the_service_shows_the_page_of_each_problem_in_words(code: str):
    with TestClient(toy_site()) as client:
        answer = client.get(f"/problems/{type_of(code).rpartition('/')[2]}")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"<h1>{title_of(code)}</h1>" in answer.text
    assert "<b>What to do.</b>" in answer.text
    assert "`" not in answer.text


@pytest.mark.parametrize("path", ["/problems/nobody_knows", "/problems/..%2f..%2fREADME", "/problems/"])
def test_there_is_no_page_of_anything_else(path: str):
    observer = Silence()
    with TestClient(toy_site(observer=observer)) as client:
        answer = client.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert observer.bugs == []


def test_the_front_page_leads_to_the_documents_and_to_the_state_of_the_service():
    with TestClient(toy_site()) as client:
        links = re.findall("href=([^ >]+)", client.get("/").text)

        assert links == ["/docs", "/openapi.json", "/health/ready"]
        assert {client.get(link).status_code for link in links[:2]} == {200}
