"""Commands about the lists of California's Delete Request and Opt-out Platform."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from service.cli.frame import CONTEXT, command, complaints, data_option, json_option, main, read_settings, show

if TYPE_CHECKING:
    from service.dropping import Progress

_PLATFORM: Final = "https://api.drop.privacy.ca.gov"
_LISTS: Final = ("NDZ", "Email", "Phone", "MAID", "NameVIN", "CTVID")
_here = click.Path(path_type=Path, exists=True, dir_okay=False)
tenant_option = click.option("--tenant", "tenant_name", required=True, help="The broker.")
key_option = click.option("--key-file", type=_here, required=True, help="The platform's key, in a file of mode 0600.")
url_option = click.option("--url", default=_PLATFORM, show_default=True, help="The platform, or its sandbox.")
amend_option = click.option("--amend", is_flag=True, help="Correct what the platform was told before.")


@main.group(context_settings=CONTEXT)
def drop() -> None:
    """Lists of people who want every data broker in California to delete them, and the answers to those."""


@command(drop, "register")
@click.argument("broker")
@tenant_option
@json_option
@data_option
async def drop_register(broker: str, tenant_name: str, as_json: bool, data_dir: str | None) -> None:
    """Say that a tenant is the registered data broker BROKER. Safe to repeat.

    From then on `volens work` compares its people with the lists, whoever is written from now on too.

    \b
    volens drop register 4821 --tenant example-shop
    """
    from service import dropping

    changed = await dropping.register(read_settings(data_dir=data_dir), tenant_name, broker)
    show(as_json, {"tenant": tenant_name, "broker": broker, "changed": changed}, f"{tenant_name}: broker {broker}")


@command(drop, "fetch")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The ZIP to make. None is overwritten.")
@tenant_option
@key_option
@url_option
@json_option
@data_option
async def drop_fetch(
    out: Path, tenant_name: str, key_file: Path, url: str, as_json: bool, data_dir: str | None
) -> None:
    """Fetch the present download, and wait for it up to an hour while it is being prepared.

    It is personal data: the file is for you alone, and to be removed once `volens drop match` has read it.

    \b
    volens drop fetch --tenant example-shop --key-file drop.key --out download.zip
    """
    from service import dropping

    there = await dropping.fetch(read_settings(data_dir=data_dir), tenant_name, key_file, url, out)
    show(as_json, {"fetched": there}, str(out) if there else "nothing new")


@command(drop, "match")
@click.argument("file", type=_here)
@tenant_option
@json_option
@data_option
async def drop_match(file: Path, tenant_name: str, as_json: bool, data_dir: str | None) -> None:
    """Take in the download FILE, and find people by it. Safe to stop at any moment, and to repeat.

    Who is found is opted out of sale and sharing at once, and a request to delete them is opened and accepted; if
    several people have what was hashed, they are opted out alone. What finds nobody is kept, as a keyed hash, for those
    who are written later. A broken line refuses the whole file.

    \b
    volens drop match download.zip --tenant example-shop && rm download.zip
    """
    from service import dropping

    added, people = await dropping.match(read_settings(data_dir=data_dir), tenant_name, file, complaints)
    said = {**msgspec.to_builtins(added), "followed": people}
    text = f"{added.new} new, {added.known} known, {added.contradicting} contradicting; {people} people followed"
    show(as_json, said, text)


@command(drop, "carry-out")
@tenant_option
@json_option
@data_option
async def drop_carry_out(tenant_name: str, as_json: bool, data_dir: str | None) -> None:
    """Have everybody erased who was found and isn't exempted, and answer the requests that are certified.

    Refuse first the requests of people who are exempted (`direct_relationship`, `legal_obligation`). What a hold
    stands against is left, and tried again with the next call.

    \b
    volens drop carry-out --tenant example-shop
    """
    from service import dropping

    done = await dropping.carry_out(read_settings(data_dir=data_dir), tenant_name)
    text = f"{done.begun} begun, {done.answered} answered, {done.held} held, {done.waiting} not certified yet"
    show(as_json, msgspec.to_builtins(done), text)


@command(drop, "report")
@click.option("--out", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True, help="The folder.")
@click.option("--list", "lists", multiple=True, type=click.Choice(_LISTS), help="Only this list; more than once.")
@click.option("--suffix", help="What tells this file from others about the same list: 1 to 10 letters and digits.")
@amend_option
@tenant_option
@json_option
@data_option
async def drop_report(
    out: Path,
    lists: tuple[str, ...],
    suffix: str | None,
    amend: bool,
    tenant_name: str,
    as_json: bool,
    data_dir: str | None,
) -> None:
    """Write what the platform is to be told, a file a list. No file is overwritten.

    Of work items whose requests are open nothing is told. Exit code 1 if there are any.

    \b
    volens drop report --tenant example-shop --out answers
    volens drop report --tenant example-shop --out answers --list Email --suffix part02
    """
    from service import dropping
    from service.drop import List

    settings, wanted = read_settings(data_dir=data_dir), [List(each) for each in lists]
    written = await dropping.report(settings, tenant_name, out, wanted, suffix, amend=amend)
    lines = [*(f"{out / name}  {count}" for name, count in written.files.items()), f"{written.open} open"]
    show(as_json, msgspec.to_builtins(written), "\n".join(lines))
    sys.exit(1 if written.open else 0)


@command(drop, "upload")
@click.argument("files", type=_here, nargs=-1, required=True)
@amend_option
@tenant_option
@key_option
@url_option
@json_option
@data_option
async def drop_upload(
    files: tuple[Path, ...],
    amend: bool,
    tenant_name: str,
    key_file: Path,
    url: str,
    as_json: bool,
    data_dir: str | None,
) -> None:
    """Hand in the answers FILES, and remember what the platform was told. Exit code 1 if it didn't take one.

    \b
    volens drop upload answers/*.csv --tenant example-shop --key-file drop.key
    """
    from service import dropping

    settings = read_settings(data_dir=data_dir)
    taken, told = await dropping.upload(settings, tenant_name, key_file, url, files, amend=amend)
    show(as_json, {"taken": list(taken), "told": told}, f"{len(taken)} of {len(files)} files taken, {told} work items")
    sys.exit(1 if len(taken) < len(files) else 0)


@command(drop, "told")
@click.argument("files", type=_here, nargs=-1, required=True)
@tenant_option
@json_option
@data_option
async def drop_told(files: tuple[Path, ...], tenant_name: str, as_json: bool, data_dir: str | None) -> None:
    """Remember that somebody handed in the answers FILES, through the platform's pages.

    \b
    volens drop told answers/*.csv --tenant example-shop
    """
    from service import dropping

    settings = read_settings(data_dir=data_dir)
    _, told = await dropping.upload(settings, tenant_name, None, _PLATFORM, files, amend=False)
    show(as_json, {"told": told}, f"{told} work items")


@command(drop, "status")
@tenant_option
@json_option
@data_option
async def drop_status(tenant_name: str, as_json: bool, data_dir: str | None) -> None:
    """Show when the platform has to be asked again, and how far the answers are. Exit code 1 if that is overdue.

    \b
    volens drop status --tenant example-shop --json | jq .counts.unanswered
    """
    from service import dropping

    found = await dropping.progress(read_settings(data_dir=data_dir), tenant_name)
    show(as_json, msgspec.to_builtins(found), "\n".join(_told(found)))
    sys.exit(1 if found.overdue else 0)


def _told(found: "Progress") -> list[str]:
    last = "never" if found.broker.accessed_at is None else f"{found.broker.accessed_at:%FT%TZ}"
    counts = found.counts
    return [
        f"broker {found.broker.id}: asked last {last}, again by {found.next_access_by}"
        + (" (overdue)" if found.overdue else ""),
        f"{counts.items} work items, {counts.unanswered} of which the platform was told nothing",
        f"{counts.people} people found, {counts.unfollowed} matches not followed yet, {counts.waiting} people waiting",
    ]
