"""The embedded PostgreSQL: a server of our own, as a child process that ends when we do, however we end.

No TCP port is opened, and nobody is trusted for being local: every role has a random password. `postgres_files` knows
the directory, `postgres_programs` the programs, `postgres_process` is the script that becomes one of them.
"""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import quote

import msgspec
import psycopg
from psycopg import sql

from service import postgres_files as files
from service import postgres_programs as programs
from service.postgres_files import DataDirectoryInUse, PostgresFailed
from service.postgres_programs import PostgresMissing

__all__ = ["DataDirectoryInUse", "DatabaseUrls", "EmbeddedPostgres", "PostgresFailed", "PostgresMissing"]

_DATABASE: Final = "volens"
_PATIENCE: Final = 300.0  # seconds; after a crash the server first repeats what its log holds
_PATIENCE_OF_OTHERS: Final = 60.0  # who attaches shows somebody a prompt meanwhile
_CONNECT: Final = 10  # seconds for one attempt
_BUFFERS: Final = 256  # megabytes, on a machine that has four times as much

_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    # the log is no vault: statements and the details of an error would put values into it
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


class DatabaseUrls(msgspec.Struct, frozen=True):
    """Where the database is, per role. They hold the passwords: not for logs."""

    owner: str
    app: str
    worker: str
    admin: str
    """The superuser, in the database `postgres`: creates databases and makes backups. Never for the service."""


class EmbeddedPostgres:
    """Supervises the server in `data`. Also a context manager, which gives the `DatabaseUrls`.

    `data` is created when missing; its owner and mode are left alone.
    """

    def __init__(self, data: Path) -> None:
        self._home = data.absolute() / "postgres"
        self._locks: list[int] = []
        self._server: programs.Server | None = None

    def start(self) -> DatabaseUrls:
        """Return when the server answers and roles and database are in place. Mends what a killed start left half-made.

        Raises:
            DataDirectoryInUse: another live process supervises this directory, or somebody started a server by hand.
            PostgresMissing: the extra `embedded` is not installed, or lacks the version that made this cluster.
            PostgresFailed: anything else. Nothing keeps running.
        """
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._locks.append(files.supervise(self._home))
        except OSError as error:
            raise PostgresFailed(f"can't use {self._home}: {error.strerror}") from error
        try:
            return self._start()
        except (OSError, subprocess.SubprocessError) as error:
            self.stop()
            raise PostgresFailed(f"can't run PostgreSQL in {self._home}: {error}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut the server down and give the directory free. Harmless when nothing runs."""
        server, self._server = self._server, None
        if server is not None:
            server.end()
            files.remove_leftovers(self._home)
        while self._locks:
            os.close(self._locks.pop())

    @staticmethod
    def running(data: Path) -> DatabaseUrls | None:
        """Return the addresses of the server that another process runs in `data`, or ``None``. Waits while it starts.

        Raises:
            PostgresFailed: that process is there, but its server doesn't answer, or isn't ours to use.
        """
        home = data.absolute() / "postgres"
        deadline = time.monotonic() + _PATIENCE_OF_OTHERS
        try:
            while files.is_supervised(home):
                with suppress(FileNotFoundError, psycopg.OperationalError):
                    urls = _urls(home)
                    psycopg.connect(urls.app, connect_timeout=_CONNECT).close()
                    return urls
                if time.monotonic() > deadline:
                    raise PostgresFailed(f"the server in {home} does not answer\n{files.tail(home)}")
                time.sleep(0.02)
        except OSError as error:
            raise PostgresFailed(f"can't use {home}: {error.strerror}") from error
        return None

    def __enter__(self) -> DatabaseUrls:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> DatabaseUrls:
        home, cluster = self._home, self._home / "cluster"
        binaries = programs.find(cluster)
        lock = files.outlive_server(home)
        self._locks.append(lock)
        files.remove_leftovers(home)
        who = programs.identity(home, binaries)
        if not cluster.exists():
            files.make_passwords(home)
            draft = home / "cluster.new"
            shutil.rmtree(draft, ignore_errors=True)
            programs.initialise(who, home, binaries, draft.name, files.ROLES[0], lock)
            draft.rename(cluster)
            files.keep(home)

        sockets = files.make_socket_directory(home)
        settings = {**_SETTINGS, "unix_socket_directories": str(sockets), "shared_buffers": f"{_shared_buffers()}MB"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        log = files.new_log(home)
        try:
            # on our death a fast shutdown: the next start has nothing to repeat
            serve = programs.command(who, signal.SIGINT, home, binaries / "postgres", "-D", cluster.name, *options)
            self._server = programs.Server(serve, log=log, lock=lock)
            self._server.launch()
        finally:
            os.close(log)
        urls = _urls(home)
        with self._answer(urls.admin) as connection:
            _provision(connection, files.passwords(home))
        return urls

    def _answer(self, url: str) -> psycopg.Connection:
        """Return the first connection that the server accepts."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT)
            except psycopg.OperationalError as error:
                alive = self._server is not None and self._server.is_alive()
                if not alive or time.monotonic() > deadline or "password authentication failed" in str(error):
                    raise PostgresFailed(
                        f"PostgreSQL does not start in {self._home}\n{files.tail(self._home)}"
                    ) from error
            time.sleep(0.01)


def _provision(connection: psycopg.Connection, passwords: dict[str, str]) -> None:
    """Create the roles and, last, their database, as far as they are missing."""
    present = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
    _, *roles = files.ROLES
    with connection.transaction():
        for role in roles:
            if role not in present:
                # hashed here, so that no statement ever holds a password
                secret = connection.pgconn.encrypt_password(passwords[role].encode(), role.encode(), b"scram-sha-256")
                create = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD {}")
                connection.execute(create.format(sql.Identifier(role), sql.Literal(secret.decode())))
    if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [_DATABASE]).rowcount:
        create = sql.SQL("CREATE DATABASE {} OWNER {}")
        connection.execute(create.format(sql.Identifier(_DATABASE), sql.Identifier(roles[0])))


def _urls(home: Path) -> DatabaseUrls:
    socket = quote(str(files.socket_directory(home)), safe="")
    passwords = files.passwords(home)
    admin, owner, app, worker = (
        f"postgresql://{role}:{passwords[role]}@/{database}?host={socket}&port=5432"
        for role, database in zip(files.ROLES, ("postgres", *[_DATABASE] * 3), strict=True)
    )
    return DatabaseUrls(owner=owner, app=app, worker=worker, admin=admin)


def _shared_buffers() -> int:
    """Return a quarter of the memory in megabytes, within what we need; in a container, of what it may use."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # "max" is no number
            memory = min(memory, int(Path(limit).read_text()))
    return max(16, min(_BUFFERS, memory // 4 // 2**20))
