"""What stands behind the entries of a log in the database, and whether it is what they committed to."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from service import consent, requests, subjects
from service.audit import NOBODYS, AuditEvent, Content, Entry, Opened, Payload, Position, Query
from service.audit.examining import Findings
from service.extents import BATCH
from service.kernel import Handle, Instant, TenantId
from service.transaction import Begin, Transaction

SALTED: Final = frozenset(
    {
        AuditEvent.RECORD_STORED,
        AuditEvent.DECISION_MADE,
        AuditEvent.SUBJECT_STORED,
        AuditEvent.SUBJECT_MERGED,
        AuditEvent.VAULT_APPROVAL_REQUESTED,
        AuditEvent.VAULT_APPROVAL_GIVEN,
        *requests.EVENTS.values(),
    }
)
"""Events with a payload under a salt that stays what it is. Flags do not: `standing.py` compares the latest."""
_CONTENT: Final = {
    AuditEvent.RECORD_STORED: Content.RECORD,
    AuditEvent.DECISION_MADE: Content.DECISION,
    AuditEvent.SUBJECT_STORED: Content.SUBJECT,
    AuditEvent.BATCH_DECIDED: Content.BATCH,
    **dict.fromkeys(requests.EVENTS.values(), Content.REQUEST),
}
_NAMED: Final = {
    AuditEvent.RECORD_STORED: "record",
    AuditEvent.DECISION_MADE: "decision",
    AuditEvent.BATCH_DECIDED: "batch",
    AuditEvent.SUBJECT_STORED: "facts of",
    AuditEvent.SUBJECT_MERGED: "the merge of",
    AuditEvent.VAULT_APPROVAL_REQUESTED: "approval",
    AuditEvent.VAULT_APPROVAL_GIVEN: "approval",
    AuditEvent.RECORD_IMPORTED: "imported records",
    AuditEvent.NOTICE_STORED: "notice",
    AuditEvent.PURPOSE_STORED: "purpose",
    AuditEvent.OVERLAY_STORED: "overlay",
    **dict.fromkeys(requests.EVENTS.values(), "request"),
}


_FURTHER: Final = frozenset(requests.EVENTS.values()) - {AuditEvent.REQUEST_RECEIVED}
"""Events of which several tell of one thing that goes as a whole."""


class Happened(Struct, frozen=True):
    """What is read of an entry."""

    id: UUID
    at: Instant
    event: AuditEvent
    object: str
    subject: Handle | None
    commitment: str | None


class Behind(Struct, frozen=True, kw_only=True):
    """A payload as the database holds it now."""

    payload: Payload
    opened: Opened | None
    """None where there is no secret any more."""


class Committed(Struct, frozen=True, kw_only=True):
    """What was found about the payloads of one tenant's log."""

    shown: int = 0
    """As the log committed to them."""
    expired: int = 0
    """Past their period of retention, and gone."""
    closed: int = 0
    """Of people who were erased: nothing can be said about them any more."""
    findings: Sequence[str] = ()


_MEANWHILE: Final = timedelta(seconds=5)
"""Between what is stored and its entry, which are of one transaction."""
UNREADABLE: Final = (msgspec.MsgspecError, ValueError)
"""What is stored is nonsense, or an entry was changed and names nothing that there could be."""
read: Final = msgspec.json.Decoder(Happened).decode


async def behind(tx: Transaction, happened: Collection[Happened]) -> Mapping[UUID, Sequence[Behind]]:
    """Return what there is to each entry with a payload under a salt, by the entry's id.

    That is one, or several: for `subject.stored` each version of the facts of this person, for `subject.merged`, and
    for what can happen to a request more than once.
    """
    payloads = {
        **await _records(tx, happened),
        **await _decisions(tx, happened),
        **await _facts(tx, happened),
        **await _merges(tx, happened),
        **await _approvals(tx, happened),
        **await _requests(tx, happened),
    }
    whose = {each.subject or NOBODYS for each in happened if each.id in payloads}
    secrets = await tx.audit.secrets(whose) if whose else {}
    return {
        each.id: [
            Behind(payload=payload, opened=None if secret is None else payload.opened(secret, each.id))
            for payload in payloads[each.id]
        ]
        for each in happened
        if each.id in payloads
        for secret in [secrets.get(each.subject or NOBODYS)]
    }


def _objects(happened: Collection[Happened], event: AuditEvent) -> dict[UUID, str]:
    return {each.id: each.object for each in happened if each.event is event}


async def _records(tx: Transaction, happened: Collection[Happened]) -> dict[UUID, list[Payload]]:
    wanted = {entry: UUID(name) for entry, name in _objects(happened, AuditEvent.RECORD_STORED).items()}
    found = await tx.records.find(set(wanted.values())) if wanted else {}
    return {entry: [consent.payload_of(found[id_])] for entry, id_ in wanted.items() if id_ in found}


async def _decisions(tx: Transaction, happened: Collection[Happened]) -> dict[UUID, list[Payload]]:
    wanted = {entry: UUID(name) for entry, name in _objects(happened, AuditEvent.DECISION_MADE).items()}
    found = await tx.decisions.several(set(wanted.values())) if wanted else {}
    return {entry: [found[id_].payload()] for entry, id_ in wanted.items() if id_ in found}


