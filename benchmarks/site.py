"""A whole installation to measure: a database of its own, and one service pinned to a core.

What a service and its database worked is told in seconds of a processor, which others that use the machine don't
change much, unlike the rate.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from service.postgres import DatabaseUrls, EmbeddedPostgres

SCOPES = "decide records:write subjects:write vault:write vault:lookup vault:reveal"
VOLENS = [str(Path(sys.executable).with_name("volens"))]
TENANT = "bench"
_CORES = sorted(os.sched_getaffinity(0))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cores() -> tuple[int, set[int]]:
    """Return the core of what is measured, and those that PostgreSQL and the client share."""
    first, *others = _CORES
    return first, set(others) or {first}


def pinned(
    command: list[str], core: int, environment: dict[str, str], errors: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a program on a core, its standard error in the file `errors`, if that is named."""
    return subprocess.Popen(
        command,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=None if errors is None else errors.open("wb"),
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )


def answers(url: str) -> None:
    """Wait until `url` answers."""
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"nothing answered at {url}")


@dataclass(frozen=True)
class Site:
    port: int
    token: str
    urls: DatabaseUrls
    service: int
    """The process id of the service."""
    postmaster: int

    @property
    def past_policies(self) -> str:
        """The database as somebody whom no policy holds: to make rows by SQL."""
        return urlunsplit(urlsplit(self.urls.admin)._replace(path=urlsplit(self.urls.owner).path))

    def worked(self) -> "Work":
        """Return what the processes that there are have worked up to now."""
        children = Path(f"/proc/{self.postmaster}/task/{self.postmaster}/children").read_text().split()
        return Work(_worked(self.service), {int(child): _worked(int(child)) for child in children})

    def memory(self) -> float:
        """Return the MiB that the service has in memory."""
        return self._told("VmRSS")

    def peak(self) -> float:
        """Return the most MiB that the service ever had in memory."""
        return self._told("VmHWM")

    def _told(self, name: str) -> float:
        told = Path(f"/proc/{self.service}/status").read_text()
        return int(told.partition(f"{name}:")[2].split()[0]) / 1024


@dataclass(frozen=True)
class Work:
    """Seconds of a processor, by the kernel's count in nanoseconds."""

    service: float
    database: dict[int, float]
    """By the process of PostgreSQL. One that ended takes its work along: pooled connections last."""

    def since(self, before: "Work") -> tuple[float, float]:
        """Return what service and database have worked since."""
        database = sum(worked - before.database.get(process, 0.0) for process, worked in self.database.items())
        return self.service - before.service, database


def _worked(process: int) -> float:
    total = 0
    for task in Path(f"/proc/{process}/task").glob("*/schedstat"):
        with suppress(OSError):  # it has ended
            total += int(task.read_text().split()[0])
    return total / 1e9


@contextmanager
def site(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Site]:
    """Run an installation whose data are in `folder`, made there if there are none."""
    core, others = cores()
    os.sched_setaffinity(0, others)
    data = folder / "data"
    new = not data.exists()
    with EmbeddedPostgres(data) as urls:
        environment = {
            "VOLENS_DATA_DIR": str(data),
            "VOLENS_DATABASE_URL": urls.app,
            "VOLENS_OWNER_DATABASE_URL": urls.owner,
            "VOLENS_WORKER_DATABASE_URL": urls.worker,
            "VOLENS_LOG_LEVEL": "error",
            "VOLENS_LOOKUPS_PER_MINUTE": "1000000",
            **(settings or {}),
        }

        def volens(*arguments: str) -> str:
            return subprocess.run(
                [*VOLENS, *arguments], env=os.environ | environment, check=True, capture_output=True, text=True
            ).stdout.strip()

        if new:
            volens("migrate")
            volens("tenant", "add", TENANT)
        token = volens("token", "--tenant", TENANT, "--scope", SCOPES, "--ttl", "4h")
        port = free_port()
        server = pinned([*VOLENS, "serve", "--port", str(port)], core, environment)
        try:
            answers(f"http://127.0.0.1:{port}/health/ready")
            [pidfile] = data.rglob("postmaster.pid")
            yield Site(port, token, urls, server.pid, int(pidfile.read_text().split()[0]))
        finally:
            server.terminate()
            server.wait()
