"""The vectors of the law's deadlines, and how a difference is told."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from service.cli import main
from service.requests import Periods, check_deadlines
from service.requests.artefacts import read_periods
from service.requests.calendar_of import public_holidays
from service.requests.domain import UnknownPlace

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "policy" / "deadlines"
SHARED, OWN = ((VECTORS / name).read_text().splitlines() for name in ("shared.jsonl", "own.jsonl"))
ACCESS: dict[str, Any] = {
    "id": "T-1",
    "law": "UK_GDPR",
    "request": "access",
    "received_at": "2026-06-01T09:00:00+01:00",
    "time_zone": "Europe/London",
    "expect": {"due_on": "2026-07-01"},
}


@pytest.fixture(scope="module")
def periods() -> Periods:
    return read_periods(ROOT / "policies" / "build")


@pytest.mark.parametrize("line", [*SHARED, *OWN], ids=lambda line: json.loads(line)["id"])
def test_a_vector_gets_the_dates_of_the_law(line: str, periods: Periods):
    assert check_deadlines([line], periods, public_holidays).differences == ()


def test_there_are_as_many_vectors_as_there_should_be():
    own = [json.loads(line) for line in OWN]

    assert len(SHARED) == 60
    assert len({vector["id"] for vector in own}) == len(own) >= 80
    assert all(vector["cite"] and vector["why"] for vector in own)


def test_a_date_that_is_wrong_by_a_day_is_told(periods: Periods):
    """Each date of each vector, so that none is compared with itself."""
    for line in [*SHARED, *OWN]:
        vector = json.loads(line)
        for name, day in vector["expect"].items():
            if isinstance(day, str):
                wrong = date.fromordinal(date.fromisoformat(day).toordinal() + 1)
                changed = vector | {"expect": vector["expect"] | {name: str(wrong)}}
                told = check_deadlines([json.dumps(changed)], periods, public_holidays)
                assert told.differences == (f"{vector['id']}: {name}: expected {wrong}, got {day}",)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"expect": {"due_on": None}}, "due_on: expected None, got 2026-07-01"),
        ({"expect": {"stop_on": "2026-06-01"}}, "stop_on: expected 2026-06-01, got None"),
        ({"expect": {"suspended": True}}, "suspended: expected True, got False"),
        ({"expect": {}}, "expect: "),
        ({"expect": None}, "expect: "),
        ({"expect": {"due": "2026-07-01"}}, "Object contains unknown field `due`"),
        ({"law": "LOPD"}, "no law LOPD; known are "),
        ({"law": "a@b.example"}, "Expected `str` matching regex"),
        ({"request": "forget"}, "UK_GDPR has no request forget; it has access, "),
        ({"request": "refusal_notice", "extended": True}, "UK_GDPR knows no extension here"),
        ({"law": "DPDP_IN", "request": "grievance"}, "DPDP_IN applies to what is received from 2027-05-13 on"),
        ({"received_at": "2026-06-01T09:00:00"}, "Expected `datetime` with a timezone"),
        ({"received_at": "0001-01-01T00:00:00+14:00"}, "a request and what happens to it are of the years"),
        ({"received_at": "2026-13-01T09:00:00Z"}, "Invalid RFC3339 encoded datetime"),
        ({"time_zone": "Europe/Atlantis"}, "there is no time zone Europe/Atlantis"),
        ({"time_zone": "Europe"}, "there is no time zone Europe"),
        ({"place": "ZZ"}, "no calendar is known of the place ZZ"),
        ({"place": "GB-OOO"}, "no calendar is known of the place GB-OOO"),
        ({"holidays": ["2026-06-31"]}, "Invalid RFC3339 encoded date"),
        ({"events": [{"type": "phoned", "at": "2026-06-02T09:00:00Z"}]}, "Invalid enum value 'phoned'"),
        ({"recieved_at": "2026-06-01T09:00:00Z"}, "Object contains unknown field `recieved_at`"),
    ],
)
def test_every_difference_is_told_by_the_name_of_its_vector(changes: dict[str, Any], difference: str, periods: Periods):
    result = check_deadlines([json.dumps(ACCESS | changes)], periods, public_holidays)

    assert (result.passed, result.failed) == (0, 1)
    assert result.differences[0].startswith(f"T-1: {difference}")


@pytest.mark.parametrize("line", ["{", "[]", ""])
def test_a_line_that_is_no_vector_fails_by_its_number(line: str, periods: Periods):
    result = check_deadlines([json.dumps(ACCESS), line], periods, public_holidays)

    assert (result.passed, result.failed) == (1, 1)
    assert result.differences[0].startswith("line 2: ")


def test_each_difference_of_a_vector_is_told_and_the_vector_counted_once(periods: Periods):
    wrong = ACCESS | {"expect": {"due_on": "2026-07-02", "stop_on": "2026-06-01"}}

    result = check_deadlines([json.dumps(wrong)], periods, public_holidays)

    assert (result.passed, result.failed, len(result.differences)) == (0, 1, 2)


@pytest.mark.parametrize(
    ("zone", "place"),
    [
        ("Europe/Berlin", "DE"),
        ("Europe/Paris", "FR"),
        ("Europe/Dublin", "IE"),
        ("Europe/London", "GB-ENG"),
        ("America/New_York", "US"),
    ],
)
def test_the_library_knows_the_holidays_of_the_shared_vectors(zone: str, place: str):
    listed = {day for line in SHARED if (vector := json.loads(line))["time_zone"] == zone for day in vector["holidays"]}
    closed = public_holidays(place)

    assert listed
    assert [day for day in sorted(listed) if not closed(date.fromisoformat(day))] == []


def test_a_part_of_a_country_keeps_its_own_holidays():
    epiphany, feast_of_mary = date(2027, 1, 6), date(2025, 8, 15)

    assert not public_holidays("DE")(epiphany)
    assert public_holidays("DE-BY")(epiphany)
    assert public_holidays("DE-SL")(feast_of_mary)
    with pytest.raises(UnknownPlace):
        public_holidays("DE-XX")


def test_the_command_counts_what_passed():
    ran = CliRunner().invoke(main, ["deadlines", "check", str(VECTORS / "shared.jsonl")])

    assert (ran.exit_code, ran.output) == (0, "60 passed, 0 failed\n")


def test_the_command_lists_differences_and_fails(tmp_path: Path):
    file = tmp_path / "vectors.jsonl"
    file.write_text(json.dumps(ACCESS | {"expect": {"due_on": "2026-07-02"}}) + "\n" + json.dumps(ACCESS) + "\n")

    for option in ([], ["--json"]):
        ran = CliRunner().invoke(main, ["deadlines", "check", *option, str(file)])
        difference = "T-1: due_on: expected 2026-07-02, got 2026-07-01"
        assert ran.exit_code == 1
        if option:
            assert json.loads(ran.output) == {"passed": 1, "failed": 1, "differences": [difference]}
        else:
            assert ran.output.splitlines() == [difference, "1 passed, 1 failed"]


def test_a_file_without_vectors_is_wrong_usage(tmp_path: Path):
    file = tmp_path / "empty.jsonl"
    file.write_text("\n")

    assert CliRunner().invoke(main, ["deadlines", "check", str(file)]).exit_code == 2
