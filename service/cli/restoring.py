"""Commands for whoever has put a backup in place."""

from pathlib import Path

import click
import msgspec

from service.cli.frame import CONTEXT, command, data_option, json_option, main, read_settings, show


@main.group(context_settings=CONTEXT)
def restore() -> None:
    """What a restored database must not have forgotten."""


@command(restore, "replay")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The verifier keys that you believe, one a line.  [those of the database and of the key files]",
)
@json_option
@data_option
async def restore_replay(file: Path, keys: Path | None, as_json: bool, data_dir: str | None) -> None:
    """Do again what FILE tells of and the restored database lacks: erasures first, then refusals.

    FILE is an export of the log (`volens audit export`), newer than the backup. It has to hold, or nothing is done. A
    pack says what was refused; of an ndjson only the entries are known, and whoever said anything since the backup
    counts as having refused until they say yes anew. Run it before anything is served. Safe to repeat.

    \b
    volens restore replay pack.zip
    volens restore replay --keys keys.txt export.ndjson --json
    """
    from service import restoring

    done = await restoring.replay(read_settings(data_dir=data_dir), file, keys)
    lines = [
        f"{done.tenant}: {done.entries} entries that the database lacked",
        f"{done.erased} erased again, {done.forgotten} forgotten again, {done.refusals} refusals stored again, "
        f"{done.suppressed} people taken to refuse, {done.unknown} records of people whom it never knew",
        *[f"{done.imports} pieces of imports are lost: import the same files again"] * bool(done.imports),
        *(f"request {request}: a hold keeps the records" for request in done.held),
        *(f"request {request} is lost: enter it anew" for request in done.requests),
    ]
    show(as_json, msgspec.to_builtins(done), "\n".join(lines))
