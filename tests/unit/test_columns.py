"""Rows are what the file says and nothing else: no cell passes for a row, and none costs more than its length."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from service import given
from service.consent.columns import LONGEST, Chosen, Columns, MappingUnusable, Table, Template
from service.decisions.artefacts import read_policy
from service.kernel import DomainError
from service.web.lines import CSV, bare

NOW = datetime(2026, 11, 21, tzinfo=UTC)
OUT = {"action": "opt_out", "channel": "email"}
PLAIN = Columns(subject="id", records=(Template(set=OUT, take={"ts": "when"}),))
OWN = "subject,action,channel,product"
GOOD = "opt_out,email,x"


@pytest.fixture(scope="module")
def vocabulary():
    return read_policy(given.BUILD).vocabulary


@pytest.fixture
def said(vocabulary):
    """Reads a file: whom each row is about, or why it is refused."""

    def read(text: str | bytes, mapping: Columns | None = None) -> list[Any]:
        table = Table(mapping, vocabulary, lambda: NOW)
        body = text.encode() if isinstance(text, str) else text

        async def lines():
            whole = [bare(line, CSV) for line in body.split(b"\n")]
            for start in range(0, len(whole), 250):
                yield [line if len(line) <= LONGEST else None for line in whole[start : start + 250]]

        def one(row: bytes | None) -> Any:
            if row is None:
                return "too long"
            try:
                claims = table.read(row).claims
            except DomainError as error:
                return str(error)
            return [(claim.subject, claim.statement) for claim in claims]

        async def all_of_them():
            return [one(row) async for rows in table.rows(lines()) for row in rows]

        told = asyncio.run(all_of_them())
        return [[name for name, _ in each] if isinstance(each, list) else each for each in told[1:]]

    return read


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("y\n" * 40_000 + "bob,{good}\n", id="beyond the bound"),
        pytest.param('said ""no""\nbob,{good}\n', id="within quotes"),
        pytest.param("x" * (LONGEST + 1) + "\nbob,{good}\n", id="behind a line that is too long"),
    ],
)
@pytest.mark.parametrize("before", ["", 'zed,opt_out,email,5" disc\n', 'zed,opt_out,email,5" disc,"\n"\n'])
def test_what_a_cell_holds_is_never_a_row(said, cell, before):
    text = f'{OWN}\n{before}ann,opt_out,email,"{cell.format(good=GOOD)}"\ncem,{GOOD}'

    assert ["bob"] not in said(text)


def test_behind_a_row_that_is_too_long_the_next_is_read(said):
    row = 'ann,opt_out,email,"' + "y\n" * 40_000 + '"'

    assert said(f"{OWN}\n{row}\nben,{GOOD}") == ["too long", ["ben"]]


def test_a_quote_within_a_cell_opens_nothing(said):
    assert said(f'{OWN}\nann,opt_out,email,5" disc\nben,{GOOD}') == [["ann"], ["ben"]]


def test_line_breaks_in_quotes_are_kept(vocabulary):
    table = Table(None, vocabulary, lambda: NOW)
    table._head(OWN.encode())

    [claim] = table.read(b'ann,opt_out,email,"one\ntwo"').claims

    assert claim.statement.product == "one\ntwo"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f'{OWN}\nann,opt_out,email,"' + "\n" * 50_000, id="a row of empty lines"),
        pytest.param("," * 60_000 + "\n", id="a header of commas"),
        pytest.param(f"{OWN}\n" + f"ann,opt_out,email,{'x' * 60_000}\n" * 3, id="long cells"),
    ],
)
def test_what_a_row_costs_grows_with_its_length_alone(said, text):
    begun = time.process_time()
    said(text)

    assert time.process_time() - begun < 2


def test_cells_are_compared_without_case_however_the_mapping_writes_them(said):
    mapping = Columns(subject="id", records=(Template(when={"state": ("Unsubscribed",)}, set=OUT),))

    assert said("id,state\nann,Unsubscribed\nben,UNSUBSCRIBED\ncem,active", mapping) == [["ann"], ["ben"], []]


def test_a_row_of_tabs_keeps_its_empty_cells(said):
    mapping = Columns(subject="id", delimiter="\t", records=PLAIN.records)

    assert said("id\twhen\tnote\nann\t\t\n\t\t\nben\t2026-01-02\t", mapping)[0::2] == [["ann"], ["ben"]]


def test_the_mapping_says_how_times_are_written_also_where_iso_would_read_them_otherwise(vocabulary):
    mapping = Columns(subject="id", times=("%Y-%d-%m",), records=PLAIN.records)
    table = Table(mapping, vocabulary, lambda: NOW)
    table._head(b"id,when")

    [claim] = table.read(b"ann,2026-02-01").claims

    assert claim.statement.ts == datetime(2026, 1, 2, tzinfo=UTC)


def test_a_column_that_stands_there_twice_is_not_guessed(said):
    assert said("id,when,when\nann,2026-02-01,2026-03-01", PLAIN) == ["a column that is read stands there twice"]
    assert said("id,when,,\nann,2026-02-01,,", PLAIN) == [["ann"]]


def test_a_file_may_begin_with_empty_lines(said):
    assert said("\n\nid,when\nann,2026-02-01", PLAIN)[-1] == ["ann"]


@pytest.mark.parametrize(
    "changes",
    [
        {"times": ["%d%d"]},
        {"times": ["%Q"]},
        {"times": ["%"]},
        {"times": ["%d.%m."]},
        {"delimiter": '"'},
        {"delimiter": "\n"},
        {"set": {"ts": 0}},
        {"set": {"ts": "0"}},
        {"set": {"expires_at": 1e9}},
        {"set": {"named_controllers": ["ada@mail.example"]}},
    ],
)
def test_a_mapping_that_guesses_or_can_not_be_read_is_refused(changes):
    chosen = msgspec.convert({"use": "a ready one"} | changes, Chosen)

    with pytest.raises(MappingUnusable) as refused:
        chosen.over(PLAIN)

    assert "ada" not in str(refused.value)


def test_mappings_of_every_way_to_write_a_day_are_taken():
    forms = ("%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%Y%m%d", "%d %b %Y", "%Y-%m-%dT%H:%M:%S%z", "%y-%j")

    assert Chosen(times=forms).over(PLAIN).times == forms


def test_a_file_for_another_mapping_is_refused_line_by_line(said):
    lacking = "no column says who it is, by this mapping"

    assert said("name,when\nann,2026-02-01\nben,2026-02-01", PLAIN) == [lacking, lacking]
