"""Tenants, and tokens that speak for them."""

from datetime import timedelta

import click

from service.arguments import Span
from service.cli.frame import CONTEXT, command, data_option, json_option, main, read_settings, show
from service.kernel import SCOPES


@main.group(context_settings=CONTEXT)
def tenant() -> None:
    """The data controllers that this installation serves."""


@command(tenant, "add")
@click.argument("name")
@json_option
@data_option
def tenant_add(name: str, as_json: bool, data_dir: str | None) -> None:
    """Add the tenant NAME (lower-case letters, digits and hyphens). Safe to repeat.

    \b
    volens tenant add example-shop
    """
    from service import operations

    added = operations.add_tenant(read_settings(data_dir=data_dir), name)
    show(as_json, {"tenant": name, "added": added}, name if added else f"{name} (was there already)")


@command(tenant, "place")
@click.argument("name")
@click.option("--place", required=True, help="Country or part of it (ISO 3166): DE, DE-BY, US-CA, GB-ENG.")
@click.option("--time-zone", required=True, help="IANA name: Europe/Berlin.")
@json_option
@data_option
def tenant_place(name: str, place: str, time_zone: str, as_json: bool, data_dir: str | None) -> None:
    """Say where the tenant NAME is: by its days and holidays requests are due. Safe to repeat.

    What was received before keeps its dates.

    \b
    volens tenant place example-shop --place DE-BY --time-zone Europe/Berlin
    """
    from service import seats

    moved = seats.place_tenant(read_settings(data_dir=data_dir), name, place, time_zone)
    said = {"tenant": name, "place": place, "time_zone": time_zone, "changed": moved}
    show(as_json, said, f"{name}: {place}, {time_zone}")


@command(tenant, "erasing")
@click.argument("name")
@click.option("--hide-ids/--keep-ids", "hides", required=True, help="What becomes of the id of an erased person.")
@json_option
@data_option
def tenant_erasing(name: str, hides: bool, as_json: bool, data_dir: str | None) -> None:
    """Say what becomes of the ids of people whom the tenant NAME erases from now on. Safe to repeat.

    An id that is kept stands for the erasure: every check says so. One that is hidden is gone, but for a keyed hash by
    which it is known again if it comes back.

    \b
    volens tenant erasing example-shop --hide-ids
    """
    from service import operations

    moved = operations.set_erasing(read_settings(data_dir=data_dir), name, hides=hides)
    show(as_json, {"tenant": name, "hides_ids": hides, "changed": moved}, f"{name}: ids {'go' if hides else 'stay'}")


@command(tenant, "list")
@json_option
@data_option
def tenant_list(as_json: bool, data_dir: str | None) -> None:
    """List the tenants, one a line.

    \b
    volens tenant list --json
    """
    from service import operations

    names = operations.list_tenants(read_settings(data_dir=data_dir))
    show(as_json, names, "\n".join(names))


@command(main)
@click.option("--tenant", "tenant_name", required=True, help="The tenant the token speaks for.")
@click.option("--scope", required=True, help=f"One or more, with blanks between: {', '.join(SCOPES)}, self.")
@click.option("--subject", help="With scope `self`: the one subject it reaches.")
@click.option("--client", default="volens-cli", show_default=True, help="Who asks, in the audit log and for approvals.")
@click.option("--ttl", type=Span(), default="1h", show_default=True, help="How long it is good for: 90s, 15m, 1h, 7d.")
@data_option
def token(tenant_name: str, scope: str, subject: str | None, client: str, ttl: timedelta, data_dir: str | None) -> None:
    """Sign a token with the local key, and print it alone. The audit log says that it was issued.

    Each scope opens some operations, which /docs names. The scope `self`, with --subject, makes a
    customer's own token. What two people have to agree on takes two clients: --client names one.

    \b
    TOKEN=$(volens token --tenant demo --scope "decide records:write")
    TOKEN=$(volens token --tenant demo --scope self --subject anna --ttl 15m)
    SECOND=$(volens token --tenant demo --scope vault:officer --client second-officer)
    """
    from service import operations

    click.echo(operations.sign_token(read_settings(data_dir=data_dir), tenant_name, scope, subject, ttl, client))
