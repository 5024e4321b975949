"""How many subjects a minute get their keys wrapped anew while the vault is read.

The commands and the service are the real ones: clients read masked values without a pause, and
`volens keys rotate tenant` runs beside them on whatever cores there are. Its start is part of the time.
"""

import asyncio
import json
import os
import subprocess
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.load import Measured, measure, request
from benchmarks.results import Figure, keep
from benchmarks.site import VOLENS, answers, free_port
from service import given, operations
from service.kernel import Caller, SubjectId, TenantId
from service.postgres import EmbeddedPostgres
from service.root_keys import guarded_root_keys, root_uses
from service.settings import Settings
from service.vault.envelope import seal
from service.vault.fields import BUILT_IN, Name
from service.vault.keys import Keys
from service.vault.values import Write
from service.vault.writing import WriteValues

SUBJECTS = int(os.environ.get("BENCH_ROTATED", "20000"))
READERS = 4
BEFORE = 3.0
"""Seconds of reading without a rotation, to compare with."""
TARGET = 20_000
"""Subjects a minute."""


async def fill(url: str, data: Path, tenant: TenantId) -> None:
    """Give everybody a key and a name."""
    by = Caller(tenant=tenant, actor="bench", request="bench")
    async with operations.transactions(url) as begin:
        async with guarded_root_keys(Settings(data_dir=str(data)), root_uses(begin)) as ring:
            write = WriteValues(begin, Keys(ring, begin, given.utc_now, keep=timedelta(hours=1)), seal, given.utc_now)
            for first in range(0, SUBJECTS, 1000):
                await write(
                    tenant,
                    [
                        Write(
                            subject=SubjectId(f"s{number}"),
                            name=Name("name"),
                            field=BUILT_IN["name"],
                            value=f"Ann Example {number}",
                            by=by,
                        )
                        for number in range(first, min(first + 1000, SUBJECTS))
                    ],
                )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "data") as urls:
        environment = os.environ | {
            "VOLENS_DATA_DIR": str(Path(folder) / "data"),
            "VOLENS_DATABASE_URL": urls.app,
            "VOLENS_OWNER_DATABASE_URL": urls.owner,
            "VOLENS_WORKER_DATABASE_URL": urls.worker,
            "VOLENS_LOG_LEVEL": "error",
        }

        def volens(*arguments: str) -> str:
            return subprocess.run(
                [*VOLENS, *arguments], env=environment, check=True, capture_output=True, text=True
            ).stdout.strip()

        volens("migrate")
        volens("tenant", "add", "bench")
        token = volens("token", "--tenant", "bench", "--scope", "vault:read", "--ttl", "4h")
        asyncio.run(fill(urls.app, Path(folder) / "data", TenantId("bench")))
        port = free_port()
        server = subprocess.Popen([*VOLENS, "serve", "--port", str(port)], env=environment, stdout=subprocess.DEVNULL)
        try:
            answers(f"http://127.0.0.1:{port}/health/ready")
            before = read(port, token, BEFORE)
            reading = Reading(port, token)
            began = time.perf_counter()
            [rotated] = json.loads(volens("keys", "rotate", "tenant", "--no-wait", "--json"))
            took = time.perf_counter() - began
            meanwhile = reading.stop()
        finally:
            server.terminate()
            server.wait()
    show(rotated["moved"] / took * 60, took, before, meanwhile)
    failed = sum(figure.errors for figure in (before, *meanwhile)) + SUBJECTS - rotated["moved"]
    rate = rotated["moved"] / took * 60
    keep("rotation", [Figure(name="keys wrapped anew", figure=rate, unit="a minute", least=TARGET, errors=failed)])
    if rotated["moved"] != SUBJECTS or any(figure.errors for figure in (before, *meanwhile)):
        raise SystemExit("somebody was left out, or a reader got no answer")


def read(port: int, token: str, seconds: float) -> Measured:
    return measure(
        port, READERS, seconds, lambda number: request("GET", f"/v1/vault/s{number * 7919 % SUBJECTS}", token=token)
    )


class Reading:
    """Reads in short rounds until it is told to stop."""

    def __init__(self, port: int, token: str) -> None:
        self._over = threading.Event()
        self._rounds: list[Measured] = []
        self._thread = threading.Thread(target=self._run, args=(port, token))
        self._thread.start()

    def _run(self, port: int, token: str) -> None:
        while not self._over.is_set():
            self._rounds.append(read(port, token, 0.5))

    def stop(self) -> list[Measured]:
        self._over.set()
        self._thread.join()
        return self._rounds


def show(rate: float, took: float, before: Measured, meanwhile: list[Measured]) -> None:
    reads = sum(figure.rate for figure in meanwhile) / len(meanwhile)
    table = Table(title=f"subjects whose keys are wrapped anew: {SUBJECTS}, with {READERS} readers")
    for column in ("name", "a minute", "target", "s", "reads/s before", "during", "p99 ms"):
        table.add_column(column, justify="left" if column == "name" else "right", no_wrap=True)
    p99 = max(figure.p99 for figure in meanwhile)
    table.add_row(
        "rotation", f"{rate:,.0f}", f"{TARGET:,}", f"{took:.1f}", f"{before.rate:.0f}", f"{reads:.0f}", f"{p99:.1f}"
    )
    Console().print(table)


if __name__ == "__main__":
    main()
