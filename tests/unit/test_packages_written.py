"""The files of a package for machines and spreadsheets, and what is left out of them."""

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from service.kernel import Handle
from service.packages import document
from service.packages.declared import REDACTED, STAFF, Declared, Redaction
from service.packages.domain import Origin, Role
from service.packages.sheets import sheets, written
from service.packages.spool import spooled
from service.packages.telling import Tally, record_told, retention_told
from service.vault.fields import BUILT_IN
from tests.builders import NOON, a_statement
from tests.packaged import MADE_AT, THEN, a_decision_told, a_package, a_record_told, a_value

SCHEMA = Path(__file__).parents[2] / "openapi" / "access-package.schema.json"


def as_json(**changes) -> bytes:
    return b"".join(document.written(a_package(**changes)))


def as_csv(name: str, **changes) -> list[dict[str, str]]:
    content = b"".join(written(sheets(a_package())[name](a_package(**changes))))
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


# --- package.json ------------------------------------------------------------------------------


def test_the_committed_schema_is_what_the_package_is():
    made = json.dumps(document.schema(), indent=2, ensure_ascii=False) + "\n"

    assert SCHEMA.read_text() == made, "write it anew"


def test_a_package_keeps_to_the_schema():
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)

    validator.validate(json.loads(as_json()))
    validator.validate(json.loads(as_json(records=[], decisions=[], reveals=[], values=(), facts=())))
    assert not validator.is_valid({**json.loads(as_json()), "surplus": 1})
    assert not validator.is_valid({name: value for name, value in json.loads(as_json()).items() if name != "records"})


def test_the_same_package_gives_the_same_bytes_but_for_the_time_stamp():
    first, later = as_json(), as_json(made_at=MADE_AT + timedelta(hours=1))

    assert as_json() == first != later
    assert first.replace(b"2026-11-23T09:30:00Z", b"-") == later.replace(b"2026-11-23T10:30:00Z", b"-")


def test_long_lists_are_written_row_by_row_and_read_back_whole():
    rows = [a_record_told(number) for number in range(1, 101)]
    read = json.loads(as_json(records=rows))

    assert [UUID(each["id"]).int for each in read["records"]] == list(range(1, 101))
    assert max(len(part) for part in document.written(a_package(records=rows))) < 5_000


# --- CSV ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("risky", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("x")'])
def test_no_cell_is_taken_for_a_formula(risky: str):
    [value] = as_csv("values.csv", values=(a_value(risky, written_by=risky),))
    [record] = as_csv("records.csv", records=[a_record_told(evidence=risky, method=risky)])
    [decision] = as_csv("decisions.csv", decisions=[a_decision_told(asked_by=risky)])

    assert {value["value"], value["written_by"], record["evidence"], record["method"], decision["asked_by"]} == {
        f"'{risky}"
    }


@pytest.mark.parametrize("name", sheets(a_package()))
def test_every_table_has_rows_as_wide_as_its_heading(name: str):
    rows = as_csv(name)

    assert rows
    assert all(None not in row and None not in row.values() for row in rows)


def test_what_has_no_column_of_its_own_is_in_the_last_one():
    [record] = as_csv("records.csv", records=[a_record_told(brand="Ash", named_controllers=["A", "B"])])

    assert json.loads(record["rest"]) == {"brand": "Ash", "named_controllers": ["A", "B"]}
    assert record["ts"] == "2026-10-24T09:30:00Z"


# --- what is about others ----------------------------------------------------------------------


def stored(**said):
    from service.consent import StoredRecord

    return StoredRecord(id=uuid4(), handle=Handle(UUID(int=5)), received_at=NOON, statement=a_statement(**said))


def test_a_member_about_somebody_else_is_not_told_and_that_is_said():
    redact = Redaction(Declared())
    told = record_told(stored(subject_ref="maria"), Handle(UUID(int=5)), [], redact)

    assert "subject_ref" not in told.said
    assert told.left_out == ("subject_ref",)
    assert "maria" not in msgspec.json.encode(told).decode()
    assert [(each.what, each.times) for each in redact.left_out] == [("subject_ref", 1)]


def test_names_of_others_are_taken_out_of_texts_in_whatever_case_and_however_deep():
    redact = Redaction(Declared(hide_texts=("Maria", "Maria Moss", "m.moss")))

    assert redact.text("MARIA MOSS called, then maria") == f"{REDACTED} called, then {REDACTED}"
    assert redact.text({"lines": ["c/o Maria Moss"], "n": 1}) == {"lines": [f"c/o {REDACTED}"], "n": 1}
    assert redact.text("mxmoss") == "mxmoss"
    assert [(each.what, each.times) for each in redact.left_out] == [("texts", 3)]


def test_an_employee_is_told_as_one():
    redact = Redaction(Declared(staff=("j.doe",)))

    assert [redact.client(each) for each in ("j.doe", "mailer", "j.doe")] == [STAFF, "mailer", STAFF]
    assert [(each.what, each.times) for each in redact.left_out] == [(STAFF, 2)]


def test_a_record_from_before_a_merge_is_marked():
    told = record_told(stored(), Handle(UUID(int=6)), [], Redaction(Declared()))

    assert told.former


# --- who, from where, by which rule ------------------------------------------------------------


def test_recipients_are_counted_by_what_they_had():
    tally = Tally(Declared(recipients={"mailer": "Mail service"}))
    tally.decided(a_decision_told(), {"EU-EPD-01": ("Prior consent", "Art. 13")})
    tally.decided(a_decision_told(2, purpose="survey", decided_at=MADE_AT), {})
    tally.holds("mailer", THEN, "marketing", "email")
    asker, holder = tally.recipients

    assert (asker.role, asker.times, asker.first, asker.last) == (Role.ASKER, 2, THEN, MADE_AT)
    assert (asker.name, asker.purposes) == ("Mail service", ("marketing", "survey"))
    assert (holder.role, holder.fields) == (Role.HOLDER, ("email",))
    assert [(rule.rule, rule.title, rule.times) for rule in tally.rules] == [
        ("EU-EPD-01", "EU-EPD-01", 1),
        ("EU-EPD-01", "Prior consent", 1),
    ]


def test_sources_are_those_that_were_seen_then_those_that_the_controller_states():
    tally = Tally(Declared(sources=("A loyalty programme",)))
    for who in ("b", "a", "b"):
        tally.came_from(Origin.RECORDS, who)

    assert [(each.origin, each.who, each.times) for each in tally.sources] == [
        (Origin.RECORDS, "a", 1), (Origin.RECORDS, "b", 2), (Origin.DECLARED, "A loyalty programme", 0),
    ]  # fmt: skip


def test_a_field_with_a_retention_is_said_with_its_days():
    told = retention_told([replace(BUILT_IN["email"], retention_days=30), BUILT_IN["phone"]], Declared())

    assert [(each.what, each.days) for each in told if each.days is not None] == [("email", 30)]


def test_rows_lie_in_files_that_nobody_else_can_open_and_are_read_as_often_as_wanted(tmp_path: Path):
    rows = [a_record_told(number) for number in range(1, 4)]
    with spooled(tmp_path) as files:
        kept = files.kept(type(rows[0]))
        for row in rows:
            kept.add(row)

        assert list(tmp_path.iterdir()) == []
        assert (len(kept), list(kept), list(kept)) == (3, rows, rows)
