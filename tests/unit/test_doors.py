"""The table of words is whole: no state, ground or kind of identity is without a meaning."""

import typing

import pytest

from service.decisions.artefacts import read_policy
from service.desk import statutes
from service.doors.domain import Door
from service.doors.opendsr import CUSTOMER, DsrIdentity
from service.given import BUILD
from service.porch import tables
from service.requests import State

TABLES = tables()
RIGHTS = statutes(BUILD, read_policy(BUILD)).rights


@pytest.mark.parametrize("door", list(Door))
def test_every_state_has_a_word(door: Door):
    words = TABLES.words(door)

    assert words.states.keys() == set(State)
    assert set(words.final) <= set(words.states.values())


def test_every_right_of_a_door_is_one_of_its_laws():
    assert all(
        right in RIGHTS.laws[law] for law in TABLES.opendsr.laws.values() for right in TABLES.opendsr.rights.values()
    )
    assert set(TABLES.drp.rights.values()) <= RIGHTS.laws[TABLES.drp.law].keys()


def test_what_an_agent_signs_is_an_authority_for_every_right():
    for right in TABLES.drp.rights.values():
        RIGHTS.check_authority(RIGHTS.of(TABLES.drp.law, right), TABLES.drp.authority)


def test_every_kind_of_identity_is_looked_for():
    kinds = typing.get_args(typing.get_type_hints(DsrIdentity)["identity_type"])

    assert {CUSTOMER, *TABLES.opendsr.fields} == set(kinds)


def test_reasons_are_grounds_that_the_law_gives():
    grounds = {ground for right in TABLES.drp.rights.values() for ground in RIGHTS.of("CCPA", right).refusals}

    assert TABLES.drp.words.reasons.keys() - {"not_applicable"} <= grounds
    assert TABLES.drp.words.reason("legal_obligation") == "other"
    assert TABLES.drp.words.reason(None) is None
    assert "no_match" not in TABLES.drp.words.reasons.values()
