"""What can be done with records and the state they amount to, and with what a tenant registers once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from service.audit import AuditEvent, Content, ContentExpired, Draft
from service.consent.committed import purpose_hash, stored_record
from service.consent.domain import (
    OWN_ACTS,
    Appended,
    History,
    Notice,
    NoticeContent,
    NoticeRedefined,
    NotTheirOwn,
    Overview,
    OwnPurpose,
    OwnPurposes,
    Position,
    PurposeRedefined,
    Rebuilt,
    RecordFromTheFuture,
    RecordIdReused,
    State,
    Statement,
    StoredRecord,
    Submission,
    UnknownNotice,
    UnknownPurpose,
)
from service.consent.fold import EMPTY, fold
from service.consent.ports import Begin, ConsentTransaction
from service.consent.vocabulary import Vocabulary, is_tenant_purpose
from service.events import Event
from service.kernel import Caller, Clock, Handle, SubjectId
from service.subjects import Ensured, UnknownSubject

SKEW: Final = timedelta(minutes=5)
"""How far a capture point's clock may run ahead of ours."""

CHUNK: Final = 100
"""Subjects folded anew in one transaction: it locks them."""


class AppendRecords:
    """Store records with the state they amount to, their audit entries and their events, or store nothing."""

    def __init__(self, begin: Begin, clock: Clock, vocabulary: Vocabulary) -> None:
        self._begin = begin
        self._clock = clock
        self._vocabulary = vocabulary

    async def __call__(self, submissions: Sequence[Submission], *, by: Caller) -> Appended:
        """Return the records as stored, one for each submission, in their order.

        A record that is already there, with the same content, is answered like the first
        time. Subjects nobody knew come into being.

        Raises:
            RecordIdReused, RecordFromTheFuture, UnknownPurpose, NotTheirOwn,
            UnknownSubject: nothing was stored.
            ContentExpired: nor where a record was stored before, and has gone.
        """
        async with self._begin(by.tenant) as tx:
            return await self.within(tx, submissions, by=by)

    async def within(self, tx: ConsentTransaction, submissions: Sequence[Submission], *, by: Caller) -> Appended:
        """Do the same as a part of a larger transaction, which has to end when this raises."""
        now = self._clock()
        wanted = _one_of_each(submissions)
        for number, submission in enumerate(submissions):
            refuse_the_future(submission.statement, f"/records/{number}", now, self._vocabulary)
            _refuse_what_is_not_theirs(submission, number, by)

        purposes = [submission.statement.purpose for submission in submissions]
        await _refuse_unregistered(tx, purposes, "/records/{}/purpose")
        ensured = await tx.subjects.ensure([submission.subject for submission in wanted.values()], now)
        states = await tx.states.lock(set(ensured.handles.values()))
        stored = dict(await tx.records.find(wanted))
        if gone := await tx.traces.of(Content.RECORD, wanted.keys() - stored.keys()):
            places = [f"/records/{n}/id" for n, submission in enumerate(submissions) if submission.id in gone]
            raise ContentExpired("a record of this id was kept until its period ended", pointers=places)
        new = []
        for submission in wanted.values():
            handle = ensured.handles[submission.subject]
            known = stored.get(submission.id)
            if known is None:
                new.append(_received(submission, handle, now))
            elif known.statement != submission.statement or not await is_of(tx, known.handle, handle):
                raise _reused(submission.id, submissions)
        if new:
            # With the subjects locked, an id that is taken meanwhile was taken for somebody else.
            added = await tx.records.append(new)
            for record in new:
                if record.id not in added:
                    raise _reused(record.id, submissions)
            await tx.states.write(await grown(tx, states, new, self._vocabulary))
            await _tell(tx, ensured, new, now, by)
            stored.update({record.id: record for record in new})
        records = [stored[submission.id].of(submission.subject) for submission in submissions]
        return Appended(records=records, stored=len(new))


def refuse_the_future(said: Statement, place: str, now: datetime, vocabulary: Vocabulary) -> None:
    """Raises: RecordFromTheFuture: `place` is where the record stands."""
    if said.action not in vocabulary.refusals and max(said.ts, said.happened_at) > now + SKEW:
        raise RecordFromTheFuture("only a refusal may be dated later than now", pointers=[place])


