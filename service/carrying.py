"""`volens import` and `volens export`: records in files, in bulk, on the machine of the database."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from rich.console import Console

from service import db, given, operations
from service.bulk import bulk
from service.consent.columns import LONGEST
from service.consent.exporting import ExportRecords
from service.consent.import_api import Reading, shown
from service.consent.imported import ImportSummary, LineOutcome
from service.consent.importing import ImportRecords
from service.databases import migrated
from service.decisions.artefacts import read_policy
from service.kernel import Caller, DomainError, SubjectId
from service.progress import Advanced, bar
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.settings import Settings
from service.subjects import PutSubject
from service.transaction import opener, trip_opener
from service.vault import LookupMany
from service.vault.lookup import FindHolders
from service.vault.normal import normalised
from service.vault.usecases import Fields
from service.web import pages
from service.web.lines import CSV, NDJSON, bare

AT_ONCE: Final = 1_000
"""Lines that are read at once."""
_TAIL: Final = 1024 * 1024
"""Bytes at the end of an export within which a cursor stands, if it has one."""
_CURSOR: Final = b'{"kind":"cursor","cursor":"'


class OutUnusable(DomainError):
    """The file is no export, or one that has come to its end."""

    code = "out_unusable"


class Tools(Struct, frozen=True, kw_only=True):
    """What records are carried with."""

    import_records: ImportRecords
    export_records: ExportRecords
    reading: Reading


@asynccontextmanager
async def carrying(settings: Settings, tenant: str) -> AsyncIterator[tuple[Tools, Caller]]:
    """Lend that, with connections and a key ring of its own.

    Raises:
        UnknownTenant, OwnerNeeded
    """
    with migrated(settings) as urls:
        (name,) = operations.tenants_named(urls, tenant)
        engine = db.engine(urls.app, size=3)
        begin, policy = opener(engine, given.utc_now, given.new_id), read_policy(given.BUILD)
        try:
            async with (
                db.pool(urls.app, size=1) as pool,
                guarded_root_keys(settings, root_uses(begin)) as root,
            ):
                keys = vault_keys(settings, root, engine)
                holders = FindHolders(trip_opener(pool, given.utc_now, given.new_id), keys)
                find = LookupMany(Fields(begin), normalised, holders)
                put = PutSubject(begin, given.utc_now, policy.gazetteer)
                parts = bulk(begin, keys, policy, find, put, given.utc_now, given.new_id)
                yield Tools(**parts), operations.as_operator(name)
        finally:
            await engine.dispose()


async def bring(
    settings: Settings,
    tenant: str,
    place: Path,
    mapping: str | None,
    import_id: UUID,
    told: Callable[[LineOutcome], None],
    progress_on: Console,
    *,
    dry: bool,
) -> ImportSummary:
    """Import a file, and tell of every line of which something was refused.

    Raises:
        ImportDiffers, ImportMoved, MappingUnusable, RingUnavailable, Unavailable, OSError
    """
    kind = CSV if place.suffix.lower() == ".csv" else NDJSON
    async with carrying(settings, tenant) as (tools, by):
        reader = tools.reading.of(kind, mapping)
        with place.open("rb") as file, bar(progress_on, "bytes") as advanced:
            lines = reader.rows(_lines(file, kind, advanced))
            outcomes = tools.import_records(
                lines, reader.read, import_id=import_id, how=reader.how, facts=reader.facts, dry=dry, by=by
            )
            async for each in outcomes:
                if isinstance(each, ImportSummary):
                    return each
                for done in each:
                    if done.code is not None:
                        told(done)
    raise AssertionError("an import ends with its summary")


async def take_out(
    settings: Settings, tenant: str, place: Path, progress_on: Console, *, go_on: bool
) -> tuple[int, int]:
    """Write an export to a file of its owner's alone, or go on with one that was cut off.

    Return how many people and records were written by now.

    Raises:
        OutUnusable, FileExistsError, OSError, Unavailable
    """
    async with carrying(settings, tenant) as (tools, by):
        flags = os.O_RDWR if go_on else os.O_RDWR | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(place, flags, 0o600), "r+b") as file, bar(progress_on, "people") as advanced:
            after = _cut(file) if go_on else None
            people = 0

            async def counted() -> AsyncGenerator[Sequence[object]]:
                nonlocal people
                async for page in tools.export_records(after=after, by=by):
                    yield page
                    people += len(page)
                    advanced(people, people)

            last = b""
            async for last in shown(counted()):
                file.write(last)
            file.flush()
            os.fsync(file.fileno())
    said = msgspec.json.decode(last.splitlines()[-1])
    if said["kind"] != "done":
        raise OutUnusable(f"cut off: {said['detail']}; go on with --go-on")
    return said["subjects"], said["records"]


async def _lines(file: BinaryIO, kind: str, advanced: Advanced) -> AsyncIterator[Sequence[bytes | None]]:
    """Yield the lines of a file, some at a time; one that is too long is ``None``."""
    size = os.fstat(file.fileno()).st_size
    lines: list[bytes | None] = []
    while line := await asyncio.to_thread(file.readlines, AT_ONCE * 256):
        for each in line:
            text = bare(each.rstrip(b"\n"), kind)
            lines.append(text if len(text) <= LONGEST else None)
        advanced(file.tell(), size)
        yield lines
        lines = []


def _cut(file: BinaryIO) -> SubjectId:
    """Cut a file behind its last cursor, and return where that goes on.

    Raises:
        OutUnusable
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    start, tail = file.tell(), file.read()
    at = tail.rfind(_CURSOR)
    end = tail.find(b"\n", at)
    if at < 0 or end < 0:
        raise OutUnusable("there is no cursor at its end")
    if b'{"kind":"done"' in tail[end:]:
        raise OutUnusable("it has come to its end")
    after = pages.position_in(msgspec.json.decode(tail[at:end])["cursor"], str)
    file.truncate(start + end + 1)
    file.seek(0, os.SEEK_END)
    return SubjectId(after or "")
