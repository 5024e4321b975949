"""Commands about what lies in the vault."""

from typing import TYPE_CHECKING

import click
import msgspec

from service.cli.frame import CONTEXT, command, complaints, data_option, json_option, main, read_settings, show

if TYPE_CHECKING:
    from service.vault.retention import Expired


@main.group(context_settings=CONTEXT)
def vault() -> None:
    """The vault: what is kept of people, and for how long."""


@command(vault, "expire")
@click.option("--tenant", "tenant_name", help="Only this tenant.")
@click.option("--dry-run", "dry", is_flag=True, help="Say what would go, and leave it there.")
@json_option
@data_option
async def vault_expire(tenant_name: str | None, dry: bool, as_json: bool, data_dir: str | None) -> None:
    """Remove versions that were replaced or deleted, and whose field's retention has ended since.

    `volens work` does that four times a day. The latest version of a value never goes, nor anything of people whose
    data are restricted. Safe to stop at any moment, and to repeat.

    \b
    volens vault expire --dry-run
    volens vault expire --tenant example-shop --json | jq '.fields[] | {field, removed}'
    """
    from service import retention

    found = await retention.expire(read_settings(data_dir=data_dir), tenant_name, complaints, dry=dry)
    lines = [_told(each, dry=dry) for each in found]
    fields = [msgspec.to_builtins(each) for each in found]
    show(as_json, {"dry_run": dry, "fields": fields}, "\n".join(lines) or "no field has a retention")


def _told(each: "Expired", *, dry: bool) -> str:
    verb = "would go" if dry else "removed"
    told = f"{each.tenant}  {each.field}  retention {each.retention_days} days: {each.removed} versions {verb}"
    if each.held:
        told += f"; {each.held} stay, of people whose data are restricted"
    return told
