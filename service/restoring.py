"""`volens restore replay`: what a restored database must not have forgotten, done again from the log's own export."""

import asyncio
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, cast
from uuid import UUID

import msgspec
import psycopg
from msgspec import Struct
from msgspec.structs import replace

from service import given, operations
from service.audit import AuditEvent, origin_of, receipts_of
from service.audit.log_keys import LogKeys
from service.audit.notes import LOG, Key, parse_keys
from service.audit.payloads import entries_in
from service.audit.proving import ReadLogKeys
from service.audit.ranges import lines_of, members_of
from service.audit.signing import verifier_key
from service.audit.verifier import Verifier
from service.committed import Happened
from service.consent import Statement, Submission, UnknownPurpose
from service.databases import migrated
from service.decisions.artefacts import read_policy
from service.eraser import Tools, eraser
from service.erasures import Stage
from service.kernel import DomainError, Handle, SubjectId, TenantId
from service.own_files import FileUnusable
from service.postgres import DatabaseUrls
from service.receipt_keys import receipt_keys_file
from service.sequencer import keys_file
from service.settings import Settings
from service.subjects import flagged

EXPORT: Final = "export.ndjson"
RECORDS: Final = "records.ndjson"
"""Members of a pack: the entries, and what those of records commit to."""
SOME: Final = 1_000
"""Entries that are looked up at once."""
BESIDE: Final = frozenset({"handle", "id", "received_at", "withheld"})
"""Members of a payload that are not the record's own."""
STATES: Final = frozenset({"restrict", "erase_request"})
"""Actions that refuse something beside the refusals proper."""
WANTED: Final = frozenset(
    {
        AuditEvent.ERASURE_FORGOTTEN,
        AuditEvent.VAULT_KEY_DESTROYED,
        AuditEvent.RECORD_STORED,
        AuditEvent.RECORD_IMPORTED,
        AuditEvent.REQUEST_RECEIVED,
    }
)


class ReplayUnusable(DomainError):
    """The file proves nothing, or is wrong: nothing is done by it."""

    code = "replay_unusable"


class Replayed(Struct, kw_only=True):
    """What was done."""

    tenant: str
    entries: int = 0
    """Of the file, about erasures, records and requests, that the database lacked."""
    erased: int = 0
    """Erasures that were done again."""
    held: list[str] = []
    """Requests of those whose records a hold keeps."""
    forgotten: int = 0
    """Other people whose key was destroyed again."""
    refusals: int = 0
    """Records that refuse something, stored again."""
    suppressed: int = 0
    """People of whom the file doesn't say what they said: they count as having refused until they say yes anew."""
    imports: int = 0
    """Pieces of imports that are lost: import the same files again, which adds what is missing and nothing else."""
    unknown: int = 0
    """Records of people whom the database has never known."""
    requests: list[str] = []
    """Requests that are lost: enter them anew, with the day they came."""


async def replay(settings: Settings, file: Path, keys: Path | None) -> Replayed:
    """Do again what the export of a log tells of and the database lacks: erasures first, then refusals. Safe to repeat.

    Raises:
        ReplayUnusable: nothing was done.
        UnknownTenant, RingUnavailable, Unavailable
    """
    with migrated(settings) as urls:
        async with eraser(settings, urls) as tools:
            tenant = await _judged(settings, tools, file, keys)
            newer = list(_newer(urls, tenant, file))
            done = await Replaying(tools, tenant)(newer, _said(file))
            async with tools.transaction(tenant) as tx:
                by = operations.as_operator(tenant)
                told = f"{done.erased + done.forgotten}/{done.refusals + done.suppressed}"
                await tx.audit.append(event=AuditEvent.RESTORE_REPLAYED, object_id=told, by=by)
    return done


