"""What goes into a pack besides the proof: records, notices, decisions and rules, each without personal data."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from shutil import copyfileobj
from typing import IO, Any, Final
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from service import app
from service.audit import AuditEvent
from service.audit.pack_pages import FIRST, Contents, how_to_verify, index_page
from service.audit.proving import ReadLogKeys
from service.audit.standalone import verifier
from service.consent import StoredRecord
from service.decisions.domain import Stored
from service.extents import Source, lines
from service.packing import Pack
from service.policies.domain import RevisionDamaged
from service.transaction import Begin

_LEFT_OUT: Final = frozenset(
    {"evidence", "address", "subject_ref", "product", "incentive", "in_reply_to", "named_recipients"}
)
"""What a sender may have written anything in. A record says which of them it has."""
_PAGE: Final = 100
_encode: Final = msgspec.json.Encoder().encode
MEMBERS: Final = (
    ("export.ndjson", "The entries, complete and in order, with the signed checkpoint. This is the proof."),
    ("checkpoint", "What the log signed last: keep it."),
    ("keys", "By which keys the log signs. Get them from the service as well, and compare."),
    ("verify.py", "The verifier: one file, for Python alone."),
    ("HOW-TO-VERIFY.md", "How to use it, what it proves and what not."),
    ("records.ndjson", "The records that were stored, by the entry that says so, without what senders wrote freely."),
    ("decisions.ndjson", "The decisions that were made, by the entry that says so, with the answer of the policy."),
    ("notices.json", "Every notice as it was shown, with its SHA-256."),
    ("rules/", "Title and source of each rule, for every revision of the policy that decided."),
    ("index.html", "This page."),
)


class _Happened(Struct, frozen=True):
    """What a pack reads of an entry."""

    event: str
    object: str


_happened: Final = msgspec.json.Decoder(_Happened).decode


class _Behind:
    """Collects what stands behind the entries, in files beside the pack until it is their turn."""

    def __init__(self, begin: Begin, source: Source, records: IO[bytes], decisions: IO[bytes]) -> None:
        self._begin = begin
        self._tenant = source.extent.tenant
        self._records = records
        self._decisions = decisions
        self.events: Counter[str] = Counter()
        self.shown: list[bytes] = []
        self.revisions: set[str] = set()
        self.missing: Counter[str] = Counter()

    async def take(self, first: int, entries: Sequence[bytes]) -> None:
        self.shown += entries[: FIRST - len(self.shown)]
        happened = list(map(_happened, entries))
        self.events.update(each.event for each in happened)
        stored = _named(first, happened, AuditEvent.RECORD_STORED)
        made = _named(first, happened, AuditEvent.DECISION_MADE)
        if not stored and not made:
            return
        async with self._begin(self._tenant) as tx:
            records = await tx.records.find(stored) if stored else {}
            decisions = await tx.decisions.several(made) if made else {}
        self._records.write(_lines(_record(at, said) for id_, at in stored.items() if (said := records.get(id_))))
        self._decisions.write(_lines(_decision(at, found) for id_, at in made.items() if (found := decisions.get(id_))))
        self.revisions.update(decision.revision for decision in decisions.values())
        self.missing.update(records=len(stored) - len(records), decisions=len(made) - len(decisions))

    def remarks(self, unknown: Sequence[str]) -> list[str]:
        gone = [f"{number} {what} are not in the database any more." for what, number in self.missing.items() if number]
        return gone + [f"The rules of {revision} are not stored." for revision in unknown]


async def write(source: Source, begin: Begin, log_name: str, file: IO[bytes], folder: Path) -> None:
    """Write a pack of an extent. `folder` is where files without a name lie meanwhile: as large as the pack, unpacked.

    Raises:
        LogBroken, Unavailable
    """
    extent, pack = source.extent, Pack(file)
    origin = extent.checkpoint.origin
    with ExitStack() as stack:
        records, decisions = (stack.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in range(2))
        behind = _Behind(begin, source, records, decisions)
        pack.add("HOW-TO-VERIFY.md", how_to_verify(extent.tenant, origin).encode())
        pack.add("verify.py", verifier().encode())
        pack.add("keys", await _keys(begin, log_name, source))
        pack.add("checkpoint", extent.note.encode())
        with pack.member("export.ndjson") as member:
            member.write(await source.header())
            async for first, entries in source.batches():
                member.write(lines(first, entries))
                await behind.take(first, entries)
        for name, held in (("records.ndjson", records), ("decisions.ndjson", decisions)):
            held.seek(0)
            with pack.member(name) as member:
                copyfileobj(held, member)
    await _notices(begin, source, pack)
    rules = await _rules(begin, source, sorted(behind.revisions))
    for revision, content in rules.items():
        pack.add(f"rules/{revision.replace(':', '-')}.json", content)
    contents = Contents(
        tenant=extent.tenant,
        first=extent.first,
        after=extent.after,
        note=extent.note,
        events=behind.events,
        shown=behind.shown,
        members=MEMBERS,
        remarks=behind.remarks(sorted(behind.revisions - rules.keys())),
    )
    pack.add("index.html", index_page(contents).encode())
    pack.close()


def _named(first: int, happened: Sequence[_Happened], event: AuditEvent) -> dict[UUID, int]:
    """Return the ids of the objects of one event, each with the place of its entry."""
    return {UUID(each.object): index for index, each in enumerate(happened, first) if each.event == event}


def _record(entry: int, record: StoredRecord) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(record.statement)
    kept = {name: value for name, value in said.items() if name not in _LEFT_OUT}
    about = {"entry": entry, "id": record.id, "handle": record.handle, "received_at": record.received_at}
    return about | kept | {"left_out": sorted(said.keys() & _LEFT_OUT)}


def _decision(entry: int, decision: Stored) -> dict[str, Any]:
    told = msgspec.structs.asdict(decision)
    facts, verdict = told.pop("facts"), told.pop("verdict")
    return {"entry": entry} | told | {"facts_sha256": hashlib.sha256(facts).hexdigest(), "verdict": Raw(verdict)}


def _lines(objects: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(_encode(each) + b"\n" for each in objects)


async def _keys(begin: Begin, name: str, source: Source) -> bytes:
    lines = await ReadLogKeys(begin, name)(source.extent.tenant)
    return "".join(f"{line}\n" for line, _, _ in lines).encode()


async def _notices(begin: Begin, source: Source, pack: Pack) -> None:
    after: tuple[str, str] | None = None
    with pack.member("notices.json") as member:
        between = b"[\n"
        while True:
            async with begin(source.extent.tenant) as tx:
                page = await tx.notices.page(after=after, limit=_PAGE)
            for notice in page:
                content = notice.content
                after = content.notice, content.version
                told = {"notice": content.notice, "version": content.version, "stored_at": notice.created_at}
                told |= {"sha256": notice.sha256.hex(), "content": Raw(content.canonical())}
                member.write(between + _encode(told))
                between = b",\n"
            if len(page) < _PAGE:
                break
        member.write(b"[]\n" if between == b"[\n" else b"\n]\n")


async def _rules(begin: Begin, source: Source, revisions: Iterable[str]) -> dict[str, bytes]:
    """Return the rules of those revisions that are stored whole, or that this version ships."""
    shipped = (app.BUILD / "revision").read_text().strip()
    found: dict[str, bytes] = {}
    for revision in revisions:
        if revision == shipped:
            found[revision] = (app.BUILD / "rules.json").read_bytes()
            continue
        try:
            async with begin(source.extent.tenant) as tx:
                artefacts = await tx.revisions.find(revision)
        except RevisionDamaged:  # then the page says that they are missing
            continue
        if artefacts is not None:
            found[revision] = artefacts.rules
    return found