async def grown(
    tx: ConsentTransaction,
    states: Mapping[Handle, State | None],
    new: Iterable[StoredRecord],
    vocabulary: Vocabulary,
) -> dict[Handle, State]:
    """Return the states of locked subjects whose histories have grown by `new`, which is stored."""
    by_handle: dict[Handle, list[StoredRecord]] = {}
    for record in new:
        by_handle.setdefault(record.handle, []).append(record)
    after = {}
    for handle, records in by_handle.items():
        before = states[handle]
        if before is None:
            after[handle] = fold(EMPTY, await tx.records.history(handle), vocabulary)
        else:
            after[handle] = fold(before, records, vocabulary)
    return after


async def is_of(tx: ConsentTransaction, stored: Handle, handle: Handle) -> bool:
    """Return whether a record under a handle is that of whoever has `handle` now."""
    return stored == handle or stored in await tx.subjects.former(handle)


def _one_of_each(submissions: Sequence[Submission]) -> dict[UUID, Submission]:
    wanted: dict[UUID, Submission] = {}
    for submission in submissions:
        if wanted.setdefault(submission.id, submission) != submission:
            raise _reused(submission.id, submissions)
    return wanted


def _reused(record_id: UUID, submissions: Iterable[Submission]) -> RecordIdReused:
    places = [f"/records/{number}/id" for number, sent in enumerate(submissions) if sent.id == record_id]
    return RecordIdReused("another record has this id", pointers=places)


def _received(submission: Submission, handle: Handle, now: datetime) -> StoredRecord:
    return StoredRecord(id=submission.id, handle=handle, received_at=now, statement=submission.statement)


def _refuse_what_is_not_theirs(submission: Submission, number: int, by: Caller) -> None:
    """With their own token people speak for themselves."""
    if by.subject is None:
        return
    if submission.subject != by.subject:
        raise UnknownSubject("no such subject")
    said = submission.statement
    if said.action not in OWN_ACTS or said.original_ts is not None or said.subject_ref not in (None, by.subject):
        raise NotTheirOwn("this is for others to state", pointers=[f"/records/{number}"])


async def _refuse_unregistered(tx: ConsentTransaction, purposes: Iterable[str | None], place: str) -> None:
    """Refuse purposes that nobody registered; `place` is a pointer to them with a gap for their number."""
    own = {number: name for number, name in enumerate(purposes) if name is not None and is_tenant_purpose(name)}
    if own and (unknown := set(own.values()) - (await tx.purposes.find(set(own.values()))).keys()):
        places = [place.format(number) for number, name in own.items() if name in unknown]
        raise UnknownPurpose("no purpose of this name is registered", pointers=places)


async def _tell(
    tx: ConsentTransaction, ensured: Ensured, new: Sequence[StoredRecord], now: datetime, by: Caller
) -> None:
    """Audit and announce what was stored: the subjects first, then their records."""
    created = sorted(ensured.handles[subject] for subject in ensured.created)
    happened = [
        Draft(event=AuditEvent.SUBJECT_CREATED, object_id=str(handle), subject=handle) for handle in created
    ] + [stored_record(record) for record in new]
    await tx.audit.append_many(happened, by=by)
    await tx.outbox.add(
        [Event(type=each.event.value, object_id=each.object_id, subject=each.subject, at=now) for each in happened]
    )


