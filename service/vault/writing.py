"""Write values: many at once, each with an outcome of its own.

Versions of one place are numbered without a gap, and every number is taken once: a group that finds one taken
begins again from what is there by then. So of two writes at the same moment both are kept, and the later number is
the later one. A deletion is a version too, with nothing in it, so that it has its place in that order.
"""

import hashlib
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from service.audit import AuditEvent, Draft, Payload
from service.events import Event
from service.kernel import Caller, Clock, Contended, DomainError, Handle, TenantId, Turn, Unavailable
from service.vault.blind import form, index_digest, suppression_mark
from service.vault.domain import HashKey, SubjectErased, SubjectKeys, TenantKey
from service.vault.fields import MATCHED, Field, FieldType, mask
from service.vault.ports import KeyAccess, Seal
from service.vault.value_ports import BeginWriting, People, WriteTransaction
from service.vault.values import (
    Digest,
    Head,
    Mark,
    Place,
    Sealed,
    Suppressed,
    ValueMoved,
    ValueUnknown,
    Write,
    Written,
)

PAIRED: Final = 20
"""With so many others who have the same address is one paired: where there are more, all of them are in some pair."""
_OF_ONE: Final = frozenset({FieldType.EMAIL, FieldType.PHONE})
_NATIONAL_ID: Final = "national_id"

ATTEMPTS: Final = 20
"""So often a group begins again because another wrote at the same time."""

Outcome = Written | DomainError
_Drafts = list[tuple[Caller, Draft]]


class Part(Struct, frozen=True, kw_only=True):
    """A piece of an import: stored together with how far the import has got by then."""

    import_id: UUID
    before: int
    """Lines that had been dealt with, or nothing is stored: another goes on with the same import."""
    done: int
    seen: bytes
    """What hashes the lines by then."""
    by: Caller
    turn: Turn
    """Pieces are stored in their order. One prepares itself while the one before is being stored."""


class ImportMoved(DomainError):
    """Another connection goes on with this import."""

    code = "import_moved"


class _Crossed(Exception):
    """Another wrote the same version of a value at the same time."""


class _Hashed(Struct, frozen=True, kw_only=True):
    """What a write is found by, and remembered by once it is suppressed."""

    digests: tuple[Digest, ...] = ()
    mark: Mark | None = None


class WriteValues:
    """Store values and deletions with their index, audit entries and events, or nothing of them."""

    def __init__(self, begin: BeginWriting, keys: KeyAccess, seal: Seal, clock: Clock) -> None:
        self._begin = begin
        self._keys = keys
        self._seal = seal
        self._clock = clock

    async def __call__(
        self, tenant: TenantId, writes: Sequence[Write], *, part: Part | None = None
    ) -> Sequence[Outcome]:
        """Return what became of each write, or what stood against it: one that is refused doesn't harm the others.

        Raises:
            RingUnavailable, Unreadable: nothing was stored.
            ImportMoved: likewise; another goes on with this import.
            Unavailable: too many others write the same values.
        """
        tenant_key = await self._keys.tenant_key(tenant)
        hashed = await self._hashed(tenant, writes)
        for attempt in range(ATTEMPTS):
            if part is not None and attempt:
                await part.turn.mine(holding=False)
            try:
                async with self._begin(tenant) as tx:
                    return await self._write(tx, tenant_key, writes, hashed, part)
            except (_Crossed, Contended):
                continue
        raise Unavailable("too many write the same value at once; asking again is safe")

    async def _hashed(self, tenant: TenantId, writes: Sequence[Write]) -> list[_Hashed]:
        """Return the hashes of what is written. Their keys are asked for before the transaction begins."""
        fields = {write.field.name: write.field for write in writes if write.field.type in MATCHED}
        suppression = await self._keys.suppression_key(tenant) if fields else None
        index = {name: await self._keys.index_keys(tenant, name) for name, field in fields.items() if field.indexed}
        return [_hashed(write, index, suppression) for write in writes]

    async def _write(
        self,
        tx: WriteTransaction,
        tenant_key: TenantKey,
        writes: Sequence[Write],
        hashed: Sequence[_Hashed],
        part: Part | None,
    ) -> Sequence[Outcome]:
        now = self._clock()
        people = await tx.subjects.ensure(
            list({write.subject: None for write in writes if write.value is not None}), now
        )
        places = await _places(tx, people, writes)
        known = [number for number, place in enumerate(places) if place is not None]
        group = _Group(writes, hashed, now)
        keys = SubjectKeys(keys={}, erased=frozenset())
        if known:
            handles = {place.handle for place in places if place is not None}
            asked = [(place, hashed[n].mark) for n in known if (place := places[n]) is not None]
            # With the keys held, nobody is erased until we are done.
            keys, heads, group.fields = await tx.together(
                self._keys.ensure_subject_keys(tx.keys, tenant_key, handles, fresh=people.fresh),
                tx.values.heads(asked),
                tx.values.fields(),
            )
            kept = await self._kept(
                tx, [(places[n], hashed[n]) for n, head in zip(known, heads, strict=True) if head.suppressed]
            )
            for number, head in zip(known, heads, strict=True):
                place = places[number]
                if place is not None:
                    group.take(number, place, head, keys, own=place in kept)
        happened = _happened(people, group, part)
        rows = self._sealed(tenant_key.tenant, group, keys)
        if part is not None:
            await part.turn.mine(holding=True)
        if rows:
            await self._store(tx, rows, group, happened)
        else:
            await tx.together(*_told(tx, happened, now))
        await _conclude(tx, group, part)
        return group.outcomes

    async def _kept(self, tx: WriteTransaction, suppressed: Iterable[tuple[Place | None, _Hashed]]) -> set[Place]:
        """Return the places whose people have that very value there already: nothing comes back with it."""
        asked = [(place, each) for place, each in suppressed if place is not None]
        digests = {digest for _, each in asked for digest in each.digests}
        held = await tx.values.holders(digests) if digests else {}
        return {place for place, each in asked if any(place.handle in held[digest] for digest in each.digests)}

    def _sealed(self, tenant: TenantId, group: "_Group", keys: SubjectKeys) -> list[tuple[Sealed, str]]:
        """Return the versions to be stored, each with who wrote it."""
        rows = []
        for number, value in group.new.items():
            write = group.writes[number]
            if write.value is not None:
                plaintext = msgspec.msgpack.encode(write.value)
                sealed = self._seal(keys.keys[value.handle], value.slot(tenant), plaintext)
                value = msgspec.structs.replace(value, sealed=sealed)
            rows.append((value, write.by.actor))
        return rows

    async def _store(
        self, tx: WriteTransaction, rows: Sequence[tuple[Sealed, str]], group: "_Group", happened: _Drafts
    ) -> None:
        digests, replaced = group.indexed()
        every = {digest for each in digests.values() for digest in each}
        # The index comes last: others who write the same field wait from there until we are done.
        all_free, *_, holders = await tx.together(
            tx.values.add(rows),
            *_told(tx, happened, group.now),
            tx.values.index(digests, replaced),
            tx.values.holders(every),
        )
        if not all_free:
            raise _Crossed
        if digests:
            group.shared(holders)
            if alike := group.alike(holders):
                pairs = [(one, other, about) for _, one, other, about in alike]
                group.doubted(alike, await tx.subjects.leave_unresolved(pairs, group.now))


