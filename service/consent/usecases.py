"""What can be done with records and the state they amount to, and with what a tenant registers once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from service.audit import AuditEvent, Content, ContentExpired, Draft
from service.consent.committed import purpose_hash
from service.consent.domain import (
    History,
    Notice,
    NoticeContent,
    NoticeRedefined,
    Overview,
    OwnPurpose,
    OwnPurposes,
    Position,
    PurposeRedefined,
    Rebuilt,
    State,
    UnknownNotice,
)
from service.consent.fold import EMPTY, fold
from service.consent.ports import Begin, ConsentTransaction
from service.consent.sent import own_purposes, refuse_unregistered
from service.consent.vocabulary import Vocabulary
from service.events import Event
from service.kernel import Caller, Clock, Handle, SubjectId
from service.subjects import UnknownSubject

CHUNK: Final = 100
"""Subjects folded anew in one transaction: it locks them."""


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
            registered = await tx.purposes.find(own_purposes(content.purposes))
            refuse_unregistered(content.purposes, registered.keys(), "/purposes/{}")
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
