"""Real servers, real processes, and what the tests look at to know when to kill them."""

import fcntl
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from service.postgres import DatabaseUrls

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("postgres_child.py")


@contextmanager
def supervisor(data: Path, *before: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    """Runs the child; kills it at the end, and waits until its server has gone."""
    process = subprocess.Popen(
        [*before, sys.executable, CHILD, data],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        **options,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def keep_a_row(urls: DatabaseUrls) -> int:
    number = secrets.randbelow(2**31)
    run(urls.owner, f"INSERT INTO kept VALUES ({number})")
    return number


def kept(urls: DatabaseUrls) -> list[object]:
    return [number for (number,) in run(urls.owner, "SELECT number FROM kept")]


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout.readline() == "ready\n", process.stderr.read()


def copy(data: Path, to: Path) -> Path:
    subprocess.run(["cp", "-a", f"{data}/.", to], check=True)  # three times as fast as shutil
    return to


def until(seen: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def log_of(data: Path) -> str:
    with suppress(FileNotFoundError):
        return (data / "postgres" / "server.log").read_text()
    return ""


def postmaster(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0]))


def is_free(data: Path) -> bool:
    """Tell whether no process is left that could write to the cluster: supervisor, server, backend or initdb."""
    path = data / "postgres" / "server.lock"
    if not path.exists():
        return True
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
