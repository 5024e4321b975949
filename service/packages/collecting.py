"""Reads everything about one person: some rows at a time, whatever there is of them."""

from collections.abc import Mapping, Sequence, Sized
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from service.consent import Notice, Position
from service.decisions import Verdict
from service.kernel import Caller, Clock, Handle, NewId, SubjectId
from service.packages.declared import Declared, Redaction
from service.packages.domain import (
    AccessPackage,
    DecisionTold,
    FactsTold,
    Head,
    Language,
    NoticeTold,
    Origin,
    RecordTold,
    RequestTold,
    RevealTold,
    ValueTold,
)
from service.packages.ports import Begin, Kept, PackageTransaction, Room, TitlesOf
from service.packages.telling import (
    Tally,
    decision_told,
    notice_told,
    record_told,
    request_told,
    retention_told,
    reveal_told,
    state_told,
)
from service.requests import Package
from service.reveals import Nonce, Revealed, RevealLog
from service.subjects import Flags, UnknownSubject
from service.vault import Field, Name, Opened, OpenValues, SubjectErased

PURPOSE = "dsr_response"
PAGE = 1_000


class PackageWish(Struct, frozen=True, kw_only=True):
    """Whose package, in which language, and what the controller has to say besides."""

    subject: SubjectId
    language: Language
    declared: Declared = Declared()
    package: Package = Package.EVERYTHING
    request: UUID | None = None
    """The request that connected systems answered as well."""


class Person(Struct, frozen=True, kw_only=True):
    """Who it is: the ids and handles under which things are kept."""

    handle: Handle
    former: tuple[Handle, ...]
    subject: SubjectId
    other_ids: tuple[SubjectId, ...]
    flags: Flags

    @property
    def handles(self) -> tuple[Handle, ...]:
        return self.handle, *self.former


class OpenAll:
    """Open every value of a person that can still be opened, and put on record that it was done."""

    def __init__(
        self, begin: Begin, open_values: OpenValues, log: RevealLog, clock: Clock, new_id: NewId, nonce: Nonce
    ) -> None:
        self._begin = begin
        self._open_values = open_values
        self._log = log
        self._clock = clock
        self._new_id = new_id
        self._nonce = nonce

    async def __call__(
        self, handle: Handle, redact: Redaction, tally: Tally, *, by: Caller
    ) -> tuple[tuple[ValueTold, ...], Sequence[Field]]:
        """Return all versions by name, oldest first, and the fields that they are of. A reveal is of one version.

        Raises:
            SubjectErased
            RingUnavailable, Unreadable, Unavailable: nothing is told.
        """
        async with self._begin(by.tenant) as tx:
            standings = await tx.values.versions(handle)
        wanted: dict[int, list[str]] = {}
        for each in standings:
            if not each.deleted:
                wanted.setdefault(each.version, []).append(str(each.name))
        opened: dict[tuple[str, int], Opened] = {}
        reveals: list[Revealed] = []
        fields: Mapping[str, Field] = {}
        for version, names in sorted(wanted.items()):
            opening = await self._open_values(by.tenant, {handle: names}, version=version)
            if handle in opening.erased:
                raise SubjectErased("this person was forgotten, and what was kept of them can't be opened any more")
            fields = opening.fields
            values = opening.values[handle]
            opened |= {(name, version): value for name, value in values.items()}
            if values:
                reveals.append(self._reveal(handle, dict.fromkeys(sorted(values), version), by))
        await self._log.append(reveals, by=by)
        told = []
        for each in sorted(standings, key=lambda each: (each.name.field, each.name.label, each.version)):
            value = opened.get((str(each.name), each.version))
            tally.came_from(Origin.VALUES, redact.client(each.actor))
            told.append(
                ValueTold(
                    name=str(each.name),
                    field=each.name.field,
                    version=each.version,
                    at=each.at,
                    until=each.until,
                    deleted=each.deleted,
                    opened=value is not None,
                    value=None if value is None else redact.text(value.value),
                    written_by=redact.client(each.actor),
                )
            )
        held = {Name.of(value.name).field for value in told}
        return tuple(told), [field for name, field in fields.items() if name in held]

    def _reveal(self, handle: Handle, fields: Mapping[str, int], by: Caller) -> Revealed:
        return Revealed(
            id=self._new_id(),
            handle=handle,
            fields=fields,
            masked={},
            purpose=PURPOSE,
            channel=None,
            decision=None,
            at=self._clock(),
            actor=by.actor,
            nonce=self._nonce(),
        )


