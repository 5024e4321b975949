"""What requests send at the same moment, judged as if they had come one after the other.

What one says counts for those behind it, and one that is refused leaves nothing behind.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from itertools import chain, groupby
from operator import itemgetter
from typing import Final
from uuid import UUID

from msgspec import Struct

from service.audit import AuditEvent, ContentExpired, Draft
from service.consent.committed import stored_record
from service.consent.domain import (
    OWN_ACTS,
    Appended,
    NotTheirOwn,
    RecordFromTheFuture,
    RecordIdReused,
    Statement,
    StoredRecord,
    Submission,
    UnknownPurpose,
)
from service.consent.vocabulary import Vocabulary, is_tenant_purpose
from service.kernel import Caller, DomainError, Handle, SubjectId
from service.subjects import UnknownSubject

SKEW: Final = timedelta(minutes=5)
"""How far a capture point's clock may run ahead of ours."""


class Sent(Struct, frozen=True, kw_only=True, eq=False):
    """What one request sends."""

    submissions: Sequence[Submission]
    by: Caller


class Group:
    """Requests on their way through one transaction."""

    def __init__(self, sent: Sequence[Sent], now: datetime, vocabulary: Vocabulary) -> None:
        self.sent = sent
        self.now = now
        self.refused: dict[int, DomainError] = {}
        """By the number of the request."""
        self.new: dict[UUID, tuple[int, Submission]] = {}
        """What is to be stored, and for which request."""
        self.handles: dict[SubjectId, Handle] = {}
        self.former: dict[Handle, Collection[Handle]] = {}
        self.stored: Mapping[UUID, StoredRecord] = {}
        self.gone: AbstractSet[UUID] = frozenset()
        self.registered: Collection[str] = ()
        self._wanted: dict[int, Mapping[UUID, Submission]] = {}
        self._kept: dict[UUID, StoredRecord] = {}
        for number, each in enumerate(sent):
            try:
                self._wanted[number] = _acceptable(each, now, vocabulary)
            except DomainError as error:
                self.refused[number] = error

    def ids(self) -> Collection[UUID]:
        return {said.id for said in self._said()}

    def subjects(self) -> Sequence[SubjectId]:
        return list({said.subject for said in self._said()})

    def purposes(self) -> Collection[str]:
        return own_purposes(said.statement.purpose for said in self._said())

    def strange(self) -> Collection[Handle]:
        """Return those of whom a record is told that somebody else has: it may be what they were before a merge."""
        return {
            handle
            for said in self._said()
            if (record := self.stored.get(said.id)) is not None
            and (handle := self.handles.get(said.subject)) is not None
            and record.handle != handle
        }

    def judge(self) -> None:
        """Say what is new and what is refused, one request after the other."""
        self.new = {}
        for number in self._wanted:
            try:
                self.new |= {said.id: (number, said) for said in self._new(number)}
            except DomainError as error:
                self.refused[number] = error

    def missing(self) -> Sequence[SubjectId]:
        return [said.subject for _, said in self.new.values() if said.subject not in self.handles]

    def records(self) -> Sequence[StoredRecord]:
        """Return what is new, as it is to be stored."""
        self._kept = {
            said.id: StoredRecord(
                id=said.id, handle=self.handles[said.subject], received_at=self.now, statement=said.statement
            )
            for _, said in self.new.values()
        }
        return list(self._kept.values())

    def happened(self, created: Collection[SubjectId]) -> list[tuple[Caller, Draft]]:
        """Return what to audit and announce, request by request: the subjects first, then their records."""
        drafts: list[tuple[Caller, Draft]] = []
        unborn = set(created)
        for number, those in groupby(self.new.values(), key=itemgetter(0)):
            by, said = self.sent[number].by, [each for _, each in those]
            born = {each.subject for each in said} & unborn
            unborn -= born
            drafts += [(by, _came_into_being(handle)) for handle in sorted(self.handles[each] for each in born)]
            drafts += [(by, stored_record(self._kept[each.id])) for each in said]
        return drafts

    def answers(self) -> Sequence[Appended | DomainError]:
        """Return what to tell each request."""
        stored = {**self.stored, **self._kept}
        new = Counter(number for number, _ in self.new.values())
        return [
            self.refused.get(number)
            or Appended(records=[stored[said.id] for said in sent.submissions], stored=new[number])
            for number, sent in enumerate(self.sent)
        ]

    def _said(self) -> Iterator[Submission]:
        return chain.from_iterable(wanted.values() for wanted in self._wanted.values())

    def _new(self, number: int) -> Sequence[Submission]:
        sent = self.sent[number].submissions
        refuse_unregistered([said.statement.purpose for said in sent], self.registered, "/records/{}/purpose")
        if places := _places(sent, self.gone - self.stored.keys()):
            raise ContentExpired("a record of this id was kept until its period ended", pointers=places)
        new = []
        for said in self._wanted[number].values():
            there = self._there(said)
            if there is None:
                new.append(said)
            elif not there:
                raise _reused(said.id, sent)
        return new

    def _there(self, said: Submission) -> bool | None:
        """Return whether what has the id is the same; ``None`` where nothing has it."""
        whose = self.handles.get(said.subject)
        if (stored := self.stored.get(said.id)) is not None:
            theirs = whose is not None and (stored.handle == whose or stored.handle in self.former.get(whose, ()))
            return theirs and stored.statement == said.statement
        if said.id in self.new:
            _, earlier = self.new[said.id]
            theirs = earlier.subject == said.subject or (
                whose is not None and self.handles.get(earlier.subject) == whose
            )
            return theirs and earlier.statement == said.statement
        return None


