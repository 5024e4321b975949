"""The directory of the embedded PostgreSQL: who may use it, and what a killed predecessor left in it.

supervisor.lock  held by the process that supervises the server: one per directory
server.lock      held by every process of the server as well, so it tells when the last of them has gone
passwords        one a line: admin, owner, app, worker (mode 0600)
cluster/         the database; it appears complete or not at all
server.log       of this run; server.log.1 of the one before
socket           link to the private directory of the socket, where this path is too long for a socket
"""

import fcntl
import os
import re
import secrets
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from service.kernel import DomainError

ROLES: Final = ("volens_admin", "volens_owner", "volens_app", "volens_worker")

_SOCKET: Final = ".s.PGSQL.5432"
_LONGEST_SOCKET: Final = 107  # bytes, by the kernel
_SHORT: Final = Path("/tmp")  # noqa: S108  # TMPDIR may be too long itself; what we make in it is private
_PLAIN: Final = re.compile(r"[\w/. +@=~-]+")
"""Paths that mean the same to PostgreSQL, libpq and SQLAlchemy. A comma or a colon splits a list of hosts."""

_GLANCE: Final = 0.2  # seconds; `is_supervised` holds a free lock for an instant
_ORPHANS: Final = ((None, 0.5), (signal.SIGINT, 10.0), (signal.SIGQUIT, 10.0))
"""A server whose supervisor was killed is shutting down already. Remind it after half a second, insist after ten."""


class DataDirectoryInUse(DomainError):
    """Another live process runs the database in this directory. Two would destroy it."""

    code = "data_directory_in_use"


class PostgresFailed(DomainError):
    """PostgreSQL did not start or does not answer. The message ends with what it said last."""

    code = "postgres_failed"


def supervise(home: Path) -> int:
    """Return the descriptor that holds `home` until it is closed.

    Raises:
        DataDirectoryInUse: another process holds it.
    """
    lock = _open_lock(home / "supervisor.lock")
    if not _locked_within(lock, _GLANCE):
        os.close(lock)
        raise DataDirectoryInUse(f"another process runs the database in {home}; stop it, or use another directory")
    return lock


def is_supervised(home: Path) -> bool:
    try:
        lock = os.open(home / "supervisor.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)


def outlive_server(home: Path) -> int:
    """Wait until no process of an earlier server is left, and return the descriptor the next one inherits.

    This lock, not the pid file, says whether a server lives: pids are used again, and a postmaster may be dead while
    one of its backends still writes. Only a server that was started by hand doesn't hold it.

    Raises:
        DataDirectoryInUse: one is left that doesn't end, or somebody started a server by hand.
    """
    lock = _open_lock(home / "server.lock")
    for reminder, patience in _ORPHANS:
        pid = _postmaster(home)
        if reminder is not None and pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, reminder)
        if _locked_within(lock, patience):
            break
    else:
        os.close(lock)
        raise DataDirectoryInUse(f"an earlier server in {home} does not end; kill its processes")
    if (pid := _postmaster(home)) is not None:
        os.close(lock)
        raise DataDirectoryInUse(f"a server that was started by hand (process {pid}) uses {home}; stop it", pid=pid)
    return lock


def remove_leftovers(home: Path) -> None:
    """Remove what a killed server leaves and the next one stumbles over. Call it under the lock of `outlive_server`."""
    for place in (home, home / "socket"):
        for name in (_SOCKET, f"{_SOCKET}.lock"):
            (place / name).unlink(missing_ok=True)
    if (link := home / "socket").is_symlink():
        with suppress(OSError):  # someone cleans /tmp, too
            link.readlink().rmdir()
        link.unlink()
    if Path("/proc/self").exists():  # elsewhere we can't tell whose pid it is, and leave the judgement to PostgreSQL
        (home / "cluster" / "postmaster.pid").unlink(missing_ok=True)


def make_socket_directory(home: Path) -> Path:
    """Return `home` if a socket fits there, else a private directory with a short name, linked from `home`."""
    if len(os.fsencode(home / _SOCKET)) <= _LONGEST_SOCKET and _PLAIN.fullmatch(str(home)):
        return home
    private = Path(tempfile.mkdtemp(prefix="volens-", dir=_SHORT))
    _give_to_owner(home, private)
    (home / "socket").symlink_to(private)
    return private


def socket_directory(home: Path) -> Path:
    link = home / "socket"
    return link.readlink() if link.is_symlink() else home


def make_passwords(home: Path) -> None:
    """Make up the passwords of a new cluster. It must not exist yet: it would not know them."""
    draft = home / "passwords.new"
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{secrets.token_urlsafe(24)}\n" for _ in ROLES)
        file.flush()
        os.fsync(file.fileno())
    _give_to_owner(home, draft)
    draft.rename(home / "passwords")
    keep(home)


def passwords(home: Path) -> dict[str, str]:
    """Return the password of each of `ROLES`.

    Raises:
        PostgresFailed: the file is damaged; it can only come from a backup.
    """
    path = home / "passwords"
    words = path.read_text().split()
    if len(words) != len(ROLES):
        raise PostgresFailed(f"{path} is damaged: it holds the {len(ROLES)} passwords of the cluster beside it")
    return dict(zip(ROLES, words, strict=True))


def new_log(home: Path) -> int:
    """Return a descriptor of a fresh log; the one of the run before is kept."""
    log = home / "server.log"
    if log.exists():
        log.replace(home / "server.log.1")
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)


def tail(home: Path, lines: int = 8) -> str:
    try:
        text = (home / "server.log").read_text(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def keep(directory: Path) -> None:
    """Make the names in `directory` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked_within(lock: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def _postmaster(home: Path) -> int | None:
    """Return the process that serves `home`, going by the pid file, if it really does.

    A pid that is gone, a zombie (it has no working directory) or another program (pids are used again) is no server.
    """
    cluster = home / "cluster"
    try:
        pid = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    process = Path(f"/proc/{pid}")
    try:
        if (process / "comm").read_text().strip() != "postgres":
            return None
        return pid if (process / "cwd").samefile(cluster) else None
    except PermissionError:
        return pid  # a postgres of somebody else: better not to guess
    except OSError:
        return None


def _give_to_owner(home: Path, path: Path) -> None:
    """As root, what we make belongs to whom the server runs as."""
    if os.geteuid() == 0:
        owner = home.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
