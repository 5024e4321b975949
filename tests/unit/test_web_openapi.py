"""The document says what the service does, to machines and to people."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator
from litestar import Controller, get
from litestar.testing import TestClient
from schemathesis.checks import CHECKS

from service.web.docs import page
from service.web.openapi import document
from tests.toy_site import bearer, toy_site


async def nothing_measured() -> bytes:
    return b""


APP = toy_site(metrics=nothing_measured)
CONTRACT: dict[str, Any] = json.loads(document(APP))


def operation(method: str, path: str) -> dict[str, Any]:
    return CONTRACT["paths"][path][method]


def test_the_same_routes_give_the_same_bytes():
    assert document(APP) == document(APP) == document(toy_site(metrics=nothing_measured))


def test_it_is_served_as_it_is_written():
    with TestClient(APP) as client:
        assert client.get("/openapi.json").content == document(APP)


def test_closed_structs_refuse_other_members_and_answers_do_not():
    schemas = CONTRACT["components"]["schemas"]

    assert schemas["Toy"]["additionalProperties"] is False
    assert schemas["Part"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["Problem"]


def test_patterns_are_written_for_every_dialect():
    subject = CONTRACT["components"]["schemas"]["Toy"]["properties"]["subject"]["pattern"]

    assert subject == "^[A-Za-z0-9._:-]{1,128}$"
    assert "(?!" not in document(APP).decode()


@pytest.mark.parametrize(("text", "valid"), [("a note", True), ("two\nlines", True), ("a\0b", False)])
def test_text_without_a_rule_has_room_for_all_but_nul(text: str, valid: bool):
    schema = {"$ref": "#/components/schemas/Toy/properties/note", "components": CONTRACT["components"]}

    assert Draft202012Validator(schema).is_valid(text) is valid


def test_every_operation_names_its_scopes():
    assert operation("get", "/v1/toys")["security"] == [{"bearer": ["records:read"]}]
    assert operation("post", "/v1/toys")["security"] == [{"bearer": ["records:write"]}, {"bearer": ["self"]}]
    assert operation("get", "/health/live")["security"] == []
    assert CONTRACT["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_every_refusal_is_a_problem():
    for path, methods in CONTRACT["paths"].items():
        for method, described in methods.items():
            if path.startswith("/v1"):
                refusals = {status for status in described["responses"] if int(status) >= 400}
                assert refusals >= {"400", "401", "403", "500", "503"}, (method, path)
                for status in refusals:
                    assert list(described["responses"][status]["content"]) == ["application/problem+json"]


def test_operations_with_a_body_can_answer_413_and_415():
    assert operation("post", "/v1/toys")["responses"].keys() >= {"413", "415"}
    assert not operation("get", "/v1/toys")["responses"].keys() & {"413", "415"}


def test_parameters_have_the_rules_that_are_checked():
    by_name = {parameter["name"]: parameter for parameter in operation("get", "/v1/toys")["parameters"]}
    (path,) = operation("get", "/v1/subjects/{subject}/toys")["parameters"]

    assert by_name["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}
    assert by_name["since"]["schema"] == {"type": "string", "format": "date-time"}
    assert path["schema"] == {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"}


def test_not_ready_is_documented_with_its_own_shape():
    responses = operation("get", "/health/ready")["responses"]

    assert responses["503"]["content"]["application/json"] == responses["200"]["content"]["application/json"]


def test_the_first_sentence_of_a_handler_is_its_summary():
    assert operation("post", "/v1/toys")["summary"] == "Add a toy"


class Tags(HTMLParser):
    """Counts what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.links += [values["href"] or ""] if "href" in values else []
        self.ids += [values["id"] or ""] if "id" in values else []


def test_the_page_for_people_loads_and_runs_nothing():
    tags = Tags()
    tags.feed(page(CONTRACT, ["invalid_request"]))
    tags.close()

    assert not {"script", "img", "link", "iframe"} & set(tags.tags)
    assert {link for link in tags.links if not link.startswith("#")} == {"/openapi.json", "/problems/invalid_request"}
    assert {link[1:] for link in tags.links if link.startswith("#")} <= set(tags.ids)


def test_the_page_for_people_shows_every_operation():
    html = page(CONTRACT)

    for path, methods in CONTRACT["paths"].items():
        for method, described in methods.items():
            assert re.search(f"<details id={described['operationId']}><summary><b class=m>{method.upper()}</b>", html)
            assert path in html


def test_the_page_for_people_has_words_instead_of_markup_and_schemas():
    html = page(CONTRACT)
    operations = html[: html.index("<h2>Schemas</h2>")]

    assert "`" not in operations
    assert "{&quot;" not in operations
    assert "integer from 1 to 500 (<code>100</code> unless said)" in operations
    assert "string like <code>^[A-Za-z0-9._:-]{1,128}$</code>" in operations


def test_the_page_for_people_quotes_what_is_no_markup():
    class Evil(Controller):
        @get("/v1/evil", operation_id="evil")
        async def evil(self) -> None:
            """<script>alert(1)</script>"""

    app = toy_site()
    app.register(Evil)

    assert "<script>" not in page(json.loads(document(app)))


schema = schemathesis.openapi.from_asgi("/openapi.json", APP)


@schema.auth()
class Token:
    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        return bearer()["authorization"]

    def set(self, case: schemathesis.Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = data


@schema.include(path_regex="^/(v1/(toys|subjects)|health)").exclude(path_regex="broken").parametrize()
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_the_document_says_is_what_the_site_does(case: schemathesis.Case):
    case.call_and_validate(checks=CHECKS.get_all())
