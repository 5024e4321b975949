"""What is checked of a table before it is tried, and what is counted of a trial."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.decisions import Basis, Effect, PolicyData, Verdict
from service.decisions.domain import Cited
from service.decisions.policy import policy_data
from service.trials.domain import Candidate
from service.trials.edges import measures_months, refolded, restated, unseen, untold
from service.trials.shapes import JsonSchemas
from service.trials.tally import EXAMPLES, Seen, Tally, compare

LAW = Path(__file__).parents[2] / "policies"
TABLES: dict[str, Any] = {file.stem: json.loads(file.read_text()) for file in (LAW / "data").glob("*.json")}
SCHEMAS: dict[str, Any] = {name: json.loads((LAW / f"schemas/{name}.json").read_text()) for name in TABLES}
SHAPES = JsonSchemas(LAW / "schemas")
TRIED = sorted(TABLES.keys() - {"deadlines", "keeping", "rights"})


def data_of(tables: dict[str, Any]) -> PolicyData:
    return policy_data(json.dumps({"volens": tables}).encode())


DATA = data_of(TABLES)
ODD: st.SearchStrategy[Any] = st.sampled_from([None, True, 0, -1, 1.5, "", "x", "2026-02-30", [], {}, [1, 1], {"x": 1}])


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, Any]:
    """A table with something else at one of its places, or without it."""
    name = draw(st.sampled_from(TRIED))
    document = json.loads(json.dumps(TABLES[name]))
    node = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return name, document
        key = draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and node[key] and draw(st.booleans()):
            node = node[key]
            continue
        match draw(st.sampled_from(["drop", "add", "change"])):
            case "drop":
                del node[key]
            case "add" if isinstance(node, dict):
                node["unheard_of"] = draw(ODD)
            case _:
                node[key] = draw(ODD)
        return name, document


@pytest.mark.parametrize("name", TRIED)
def test_the_tables_of_the_law_have_their_shape_and_measure_by_edges_that_there_are(name: str):
    assert list(SHAPES.faults(name, TABLES[name])) == []
    assert list(unseen({name: TABLES[name]}, DATA.bands)) == []


@given(damaged())
def test_a_table_is_refused_exactly_where_json_schema_refuses_it(found: tuple[str, Any]):
    name, document = found
    whole = jsonschema_rs.validator_for(SCHEMAS[name]).is_valid(document)

    assert (list(SHAPES.faults(name, document)) == []) is whole


def test_a_fault_is_pointed_to_without_its_value():
    (fault,) = SHAPES.faults("periods", TABLES["periods"] | {"stale": {"a/b": "x"}})

    assert (fault.pointer, fault.detail) == ("/stale/a~1b", '`type` has to be "integer"')


@pytest.mark.parametrize("name", ["deadlines", "keeping", "rights", "input", "catalogue", "laws"])
def test_what_no_decision_rests_on_is_no_table(name: str):
    assert name not in SHAPES


@pytest.mark.parametrize(
    ("table", "document", "pointer", "known"),
    [
        ("periods", {"stale": {"other": 17}}, "/periods/stale/other", "3, 6, 12"),
        ("periods", {"reask": 18}, "/periods/reask", "12"),
        ("ages", {"adult": 19}, "/ages/adult", "12, 13"),
        ("windows", {"default": {"days": {"1": [[541, 1200]]}}}, "/windows/default/days/1/0/0", "0, 480"),
        ("windows", {"places": {"FR": {"days": {"1": [[600, 1441]]}}}}, "/windows/places/FR/days/1/0/1", "0, 480"),
        ("in_force", {"FR-TEL-01": "2026-08-12"}, "/in_force/FR-TEL-01", "2026-08-11"),
        ("states", {"laws": {"US-AL": {"since": "2027-01-02"}}}, "/states/laws/US-AL/since", "2027-01-01"),
    ],
)
def test_what_facts_do_not_tell_apart_is_found(table: str, document: Any, pointer: str, known: str):
    (found,) = unseen({table: document}, DATA.bands)

    assert (found.table, found.pointer) == (table, pointer)
    assert known in found.known


@pytest.mark.parametrize(
    ("periods", "pointers"),
    [
        ({"stale": {"other": 24, "DE": 24, "FR": 24}}, set()),
        ({"stale": {"other": 12, "DE": 24, "FR": 36}}, {"/periods/stale/other"}),
        ({"stale": {"other": 36, "DE": 24, "FR": 36}}, {"/periods/stale/other"}),
        ({"soft_opt_in": {"IE": 24}}, {"/periods/soft_opt_in/IE"}),
        ({"ebr": {"purchase": 24, "inquiry": 6}}, {"/periods/ebr/inquiry"}),
    ],
)
def test_facts_of_a_place_tell_the_periods_of_its_own_laws_alone(periods: dict[str, Any], pointers: set[str]):
    tables = TABLES | {"periods": TABLES["periods"] | periods}

    assert {each.pointer for each in untold(data_of(tables), DATA)} == pointers


def test_facts_of_before_the_table_of_measures_tell_every_edge_and_those_of_now_do_not():
    before = replace(DATA, measures=None)
    shorter = data_of(TABLES | {"periods": TABLES["periods"] | {"spain": 12}})

    assert list(untold(shorter, before)) == []
    assert {each.pointer for each in untold(before, DATA)} == {"/periods"}


@pytest.mark.parametrize(
    ("rego", "measures"),
    [
        ("old if act.months_past > 12", True),
        ("old if not gdpr.active_within(12)", True),
        ("late if {\n\tnot gdpr.active\n}", True),
        ("# who is active\nquiet if input.subject.b2b", False),
        ("quiet if act.inactive", False),
    ],
)
def test_a_file_that_compares_months_is_known_by_its_words(rego: str, measures: bool):
    assert measures_months(rego) is measures


def test_midnight_is_an_edge_at_both_ends_of_a_day():
    assert list(unseen({"windows": {"default": {"days": {"1": [[0, 1440]]}}}}, DATA.bands)) == []


def test_tables_that_facts_or_states_are_made_with_are_told_from_those_that_are_judged_by():
    changed = {
        name: {**table, "more": 1} for name, table in TABLES.items() if name not in {"deadlines", "keeping", "rights"}
    }

    assert restated(changed, TABLES) == ("bands", "terms", "measures")
    assert refolded(changed, TABLES) == ("actions", "methods")
    assert (restated(TABLES, TABLES), refolded(TABLES, TABLES)) == ((), ())


def verdict(allow: bool, *rules: str) -> Verdict:
    effect = Effect.PERMIT if allow else Effect.DENY
    return Verdict(
        allow=allow,
        basis=Basis.CONSENT if allow else Basis.NONE,
        reasons=(
            Cited(rule="ENG-QH-01", effect=Effect.NOTE, stage=14),
            *(Cited(rule=rule, effect=effect, stage=4) for rule in rules),
        ),
        obligations=(),
        acts=(),
        closed_hours=False,
    )


def test_a_change_is_counted_by_the_rules_that_deny_on_the_side_that_denies():
    permit, deny = verdict(True, "EU-EPD-01"), verdict(False, "EU-CON-01", "ENG-OPT-01", "EU-CON-01")
    tally = Tally()
    pairs = [(permit, deny)] * 7 + [(deny, permit)] + [(deny, verdict(False, "EU-CON-01"))] + [(deny, deny)]
    for number, (then, now) in enumerate(pairs):
        tally.add(Seen(id=UUID(int=number), channel="sms", purpose="x-club", revision="r", compared=compare(then, now)))
    tally.add(Seen(id=UUID(int=99), channel="sms", purpose="x-club", revision="s", compared=None))

    assert (tally.judged, tally.to_deny, tally.to_permit, tally.unchanged) == (10, 7, 1, 2)
    assert (tally.reasons_changed, tally.unjudged, tally.revisions) == (1, 1, {"r": 10, "s": 1})
    assert tally.rules.keys() == {"EU-CON-01", "ENG-OPT-01"}
    for groups in (tally.rules, tally.channels, tally.purposes):
        for group in groups.values():
            assert (group.to_deny, group.to_permit) == (7, 1)
            assert group.examples == [UUID(int=number) for number in range(EXAMPLES)]


def test_a_candidate_is_named_by_its_content():
    one = Candidate(tables={"a": {"x": 1, "y": 2}})

    assert one.name() == Candidate(tables={"a": {"y": 2, "x": 1}}).name()
    assert one.name() != replace(one, modules={"volens/a/b.rego": "package volens.a"}).name()
