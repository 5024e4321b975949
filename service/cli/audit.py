"""Commands about the audit log."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from service.arguments import Instant
from service.cli.frame import CONTEXT, command, complaints, data_option, json_option, main, read_settings, show

if TYPE_CHECKING:
    from service.audit.examining import Examined
    from service.exports.schemas import WantedCreate

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@main.group(context_settings=CONTEXT)
def audit() -> None:
    """The audit log: what was signed, and whether it holds."""


@command(audit, "verify")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=FILE)
@click.option("--keys", type=FILE, help="With files: the verifier keys that you believe, one a line.")
@click.option("--known", type=FILE, multiple=True, help="With files: a checkpoint that you had already.")
@click.option("--whole", is_flag=True, help="With files: an export must have all entries of its tree.")
@click.option("--anchor", "anchors", type=FILE, multiple=True, help="Anchors that you trust: a file of them.")
@click.option(
    "--witnesses", type=FILE, help="With files: the witnesses that must have cosigned (c2sp.org/tlog-policy)."
)
@click.option("--tsa-roots", type=FILE, help="With files: root certificates (PEM) of whose time-stamps you believe.")
@click.option("--tenant", "tenant_name", help="Without files: only this tenant.")
@json_option
@data_option
async def audit_verify(
    files: tuple[Path, ...],
    keys: Path | None,
    known: tuple[Path, ...],
    whole: bool,
    anchors: tuple[Path, ...],
    witnesses: Path | None,
    tsa_roots: Path | None,
    tenant_name: str | None,
    as_json: bool,
    data_dir: str | None,
) -> None:
    """Say whether the log holds: that of the database, or what it handed out in FILEs.

    Without files, every tree is worked out again from its entries and compared with all that was signed. With
    files (checkpoints, proofs, receipts, exports, packs, anchors, time-stamps) nothing else is needed, no database and
    no network. Exit code 1 if anything is wrong.

    \b
    volens audit verify
    volens audit verify --tenant example-shop --json
    volens audit verify --keys keys.txt --known checkpoint.txt export.ndjson
    volens audit verify --keys keys.txt --witnesses policy.txt --anchor shop.anchors pack.zip
    """
    from service import auditing

    if files:
        code = auditing.verify(
            files, keys, known, whole=whole, anchors=anchors, witnesses=witnesses, tsa_roots=tsa_roots
        )
        sys.exit(code)
    if witnesses or tsa_roots:
        raise click.UsageError("--witnesses and --tsa-roots judge files: name some")
    found = await auditing.examine(read_settings(data_dir=data_dir), tenant_name, complaints, anchors)
    show(as_json, msgspec.to_builtins(found), "\n".join(line for each in found for line in _told(each)))
    sys.exit(1 if any(each.findings for each in found) else 0)


def which(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which entries. They reach the function as one `Asked`, without its form."""
    options = (
        click.option("--from", "since", type=Instant(), help="Entries made from then on."),
        click.option("--to", "until", type=Instant(), help="Entries made before then."),
        click.option("--first", type=click.IntRange(min=0), help="From this entry on, counted from 0.  [0]"),
        click.option("--after", type=click.IntRange(min=1), help="Up to before this entry.  [as many as are signed]"),
        click.option("--event", "events", multiple=True, help="Entries of this kind: `record.stored`."),
        click.option("--subject", "subjects", multiple=True, help="Entries about this person."),
        click.option("--actor", "actors", multiple=True, help="Entries of what this client did."),
        click.option("--rule", "rules", multiple=True, help="Decisions for which this rule is a reason."),
        click.option("--outcome", type=click.Choice(["permit", "deny"]), help="Decisions with this answer."),
        click.option("--filter", "saved", metavar="NAME", help="A saved filter. What is said besides replaces it."),
    )

    @wraps(function)
    def run(*arguments: Any, **given: Any) -> Any:
        from service.exports.schemas import WantedCreate

        names = ("since", "until", "first", "after", "events", "actors", "rules", "outcome", "subjects")
        said = {name: value for name in names if (value := given.pop(name)) not in (None, ())}
        if {"since", "until"} & said.keys() and {"first", "after"} & said.keys():
            raise click.UsageError("name a period with --from and --to, or places with --first and --after")
        spelt = {{"since": "from", "until": "to"}.get(name, name): value for name, value in said.items()}
        try:
            wanted = msgspec.convert(spelt, WantedCreate)
        except msgspec.ValidationError as error:
            raise click.UsageError(str(error)) from None
        return function(*arguments, wanted=wanted, **given)

    for option in reversed(options):
        run = option(run)
    return run


