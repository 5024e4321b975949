import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft7Validator

from service.decisions import Policy
from service.decisions.facts import fill
from tests.situations import cases, instant_of, template_of, tried

POLICIES = Path(__file__).parents[2] / "policies"
SHARED = [
    json.loads(line) for line in (Path(__file__).parent / "cases" / "shared.jsonl").read_text().splitlines() if line
]


@pytest.fixture(scope="module")
def schema() -> Draft7Validator:
    return Draft7Validator(json.loads((POLICIES / "schemas" / "input.json").read_text()))


def faults(schema: Draft7Validator, facts: bytes) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in schema.iter_errors(json.loads(facts))]


@tried(300)
@given(case=cases())
def test_facts_are_what_the_schema_of_the_input_says(schema: Draft7Validator, policy: Policy, case: dict[str, Any]):
    assert faults(schema, fill(template_of(case, policy), instant_of(case)).facts) == []


@pytest.mark.parametrize("case", SHARED, ids=lambda case: case["id"])
def test_the_facts_of_a_shared_case_are_what_the_schema_says(
    schema: Draft7Validator, policy: Policy, case: dict[str, Any]
):
    question = {name: case[name] for name in case if name not in ("id", "expect", "cite", "why", "disputed")}

    assert faults(schema, fill(template_of(question, policy), instant_of(question)).facts) == []


def test_every_enumerated_word_of_the_context_has_its_known_values(policy: Policy):
    """A field without known values could never be anything but `other`, so a rule that reads it reads nothing."""
    read = {"content", "notice", "use", "sensitive", "special_category", "basis_claimed", "transfer_mechanism", "topic"}

    assert read <= policy.data.terms.keys()
