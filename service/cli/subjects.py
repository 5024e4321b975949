"""Commands about one person."""

from pathlib import Path

import click
import msgspec

from service.cli.frame import CONTEXT, command, complaints, data_option, json_option, main, read_settings, show

LANGUAGES = ("en", "hu", "be", "pl", "ar", "zh", "de", "fr", "es")


@main.group(context_settings=CONTEXT)
def subject() -> None:
    """One person: what is kept about them."""


@command(subject, "package")
@click.option("--tenant", "tenant_name", required=True, help="Whose customer it is.")
@click.option("--subject", "subject_id", required=True, help="The person, by the tenant's own id.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="The page is in it.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to make. None is overwritten.")
@click.option(
    "--declared",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON: what the controller states, and what is about others.",
)
@json_option
@data_option
async def subject_package(
    tenant_name: str,
    subject_id: str,
    lang: str,
    out: Path,
    declared: Path | None,
    as_json: bool,
    data_dir: str | None,
) -> None:
    """Write everything that is kept about a person to a ZIP: a page for them, JSON for machines, CSV tables.

    It is in plain: hand it to nobody but the person. The file is for its owner alone (mode 0600), whole or not there
    at all. Every value that was opened, and that the package was made, are entries of the audit log. Run it where
    the key ring is.

    \b
    volens subject package --tenant example-shop --subject anna --lang de --out anna.zip
    volens subject package --tenant example-shop --subject anna --declared controller.json --out anna.zip
    """
    from service import access
    from service.packages import Language

    settings = read_settings(data_dir=data_dir)
    stated = access.read_declared(declared)
    done = await access.package(settings, tenant_name, subject_id, Language(lang), stated, out, complaints)
    counted = f"{done.values} values, {done.records} records, {done.decisions} decisions, {done.reveals} reveals"
    show(as_json, msgspec.to_builtins(done), f"{done.file}: {counted}")