def refuse_the_future(said: Statement, place: str, now: datetime, vocabulary: Vocabulary) -> None:
    """Raises: RecordFromTheFuture: `place` is where the record stands."""
    if said.action not in vocabulary.refusals and max(said.ts, said.happened_at) > now + SKEW:
        raise RecordFromTheFuture("only a refusal may be dated later than now", pointers=[place])


def own_purposes(purposes: Iterable[str | None]) -> Collection[str]:
    """Return those that the tenant has to have registered."""
    return {name for name in purposes if name is not None and is_tenant_purpose(name)}


def refuse_unregistered(purposes: Sequence[str | None], registered: Collection[str], place: str) -> None:
    """Refuse purposes that nobody registered; `place` is a pointer to them with a gap for their number.

    Raises:
        UnknownPurpose
    """
    unknown = {name for name in own_purposes(purposes) if name not in registered}
    if unknown:
        places = [place.format(number) for number, name in enumerate(purposes) if name in unknown]
        raise UnknownPurpose("no purpose of this name is registered", pointers=places)


def _acceptable(sent: Sent, now: datetime, vocabulary: Vocabulary) -> Mapping[UUID, Submission]:
    """Return each record once, if nothing stands against them that needs no database to know."""
    wanted: dict[UUID, Submission] = {}
    for said in sent.submissions:
        if wanted.setdefault(said.id, said) != said:
            raise _reused(said.id, sent.submissions)
    for number, said in enumerate(sent.submissions):
        refuse_the_future(said.statement, f"/records/{number}", now, vocabulary)
        _refuse_what_is_not_theirs(said, number, sent.by)
    return wanted


def _refuse_what_is_not_theirs(submission: Submission, number: int, by: Caller) -> None:
    """With their own token people speak for themselves."""
    if by.subject is None:
        return
    if submission.subject != by.subject:
        raise UnknownSubject("no such subject")
    said = submission.statement
    if said.action not in OWN_ACTS or said.original_ts is not None or said.subject_ref not in (None, by.subject):
        raise NotTheirOwn("this is for others to state", pointers=[f"/records/{number}"])


def _reused(record_id: UUID, submissions: Iterable[Submission]) -> RecordIdReused:
    return RecordIdReused("another record has this id", pointers=_places(submissions, {record_id}))


def _places(submissions: Iterable[Submission], ids: Collection[UUID]) -> list[str]:
    return [f"/records/{number}/id" for number, said in enumerate(submissions) if said.id in ids]


def _came_into_being(handle: Handle) -> Draft:
    return Draft(event=AuditEvent.SUBJECT_CREATED, object_id=str(handle), subject=handle)