@command(audit, "export")
@click.option("--tenant", "tenant_name", required=True, help="Whose log.")
@click.option("--format", "form", type=click.Choice(["ndjson", "csv", "pack"]), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to make. None is overwritten.")
@which
@click.option("--bom", is_flag=True, help="CSV: say in its first bytes that it is UTF-8, for spreadsheets.")
@json_option
@data_option
async def audit_export(
    tenant_name: str,
    form: str,
    out: Path,
    wanted: "WantedCreate",
    saved: str | None,
    bom: bool,
    as_json: bool,
    data_dir: str | None,
) -> None:
    """Write entries to a file that `volens audit verify` judges, or to a table for a spreadsheet.

    ndjson is a range of entries, complete and signed. pack is a ZIP with that range, the records, notices, decisions
    and rules behind it, the verifier and a page for people. csv proves nothing. Entries that have no place yet, those
    of the last seconds, are left out. The file is whole or not there at all, and that it was made is an entry itself.

    Options that may be given several times ask for any of what they name. Entries that are picked by kind, person,
    client, rule or outcome are each proved to be in their place, and nothing proves that they are all.

    \b
    volens audit export --tenant example-shop --format pack --out pack.zip
    volens audit export --tenant example-shop --format ndjson --first 100 --after 200 --out part.ndjson
    volens audit export --tenant example-shop --format csv --from 2026-11-01 --to 2026-12-01 --out november.csv
    volens audit export --tenant example-shop --format pack --subject c-1042 --out c-1042.zip
    """
    from service import exporting
    from service.exports import ExportPurpose, Form
    from service.exports.schemas import ExportCreate

    if bom and form != "csv":
        raise click.UsageError("--bom is for --format csv")
    asked = ExportCreate(
        format=Form(form),
        purpose=ExportPurpose.INTERNAL_AUDIT,
        wanted=wanted,
        filter=saved,
        bom=bom,
    ).asked()
    done = await exporting.export(read_settings(data_dir=data_dir), tenant_name, asked, out, progress_on=complaints)
    where = "chosen" if done.first is None else f"from {done.first} on"
    told = f"{done.file}: {done.entries} entries {where}, of {done.tree_size} signed; SHA-256 {done.sha256}"
    told += _ended(done.ended)
    show(as_json, msgspec.to_builtins(done), told)


@command(audit, "anchor")
@click.option("--tenant", "tenant_name", help="Only this tenant's log.")
@click.option("--to", help="A file, a folder, or s3://BUCKET/PREFIX.  [anchors/ in the data folder]")
@click.option("--lock-days", type=click.IntRange(1, 36_500), help="s3://: nobody may remove it for so many days.")
@json_option
@data_option
async def audit_anchor(
    tenant_name: str | None, to: str | None, lock_days: int | None, as_json: bool, data_dir: str | None
) -> None:
    """Add what the log signed last to a place from which nothing is taken, if it goes on from what is there.

    A file gets a line, a folder a file for each tenant, a bucket an object; none is ever overwritten. A log that
    forked from its anchors is refused. Have it done every hour, to where whoever keeps the log can't write. Of an
    object store, region, credentials and AWS_ENDPOINT_URL come from the environment.

    \b
    volens audit anchor --to /mnt/anchors/
    volens audit anchor --tenant example-shop --to s3://evidence/volens --lock-days 3650
    """
    from service import anchoring

    done = await anchoring.anchor(read_settings(data_dir=data_dir), tenant_name, to, lock_days)
    told = [
        f"{each.tenant}: {each.size} entries, root {each.root}{'' if each.added else ' (anchored before)'}"
        for each in done
    ]
    show(as_json, msgspec.to_builtins(done), "\n".join(told))


@command(audit, "count")
@click.option("--tenant", "tenant_name", required=True, help="Whose log.")
@which
@json_option
@data_option
async def audit_count(
    tenant_name: str, wanted: "WantedCreate", saved: str | None, as_json: bool, data_dir: str | None
) -> None:
    """Say how many entries an export would have, by kind, before it is made.

    \b
    volens audit count --tenant example-shop --subject c-1042
    volens audit count --tenant example-shop --event vault.revealed --from 2026-11-01
    """
    from service import exporting
    from service.exports.schemas import CountCreate

    asked = CountCreate(wanted=wanted, filter=saved).asked()
    counted = await exporting.count(read_settings(data_dir=data_dir), tenant_name, asked)
    lines = [f"{number:>10} {event}" for event, number in counted.events.items()]
    total = f"{counted.entries:>10} of {counted.tree_size} that are signed"
    total += _ended(counted.ended)
    show(as_json, msgspec.to_builtins(counted), "\n".join([*lines, total]))


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


def _ended(number: int) -> str:
    return f"\n{number} decisions more, whose content ended, can't be asked for their rule or outcome" if number else ""


def _told(examined: "Examined") -> list[str]:
    verdict = f"{len(examined.findings)} wrong" if examined.findings else "holds"
    counted = (
        f"{examined.entries} entries, {examined.checkpoints} checkpoints, {examined.waiting} waiting, "
        f"{examined.shown} payloads, {examined.expired} expired, {examined.closed} closed by erasure"
    )
    return [f"{examined.tenant}: {verdict} ({counted})", *(f"  {finding}" for finding in examined.findings)]
