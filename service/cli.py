"""The command line: thin. Each command reads the settings, calls one thing and says what came out.

Exit codes: 0 done; 1 a check failed, or the command was refused; 2 wrong usage or settings;
3 a part does not answer; 130 interrupted. What went wrong is one line on standard error.

Commands load what they need when they run: that takes a second, which help and typing errors need not wait.
"""

import asyncio
import errno
import json
import os
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.table import Table

from service.arguments import Places, Span
from service.kernel import SCOPES

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
    volens deadlines check FILE  play vectors of when requests are due

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

    from service import databases, operations, settings
    from service.kernel import DomainError, Unavailable
    from service.web.local_issuer import KeyExposed

    line = " ".join(str(error).split())
    match error:
        case settings.InvalidSettings() | operations.UnusableName() | operations.UnusableCases():
            return line, 2
        case Unavailable():
            return line, 3
        case DomainError() | KeyExposed():
            return line, 1
        case psycopg.Error() | DBAPIError():
            return f"the database refuses: {databases.gist(error)}", 1
        case OSError() if error.errno != errno.EPIPE:  # that one is click's: the reader of our output has gone
            return f"{error.filename or 'the machine'}: {error.strerror or error}", 1
        case _:
            return None


def _settings(**options: Any) -> "Settings":
    """Return the settings of the environment, overruled by options that were given: they are checked alike."""
    from service import settings

    given = {settings.PREFIX + name.upper(): str(value) for name, value in options.items() if value is not None}
    return settings.read({**os.environ, **given})


def _show(as_json: bool, value: object, text: str) -> None:
    if as_json or text:
        click.echo(json.dumps(value) if as_json else text)


def _tell(result: "CheckResult", as_json: bool) -> None:
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
host_option = click.option("--host", help="Address to listen on.  [VOLENS_HOST, else 127.0.0.1]")
port_option = click.option(
    "--port", type=click.IntRange(0, 65535), help="Port; 0 takes any free one.  [VOLENS_PORT, else 8080]"
)


@command(main)
@click.option("--demo", is_flag=True, help="Load a demo tenant and ask two real questions.")
@host_option
@port_option
@data_option
def up(demo: bool, host: str | None, port: int | None, data_dir: str | None) -> None:
    """Run everything on this machine: database, migrations, service and worker.

    Prints `ready http://HOST:PORT` once it answers. Ctrl-C stops it all; the next
    start with the same data folder finds its data again.

    \b
    volens up --demo
    volens up --port 0 --data /srv/volens
    """
    from service import processes

    processes.up(_settings(host=host, port=port, data_dir=data_dir), demo=demo, console=console)


@command(main)
@host_option
@port_option
@data_option
def serve(host: str | None, port: int | None, data_dir: str | None) -> None:
    """Serve HTTP. Needs a migrated database (`volens migrate`).

    Prints `ready http://HOST:PORT` once it answers, and its log as JSON lines. Any
    number of these may run on one database, also beside `volens up`.

    \b
    VOLENS_DATABASE_URL=postgresql://volens_app:…@db/volens volens serve --host 0.0.0.0
    """
    from service import processes

    processes.serve(_settings(host=host, port=port, data_dir=data_dir))


@command(main)
@data_option
def work(data_dir: str | None) -> None:
    """Run the background jobs. Needs a migrated database, and waits for one that is lost.

    \b
    VOLENS_DATABASE_URL=… VOLENS_WORKER_DATABASE_URL=postgresql://volens_worker:…@db/volens volens work
    """
    from service import processes

    processes.work(_settings(data_dir=data_dir))


@command(main)
@data_option
def migrate(data_dir: str | None) -> None:
    """Bring the database to the present schema. Safe to repeat.

    \b
    VOLENS_DATABASE_URL=… VOLENS_OWNER_DATABASE_URL=postgresql://volens_owner:…@db/volens volens migrate
    """
    from service import operations

    operations.migrate(_settings(data_dir=data_dir))
    click.echo("the database is at the present schema")


@main.group(context_settings=CONTEXT)
def tenant() -> None:
    """The data controllers that this installation serves."""


@command(tenant, "add")
@click.argument("name")
@json_option
@data_option
def tenant_add(name: str, as_json: bool, data_dir: str | None) -> None:
    """Add the tenant NAME (lower-case letters, digits and hyphens). Safe to repeat.

    \b
    volens tenant add example-shop
    """
    from service import operations

    added = operations.add_tenant(_settings(data_dir=data_dir), name)
    _show(as_json, {"tenant": name, "added": added}, name if added else f"{name} (was there already)")


@command(tenant, "list")
@json_option
@data_option
def tenant_list(as_json: bool, data_dir: str | None) -> None:
    """List the tenants, one a line.

    \b
    volens tenant list --json
    """
    from service import operations

    names = operations.list_tenants(_settings(data_dir=data_dir))
    _show(as_json, names, "\n".join(names))


