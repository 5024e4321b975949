"""Which rights each law gives: the committed table, and the questions it answers."""

import json
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft7Validator

from service.consent import Action, Purpose
from service.downstreams import TaskKind
from service.requests import Periods
from service.requests.artefacts import read_periods, read_rights
from service.requests.case import Via, needs_of, standing_of
from service.requests.domain import Deadlines
from service.requests.lifecycle import Move, Progress, State
from service.requests.periods import UnknownLaw, UnknownRequest
from service.requests.rights import (
    ContradictoryRights,
    GroundUnknown,
    Holding,
    Mark,
    Marking,
    MethodUnknown,
    Right,
    Rights,
    RightsTable,
    RightUnknown,
    Use,
    Verification,
)

LAW = Path(__file__).parents[2] / "policies"
DOCUMENT = json.loads((LAW / "data" / "rights.json").read_text())
SCHEMA = json.loads((LAW / "schemas" / "rights.json").read_text())
CATALOGUE = {rule["id"] for rule in json.loads((LAW / "catalogue.json").read_text())}
PLACES = json.loads((LAW / "data" / "places.json").read_text())
TABLE = msgspec.convert(DOCUMENT, RightsTable)
ROWS = [pytest.param(row, id=f"{row.laws[0]}-{row.right}") for row in TABLE.rights]


@pytest.fixture(scope="module")
def rights() -> Rights:
    return read_rights(LAW / "build")


@pytest.fixture(scope="module")
def periods() -> Periods:
    return read_periods(LAW / "build")


def test_the_table_has_the_shape_of_its_schema():
    Draft7Validator.check_schema(SCHEMA)
    assert list(Draft7Validator(SCHEMA).iter_errors(DOCUMENT)) == []


@pytest.mark.parametrize("row", ROWS)
def test_a_right_has_its_period_its_grounds_and_its_rules(row, rights: Rights, periods: Periods):
    assert set(row.rules) <= CATALOGUE
    for law in row.laws:
        for name in row.periods(law):
            periods.of(name.law, name.request)
        for use, grounds in ((Use.REFUSAL, row.refusals), (Use.EXTENSION, row.extensions)):
            assert [rights.ground(law, row, use, ground).id for ground in grounds] == list(grounds)
        assert rights.remedy(law)


def test_what_a_request_says_about_its_subject_rests_on_rules_and_ends_with_the_request():
    assert TABLE.marks.keys() == set(Mark)
    for marking in TABLE.marks.values():
        assert set(marking.rules) <= CATALOGUE
        assert set(marking.states) <= set(State) - {State.REFUSED, State.WITHDRAWN, State.DUPLICATE}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("lifted", [False, True])
def test_a_request_says_it_where_the_table_says_so_and_nowhere_else(rights: Rights, state: State, lifted: bool):
    erasure = rights.of("GDPR", Right.ERASURE)
    marking = Marking(states=("verifying", "answered"), lifts=True, rules=("EU-ERA-03",), citation="none")
    stands = standing_of(
        Progress(state=state, version=1, lifted=lifted), Deadlines(), erasure, marking, "Europe/Berlin"
    )

    marks = state in {State.VERIFYING, State.ANSWERED} and not lifted
    assert stands.mark == (Mark.ERASURE_PENDING if marks else None)
    assert needs_of(erasure, marking, Via.PORTAL).liftable
    assert not needs_of(erasure, rights.marking(erasure), Via.PORTAL).liftable
    assert rights.marking(rights.of("GDPR", Right.ACCESS)) is None


@pytest.mark.parametrize("row", ROWS)
def test_what_discloses_or_destroys_is_never_done_for_a_stranger(row):
    assert not (row.discloses or row.destroys) or not row.satisfied_by(Verification.NONE)


@pytest.mark.parametrize("row", ROWS)
def test_what_takes_effect_at_once_asks_nobody_who_they_are(row):
    """GDPR Art. 21(3), 7(3); 11 CCR 7026(d), 7027(e)."""
    assert not row.at_once or row.satisfied_by(Verification.NONE)
    assert {effect.action for effect in row.at_once} <= set(Action)
    assert {effect.purpose for effect in row.at_once} <= set(Purpose)


