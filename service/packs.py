"""What goes into a pack besides the proof: records, notices, decisions and rules, each without personal data."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from pathlib import Path
from shutil import copyfileobj
from typing import IO, Final
from uuid import UUID

from service import given, pack_attested, pack_receipts, sequencer
from service.audit import AuditEvent
from service.audit.log_keys import LogKeys
from service.audit.pack_pages import FIRST, Contents, how_to_verify, index_page
from service.audit.payloads import PAYLOADS
from service.audit.proving import ReadLogKeys
from service.audit.signing import Signer, signed
from service.audit.standalone import verifier
from service.audit.tree_ports import KeyPurpose
from service.committed import Behind, Happened, behind, read
from service.extents import Source, lines
from service.kernel import TenantId
from service.packing import Pack
from service.policies.domain import RevisionDamaged
from service.receipt_keys import receipt_keys_file
from service.settings import Settings
from service.tenants import NOBODY
from service.transaction import Begin

_PAGE: Final = 100
MEMBERS: Final = (
    ("export.ndjson", "The entries, complete and in order, with the signed checkpoint. This is the proof."),
    ("checkpoint", "What the log signed last: keep it."),
    ("keys", "By which keys the log signs. Get them from the service as well, and compare."),
    ("verify.py", "The verifier: one file, for Python alone."),
    ("HOW-TO-VERIFY.md", "How to use it, what it proves and what not."),
    ("records.ndjson", "The records that entries commit to, without what senders wrote freely."),
    ("receipts.ndjson", "What the log says of each of these records, signed, as its person can have it."),
    ("decisions.ndjson", "The decisions that entries commit to, with the answer of the policy."),
    ("notices.ndjson", "Every notice as it was shown, by the entry that commits to it."),
    ("rules/", "Title and source of each rule, for every revision of the policy that decided."),
    ("index.html", "This page."),
    ("manifest", "The SHA-256 of everything else, signed by the log."),
)


class Collected:
    """What stands behind the entries, in files beside the pack until it is their turn."""

    def __init__(
        self, begin: Begin, tenant: TenantId, origin: str, files: Sequence[IO[bytes]], signer: Signer | None
    ) -> None:
        """`files` are for records, receipts and decisions; `signer` signs receipts, where there is one."""
        self._begin = begin
        self._tenant = tenant
        self._origin = origin
        self._members = dict(zip(("records.ndjson", "receipts.ndjson", "decisions.ndjson"), files, strict=True))
        records, self._receipts, decisions = files
        self._signer = signer
        self._receipts.write(pack_receipts.HEADING)
        self._files = {AuditEvent.RECORD_STORED: records, AuditEvent.DECISION_MADE: decisions}
        for event, file in self._files.items():
            file.write(_heading(event))
        self.events: Counter[str] = Counter()
        self.shown: list[bytes] = []
        self.notices: dict[str, int] = {}
        """The place of the entry that commits to a notice, by the notice's name and version."""
        self.revisions: set[str] = set()
        self.missing: Counter[str] = Counter()

    async def take(self, places: Sequence[int], entries: Sequence[bytes]) -> None:
        self.shown += entries[: FIRST - len(self.shown)]
        happened = dict(zip(places, map(read, entries), strict=True))
        said = dict(zip(places, entries, strict=True))
        self.events.update(each.event for each in happened.values())
        wanted = {index: each for index, each in happened.items() if each.event in self._files}
        self.notices |= {
            each.object: index
            for index, each in happened.items()
            if each.event is AuditEvent.NOTICE_STORED and each.commitment is not None
        }
        if not wanted:
            return
        async with self._begin(self._tenant) as tx:
            stored = await behind(tx, wanted.values())
            if self._signer is not None:
                told = {
                    UUID(each.object): (index, said[index])
                    for index, each in wanted.items()
                    if each.event is AuditEvent.RECORD_STORED
                }
                self._receipts.write(await pack_receipts.receipts(tx, self._tenant, self._signer, self._origin, told))
        for index, each in wanted.items():
            for found in stored.get(each.id, ()):
                self._files[each.event].write(_payload(index, each, found))
                if each.event is AuditEvent.DECISION_MADE:
                    self.revisions.add(found.payload.shown["revision"])
        gone = [each.event for each in wanted.values() if each.id not in stored]
        self.missing.update(f"{event.partition('.')[0]}s" for event in gone)

    def write(self, pack: Pack) -> None:
        for name, held in self._members.items():
            held.seek(0)
            with pack.member(name) as member:
                copyfileobj(held, member)

    def remarks(self, unknown: Sequence[str]) -> list[str]:
        gone = [f"{number} {what} are not in the database any more." for what, number in self.missing.items() if number]
        if self._signer is None:
            gone.append("There are no receipts: the key that signs them is not where the pack was made.")
        return gone + [f"The rules of {revision} are not stored." for revision in unknown]