@command(main)
@click.option("--tenant", "tenant_name", required=True, help="The tenant the token speaks for.")
@click.option("--scope", required=True, help=f"One or more, with blanks between: {', '.join(SCOPES)}.")
@click.option("--subject", help="With scope `self`: the one subject it reaches.")
@click.option("--ttl", type=Span(), default="1h", show_default=True, help="How long it is good for: 90s, 15m, 1h, 7d.")
@data_option
def token(tenant_name: str, scope: str, subject: str | None, ttl: timedelta, data_dir: str | None) -> None:
    """Sign a token with the local key, and print it alone. The audit log says that it was issued.

    Each scope opens some operations, which /docs names. The scope `self`, with --subject, makes a
    customer's own token.

    \b
    TOKEN=$(volens token --tenant demo --scope "decide records:write")
    TOKEN=$(volens token --tenant demo --scope self --subject anna --ttl 15m)
    """
    from service import operations

    click.echo(operations.sign_token(_settings(data_dir=data_dir), tenant_name, scope, subject, ttl))


@main.group(context_settings=CONTEXT)
def policy() -> None:
    """The law: what it says, and whether it says what it should."""


@command(policy, "show")
@json_option
def policy_show(as_json: bool) -> None:
    """Print the policy revision and every rule with its citation.

    \b
    volens policy show --json | jq '.rules[] | select(.id == "DE-UWG-01")'
    """
    from service import operations

    revision, rules = operations.shown_policy()
    if as_json:
        click.echo(json.dumps({"revision": revision, "rules": rules}))
        return
    table = Table(title=revision, title_justify="left")
    table.add_column("rule", no_wrap=True)
    table.add_column("stage", justify="right")
    table.add_column("title and citation", overflow="fold")
    for rule in rules:
        table.add_row(str(rule["id"]), str(rule["stage"]), f"{rule['title']}\n{rule['citation']}", end_section=True)
    console.print(table, markup=False, highlight=False)


@command(policy, "check")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--engine", type=click.Choice(["embedded", "opa"]), default="embedded", show_default=True)
@click.option("--jurisdiction", "places", type=Places(), help="Play only the cases of these places, such as DE,US-CA.")
@json_option
async def policy_check(files: tuple[Path, ...], engine: str, places: frozenset[str] | None, as_json: bool) -> None:
    """Play cases (JSON lines: a question and what is expected) against the policy.

    Lists each difference; the last line says `N passed, M failed`; exit code 1 if any
    failed. `--engine opa` asks the server at VOLENS_OPA_URL, or starts one for the
    run from OPA=/path/to/opa, tools/bin/opa or the PATH.

    \b
    volens policy check cases.jsonl
    volens policy check --jurisdiction DE,US-CA cases.jsonl
    volens policy check --engine opa cases.jsonl more.jsonl
    """
    from service import operations

    _tell(await operations.play(_settings(), files, engine, places), as_json)


@main.group(context_settings=CONTEXT)
def deadlines() -> None:
    """When requests of people are due."""


@command(deadlines, "check")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def deadlines_check(files: tuple[Path, ...], as_json: bool) -> None:
    """Play vectors (JSON lines: a request and the dates expected) against the periods of the law.

    Lists each difference; the last line says `N passed, M failed`; exit code 1 if any failed.

    \b
    volens deadlines check vectors.jsonl more.jsonl
    """
    from service import operations

    _tell(operations.play_deadlines(files), as_json)


@main.group(context_settings=CONTEXT)
def state() -> None:
    """What the records amount to: a projection."""


@command(state, "rebuild")
@click.option("--tenant", "tenant_name", help="Only this tenant.")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if a state differs from its records.")
@json_option
@data_option
async def state_rebuild(tenant_name: str | None, check: bool, as_json: bool, data_dir: str | None) -> None:
    """Fold every subject's records again and repair states that differ.

    \b
    volens state rebuild --check
    volens state rebuild --tenant example-shop
    """
    from service import operations

    seen, differing = await operations.rebuild_states(_settings(data_dir=data_dir), tenant_name, check, complaints)
    verb = "differ" if check else "repaired"
    _show(as_json, {"subjects": seen, verb: differing}, f"{seen} subjects, {differing} {verb}")
    sys.exit(1 if check and differing else 0)


@command(main, "settings")
@json_option
def show_settings(as_json: bool) -> None:
    """List every setting, its present value and what it does. Secrets stay hidden.

    \b
    volens settings
    """
    from service import settings

    rows = settings.described(_settings())
    if as_json:
        click.echo(json.dumps([dict(zip(("name", "value", "meaning"), row, strict=True)) for row in rows]))
        return
    table = Table()
    table.add_column("variable", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("meaning")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False, highlight=False)


@command(main)
def openapi() -> None:
    """Print the OpenAPI document.

    \b
    volens openapi > openapi.json
    """
    from service import processes

    click.echo(processes.openapi(), nl=False)