@pytest.mark.parametrize("row", ROWS)
def test_an_extension_has_a_ground_where_its_period_knows_one_and_nowhere_else(row, periods: Periods):
    for law in row.laws:
        name = row.periods(law)[0]
        if row.extensions:
            assert periods.of(name.law, name.request).extension is not None


def test_every_ground_is_of_some_right():
    for ground in TABLE.grounds:
        for law in ground.laws:
            rows = [row for row in TABLE.rights if law in row.laws]
            assert any(ground.id in known_to(row, law, ground.of) for row in rows)


def known_to(row, law: str, use: Use) -> tuple[str, ...]:
    """Return the grounds that a right has, for a refusal, an extension or a fee."""
    fees = [each.fees for each in TABLE.frequencies if law in each.laws and row.right in each.rights]
    return {Use.REFUSAL: row.refusals, Use.EXTENSION: row.extensions, Use.FEE: fees[0] if fees else ()}[use]


@pytest.mark.parametrize("row", TABLE.frequencies, ids=lambda row: row.article)
def test_what_is_too_often_has_its_rules_and_grounds_that_its_rights_have(row, rights: Rights):
    assert set(row.rules) <= CATALOGUE
    for law in row.laws:
        for right in row.rights:
            entitlement = rights.of(law, right) if right in rights.laws[law] else None
            if entitlement is None:
                continue
            assert rights.frequency(law, right) == row, "no other row is about it"
            assert set(row.refusals) <= set(entitlement.refusals)
            assert [rights.ground(law, entitlement, Use.FEE, fee).of for fee in row.fees] == [Use.FEE] * len(row.fees)


def test_every_place_has_a_law_or_is_treated_as_if_it_had_the_strictest(rights: Rights):
    governed = {place: rights.law_of(place) for place in PLACES}

    assert {place: law for place, (law, assumed) in governed.items() if assumed} == {
        place: "GDPR"
        for place in PLACES
        if place in {"ZZ", "US"} or (place.startswith("US-") and place not in TABLE.of_place)
    }
    assert {law for law, _ in governed.values()} == set(rights.laws) - {"DELETE_ACT"}, "a register applies that one"


@pytest.mark.parametrize(
    ("place", "law", "assumed"),
    [
        ("DE", "GDPR", False),
        ("DE-BY", "GDPR", False),
        ("NO", "GDPR", False),
        ("GB-SCT", "UK_GDPR", False),
        ("CA-QC", "QC_LAW25", False),
        ("CA-ON", "PIPEDA", False),
        ("US-CA", "CCPA", False),
        ("US-NY", "GDPR", True),
        ("ZZ", "GDPR", True),
        ("JP", "GDPR", True),
        (None, "GDPR", True),
    ],
)
def test_a_place_has_one_law(rights: Rights, place: str | None, law: str, assumed: bool):
    assert rights.law_of(place) == (law, assumed)


def test_a_right_that_a_law_lacks_is_told_with_those_that_it_has(rights: Rights):
    with pytest.raises(RightUnknown) as refused:
        rights.of("ICDPA_IA", Right.RECTIFICATION)

    assert "access" in refused.value.details["rights"]
    with pytest.raises(UnknownLaw):
        rights.of("HAMMURABI", Right.ACCESS)


def test_a_ground_counts_for_the_rights_it_is_written_for(rights: Rights):
    erasure, access = (rights.of("GDPR", right) for right in (Right.ERASURE, Right.ACCESS))

    assert rights.ground("GDPR", erasure, Use.REFUSAL, "legal_obligation").article == "Art. 17(3)(b)"
    for wrong in ("legal_obligation", "complex", "because", None):
        with pytest.raises(GroundUnknown):
            rights.ground("GDPR", access, Use.REFUSAL, wrong)
    with pytest.raises(GroundUnknown):
        rights.ground("CCPA", rights.of("CCPA", Right.OPT_OUT_OF_SALE), Use.REFUSAL, "identity_unproven")


