"""What the platform is told of a work item follows from its people's requests, by policy data."""

import json
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft7Validator

from service.consent import Action, Purpose
from service.drop import Status
from service.drop.artefacts import read_rules
from service.drop.domain import Outcome, Rules
from service.requests import Right, State
from service.requests.artefacts import read_periods, read_rights
from service.requests.lifecycle import OPEN

LAW = Path(__file__).parents[2] / "policies"
DOCUMENT = json.loads((LAW / "data" / "drop.json").read_text())
SCHEMA = json.loads((LAW / "schemas" / "drop.json").read_text())
CATALOGUE = {rule["id"] for rule in json.loads((LAW / "catalogue.json").read_text())}


@pytest.fixture(scope="module")
def rules() -> Rules:
    return read_rules(LAW / "build")


def outcome(state: str | None = "answered", reason: str | None = None, **said: bool) -> Outcome:
    return Outcome(**{"followed": True, "shared": False, "requested": True, "state": state, "reason": reason} | said)


def test_the_table_has_the_shape_of_its_schema_and_is_what_was_built(rules: Rules):
    Draft7Validator.check_schema(SCHEMA)
    assert list(Draft7Validator(SCHEMA).iter_errors(DOCUMENT)) == []
    assert msgspec.convert(DOCUMENT, Rules) == rules


def test_the_table_rests_on_rules_rights_periods_and_the_vocabulary(rules: Rules):
    rights = read_rights(LAW / "build")
    erasure = rights.of(rules.law, Right.ERASURE)

    assert set(rules.rules) <= CATALOGUE
    assert erasure.satisfied_by(rights.proof(rules.method))
    read_periods(LAW / "build").of(rules.access.law, rules.access.request)
    for record in (rules.of_one, rules.of_several):
        assert record.action in set(Action)
        assert record.purpose in set(Purpose)
    for rule in rules.outcomes:
        assert set(rule.states) <= set(State)
        assert set(rule.reasons or ()) <= set(erasure.refusals)


def test_every_request_that_has_ended_has_a_status_and_no_other(rules: Rules):
    told = {state: rules.status([outcome(state)]) for state in State if state is not State.DUPLICATE}

    assert {state for state, status in told.items() if status is None} == OPEN
    assert set(told.values()) - {None} <= set(Status)


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([], Status.NOT_FOUND),
        ([outcome("answered")], Status.DELETED),
        ([outcome("closed")], Status.DELETED),
        ([outcome("refused", "direct_relationship")], Status.EXEMPTED),
        ([outcome("refused", "identity_unproven")], Status.OPTED_OUT),
        ([outcome("withdrawn")], Status.OPTED_OUT),
        ([outcome(None, requested=False)], Status.DELETED),
        ([outcome(None, requested=False, shared=True)] * 2, Status.OPTED_OUT),
        ([outcome("answered"), outcome(None, requested=False, shared=True)], Status.DELETED),
        ([outcome("answered"), outcome("refused", "direct_relationship")], Status.DELETED),
        ([outcome("answered"), outcome("executing")], None),
        ([outcome("answered"), outcome(None, requested=False, followed=False)], None),
        ([outcome(None)], None),
    ],
)
def test_a_work_item_has_one_status_when_everybody_is_settled(rules: Rules, outcomes, status):
    assert rules.status(outcomes) is status
