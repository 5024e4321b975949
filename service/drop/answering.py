"""Files of answers, as the platform wants them: their names, their lines."""

import re
from collections.abc import Iterator
from datetime import date
from typing import BinaryIO, Final

from service.drop.domain import AnswerUnusable, List, Status

HEADER: Final = b"Id,Status"
_LINE: Final = re.compile(rb"([0-9A-Za-z]{12}),([2-5])\r?\n?")
_LONGEST: Final = 32


def answer_name(listed_on: date, broker: str, list_: List, suffix: str | None) -> str:
    """Return the name of an answer: that of the list, with a suffix where there are several."""
    return f"{listed_on:%Y%m%d}_{broker}_{list_.value}{'' if suffix is None else f'_{suffix}'}.csv"


def answer_line(item: str, status: Status) -> bytes:
    return f"{item},{int(status)}\n".encode()


def check_name(name: str, broker: str) -> None:
    """Refuse a file whose name is none of an answer of that broker.

    Raises:
        AnswerUnusable
    """
    lists = "|".join(each.value for each in List)
    if not re.fullmatch(rf"[0-9]{{8}}_{re.escape(broker)}_({lists})(_[0-9A-Za-z]{{1,10}})?\.csv", name):
        raise AnswerUnusable(f"an answer of broker {broker} is named YYYYMMDD_{broker}_LIST.csv")


def answers(file: BinaryIO) -> Iterator[tuple[str, Status]]:
    """Read a file of answers.

    Raises:
        AnswerUnusable: naming the line.
    """
    if file.readline(_LONGEST).rstrip(b"\r\n") != HEADER:
        raise AnswerUnusable(f"it must begin with {HEADER.decode()}")
    number = 1
    while line := file.readline(_LONGEST):
        number += 1
        if (found := _LINE.fullmatch(line)) is None:
            raise AnswerUnusable(f"line {number} is not an id and a status")
        yield found[1].decode(), Status(int(found[2]))
