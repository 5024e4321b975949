"""What all commands share: the group they join, how their errors end, what they read and how they print.

Exit codes: 0 done; 1 a check failed, or the command was refused; 2 wrong usage or settings;
3 a part does not answer; 130 interrupted. What went wrong is one line on standard error.
"""

import asyncio
import errno
import json
import os
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

if TYPE_CHECKING:
    from service.decisions import CheckResult
    from service.settings import Settings

CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
console = Console()
complaints = Console(stderr=True)


@click.group(context_settings=CONTEXT)
@click.version_option(package_name="volens")
def main() -> None:
    """Volens: may we contact this person, on this channel, for this purpose, now?

    \b
    volens up --demo             everything on this machine, with data to try
    volens migrate               then, on a server with a database of its own:
    volens serve | work          the two processes
    volens tenant add NAME       whom they serve
    volens policy check FILE     play cases of the law against the policy
    volens policy explain FILE   say why cases come out as they do
    volens deadlines check FILE  play vectors of when requests are due
    volens keys status           what the vault's keys hang from
    volens vault expire          remove what is past its retention
    volens import FILE           bring records in bulk; volens export takes them elsewhere
    volens drop match FILE       find who is on a list of California's DROP
    volens subject package       everything that is kept about one person, for them
    volens audit verify          whether the audit log is what was signed
    volens audit export          hand it out in a file that proves itself

    Exit codes: 0 done, 1 a check failed or the command was refused, 2 wrong usage or settings,
    3 a part does not answer. What went wrong is one line on standard error.
    """


def command(group: click.Group, name: str | None = None) -> Callable[[Callable[..., Any]], click.Command]:
    """Add a command whose errors become one line on stderr and an exit code. A bug keeps its traceback."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        @wraps(function)
        def run(*arguments: Any, **options: Any) -> None:
            try:
                outcome = function(*arguments, **options)
                if isinstance(outcome, Coroutine):
                    asyncio.run(outcome)
            except (Exception, KeyboardInterrupt) as error:
                explained = _explained(error)
                if explained is None:
                    raise
                complaints.print(f"volens: {explained[0]}", style="red", markup=False, highlight=False, soft_wrap=True)
                sys.exit(explained[1])

        return group.command(name, context_settings=CONTEXT)(run)

    return decorate


def _explained(error: BaseException) -> tuple[str, int] | None:
    """Return the line and the exit code of an error that a person can act on, ``None`` for a bug."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    import psycopg
    from sqlalchemy.exc import DBAPIError

    from service import cases, databases, operations, settings
    from service.kernel import DomainError, Unavailable

    line = " ".join(str(error).split())
    match error:
        case settings.InvalidSettings() | operations.UnusableName() | cases.UnusableCases():
            return line, 2
        case Unavailable():
            return line, 3
        case DomainError():
            return line, 1
        case psycopg.Error() | DBAPIError():
            return f"the database refuses: {databases.gist(error)}", 1
        case OSError() if error.errno != errno.EPIPE:  # that one is click's: the reader of our output has gone
            return f"{error.filename or 'the machine'}: {error.strerror or error}", 1
        case _:
            return None


def read_settings(**options: Any) -> "Settings":
    """Return the settings of the environment, overruled by options that were given: they are checked alike."""
    from service import settings

    given = {settings.PREFIX + name.upper(): str(value) for name, value in options.items() if value is not None}
    return settings.read({**os.environ, **given})


def show(as_json: bool, value: object, text: str) -> None:
    if as_json or text:
        click.echo(json.dumps(value) if as_json else text)


def tell(result: "CheckResult", as_json: bool) -> None:
    """Show what a check found, and exit."""
    if as_json:
        click.echo(json.dumps({"passed": result.passed, "failed": result.failed, "differences": result.differences}))
    else:
        for difference in result.differences:
            click.echo(difference)
        click.echo(f"{result.passed} passed, {result.failed} failed")
    sys.exit(1 if result.failed else 0)


data_option = click.option(
    "--data", "data_dir", metavar="DIR", help="Data folder of the embedded database.  [VOLENS_DATA_DIR, else .volens]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
