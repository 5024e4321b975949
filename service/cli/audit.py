"""Commands about the audit log."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from service.arguments import Instant
from service.cli.frame import CONTEXT, command, complaints, data_option, json_option, main, read_settings, show

if TYPE_CHECKING:
    from service.audit.examining import Examined

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@main.group(context_settings=CONTEXT)
def audit() -> None:
    """The audit log: what was signed, and whether it holds."""


@command(audit, "verify")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=FILE)
@click.option("--keys", type=FILE, help="With files: the verifier keys that you believe, one a line.")
@click.option("--known", type=FILE, multiple=True, help="With files: a checkpoint that you had already.")
@click.option("--whole", is_flag=True, help="With files: an export must have all entries of its tree.")
@click.option("--tenant", "tenant_name", help="Without files: only this tenant.")
@json_option
@data_option
async def audit_verify(
    files: tuple[Path, ...],
    keys: Path | None,
    known: tuple[Path, ...],
    whole: bool,
    tenant_name: str | None,
    as_json: bool,
    data_dir: str | None,
) -> None:
    """Say whether the log holds: that of the database, or what it handed out in FILEs.

    Without files, every tree is worked out again from its entries and compared with all that was signed. With
    files (checkpoints, proofs, receipts, exports, packs) nothing else is needed, no database and no network.
    Exit code 1 if anything is wrong.

    \b
    volens audit verify
    volens audit verify --tenant example-shop --json
    volens audit verify --keys keys.txt --known checkpoint.txt export.ndjson
    """
    from service import auditing

    if files:
        sys.exit(auditing.verify(files, keys, known, whole=whole))
    found = await auditing.examine(read_settings(data_dir=data_dir), tenant_name, complaints)
    show(as_json, msgspec.to_builtins(found), "\n".join(line for each in found for line in _told(each)))
    sys.exit(1 if any(each.findings for each in found) else 0)


@command(audit, "export")
@click.option("--tenant", "tenant_name", required=True, help="Whose log.")
@click.option("--format", "form", type=click.Choice(["ndjson", "csv", "pack"]), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to make. None is overwritten.")
@click.option("--from", "since", type=Instant(), help="Entries made from then on.")
@click.option("--to", "until", type=Instant(), help="Entries made before then.")
@click.option("--first", type=click.IntRange(min=0), help="From this entry on, counted from 0.  [0]")
@click.option("--after", type=click.IntRange(min=1), help="Up to before this entry.  [as many as are signed]")
@click.option("--bom", is_flag=True, help="CSV: say in its first bytes that it is UTF-8, for spreadsheets.")
@json_option
@data_option
async def audit_export(
    tenant_name: str,
    form: str,
    out: Path,
    since: datetime | None,
    until: datetime | None,
    first: int | None,
    after: int | None,
    bom: bool,
    as_json: bool,
    data_dir: str | None,
) -> None:
    """Write entries to a file that `volens audit verify` judges, or to a table for a spreadsheet.

    ndjson is a range of entries, complete and signed. pack is a ZIP with that range, the records, notices, decisions
    and rules behind it, the verifier and a page for people. csv proves nothing. Entries that have no place yet, those
    of the last seconds, are left out. The file is whole or not there at all, and that it was made is an entry itself.

    \b
    volens audit export --tenant example-shop --format pack --out pack.zip
    volens audit export --tenant example-shop --format ndjson --first 100 --after 200 --out part.ndjson
    volens audit export --tenant example-shop --format csv --from 2026-11-01 --to 2026-12-01 --out november.csv
    """
    from service import exporting
    from service.extents import Wanted

    if (since, until) != (None, None) and (first, after) != (None, None):
        raise click.UsageError("name a period with --from and --to, or places with --first and --after")
    if bom and form != "csv":
        raise click.UsageError("--bom is for --format csv")
    wanted = Wanted(first=first or 0, after=after, since=since, until=until)
    settings = read_settings(data_dir=data_dir)
    done = await exporting.export(
        settings, tenant_name, exporting.Form(form), out, wanted, bom=bom, progress_on=complaints
    )
    told = (
        f"{done.file}: {done.entries} entries from {done.first} on, of {done.tree_size} signed; SHA-256 {done.sha256}"
    )
    show(as_json, msgspec.to_builtins(done), told)


@command(audit, "recover")
@click.option("--tenant", "tenant_name", required=True, help="Whose log.")
@json_option
@data_option
async def audit_recover(tenant_name: str, as_json: bool, data_dir: str | None) -> None:
    """Let a log that was halted go on from what the database has.

    A log halts when the database has an older tree than was signed, or another one, as after a restore. Find out
    first what happened: entries that were signed are lost, and whoever kept their checkpoint can prove it. The
    recovery is an entry itself, and names the tree that is lost. Run it where the worker's data folder is.

    \b
    volens audit recover --tenant example-shop
    """
    from service import auditing

    done = await auditing.recover(read_settings(data_dir=data_dir), tenant_name)
    kept = f"; the checkpoint of what is lost is in {done.set_aside}" if done.set_aside else ""
    show(as_json, msgspec.to_builtins(done), f"{done.tenant} goes on{kept}")


@command(audit, "expire")
@click.option("--tenant", "tenant_name", help="Only this tenant.")
@click.option("--dry-run", "dry", is_flag=True, help="Only count what would go.")
@json_option
@data_option
async def audit_expire(tenant_name: str | None, dry: bool, as_json: bool, data_dir: str | None) -> None:
    """Remove decisions, records, facts and events whose period of retention has ended.

    The worker does it once a day. Audit entries stay, and so do their proofs. No refusal goes, nothing that a legal
    hold covers, and nothing of people whose data are restricted. It can be stopped at any moment, and is safe to
    repeat.

    \b
    volens audit expire --dry-run
    volens audit expire --tenant example-shop --json | jq '.content[] | {content, removed, held}'
    """
    from service import retention

    found = await retention.expire_content(read_settings(data_dir=data_dir), tenant_name, complaints, dry=dry)
    verb = "would go" if dry else "removed"
    lines = [
        f"{each.tenant}  {each.content}  of {each.ended_by:%F} and before: {each.removed} {verb}, {each.held} held"
        for each in found
    ]
    shown = [msgspec.to_builtins(each) for each in found]
    show(as_json, {"dry_run": dry, "content": shown}, "\n".join(lines) or "there is no tenant")


@command(audit, "rotate-key")
@click.option("--receipts", is_flag=True, help="The key of receipts instead of the log's.")
@click.option("--lost", is_flag=True, help="With --receipts: their file is lost, make another one.")
@json_option
@data_option
async def audit_rotate_key(receipts: bool, lost: bool, as_json: bool, data_dir: str | None) -> None:
    """Add a key by which the log signs from the next start of the worker on. Earlier ones stay valid, and public.

    With --receipts it is the key by which receipts are signed, from the next start of the service on. The runbook
    lost-receipt-keys says when to add --lost.

    \b
    volens audit rotate-key
    volens audit rotate-key --receipts
    """
    from service import auditing

    settings = read_settings(data_dir=data_dir)
    if lost and not receipts:
        raise click.UsageError("--lost is for --receipts: the key of the log is never replaced")
    if receipts:
        public = (await auditing.rotate_receipts(settings, lost=lost)).hex()
        show(as_json, {"public": public}, f"receipts are signed by {public} after the next start of the service")
        return
    public = auditing.rotate(settings).hex()
    show(as_json, {"public": public}, f"the log signs by {public} after the next start of the worker")


def _told(examined: "Examined") -> list[str]:
    verdict = f"{len(examined.findings)} wrong" if examined.findings else "holds"
    counted = f"{examined.entries} entries, {examined.checkpoints} checkpoints, {examined.waiting} waiting"
    return [f"{examined.tenant}: {verdict} ({counted})", *(f"  {finding}" for finding in examined.findings)]
