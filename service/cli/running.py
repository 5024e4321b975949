"""Commands that run the service, or bring its database to date."""

import click

from service.cli.frame import command, console, data_option, main, read_settings

host_option = click.option("--host", help="Address to listen on.  [VOLENS_HOST, else 127.0.0.1]")
port_option = click.option(
    "--port", type=click.IntRange(0, 65535), help="Port; 0 takes any free one.  [VOLENS_PORT, else 8080]"
)


@command(main)
@click.option("--demo", is_flag=True, help="Load a demo tenant and ask two real questions.")
@host_option
@port_option
@data_option
def up(demo: bool, host: str | None, port: int | None, data_dir: str | None) -> None:
    """Run everything on this machine: database, migrations, service and worker.

    Prints `ready http://HOST:PORT` once it answers. Ctrl-C stops it all; the next
    start with the same data folder finds its data again.

    \b
    volens up --demo
    volens up --port 0 --data /srv/volens
    """
    from service import machine

    machine.up(read_settings(host=host, port=port, data_dir=data_dir), demo=demo, console=console)


@command(main)
@click.option("--workers", type=click.IntRange(1, 64), help="Processes behind the one port.  [VOLENS_WORKERS, else 1]")
@host_option
@port_option
@data_option
def serve(workers: int | None, host: str | None, port: int | None, data_dir: str | None) -> None:
    """Serve HTTP. Needs a migrated database (`volens migrate`).

    Prints `ready http://HOST:PORT` once all its workers answer, and its log as JSON
    lines. Any number of these may run on one database, also beside `volens up`.

    \b
    VOLENS_DATABASE_URL=postgresql://volens_app:…@db/volens volens serve --host 0.0.0.0
    """
    from service import processes

    processes.serve(read_settings(workers=workers, host=host, port=port, data_dir=data_dir))


@command(main)
@data_option
def work(data_dir: str | None) -> None:
    """Run the background jobs. Needs a migrated database, and waits for one that is lost.

    \b
    VOLENS_DATABASE_URL=… VOLENS_WORKER_DATABASE_URL=postgresql://volens_worker:…@db/volens volens work
    """
    from service import working

    working.work(read_settings(data_dir=data_dir))


@command(main)
@data_option
def migrate(data_dir: str | None) -> None:
    """Bring the database to the present schema. Safe to repeat.

    Keeps the policy that this version ships as well, for `volens policy activate sha256:…`.

    \b
    VOLENS_DATABASE_URL=… VOLENS_OWNER_DATABASE_URL=postgresql://volens_owner:…@db/volens volens migrate
    """
    from service import migrating

    migrating.migrate(read_settings(data_dir=data_dir))
    click.echo("the database is at the present schema")