def test_in_california_a_log_in_will_do_and_two_data_points_are_too_few_for_the_pieces(rights: Rights):
    """11 CCR 7060-7062."""
    pieces, categories = (rights.of("CCPA", right) for right in (Right.ACCESS, Right.KNOW_CATEGORIES))

    assert [level for level in Verification if pieces.satisfied_by(level)] == ["session", "high"]
    assert [level for level in Verification if categories.satisfied_by(level)] == ["session", "reasonable", "high"]


def test_what_shows_identity_and_authority_is_a_closed_list(rights: Rights):
    opt_out = rights.of("CCPA", Right.OPT_OUT_OF_SALE)

    assert rights.proof("two_data_points") is Verification.REASONABLE
    rights.check_authority(opt_out, "signed_permission")
    with pytest.raises(MethodUnknown):
        rights.proof("his_word")
    with pytest.raises(MethodUnknown):
        rights.check_authority(opt_out, "written_authority")


def test_two_entries_about_one_right_are_a_mistake():
    with pytest.raises(ContradictoryRights):
        Rights(msgspec.structs.replace(TABLE, rights=(*TABLE.rights, TABLE.rights[0])), {})


def test_a_period_that_is_missing_would_be_seen(periods: Periods):
    with pytest.raises(UnknownRequest):
        periods.of("GDPR", "know")


def test_the_page_names_every_right_of_every_law():
    page = (LAW.parent / "docs" / "requests.md").read_text().splitlines()

    for row in TABLE.rights:
        (line,) = [line for line in page if line.startswith(f"| `{row.right}` |") and f"`{row.laws[0]}`" in line]
        said = line.split(" | ")
        assert {f"`{law}`" for law in row.laws} <= set(said[1].split())
        assert said[2] == row.verification + (", or a log-in" if row.login_suffices else "")
        assert {f"`{effect.action}`" for effect in row.at_once} <= set(said[3].replace(",", "").split())


@pytest.mark.parametrize("row", TABLE.tells, ids=lambda row: f"{row.laws[0]}-{row.rights[0]}-{row.kind}")
def test_of_a_right_that_a_law_gives_others_are_told_by_its_rules_and_once(row, rights: Rights):
    assert set(row.rules) <= CATALOGUE
    assert set(row.on) <= set(Move)
    for law in row.laws:
        for right in row.rights:
            rights.of(law, right)
            assert [each for each in rights.tells(law, right) if each.kind is row.kind] == [row]


@pytest.mark.parametrize("row", ROWS)
def test_others_are_told_of_what_is_erased_corrected_handed_over_and_no_longer_wanted(row, rights: Rights):
    told = {
        (Right.ERASURE, TaskKind.ERASE, "execute"),
        (Right.RECTIFICATION, TaskKind.RECTIFY, "execute"),
        (Right.RESTRICTION, TaskKind.RESTRICT, "verify"),
        (Right.ACCESS, TaskKind.ACCESS, "execute"),
        (Right.PORTABILITY, TaskKind.ACCESS, "execute"),
        (Right.OBJECTION, TaskKind.OPT_OUT, "receive"),
        (Right.WITHDRAW_CONSENTS, TaskKind.OPT_OUT, "receive"),
        (Right.OPT_OUT_OF_SALE, TaskKind.OPT_OUT, "receive"),
        (Right.LIMIT_SENSITIVE_USE, TaskKind.LIMIT, "receive"),
    }
    for law in row.laws:
        found = {(row.right, each.kind, move) for each in rights.tells(law, row.right) for move in each.on}
        assert {each for each in told if each[0] is row.right} <= found


def test_what_counts_on_receipt_holds_up_no_answer(rights: Rights):
    """The person has what they asked for: what others do about it is for the case."""
    at_once = [each for each in TABLE.tells if each.on == ("receive",)]

    assert at_once
    assert {each.holds_up for each in at_once} == {Holding.CLOSE}