class _Group:
    """Writes on their way through one transaction."""

    def __init__(self, writes: Sequence[Write], hashed: Sequence[_Hashed], now: datetime) -> None:
        self.writes = writes
        self.fields: Mapping[str, Field] = {}
        """As they are now: how a value is masked may have changed since its write began."""
        self.new: dict[int, Sealed] = {}
        """What is to be stored, by the number of the write."""
        self.outcomes: list[Outcome] = [ValueUnknown("there is no such value")] * len(writes)
        self.reenrolled: set[int] = set()
        self.unresolved: dict[Handle, tuple[int, Payload]] = {}
        """Who may be somebody else as well, since which write, and their flags."""
        self._hashed = hashed
        self.now = now
        self._standing: dict[Place, tuple[int, bool]] = {}
        self._latest: dict[Place, int] = {}
        self._replaced: set[Place] = set()

    def take(self, number: int, place: Place, head: Head, keys: SubjectKeys, *, own: bool) -> None:
        """Number the write, or say what stands against it."""
        write = self.writes[number]
        version, live = self._standing.get(place, (head.version, head.live))
        against = _against(write, version, head, keys.erased, place, live=live, own=own)
        if against is not None:
            self.outcomes[number] = against
            return
        self._standing[place] = (version + 1, write.value is not None)
        self._latest[place] = number
        if head.version:
            self._replaced.add(place)
        if head.suppressed and not own:
            self.reenrolled.add(number)
        self.new[number] = Sealed(handle=place.handle, name=write.name, version=version + 1, sealed=b"", at=self.now)
        masked = "" if write.value is None else mask(self.fields[write.field.name], write.value)
        self.outcomes[number] = Written(version=version + 1, masked=masked, at=self.now, first=not live)

    def indexed(self) -> tuple[Mapping[Place, Sequence[Digest]], set[Place]]:
        """Return the digests of the latest values, and the places that may have older ones."""
        digests = {place: self._hashed[number].digests for place, number in self._latest.items()}
        replaced = {place for place in self._replaced if self.writes[self._latest[place]].field.indexed}
        return {place: each for place, each in digests.items() if each}, replaced

    def shared(self, holders: Mapping[Digest, Iterable[Handle]]) -> None:
        """Say of each write how many others have the same value by now."""
        for number, value in self.new.items():
            digests = self._hashed[number].digests
            written = self.outcomes[number]
            if digests and isinstance(written, Written):
                others = {handle for digest in digests for handle in holders.get(digest, ())} - {value.handle}
                self.outcomes[number] = msgspec.structs.replace(written, shared_with=len(others))

    def alike(self, holders: Mapping[Digest, Iterable[Handle]]) -> list[tuple[int, Handle, Handle, bytes]]:
        """Return those who have the same address, number or id by pairs: the write that shows it, and a hash of it.

        Not the same device: several people use one.
        """
        pairs = []
        for number, value in self.new.items():
            hashed, field = self._hashed[number], self.writes[number].field
            if hashed.mark is not None and (field.type in _OF_ONE or field.name == _NATIONAL_ID):
                about = hashlib.sha256(hashed.mark.kind.encode() + b"\x00" + hashed.mark.digest).digest()
                others = {handle for digest in hashed.digests for handle in holders.get(digest, ())} - {value.handle}
                pairs += [(number, value.handle, other, about) for other in sorted(others)[:PAIRED]]
        return pairs

    def doubted(self, alike: Iterable[tuple[int, Handle, Handle, bytes]], marked: Mapping[Handle, Payload]) -> None:
        for number, one, other, _ in alike:
            for handle in (one, other):
                if handle in marked:
                    self.unresolved.setdefault(handle, (number, marked[handle]))

    def happened(self) -> Iterable[tuple[int, AuditEvent, Sealed]]:
        for number, value in self.new.items():
            if number in self.reenrolled:
                yield number, AuditEvent.VAULT_REENROLLED, value
            stored = self.writes[number].value is not None
            yield number, AuditEvent.VAULT_VALUE_STORED if stored else AuditEvent.VAULT_VALUE_DELETED, value