async def _facts(tx: Transaction, happened: Collection[Happened]) -> dict[UUID, list[Payload]]:
    wanted = {entry: Handle(UUID(name)) for entry, name in _objects(happened, AuditEvent.SUBJECT_STORED).items()}
    found = await tx.subjects.versions(set(wanted.values())) if wanted else {}
    return {
        entry: [subjects.payload_of(handle, version, facts) for version, facts in found[handle]]
        for entry, handle in wanted.items()
        if handle in found
    }


async def _merges(tx: Transaction, happened: Collection[Happened]) -> dict[UUID, list[Payload]]:
    wanted = {entry: Handle(UUID(name)) for entry, name in _objects(happened, AuditEvent.SUBJECT_MERGED).items()}
    found = await tx.subjects.merges(set(wanted.values())) if wanted else {}
    into = {each.id: each.subject for each in happened}
    return {
        entry: [subjects.payload_of_merge(survivor, other, at) for at in found[other]]
        for entry, other in wanted.items()
        if other in found and (survivor := into[entry]) is not None
    }


async def _approvals(tx: Transaction, happened: Collection[Happened]) -> dict[UUID, list[Payload]]:
    asked = _objects(happened, AuditEvent.VAULT_APPROVAL_REQUESTED)
    given = _objects(happened, AuditEvent.VAULT_APPROVAL_GIVEN)
    wanted = {entry: UUID(name) for entry, name in (asked | given).items()}
    found = await tx.approvals.several(set(wanted.values())) if wanted else {}
    return {
        entry: [found[id_].asked() if entry in asked else found[id_].given()]
        for entry, id_ in wanted.items()
        if id_ in found
    }


async def _requests(tx: Transaction, happened: Collection[Happened]) -> dict[UUID, list[Payload]]:
    wanted = {each.id: (UUID(each.object), each.event) for each in happened if each.event in requests.EVENTS.values()}
    if not wanted:
        return {}
    ids = {request for request, _ in wanted.values()}
    found, moves = await tx.requests.several(ids), await tx.requests.histories(ids)
    return {
        entry: [
            requests.payload_of(found[request], one) for one in moves[request] if requests.EVENTS[one.move] is event
        ]
        for entry, (request, event) in wanted.items()
        if request in found
    }


