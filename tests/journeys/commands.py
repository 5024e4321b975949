"""Commands typed in the process of the test: the same as in a terminal, without loading everything anew."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from click.testing import CliRunner, Result

from service.cli import main

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"


def typed(*arguments: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> Result:
    """Run a command to its end. Any error but an exit code is a bug, and raised."""
    ours: dict[str, str | None] = {name: None for name in os.environ if name.startswith("VOLENS_")}
    result = CliRunner().invoke(main, arguments, input=stdin, env=ours | dict(env or {}))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def shown_in(runbook: str) -> Iterator[list[str]]:
    """Yield the commands of ours that a runbook shows."""
    for line in (RUNBOOKS / runbook).read_text().splitlines():
        if line.startswith("    volens "):
            yield line.split()[1:]


def refusal(result: Result) -> str:
    """Return what a refused command said, which must be one line for a person and nothing else."""
    (line,) = result.stderr.splitlines()
    assert line.startswith("volens: ")
    assert result.stdout == ""
    return line