class ReadRecords:
    """Show the history of a subject, oldest first."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, subject: SubjectId, *, after: Position | None, limit: int, by: Caller) -> History:
        """Return at most `limit` records after a position.

        Raises:
            UnknownSubject
        """
        async with self._begin(by.tenant) as tx:
            handle = await tx.subjects.handle_of(subject)
            if handle is None:
                raise UnknownSubject("no such subject")
            found = await tx.records.page(handle, after=after, limit=limit + 1)
        shown = found[:limit]
        more = len(found) > limit
        return History(
            records=[record.of(subject) for record in shown],
            next=Position(ts=shown[-1].statement.ts, id=shown[-1].id) if more else None,
        )


class ReadSubject:
    """Show what is known about a subject: facts, and the state of the records."""

    def __init__(self, begin: Begin, vocabulary: Vocabulary) -> None:
        self._begin = begin
        self._vocabulary = vocabulary

    async def __call__(self, subject: SubjectId, *, as_of: datetime | None, by: Caller) -> Overview:
        """Return what is known now or, with `as_of`, what had been received by then.

        A subject who came later is one about whom nothing was known.

        Raises:
            UnknownSubject
            ContentExpired: not all of what was known then is still there.
        """
        async with self._begin(by.tenant) as tx:
            found = await tx.subjects.find(subject, as_of=as_of)
            if found is None:
                raise UnknownSubject("no such subject")
            if as_of is None:
                state = await tx.states.read(found.handle)
            else:
                if await tx.traces.of_person(Content.RECORD, found.handle, as_of):
                    raise ContentExpired("some of what was known then was kept until its period ended")
                state = fold(EMPTY, await tx.records.history(found.handle, as_of=as_of), self._vocabulary)
        return Overview(subject=subject, version=found.version, facts=found.facts, flags=found.flags, state=state)


class RebuildState:
    """Fold every history of a tenant anew, and repair or only count the states that differ."""

    def __init__(self, begin: Begin, vocabulary: Vocabulary) -> None:
        self._begin = begin
        self._vocabulary = vocabulary

    async def __call__(self, *, check: bool, by: Caller) -> Rebuilt:
        """Return how many subjects there are, and how many states differed.

        With `check` no state is changed. Each repair is audited. Writers of the same subjects wait.
        """
        subjects = differing = 0
        after: Handle | None = None
        while True:
            async with self._begin(by.tenant) as tx:
                handles = await tx.records.handles(after=after, limit=CHUNK)
                repaired = await self._differing(tx, handles)
                if repaired and not check:
                    await tx.states.write(repaired)
                    drafts = [
                        Draft(event=AuditEvent.STATE_REBUILT, object_id=str(handle), subject=handle)
                        for handle in repaired
                    ]
                    await tx.audit.append_many(drafts, by=by)
            subjects += len(handles)
            differing += len(repaired)
            if len(handles) < CHUNK:
                return Rebuilt(subjects=subjects, differing=differing)
            after = handles[-1]

    async def _differing(self, tx: ConsentTransaction, handles: Sequence[Handle]) -> dict[Handle, State]:
        states = await tx.states.lock(handles)
        histories = await tx.records.histories(handles)
        folded = {handle: fold(EMPTY, histories.get(handle, ()), self._vocabulary) for handle in handles}
        return {handle: state for handle, state in folded.items() if state != states[handle]}


class PutNotice:
    """Store one version of a notice, or find it stored already."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, content: NoticeContent, *, by: Caller) -> tuple[Notice, bool]:
        """Return the version as stored, and whether it is new.

        Raises:
            NoticeRedefined, UnacceptableNotice, UnknownPurpose: nothing was stored.
        """
        content.check()
        async with self._begin(by.tenant) as tx:
            await _refuse_unregistered(tx, content.purposes, "/purposes/{}")
            new = await tx.notices.add(content)
            stored = await tx.notices.find(content.notice, content.version)
            if stored is None or stored.content != content:
                raise NoticeRedefined("this version has other content")
            if new:
                name = f"{content.notice}/{content.version}"
                await tx.audit.append(event=AuditEvent.NOTICE_STORED, object_id=name, by=by, commitment=stored.sha256)
                await tx.outbox.add([Event(type=AuditEvent.NOTICE_STORED.value, object_id=name, at=self._clock())])
        return stored, new


class ReadNotice:
    """Show one version of a notice."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, notice: str, version: str, *, by: Caller) -> Notice:
        """Raises: UnknownNotice"""
        async with self._begin(by.tenant) as tx:
            stored = await tx.notices.find(notice, version)
        if stored is None:
            raise UnknownNotice("no such version of such a notice")
        return stored


class PutPurpose:
    """Register a purpose of the tenant's own, or find it registered already."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, purpose: OwnPurpose, *, by: Caller) -> bool:
        """Return whether the purpose is new.

        Raises:
            PurposeRedefined: it exists with another mapping or title. Nothing was changed:
                the records that name it would change their meaning.
        """
        async with self._begin(by.tenant) as tx:
            new = await tx.purposes.add(purpose)
            if not new and (await tx.purposes.find([purpose.purpose]))[purpose.purpose] != purpose:
                raise PurposeRedefined("this purpose exists and differs")
            if new:
                event = AuditEvent.PURPOSE_STORED
                await tx.audit.append(event=event, object_id=purpose.purpose, by=by, commitment=purpose_hash(purpose))
                await tx.outbox.add([Event(type=event.value, object_id=purpose.purpose, at=self._clock())])
        return new


class ReadPurposes:
    """Show the purposes a tenant has registered."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, *, after: str | None, limit: int, by: Caller) -> OwnPurposes:
        async with self._begin(by.tenant) as tx:
            found = await tx.purposes.page(after=after, limit=limit + 1)
        shown = found[:limit]
        return OwnPurposes(purposes=shown, next=shown[-1].purpose if len(found) > limit else None)