class ExamineCommitted:
    """Compare what the database holds with what the log committed to."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, tenant: TenantId, size: int) -> Committed:
        """Look at the first `size` entries. What is wrong with an entry itself is for `ExamineLog` to say."""
        look = _Look()
        for low in range(0, size, BATCH):
            async with self._begin(tenant) as tx:
                entries = await tx.tree.entries(low, min(low + BATCH, size))
                await look.at(tx, low, [_readable(entry) for entry in entries])
        async with self._begin(tenant) as tx:
            await look.close(tx, size)
        return Committed(shown=look.shown, expired=look.expired, closed=look.closed, findings=look.findings.told())


class _Look:
    """What was seen so far."""

    def __init__(self) -> None:
        self.shown = self.expired = self.closed = 0
        self.findings = Findings()
        self._without: dict[Handle, int] = {}
        """Who has no secret, and the first entry that needs it."""
        self._destroyed: set[Handle | None] = set()
        self._went: Counter[str] = Counter()
        """Of each kind of content, what went when its period was over, by what is left of it."""
        self._told: Counter[str] = Counter()
        """The same by the entries that tell of it."""

    async def at(self, tx: Transaction, first: int, entries: Sequence[Happened | None]) -> None:
        read = [(index, each) for index, each in enumerate(entries, first) if each is not None]
        self._destroyed.update(each.subject for _, each in read if each.event is AuditEvent.VAULT_KEY_DESTROYED)
        for _, each in read:
            self._tell(each.event, each.object)
        binding = [(index, each) for index, each in read if each.commitment is not None and each.event in _NAMED]
        try:
            await self._some(tx, binding)
        except UNREADABLE:  # of one of them, and then it is to be named
            for one in binding:
                try:
                    await self._some(tx, [one])
                except UNREADABLE:
                    self._find(*one, "can't be read")

    async def _some(self, tx: Transaction, entries: Sequence[tuple[int, Happened]]) -> None:
        stored = await behind(tx, [entry for _, entry in entries])
        published = {entry.id: await _published(tx, entry) for _, entry in entries if entry.event not in SALTED}
        for index, entry in entries:
            if entry.event in SALTED:
                await self._judge(tx, index, entry, stored.get(entry.id, ()))
            elif (said := published[entry.id]) is not None:
                self._compare(index, entry, said.hex() == entry.commitment)
            elif await _expired(tx, entry, ()):
                self._expire(entry)
            else:
                self._find(index, entry, "is gone")

    async def _judge(self, tx: Transaction, index: int, entry: Happened, stored: Sequence[Behind]) -> None:
        opened = [each.opened for each in stored if each.opened is not None]
        if stored and not opened:
            self.closed += 1
            self._without.setdefault(entry.subject or NOBODYS, index)
        elif any(each.commitment.hex() == entry.commitment for each in opened):
            self.shown += 1
        elif await _expired(tx, entry, stored):
            self._expire(entry)
        else:
            self._find(index, entry, "is not what the entry commits to" if stored else "is gone")

    def _expire(self, entry: Happened) -> None:
        self.expired += 1
        self._went[_CONTENT[entry.event]] += entry.event not in _FURTHER

    def _tell(self, event: AuditEvent, object_id: str) -> None:
        if event is AuditEvent.CONTENT_EXPIRED:
            content, _, number = object_id.partition("/")
            self._told[content] += int(number) if number.isdecimal() else 0

    def _compare(self, index: int, entry: Happened, same: bool) -> None:
        if same:
            self.shown += 1
        else:
            self._find(index, entry, "is not what the entry commits to")

    def _find(self, index: int, entry: Happened, what: str) -> None:
        self.findings.add(f"entry {index}, {entry.id}: {_NAMED[entry.event]} {entry.object} {what}")

    async def close(self, tx: Transaction, size: int) -> None:
        """Ask why content and secrets are gone: where no entry says so, somebody hides what was changed."""
        for each in await self._later(tx, AuditEvent.CONTENT_EXPIRED, size):
            self._tell(each.event, each.object_id)
        for content, number in self._went.items():
            if number > self._told[content]:
                self.findings.add(f"{number} of {content} went, and entries tell of {self._told[content]}")
        erased = [each.subject for each in await self._later(tx, AuditEvent.VAULT_KEY_DESTROYED, size)]
        for handle, index in self._without.items():
            if handle not in self._destroyed and handle not in erased:
                self.findings.add(f"the secret of {handle} is gone, and no entry says why; entry {index} needs it")

    @staticmethod
    async def _later(tx: Transaction, event: AuditEvent, size: int) -> Sequence[Entry]:
        """Return the entries of an event that came behind the first `size`, or have no place yet."""
        later: list[Entry] = []
        after: Position | None = None
        while True:
            found = await tx.audit.find(Query(event=event), subject=None, after=after, limit=BATCH)
            places = await tx.tree.places([each.id for each in found])
            later += [each for each in found if places.get(each.id, size) >= size]
            if len(found) < BATCH:
                return later
            after = Position(found[-1].at, found[-1].id)


def _readable(entry: bytes) -> Happened | None:
    try:
        return read(entry)
    except msgspec.MsgspecError:
        return None


async def _expired(tx: Transaction, entry: Happened, stored: Sequence[Behind]) -> bool:
    """Return whether what the entry tells of went when its period was over. What is there again did not."""
    if entry.event not in _CONTENT:
        return False
    if entry.event is AuditEvent.SUBJECT_STORED:
        handle = Handle(UUID(entry.object))
        since, until = entry.at - _MEANWHILE, entry.at + _MEANWHILE
        return await tx.traces.of_person(_CONTENT[entry.event], handle, until, since)
    return not stored and bool(await tx.traces.of(_CONTENT[entry.event], [UUID(entry.object)]))


async def _published(tx: Transaction, entry: Happened) -> bytes | None:
    """Return the hash of what an entry without a salt tells of. None where it is gone."""
    if entry.event is AuditEvent.RECORD_IMPORTED:
        return await _imported(tx, UUID(entry.object))
    if entry.event is AuditEvent.NOTICE_STORED:
        notice = await tx.notices.find(*entry.object.rsplit("/", 1))
        return None if notice is None else notice.content.sha256()
    if entry.event is AuditEvent.PURPOSE_STORED:
        own = (await tx.purposes.find([entry.object])).get(entry.object)
        return None if own is None else consent.purpose_hash(own)
    if entry.event is AuditEvent.BATCH_DECIDED:
        chunk = await tx.decisions.batch(UUID(entry.object))
        if chunk is None:
            return None
        secrets = await tx.audit.secrets({NOBODYS, *(Handle(UUID(bytes=handle)) for handle, _, _ in chunk.entries)})
        return await chunk.commitment({handle.bytes: secret for handle, secret in secrets.items()})
    stored = await tx.overlays.version(int(entry.object.rpartition(".")[2]))
    return None if stored is None else hashlib.sha256(msgspec.json.encode(stored.overlay, order="sorted")).digest()


async def _imported(tx: Transaction, chunk_id: UUID) -> bytes | None:
    """Return the root over the records of a chunk as they are now. None where one is gone that no trace tells of.

    Of who was erased, and of what went when its period was over, the leaf that was stored stands.
    """
    chunk = await tx.imports.chunk(chunk_id)
    if chunk is None:
        return None
    records = await tx.records.find(chunk.records)
    missing = [each for each in chunk.records if each not in records]
    if missing and len(await tx.traces.of(Content.RECORD, missing)) < len(missing):
        return None
    secrets = await tx.audit.secrets({record.handle for record in records.values()})
    return chunk.root_with(
        {
            id_: consent.leaf_of(record, secrets[record.handle])
            for id_, record in records.items()
            if record.handle in secrets
        }
    )
