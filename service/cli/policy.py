"""Commands about the law."""

import json
from pathlib import Path

import click
from rich.table import Table

from service.arguments import Places
from service.cli.frame import CONTEXT, command, console, json_option, main, read_settings, tell


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
    from service import playing

    revision, rules = playing.shown_policy()
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
@click.option("--case", "names", metavar="ID", multiple=True, help="Play only the case with this id; may be repeated.")
@json_option
async def policy_check(
    files: tuple[Path, ...], engine: str, places: frozenset[str] | None, names: tuple[str, ...], as_json: bool
) -> None:
    """Play cases (JSON lines: a question and what is expected) against the policy.

    Lists each difference; the last line says `N passed, M failed`; exit code 1 if any
    failed. `--engine opa` asks the server at VOLENS_OPA_URL, or starts one for the
    run from OPA=/path/to/opa, tools/bin/opa or the PATH.

    \b
    volens policy check cases.jsonl
    volens policy check --jurisdiction DE,US-CA cases.jsonl
    volens policy check --case DE-own-001 --case DE-own-002 cases.jsonl
    volens policy check --engine opa cases.jsonl more.jsonl
    """
    from service import playing

    tell(await playing.play(read_settings(), files, engine, places, names), as_json)


@command(policy, "explain")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--engine", type=click.Choice(["embedded", "opa"]), default="embedded", show_default=True)
@click.option("--all", "everything", is_flag=True, help="Name the rules that do not apply too.")
@json_option
async def policy_explain(file: Path, engine: str, everything: bool, as_json: bool) -> None:
    """Say why cases (JSON lines, or one JSON object) come out as they do.

    For each case the answer, the laws that were asked, and what each of their rules said, by stage. A
    denial names the unknown facts that stand in its way, and what would have to be so for a permit. The
    file `-` is standard input.

    \b
    volens policy explain case.json
    grep DE-own-001 cases.jsonl | volens policy explain -
    volens policy explain --all --engine opa cases.jsonl
    volens policy explain --json case.json | jq '.[0].explanation.remedies'
    """
    from service import playing
    from service.cli.explained import as_built_in, tree

    answers = await playing.explain(read_settings(), file, engine)
    if as_json:
        click.echo(json.dumps([as_built_in(name, simulated) for name, simulated in answers]))
        return
    for name, simulated in answers:
        console.print(tree(name, simulated, everything=everything))