async def write(source: Source, begin: Begin, settings: Settings, file: IO[bytes], folder: Path) -> None:
    """Write a pack of an extent. `folder` is where files without a name lie meanwhile: as large as the pack, unpacked.

    Raises:
        FileUnusable, FileExposed: the key of the log, by which a pack is signed, isn't here.
        LogBroken, Unavailable
    """
    extent, origin = source.extent, source.extent.checkpoint.origin
    signer = await signer_of(begin, settings, origin)
    receipts_by = await pack_receipts.receipt_signer(begin, receipt_keys_file(settings), origin)
    pack = Pack(file)
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in range(3)]
        collected = Collected(begin, extent.tenant, origin, files, receipts_by)
        pack.add("HOW-TO-VERIFY.md", how_to_verify(extent.tenant, origin).encode())
        pack.add("verify.py", verifier().encode())
        pack.add("keys", await _keys(begin, settings.log_name, source))
        pack.add("checkpoint", extent.note.encode())
        attested = await pack_attested.add(pack, begin, extent.tenant, extent.note)
        with pack.member("export.ndjson") as member:
            member.write(await source.header())
            async for first, entries in source.batches():
                member.write(lines(first, entries))
                await collected.take(range(first, first + len(entries)), entries)
        collected.write(pack)
    await _notices(begin, source, pack, collected.notices)
    rules = await add_rules(begin, extent.tenant, pack, sorted(collected.revisions))
    contents = Contents(
        tenant=extent.tenant,
        first=extent.first,
        after=extent.after,
        note=extent.note,
        events=collected.events,
        shown=collected.shown,
        members=(*MEMBERS, *attested),
        remarks=collected.remarks(sorted(collected.revisions - rules)),
    )
    pack.add("index.html", index_page(contents).encode())
    pack.add("manifest", signed(pack.manifest(origin), [signer]).encode())
    pack.close()


def _heading(event: AuditEvent) -> bytes:
    return b'{"format":"%b","event":"%b"}\n' % (PAYLOADS.encode(), event.encode())


def _payload(index: int, entry: Happened, found: Behind) -> bytes:
    """Return the line of a payload, with its salt where there is one and the entry commits to anything."""
    if found.opened is None or entry.commitment is None:
        return _line(index, "null", found.payload.closed())
    return _line(index, f'"{found.opened.salt.hex()}"', found.opened.content)


def _line(index: int | None, salt: str, payload: bytes) -> bytes:
    place = "null" if index is None else str(index)
    return b'{"entry":%b,"salt":%b,"payload":%b}\n' % (place.encode(), salt.encode(), payload)


async def signer_of(begin: Begin, settings: Settings, origin: str) -> Signer:
    """Return the newest key of the log that counts.

    Raises:
        FileUnusable, FileExposed: it isn't here.
    """
    async with begin(NOBODY) as tx:
        public = [key.public for key in await tx.log_keys.public() if key.purpose is KeyPurpose.LOG]
    return LogKeys.open(sequencer.keys_file(settings), make=False).among(public).signer(origin)


async def _keys(begin: Begin, name: str, source: Source) -> bytes:
    lines = await ReadLogKeys(begin, name)(source.extent.tenant)
    return "".join(f"{line}\n" for line, _, _ in lines).encode()


async def _notices(begin: Begin, source: Source, pack: Pack, entries: Mapping[str, int]) -> None:
    """Write the notices that no entry of the extent commits to, then the others by the places of their entries."""
    after: tuple[str, str] | None = None
    bound: list[tuple[int, bytes]] = []
    with pack.member("notices.ndjson") as member:
        member.write(_heading(AuditEvent.NOTICE_STORED))
        while True:
            async with begin(source.extent.tenant) as tx:
                page = await tx.notices.page(after=after, limit=_PAGE)
            for content in (notice.content for notice in page):
                after = content.notice, content.version
                index = entries.get("/".join(after))
                line = _line(index, '""', content.canonical())
                if index is None:
                    member.write(line)
                else:
                    bound.append((index, line))
            if len(page) < _PAGE:
                break
        for _, line in sorted(bound):
            member.write(line)


async def add_rules(begin: Begin, tenant: TenantId, pack: Pack, revisions: Iterable[str]) -> AbstractSet[str]:
    """Add the rules of those revisions that are stored whole, or that this version ships; return which those are."""
    shipped = (given.BUILD / "revision").read_text().strip()
    found: dict[str, bytes] = {}
    for revision in revisions:
        if revision == shipped:
            found[revision] = (given.BUILD / "rules.json").read_bytes()
            continue
        try:
            async with begin(tenant) as tx:
                artefacts = await tx.revisions.find(revision)
        except RevisionDamaged:  # then the page says that they are missing
            continue
        if artefacts is not None:
            found[revision] = artefacts.rules
    for revision, content in found.items():
        pack.add(f"rules/{revision.replace(':', '-')}.json", content)
    return found.keys()
