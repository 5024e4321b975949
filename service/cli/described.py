"""Commands that describe this installation."""

import json

import click
from rich.table import Table

from service.cli.frame import command, console, json_option, main, read_settings


@command(main, "settings")
@json_option
def show_settings(as_json: bool) -> None:
    """List every setting, its present value and what it does. Secrets stay hidden.

    \b
    volens settings
    """
    from service import settings

    rows = settings.described(read_settings())
    if as_json:
        click.echo(json.dumps([dict(zip(("name", "value", "meaning"), row, strict=True)) for row in rows]))
        return
    table = Table()
    table.add_column("variable", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("meaning")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False, highlight=False)


@command(main)
def openapi() -> None:
    """Print the OpenAPI document.

    \b
    volens openapi > openapi.json
    """
    from service import processes

    click.echo(processes.openapi(), nl=False)
