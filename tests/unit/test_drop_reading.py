"""What the platform hands out is read line by line, and trusted in nothing."""

import io
import zipfile
from base64 import b64encode
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.drop import AnswerUnusable, Download, List, ListUnusable, Status, answer_line, answer_name, answers
from service.drop.answering import check_name
from service.drop.domain import Item
from service.drop.reading import LONGEST_LINE, MOST_FILES, TOLD
from tests.dropped import BROKER, DAY, base64, download, item

ON = date(2026, 11, 20)
EMAIL = f"{DAY}_{BROKER}_Email.csv"
GOOD = f"{item(1)},{base64('ann@mail.example')}\r\n".encode()


def a_zip(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", method) as file:
        for name, content in files:
            file.writestr(name, content)
    into.seek(0)
    return into


def listed(*lines: bytes) -> io.BytesIO:
    return a_zip((EMAIL, b"ID,Hash\r\n" + b"".join(lines)))


def test_lists_come_before_what_was_removed_and_each_line_is_an_item():
    file = download(
        {"Phone": [(item(2), base64("4155559317"))], "NDZ": []}, [(item(1), base64("ann@mail.example"), "Email")]
    )

    found = Download(file, BROKER)

    assert [(part.list, part.listed_on) for part in found.parts] == [(List.NDZ, ON), (List.PHONE, ON), (None, ON)]
    assert [[each.id for each in found.items(part) if isinstance(each, Item)] for part in found.parts] == [
        [],
        [item(2)],
        [item(1)],
    ]
    assert found.check() == 2


@pytest.mark.parametrize(
    "line",
    [
        GOOD,
        GOOD.replace(b"\r\n", b"\n"),
        GOOD.rstrip(),
        f'"{item(1)}","{base64("ann@mail.example")}"\n'.encode(),
        GOOD + b"\r\n",
    ],
)
def test_a_line_may_end_and_be_quoted_as_spreadsheets_do(line):
    assert Download(listed(line), BROKER).check() == 1


@pytest.mark.parametrize(
    "line",
    [
        b"short,hash\n",
        GOOD.replace(b",", b";"),
        GOOD.replace(b"=", b""),
        b"00000000000,".join([b"", base64("a").encode()]) + b"\n",
        f"{item(1)},{b64encode(b'x' * 20).decode()}\n".encode(),
        f"{item(1)},{base64('a')[:-2]}5=\n".encode(),
        f"{item(1)},{base64('a')},Email\n".encode(),
        b"a" * LONGEST_LINE + b"\n",
        "äöü456789012,".encode() + base64("a").encode() + b"\n",
    ],
    ids=["short", "semicolon", "unpadded", "id", "hash", "unclean", "columns", "long", "letters"],
)
def test_a_broken_line_is_named_and_nothing_that_it_says(line):
    with pytest.raises(ListUnusable) as refused:
        Download(listed(GOOD, line, GOOD), BROKER).check()

    assert refused.value.details["lines"][0] == f"{EMAIL}, line 3"
    assert base64("a") not in str(refused.value)


def test_of_many_broken_lines_the_first_are_named():
    with pytest.raises(ListUnusable) as refused:
        Download(listed(*[b"broken\n"] * 1000), BROKER).check()

    assert len(refused.value.details["lines"]) == TOLD


@pytest.mark.parametrize(
    "file",
    [
        io.BytesIO(b"no zip"),
        io.BytesIO(),
        a_zip((EMAIL, b"")),
        a_zip((EMAIL, b"Id,Status\n")),
        a_zip((f"{DAY}_{BROKER}_Removed.csv", b"ID,Hash\n")),
        a_zip((f"../{EMAIL}", b"ID,Hash\n")),
        a_zip((f"{DAY}_{BROKER}_Fax.csv", b"ID,Hash\n")),
        a_zip((f"20261399_{BROKER}_Email.csv", b"ID,Hash\n")),
        a_zip((f"{DAY}_1111_Email.csv", b"ID,Hash\n")),
        a_zip((EMAIL, b"ID,Hash\n" + b"0" * 10_000_000)),
        a_zip((EMAIL, b"ID,Hash\n" + GOOD * 50_000)),
        a_zip(*[(f"{DAY}_{BROKER}_Email_{number}.csv", b"ID,Hash\n") for number in range(MOST_FILES + 1)]),
    ],
    ids=[
        "no zip",
        "nothing",
        "empty",
        "an answer",
        "removed without a list",
        "a path",
        "no list",
        "no day",
        "another broker's",
        "a bomb",
        "a bomb of good lines",
        "many files",
    ],
)
def test_what_is_no_download_is_refused(file):
    with pytest.raises(ListUnusable):
        Download(file, BROKER).check()


def test_a_damaged_download_is_refused_wherever_it_is_damaged():
    whole = listed(*[f"{item(number)},{base64(str(number))}\n".encode() for number in range(200)]).getvalue()

    for at in range(60, len(whole) - 200, 97):
        damaged = io.BytesIO(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        with pytest.raises(ListUnusable):
            Download(damaged, BROKER).check()


@given(whole=st.binary(max_size=300))
def test_whatever_comes_it_is_read_or_refused(whole):
    with suppress(ListUnusable):
        assert Download(a_zip((EMAIL, b"ID,Hash\n" + whole), method=zipfile.ZIP_STORED), BROKER).check() <= len(whole)


def test_an_answer_is_named_like_its_list_and_reads_back():
    name = answer_name(ON, BROKER, List.NAME_VIN, "part01")
    lines = b"".join(answer_line(item(number), status) for number, status in enumerate(Status))

    assert name == f"{DAY}_{BROKER}_NameVIN_part01.csv"
    assert answer_name(ON, BROKER, List.EMAIL, None) == EMAIL
    check_name(name, BROKER)
    assert lines == b"000000000000,2\n000000000001,3\n000000000002,4\n000000000003,5\n"
    assert [status for _, status in answers(io.BytesIO(b"Id,Status\n" + lines))] == list(Status)


@pytest.mark.parametrize(
    "name", [f"{DAY}_1111_Email.csv", f"{DAY}_{BROKER}_Removed.csv", "answers.csv", f"{EMAIL}.zip"]
)
def test_a_file_of_another_name_is_no_answer(name):
    with pytest.raises(AnswerUnusable):
        check_name(name, BROKER)


@pytest.mark.parametrize(
    "content",
    [b"", b"ID,Status\n", b"Id,Status\n000000000000,1\n", b"Id,Status\n000000000000,2,\n", b"Id,Status\n0,2\n"],
)
def test_what_is_no_answer_is_not_handed_in(content):
    with pytest.raises(AnswerUnusable):
        list(answers(io.BytesIO(content)))
