"""The law over HTTP: what it says, what it holds about a place, and why a case came out as it did."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
STRANGER = {"residence": "DE", "channel": "email", "purpose": "marketing"}
CASE = {"jurisdiction": "DE", "channel": "post", "purpose": "marketing", "subject": {"is_customer": True}}
RULE = {"id", "title", "citation", "stage", "regime", "confidence", "in_force", "file", "line"}


async def covered(client: httpx.AsyncClient, **question: str) -> dict[str, Any]:
    answer = await client.get("/v1/policy/coverage", params=STRANGER | question)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def explained(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/v1/simulations/decision", json=CASE | {"explain": True} | changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_rule(explanation: dict[str, Any]) -> dict[str, Any]:
    return {each["rule"]: each for each in explanation["rules"]}


async def test_the_policy_is_read_rule_by_rule(client: httpx.AsyncClient):
    policy = (await client.get("/v1/policy")).json()

    by_id = {rule["id"]: rule for rule in policy["rules"]}
    assert by_id.keys() >= {"ENG-DENY-01", "DE-UWG-01", "USCA-GPC-01"}
    assert all(set(rule) == RULE for rule in policy["rules"])
    assert all((ROOT / rule["file"]).exists() for rule in policy["rules"])
    assert policy["regimes"] == sorted({rule["regime"] for rule in policy["rules"]})
    assert policy["revision"] == (await explained(client))["policy_revision"]


async def test_the_policy_shows_its_tables_and_the_days_from_which_rules_hold(client: httpx.AsyncClient):
    policy = (await client.get("/v1/policy")).json()

    assert policy["tables"]["ages"]["adult"] == 18
    assert policy["tables"]["places"]["DE"]["implemented"] is True
    assert policy["in_force"] == policy["tables"]["in_force"]
    dated = {rule["id"]: rule["in_force"] for rule in policy["rules"] if rule["in_force"] is not None}
    assert dated["FR-TEL-01"] == "2026-08-11"
    assert dated.items() <= policy["in_force"].items()


async def test_a_policy_that_is_known_is_not_sent_again(client: httpx.AsyncClient):
    whole = await client.get("/v1/policy")
    tag = whole.headers["etag"]
    again = await client.get("/v1/policy", headers={"if-none-match": f'"another", {tag}'})
    changed = await client.get("/v1/policy", headers={"if-none-match": '"another"'})
    whatever = await client.get("/v1/policy", headers={"if-none-match": "*"})

    assert tag == f'W/"{whole.json()["revision"]}"'
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (changed.status_code, changed.json()) == (200, whole.json())
    assert whatever.status_code == 304


async def test_one_rule_is_read_by_its_id(client: httpx.AsyncClient):
    rule = (await client.get("/v1/policy/rules/DE-UWG-01")).json()

    assert set(rule) == RULE
    assert (rule["id"], rule["regime"], rule["stage"], rule["confidence"]) == ("DE-UWG-01", "germany", 10, "K")
    assert f"id: {rule['id']}" in (ROOT / rule["file"]).read_text()


@pytest.mark.parametrize(
    ("rule", "status", "code"), [("DE-UWG-99", 404, "rule_unknown"), ("uwg", 400, "invalid_request")]
)
async def test_a_rule_that_is_none_is_not_found(client: httpx.AsyncClient, rule: str, status: int, code: str):
    answer = await client.get(f"/v1/policy/rules/{rule}")

    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (status, code)


async def test_coverage_names_the_laws_of_a_place_and_what_a_stranger_gets(client: httpx.AsyncClient):
    coverage = await covered(client)

    assert [(law["place"], law["held"]) for law in coverage["laws"]] == [("DE", True)]
    assert {"gdpr", "eprivacy", "germany"} <= set(coverage["laws"][0]["regimes"])
    named = {each["rule"] for each in coverage["rules"] if each["named"]}
    assert {"DE-UWG-01", "EU-EPD-01", "ENG-DENY-01"} <= named
    assert {each["regime"] for each in coverage["rules"]} >= {"engine", "gdpr", "eprivacy", "germany"}
    assert "ccpa" not in {each["regime"] for each in coverage["rules"]}
    assert (coverage["decision"], coverage["basis"], coverage["confidence"]) == ("deny", "none", "K")


async def test_coverage_tells_a_permit_that_no_consent_is_asked_for(client: httpx.AsyncClient):
    coverage = await covered(client, residence="US", channel="email", purpose="marketing")

    assert coverage["decision"] == "permit"


async def test_a_place_that_nobody_knows_is_covered_by_our_policy_alone(client: httpx.AsyncClient):
    coverage = await covered(client, residence="ZZ")

    assert (coverage["laws"][0]["place"], coverage["confidence"], coverage["decision"]) == ("ZZ", "P", "deny")


async def test_coverage_knows_the_purposes_of_the_tenant(client: httpx.AsyncClient):
    await client.put("/v1/purposes/x-club", json={"maps_to": "marketing", "title": "Club letter"})

    assert (await covered(client, purpose="x-club"))["rules"] == (await covered(client))["rules"]


@pytest.mark.parametrize(
    ("question", "status", "code"),
    [
        ({"residence": "QQ"}, 409, "unknown_jurisdiction"),
        ({"residence": "Germany"}, 400, "invalid_request"),
        ({"purpose": "x-unheard-of"}, 409, "unknown_purpose"),
        ({"purpose": "fun"}, 400, "invalid_request"),
        ({"channel": "pigeon"}, 400, "invalid_request"),
    ],
)
async def test_a_place_or_purpose_that_is_none_has_no_coverage(
    client: httpx.AsyncClient, question: dict[str, str], status: int, code: str
):
    answer = await client.get("/v1/policy/coverage", params=STRANGER | question)

    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (status, code)
    assert [list(error) for error in answer.json()["errors"]] == [["detail", "parameter"]]
    assert [error["parameter"] for error in answer.json()["errors"]] == list(question)


async def test_a_simulation_explains_itself_only_where_it_is_asked_to(client: httpx.AsyncClient):
    asked = await explained(client)
    unasked = await explained(client, explain=False)

    assert set(asked) - set(unasked) == {"explanation"}
    assert {name: asked[name] for name in unasked if name != "at"} == {
        name: unasked[name] for name in unasked if name != "at"
    }


async def test_an_explanation_names_the_fact_that_nobody_told(client: httpx.AsyncClient):
    explanation = (await explained(client))["explanation"]

    (law,) = explanation["laws"]
    assert (law["place"], law["held"], law["basis"]) == ("DE", True, None)
    interest = by_rule(explanation)["EU-LI-01"]
    assert (interest["outcome"], interest["unknown"]) == ("denies", ["context.lia_on_file"])
    assert interest["sentence"] == "denies; unknown fact: context.lia_on_file"
    assert [remedy["sentence"] for remedy in explanation["remedies"]] == ["permitted if context.lia_on_file were true"]
    assert explanation["remedies"][0]["facts"] == [{"fact": "context.lia_on_file", "value": True}]
    assert explanation["note"] is None
    stages = [each["stage"] for each in explanation["rules"]]
    assert stages == sorted(stages)


async def test_what_an_explanation_would_permit_is_permitted_once_it_is_told(client: httpx.AsyncClient):
    explanation = (await explained(client, context={"lia_on_file": True}))["explanation"]

    assert by_rule(explanation)["EU-LI-01"]["outcome"] == "permits"
    assert explanation["laws"][0]["basis"] == "legitimate_interest"
    assert (explanation["remedies"], explanation["asked"]) == ([], 0)
    assert {each["outcome"] for each in explanation["rules"]} == {
        "permits",
        "applies, no objection",
        "does not apply",
    }


async def test_facts_that_only_help_together_are_told_together(client: httpx.AsyncClient):
    explanation = (
        await explained(
            client,
            jurisdiction="US-CA",
            channel="ads",
            purpose="sale_share",
            subject={"age": 34},
            at="2026-11-21T18:00:00Z",
        )
    )["explanation"]

    (remedy,) = explanation["remedies"]
    needed = ["context.notice_at_collection", "context.third_party_contract"]
    assert [each["fact"] for each in remedy["facts"]] == needed
    assert by_rule(explanation)["USCA-OPT-06"]["unknown"] == needed


async def test_a_rule_that_is_not_in_force_yet_says_from_when(client: httpx.AsyncClient):
    explanation = (await explained(client, jurisdiction="FR", channel="phone", at="2026-07-01T10:00:00Z"))[
        "explanation"
    ]

    assert by_rule(explanation)["FR-TEL-01"]["sentence"] == "does not apply yet, in force from 2026-08-11"


@pytest.mark.parametrize("path", ["/v1/policy", "/v1/policy/rules/DE-UWG-01", "/v1/policy/coverage"])
async def test_the_law_is_for_those_with_its_scope(client_of: Callable[..., httpx.AsyncClient], path: str):
    assert (
        await client_of(scope="decide").get(path, params=STRANGER if "coverage" in path else None)
    ).status_code == 403
