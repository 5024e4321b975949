"""Cases of the law and vectors of dates, as files of JSON hold them."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from service.kernel import DomainError

STANDARD_INPUT: Final = Path("-")


class UnusableCases(DomainError):
    """A file of cases is empty or can't be read."""

    code = "unusable_cases"


def lines_in(files: Sequence[Path]) -> list[str]:
    """Return the cases of all files, each as a line.

    Raises:
        UnusableCases: a file is empty or no JSON lines, or there is no file.
    """
    if not files:
        raise UnusableCases("there are no cases to try it by: name files of them with --cases")
    return [msgspec.json.encode(case).decode() for file in files for case in cases_in(file)]


def cases_in(file: Path) -> list[dict[str, object]]:
    """Return the cases in a file, JSON lines or a single object, each with an `id`: where it stands, if it has none.

    The file `-` is standard input.
    """
    cases: list[dict[str, object]] = []
    number, named = 0, "standard input" if file == STANDARD_INPUT else file
    try:
        text = (sys.stdin.buffer.read() if file == STANDARD_INPUT else file.read_bytes()).decode("utf-8")
        with suppress(msgspec.DecodeError):
            text = msgspec.json.encode(msgspec.json.decode(text, type=dict[str, object])).decode()
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                case = msgspec.json.decode(line, type=dict[str, object])
                cases.append({"id": f"{file.name}:{number}", **case})
    except msgspec.DecodeError as error:
        raise UnusableCases(f"{named}, line {number}: no case in JSON. {error}") from error
    except UnicodeDecodeError as error:
        raise UnusableCases(f"{named} is no text in UTF-8") from error
    if not cases:
        raise UnusableCases(f"{named} holds no cases: one a line, in JSON")
    return cases
