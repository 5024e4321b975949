"""How long a list of DROP takes: a million hashes against everybody in the vault, in how much memory.

    python -m benchmarks.drop [LINES [PEOPLE]]

Every person has an address, a number, a name, a day of birth and a postal address, so that three lists could have them;
one in fifty is on the list of addresses, the rest of the list finds nobody. PostgreSQL runs beside it. Measured are
comparing everybody once (what registering brings about), taking the list in, and what follows for those who were found.
"""

import asyncio
import hashlib
import os
import resource
import sys
import tempfile
import time
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.results import Figure, keep
from service import db, given, operations
from service.drop import Download
from service.dropping import Tools, tools
from service.kernel import Caller, SubjectId, TenantId
from service.migrating import apply_migrations
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.transaction import hot_opener, opener
from service.vault.envelope import seal
from service.vault.fields import BUILT_IN, Name
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from service.vault.values import Write
from service.vault.writing import WriteValues

LINES, PEOPLE = 1_000_000, 50_000
LISTED = 50
"""One person in so many is on the list."""
TARGET = 300
"""Seconds for a million lines."""
GROUP = 100
TENANT = TenantId("acme")
BY = Caller(tenant=TENANT, actor="bench", request="bench")
ITEM = "{:012d}"


def written(number: int) -> Iterator[Write]:
    address = {"lines": ["1 Market St"], "country": "US", "postcode": f"9{number % 10_000:04}"}
    values = {
        "email": f"p{number}@mail.example",
        "phone": f"+1415{number:07}",
        "name": f"Ann Lee{number}",
        "birth_date": "1986-05-14",
        "postal_address": address,
    }
    for name, value in values.items():
        yield Write(
            subject=SubjectId(f"p{number}"), name=Name.of(name), field=BUILT_IN[name], value=value, by=BY, reenrol=False
        )


async def fill(urls: DatabaseUrls, keys: Keys, people: int) -> None:
    async with db.pool(urls.app) as pool:
        write = WriteValues(hot_opener(pool, given.utc_now, given.new_id), keys, seal, given.utc_now)
        for first in range(0, people, GROUP):
            await write(TENANT, [each for number in range(first, first + GROUP) for each in written(number)])


def make_list(place: Path, lines: int, people: int) -> None:
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as file, file.open("20261120_4821_Email.csv", "w") as out:
        out.write(b"ID,Hash\n")
        for number in range(lines):
            who = number * LISTED if number * LISTED < people else people + number
            hashed = b64encode(hashlib.sha256(f"p{who}@mail.example".encode()).digest()).decode()
            out.write(f"{ITEM.format(number)},{hashed}\n".encode())


async def timed(lent: Tools, place: Path) -> tuple[float, float, float, int]:
    await lent.register("4821", by=BY)
    began = time.monotonic()
    while await lent.mark(TENANT):
        continue
    marked = time.monotonic()
    with place.open("rb") as file:
        await lent.take_in(partial(Download, file), lambda done, total: None, by=BY)
    taken = time.monotonic()
    followed = (await lent.settle(by=BY)).followed
    return marked - began, taken - marked, time.monotonic() - taken, followed


async def measured(urls: DatabaseUrls, folder: Path, lines: int, people: int) -> tuple[float, float, float, int]:
    engine = db.engine(urls.app, size=8)
    begin = opener(engine, given.utc_now, given.new_id)
    keys = Keys(FileRing.open(folder / "root.keys"), begin, given.utc_now, keep=timedelta(minutes=5))
    await fill(urls, keys, people)
    make_list(folder / "list.zip", lines, people)
    try:
        return await timed(tools(begin, keys, given.utc_now, given.new_id), folder / "list.zip")
    finally:
        await engine.dispose()


def main() -> None:
    lines, people, *_ = (*map(int, sys.argv[1:]), *(LINES, PEOPLE)[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as urls:
        apply_migrations(urls)
        operations.store_tenant(urls, TENANT)
        asyncio.run(placed(urls))
        marking, taking, following, followed = asyncio.run(measured(urls, Path(folder), lines, people))
    table = Table("step", "how many", "seconds", "a second", "target")
    table.add_row("compare everybody once", f"{people:,} people", f"{marking:.1f}", f"{people / marking:,.0f}", "")
    target = f"{TARGET * lines / LINES:.0f} s"
    table.add_row("take a list in", f"{lines:,} lines", f"{taking:.1f}", f"{lines / taking:,.0f}", target)
    table.add_row("do what follows", f"{followed:,} people", f"{following:.1f}", f"{followed / following:,.0f}", "")
    Console().print(table)
    took = Figure(name="taking in a list of a million", figure=taking / lines * LINES, unit="s", most=TARGET)
    keep("drop", [took])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    Console().print(f"{peak:,.0f} MiB of memory at most, {os.cpu_count()} cores")


async def placed(urls: DatabaseUrls) -> None:
    async with operations.transactions(urls.owner) as begin, begin(TENANT) as tx:
        await tx.tenants.put_seat("US-CA", "America/Los_Angeles")


if __name__ == "__main__":
    main()
