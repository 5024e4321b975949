"""Entries as a table for spreadsheets."""

import csv
from io import StringIO

import pytest

from service.audit import leaf_hash, sheet
from tests.audited import an_entry


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(content.decode().splitlines()))


def test_a_row_has_place_leaf_and_all_members_of_its_entry():
    entries = [an_entry(7), an_entry(8, subject=None, commitment=None)]

    first, second = read(sheet.heading() + sheet.rows([7, 8], entries))

    assert list(first) == list(sheet.COLUMNS)
    assert (first["index"], first["leaf"], first["object"]) == ("7", leaf_hash(entries[0]).hex(), "r-7")
    assert (first["event"], first["tenant"], first["v"]) == ("record.stored", "acme", "1")
    assert (second["index"], second["subject"], second["commitment"]) == ("8", "", "")


@pytest.mark.parametrize("start", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(start: str):
    assert sheet.harmless(start) == f"'{start}"
    table = (sheet.heading() + sheet.rows([0], [an_entry(0, actor=start, object_id=start)])).decode()
    [row] = csv.DictReader(StringIO(table, newline=""))
    assert row["actor"].startswith("'")
    assert row["object"].startswith("'")


@pytest.mark.parametrize("plain", ["", "shop", "a=b", "2026-11-21", "'quoted'"])
def test_other_cells_stay_as_they_are(plain: str):
    assert sheet.harmless(plain) == plain


def test_commas_and_quotes_do_not_leave_their_cell():
    [row] = read(sheet.heading() + sheet.rows([0], [an_entry(0, object_id='a,"b",c')]))

    assert row["object"] == 'a,"b",c'