class Collect:
    """Bring together what is kept about one person."""

    def __init__(self, begin: Begin, open_all: OpenAll, titles_of: TitlesOf) -> None:
        self._begin = begin
        self._open_all = open_all
        self._titles_of = titles_of

    async def __call__(
        self, wish: PackageWish, room: Room, made_at: datetime, *, by: Caller
    ) -> tuple[Person, AccessPackage]:
        """Return who it is, and everything; what is long lies in `room`.

        What is read of the stores is one transaction; the values are opened after it.

        Raises:
            UnknownSubject, SubjectErased
            RingUnavailable, Unreadable, Unavailable, StateUnreadable: nothing is told.
        """
        redact, tally = Redaction(wish.declared), Tally(wish.declared)
        async with self._begin(by.tenant) as tx:
            person = await _person(tx, wish.subject)
            facts = tuple(
                [
                    FactsTold(version=each.version, at=each.at, former=handle != person.handle, facts=each.facts)
                    for handle in person.handles
                    for each in await tx.subjects.dated_versions(handle)
                ]
            )
            state = state_told(await tx.states.read(person.handle))
            requests = await _requests(tx, person, redact)
            records, notices = room.kept(RecordTold), _Notices(tx)
            for handle in person.handles:
                await _records(tx, handle, person, notices, redact, tally, records)
            reveals = room.kept(RevealTold)
            async for page in tx.reveals.of(person.handles):
                for reveal in page:
                    read = reveal_told(reveal, redact)
                    tally.revealed(read)
                    reveals.add(read)
            for given in await tx.tokens.of(person.handles):
                stand_in = given.stand_in
                tally.holds(redact.client(stand_in.recipient), given.created_at, stand_in.purpose, stand_in.name)
            decisions = room.kept(DecisionTold)
            policies = await _decisions(tx, person, redact, decisions)
        # Last, so that what is put on record for this package is told by the next one.
        values: tuple[ValueTold, ...] = ()
        if wish.package is Package.EVERYTHING:
            values, fields = await self._open_all(person.handle, redact, tally, by=by)
        else:
            fields = await self._held(person.handle, redact, tally, by=by)
        revisions = {revision: await self._titles_of(revision) for revision in sorted(set(policies.values()))}
        for decided in decisions:
            tally.decided(decided, revisions[policies[decided.policy]])
        long: dict[str, Sized] = {"facts": facts, "records": records, "decisions": decisions, "reveals": reveals}
        categories = (*sorted(field.name for field in fields), *(name for name, rows in long.items() if len(rows)))
        head = Head(
            package=wish.package,
            categories=categories,
            made_at=made_at,
            language=wish.language,
            tenant=by.tenant,
            subject=person.subject,
            other_ids=person.other_ids,
            contact=wish.declared.contact,
            automated=wish.declared.automated,
            transfers=wish.declared.transfers,
            values=values,
            facts=facts,
            flags=person.flags,
            state=state,
            requests=requests,
            notices=notices.told,
            recipients=tally.recipients,
            sources=tally.sources,
            retention=retention_told(fields, wish.declared),
            rules=tally.rules,
            left_out=redact.left_out,
            systems=(),
            connected=(),
        )
        if not head.in_full:
            head = replace(head, other_ids=(), facts=(), flags=None, state=(), requests=(), notices=())
            return person, AccessPackage(head=head, records=(), decisions=(), reveals=())
        return person, AccessPackage(head=head, records=records, decisions=decisions, reveals=reveals)

    async def _held(self, handle: Handle, redact: Redaction, tally: Tally, *, by: Caller) -> Sequence[Field]:
        """Return the fields of which something is kept, without opening it."""
        async with self._begin(by.tenant) as tx:
            standings, fields = await tx.values.versions(handle), await tx.values.fields()
        for each in standings:
            tally.came_from(Origin.VALUES, redact.client(each.actor))
        held = {each.name.field for each in standings}
        return [field for name, field in fields.items() if name in held]


async def _person(tx: PackageTransaction, subject: SubjectId) -> Person:
    found = await tx.subjects.find(subject)
    if found is None:
        raise UnknownSubject("there is no such subject")
    names = await tx.subjects.names([found.handle])
    name = names.get(found.handle, subject)
    return Person(
        handle=found.handle,
        former=tuple(sorted(await tx.subjects.former(found.handle))),
        subject=name,
        other_ids=tuple(sorted(await tx.subjects.aliases(found.handle) - {name})),
        flags=found.flags,
    )


class _Notices:
    """The versions of notices that records name, each read once."""

    def __init__(self, tx: PackageTransaction) -> None:
        self._tx = tx
        self._known: dict[str, Sequence[Notice]] = {}

    async def of(self, version: str | None) -> Sequence[Notice]:
        if version is None:
            return ()
        if version not in self._known:
            self._known[version] = await self._tx.notices.of_version(version)
        return self._known[version]

    @property
    def told(self) -> tuple[NoticeTold, ...]:
        told = [notice_told(notice) for versions in self._known.values() for notice in versions]
        return tuple(sorted(told, key=lambda each: (each.notice, each.version)))


async def _requests(tx: PackageTransaction, person: Person, redact: Redaction) -> tuple[RequestTold, ...]:
    found = await tx.requests.of(person.handles)
    histories = await tx.requests.histories([request.id for request, _ in found])
    return tuple(request_told(request, standing, histories[request.id], redact) for request, standing in found)


async def _records(
    tx: PackageTransaction,
    handle: Handle,
    person: Person,
    notices: _Notices,
    redact: Redaction,
    tally: Tally,
    records: Kept[RecordTold],
) -> None:
    after: Position | None = None
    while True:
        page = await tx.records.page(handle, after=after, limit=PAGE)
        for record in page:
            versions = await notices.of(record.statement.notice_version)
            records.add(record_told(record, person.handle, versions, redact))
            tally.came_from(Origin.RECORDS, record.statement.method or "")
        if len(page) < PAGE:
            return
        after = Position(ts=page[-1].statement.ts, id=page[-1].id)


async def _decisions(
    tx: PackageTransaction, person: Person, redact: Redaction, decisions: Kept[DecisionTold]
) -> dict[str, str]:
    """Collect what was decided, and return the revision of each policy that did."""
    policies: dict[str, str] = {}
    judged: dict[bytes, Verdict] = {}
    async for page in tx.decisions.about(person.handles):
        for made in page:
            if (verdict := judged.get(made.verdict)) is None:
                verdict = judged[made.verdict] = made.judged
            told = decision_told(made, verdict, redact)
            policies[told.policy] = made.revision
            decisions.add(told)
    return policies