def _against(
    write: Write, version: int, head: Head, erased: Iterable[Handle], place: Place, *, live: bool, own: bool
) -> DomainError | None:
    """Return what stands against a write."""
    if place.handle in erased:
        return SubjectErased("what was kept about this person is gone for good")
    if write.expected is not None and not (live and (not write.expected or version in write.expected)):
        return ValueMoved("the value is another version by now", version=version if live else 0)
    if write.value is None and not live:
        return ValueUnknown("there is no such value")
    if head.suppressed and not own and not write.reenrol:
        return Suppressed("whoever this belongs to does not want to be kept", pointers=["/value"])
    return None


def _hashed(write: Write, index: Mapping[str, Sequence[HashKey]], suppression: HashKey | None) -> _Hashed:
    if write.value is None or write.field.type not in MATCHED or suppression is None:
        return _Hashed()
    matched = form(write.field.type, write.value)
    return _Hashed(
        digests=tuple(index_digest(key, write.field.name, matched) for key in index.get(write.field.name, ())),
        mark=suppression_mark(suppression, write.field.type, matched),
    )


async def _places(tx: WriteTransaction, people: People, writes: Sequence[Write]) -> list[Place | None]:
    """Return where each write belongs; nowhere, if it deletes something of a person nobody knows."""
    places: list[Place | None] = []
    for write in writes:
        handle = people.handles.get(write.subject)
        if handle is None:
            handle = await tx.subjects.handle_of(write.subject)
        places.append(None if handle is None else Place(handle, write.name))
    return places


def _happened(people: People, group: _Group, part: Part | None) -> _Drafts:
    """Return what is audited and announced: of an import those who came into being, of everything else each write."""
    first = {write.subject: write.by for write in reversed(group.writes)}
    drafts: _Drafts = []
    for subject in people.created:
        handle = people.handles[subject]
        drafts.append((first[subject], Draft(event=AuditEvent.SUBJECT_CREATED, object_id=str(handle), subject=handle)))
    for number, event, value in group.happened():
        if part is None or event is AuditEvent.VAULT_REENROLLED:
            # Labels are the tenant's own words, and stay here.
            object_id = f"{value.name.field}/{value.version}"
            drafts.append((group.writes[number].by, Draft(event=event, object_id=object_id, subject=value.handle)))
    return drafts


async def _conclude(tx: WriteTransaction, group: _Group, part: Part | None) -> None:
    """Audit and announce whom the writes made doubtful, and how far the import has got."""
    event = AuditEvent.SUBJECT_UNRESOLVED
    drafts = [
        (group.writes[number].by, Draft(event=event, object_id=str(handle), subject=handle, payload=flags))
        for handle, (number, flags) in group.unresolved.items()
    ]
    if drafts:
        await tx.together(*_told(tx, drafts, group.now))
    if part is not None:
        if not await tx.values.advance_import(part.import_id, part.before, part.done, part.seen, group.now):
            raise ImportMoved("another connection goes on with this import")
        object_id = f"{part.import_id}/{part.done}"
        await tx.audit.append_each([(part.by, Draft(event=AuditEvent.VAULT_IMPORTED, object_id=object_id))])


def _told(tx: WriteTransaction, drafts: _Drafts, now: datetime) -> tuple[Coroutine[Any, Any, None], ...]:
    """Return what adds the entries and events of `drafts`."""
    events = [
        Event(type=draft.event.value, object_id=draft.object_id, subject=draft.subject, at=now) for _, draft in drafts
    ]
    return tx.audit.append_each(drafts), tx.outbox.add(events)
