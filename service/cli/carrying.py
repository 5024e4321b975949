"""Commands that bring records in files, and take them elsewhere."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click
import msgspec

from service.cli.frame import command, complaints, data_option, json_option, main, read_settings, show

if TYPE_CHECKING:
    from service.consent.imported import LineOutcome

tenant_option = click.option("--tenant", "tenant_name", required=True, help="Whose records they are.")


@command(main, "import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@tenant_option
@click.option(
    "--mapping",
    help="A ready one (mailchimp, hubspot, klaviyo, salesforce-marketing-cloud, braze), a file with one in JSON, or "
    "`volens` for what `volens export` wrote.",
)
@click.option("--subject", "column", help="The column with your own ids of people.")
@click.option("--set", "constants", multiple=True, metavar="MEMBER=VALUE", help="The same in every record.")
@click.option("--import", "import_id", type=click.UUID, help="Go on with this import.")
@click.option("--dry-run", "dry", is_flag=True, help="Try every line, and keep nothing.")
@json_option
@data_option
async def import_(
    file: Path,
    tenant_name: str,
    mapping: str | None,
    column: str | None,
    constants: tuple[str, ...],
    import_id: UUID | None,
    dry: bool,
    as_json: bool,
    data_dir: str | None,
) -> None:
    """Import records from FILE: CSV if it is named so, else lines of JSON.

    Lines of which something was refused are told, and then the counts. If nearly all lines say nothing, look whether
    the file has the columns of the mapping. Safe to stop at any moment: the same command
    with the id that it named at its start goes on where it was. Exit code 1 if anything was refused.

    \b
    volens import members.csv --tenant example-shop --mapping mailchimp --set evidence=DMS-114 --dry-run
    volens import members.csv --tenant example-shop --mapping my-mapping.json
    volens import everything.ndjson --tenant example-shop --mapping volens
    """
    from service import carrying, given

    used = import_id or given.new_id()
    if not dry:
        complaints.print(
            f"import {used}: --import {used} goes on with it", markup=False, highlight=False, soft_wrap=True
        )

    def told(done: "LineOutcome") -> None:
        text = f"line {done.line}: {done.outcome}, {done.code}: {done.detail}"
        show(as_json, msgspec.to_builtins(done), text)

    settings = read_settings(data_dir=data_dir)
    how = _how(mapping, column, constants)
    summary = await carrying.bring(settings, tenant_name, file, how, used, told, complaints, dry=dry)
    counts = f"{summary.lines} lines: {summary.stored} stored ({summary.records} new records), {summary.known} known, "
    counts += f"{summary.refused} refused, {summary.nothing} say nothing, {summary.skipped} dealt with before"
    counts += f"; {summary.shut} with something left out, as a refusal stands" if summary.shut else ""
    show(as_json, msgspec.to_builtins(summary), ("nothing was kept: " if dry else "") + counts)
    sys.exit(1 if summary.refused or summary.shut else 0)


@command(main, "export")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to make. None is overwritten.")
@click.option("--go-on", is_flag=True, help="Go on with a file that was cut off.")
@tenant_option
@json_option
@data_option
async def export(out: Path, go_on: bool, tenant_name: str, as_json: bool, data_dir: str | None) -> None:
    """Write everybody with facts, records and state to a file of lines of JSON, for another system.

    Values in the vault are not among them. The file is for its owner alone (mode 0600).

    \b
    volens export --tenant example-shop --out everything.ndjson
    volens export --tenant example-shop --out everything.ndjson --go-on
    """
    from service import carrying

    people, records = await carrying.take_out(
        read_settings(data_dir=data_dir), tenant_name, out, complaints, go_on=go_on
    )
    show(
        as_json,
        {"file": str(out), "subjects": people, "records": records},
        f"{out}: {people} people, {records} records",
    )


def _how(mapping: str | None, column: str | None, constants: tuple[str, ...]) -> str | None:
    """Return the mapping that is meant: a name, or JSON."""
    if mapping is not None and Path(mapping).is_file():
        mapping = Path(mapping).read_text()
    if column is None and not constants:
        return mapping
    chosen: dict[str, Any] = {} if mapping is None else {"use": mapping}
    if mapping is not None and mapping.startswith("{"):
        chosen = msgspec.json.decode(mapping, type=dict[str, Any])
    chosen["set"] = {**chosen.get("set", {}), **dict(each.partition("=")[::2] for each in constants)}
    if column is not None:
        chosen["subject"] = column
    return msgspec.json.encode(chosen).decode()
