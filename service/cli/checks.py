"""Commands that check what was computed: deadlines, states."""

import sys
from pathlib import Path

import click

from service.cli.frame import CONTEXT, command, complaints, data_option, json_option, main, read_settings, show, tell


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
    from service import playing

    tell(playing.play_deadlines(files), as_json)


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
    from service import rebuilding

    seen, differing = await rebuilding.rebuild_states(read_settings(data_dir=data_dir), tenant_name, check, complaints)
    verb = "differ" if check else "repaired"
    show(as_json, {"subjects": seen, verb: differing}, f"{seen} subjects, {differing} {verb}")
    sys.exit(1 if check and differing else 0)