class Replaying:
    """Does it for one tenant."""

    def __init__(self, tools: Tools, tenant: TenantId) -> None:
        self._tools = tools
        self._by = operations.as_operator(tenant)
        self._refusing = STATES | {str(action) for action in read_policy(given.BUILD).vocabulary.refusals}
        self._done = Replayed(tenant=tenant)

    async def __call__(self, newer: Sequence[tuple[int, Happened]], said: Mapping[int, dict[str, Any]]) -> Replayed:
        self._done.entries = len(newer)
        erased = {each.subject: UUID(each.object) for _, each in newer if each.event is AuditEvent.ERASURE_FORGOTTEN}
        gone = {each.subject for _, each in newer if each.event is AuditEvent.VAULT_KEY_DESTROYED}
        for handle, request in erased.items():
            await self._erase(request, cast(Handle, handle))
        for handle in sorted(cast(set[Handle], gone - erased.keys())):
            if await self._tools.forget(handle, by=self._by):
                self._done.forgotten += 1
        for index, each in newer:
            if each.event is AuditEvent.RECORD_STORED and each.subject not in gone:
                await self._say(each, said.get(index))
            elif each.event is AuditEvent.RECORD_IMPORTED:
                self._done.imports += 1
            elif each.event is AuditEvent.REQUEST_RECEIVED and each.subject not in gone:
                await self._miss(each)
        return self._done

    async def _erase(self, request: UUID, handle: Handle) -> None:
        stage = await self._tools.run.again(self._by.tenant, request, handle, by=self._by)
        self._done.erased += 1
        if stage is Stage.HELD:
            self._done.held.append(str(request))

    async def _say(self, stored: Happened, said: dict[str, Any] | None) -> None:
        """Store a refusal again under its own id; where nobody knows what was said, take it for one."""
        if said is not None and said["action"] not in self._refusing:
            return
        name = await self._name_of(cast(Handle, stored.subject))
        if name is None:
            self._done.unknown += 1
            return
        if said is None:
            await self._suppress(name, stored.at)
            return
        statement = msgspec.convert({name: said[name] for name in said.keys() - BESIDE}, Statement)
        again = Submission(id=UUID(stored.object), subject=name, statement=statement)
        try:
            appended = await self._tools.append([again], by=self._by)
        except UnknownPurpose:  # a purpose of their own that was registered since: then it refuses them all
            wider = replace(again, statement=replace(statement, purpose="any"))
            appended = await self._tools.append([wider], by=self._by)
        self._done.refusals += appended.stored

    async def _miss(self, received: Happened) -> None:
        """Name a request that is lost. Nobody knows what it asked for, so who made it is not contacted for now."""
        async with self._tools.transaction(self._by.tenant) as tx:
            if await tx.requests.find(UUID(received.object)) is not None:
                return
        self._done.requests.append(received.object)
        if (name := await self._name_of(cast(Handle, received.subject))) is not None:
            await self._suppress(name, received.at)

    async def _name_of(self, handle: Handle) -> SubjectId | None:
        async with self._tools.transaction(self._by.tenant) as tx:
            current = await tx.subjects.current(handle)
            return None if current is None else (await tx.subjects.names([current])).get(current)

    async def _suppress(self, subject: SubjectId, at: datetime) -> None:
        """Let somebody count as having refused everything at an instant."""
        async with self._tools.transaction(self._by.tenant) as tx:
            handle = await tx.subjects.handle_of(subject)
            if handle is None:
                return
            flags = (await tx.subjects.lock(handle)).flags
            if flags.suppressed and flags.suppressed_at is not None and flags.suppressed_at >= at:
                return
            flags = replace(flags, suppressed=True, suppressed_at=at)
            await tx.subjects.set_flags(handle, flags)
            await tx.audit.append_many([flagged(handle, flags)], by=self._by)
            await tx.audit.append(event=AuditEvent.VAULT_SUPPRESSED, object_id=str(handle), by=self._by, subject=handle)
            self._done.suppressed += 1


async def _judged(settings: Settings, tools: Tools, file: Path, keys: Path | None) -> TenantId:
    """Return whose log the file is of, which must hold.

    Raises:
        ReplayUnusable
    """
    first = next(_entries(file), None)
    if first is None:
        raise ReplayUnusable("the file has no entries: it is none of `volens audit export`, or nothing is in it")
    tenant = TenantId(str(members_of(first[1]).get("tenant")))
    if keys is None:
        known = [line for line, _, _ in await ReadLogKeys(tools.transaction, settings.log_name)(tenant)]
        believed = "".join(f"{line}\n" for line in {*known, *_own_keys(settings, tenant)})
    else:
        believed = await asyncio.to_thread(keys.read_text)
    _refuse_what_is_wrong(file, believed)
    return tenant


def _own_keys(settings: Settings, tenant: TenantId) -> Iterator[str]:
    """Yield the verifier keys of the files that are here: they may be newer than the database."""
    origin = origin_of(settings.log_name, tenant)
    for name, place in ((origin, keys_file(settings)), (receipts_of(origin), receipt_keys_file(settings))):
        with suppress(FileUnusable, OSError):
            yield from (verifier_key(Key(name, LOG, public)) for public in LogKeys.open(place, make=False).public)


def _refuse_what_is_wrong(file: Path, believed: str) -> None:
    """Raises: ReplayUnusable: the file doesn't hold by the verifier keys that are believed."""
    verifier = Verifier(parse_keys(believed))
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as pack:
            verifier.pack(pack, file.name)
    else:
        with file.open("rb") as plain:
            verifier.file(plain, file.name)
    if verifier.report.findings or not verifier.report.proved:
        raise ReplayUnusable("the file does not hold: `volens audit verify` says why")


def _lines(file: Path, member: str) -> Iterator[bytes]:
    """Yield the lines of a member of a pack; of another file all of them, which are entries."""
    if not zipfile.is_zipfile(file):
        if member == EXPORT:
            with file.open("rb") as plain:
                yield from lines_of(plain)
        return
    with zipfile.ZipFile(file) as pack:
        if member in pack.namelist():
            with pack.open(member) as held:
                yield from lines_of(cast(BinaryIO, held))


def _entries(file: Path) -> Iterator[tuple[int, bytes]]:
    return entries_in(_lines(file, EXPORT))


def _newer(urls: DatabaseUrls, tenant: TenantId, file: Path) -> Iterator[tuple[int, Happened]]:
    """Yield those entries of the file, with their places, that the database lacks and that say what is to be done."""
    entries = ((index, _happened(entry)) for index, entry in _entries(file))
    with psycopg.connect(urls.worker) as connection:
        while some := list(islice(entries, SOME)):
            query = "SELECT id FROM audit_entry WHERE tenant = %s AND id = ANY(%s)"
            known = {id_ for (id_,) in connection.execute(query, (tenant, [each.id for _, each in some]))}
            yield from ((index, each) for index, each in some if each.id not in known and each.event in WANTED)


def _happened(entry: bytes) -> Happened:
    return msgspec.json.decode(entry, type=Happened)


def _said(file: Path) -> Mapping[int, dict[str, Any]]:
    """Return what records say, by the places of their entries, as far as the file has that."""
    said = {}
    for line in islice(_lines(file, RECORDS), 1, None):
        payload = msgspec.json.decode(line, type=_Payload)
        if payload.entry is not None and payload.salt:
            said[payload.entry] = payload.payload
    return said


class _Payload(Struct):
    entry: int | None
    salt: str | None
    payload: dict[str, Any]
