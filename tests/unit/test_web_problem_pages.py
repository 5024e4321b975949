"""The `type` of each problem leads to a page that explains it."""

import re
from pathlib import Path

import pytest

from service.app import STATUSES
from service.web.problems import STATUS_OF, title_of, type_of

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
