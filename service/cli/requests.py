"""Commands about what people ask for."""

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click
import msgspec

from service.cli.frame import CONTEXT, command, data_option, json_option, main, read_settings, show

if TYPE_CHECKING:
    from service.erasures.schemas import PlanView

request_argument = click.argument("request_id", metavar="ID", type=click.UUID)
tenant_option = click.option("--tenant", "tenant_name", required=True, help="Whose request.")


@main.group(context_settings=CONTEXT)
def request() -> None:
    """Requests of people: what an erasure does, and the proof that it was done."""


@command(request, "plan")
@request_argument
@tenant_option
@json_option
@data_option
async def request_plan(request_id: UUID, tenant_name: str, as_json: bool, data_dir: str | None) -> None:
    """Show what the erasure ID does: what goes, what stays, what stands against it, and how far it is.

    \b
    volens request plan 01939b66-0000-7000-8000-00000000e001 --tenant example-shop
    """
    from service import certifying

    plan = await certifying.read_plan(read_settings(data_dir=data_dir), tenant_name, request_id)
    show(as_json, msgspec.to_builtins(plan), "\n".join(_told(plan)))


@command(request, "certificate")
@request_argument
@tenant_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to make. None is overwritten.")
@json_option
@data_option
async def request_certificate(
    request_id: UUID, tenant_name: str, out: Path, as_json: bool, data_dir: str | None
) -> None:
    """Write the signed certificate of the erasure ID, which `volens audit verify` judges without us.

    Run it where the key of receipts is.

    \b
    volens request certificate 01939b66-0000-7000-8000-00000000e001 --tenant example-shop --out certificate.json
    """
    from service import certifying

    written = await certifying.write_certificate(read_settings(data_dir=data_dir), tenant_name, request_id, out)
    show(as_json, msgspec.to_builtins(written), str(out))


def _told(plan: "PlanView") -> list[str]:
    return [
        f"{plan.request}: {plan.state}, {plan.law}",
        *(f"  goes   {each.count} {each.what}" for each in plan.goes),
        *(f"  stays  {each.what}; until: {each.until} ({each.rule}, {each.citation})" for each in plan.stays),
        *(f"  held   {each.ground} {each.hold or ''} ({each.rule}, {each.citation})" for each in plan.against),
        *(f"  told   {each.system}: {each.state}" for each in plan.downstreams),
        *(f"  done   {each.step} {each.at:%FT%TZ}" for each in plan.steps),
    ]
