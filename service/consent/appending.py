"""Append records: those of many requests at once, each all or nothing by itself.

Requests of one tenant that come at the same moment share a transaction, in four round trips with its commit: what is
known; the people's states, held, and the records; what follows from them. Where another transaction interferes,
nothing of a group is stored, and each of its requests goes by itself (`service/grouped.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

from service.audit import Content
from service.consent.domain import Appended, State, StoredRecord, Submission
from service.consent.fold import EMPTY, fold
from service.consent.ports import AppendTransaction, BeginAppending, Writer
from service.consent.sent import Group, Sent
from service.consent.vocabulary import Vocabulary
from service.events import Event
from service.kernel import Caller, Clock, Contended, DomainError, Handle, TenantId


class StoreRecords:
    """Store records with the state they amount to, their audit entries and their events, or store nothing."""

    def __init__(self, begin: BeginAppending, clock: Clock, vocabulary: Vocabulary) -> None:
        self._begin = begin
        self._clock = clock
        self._vocabulary = vocabulary

    async def __call__(self, tenant: TenantId, group: Sequence[Sent]) -> Sequence[Appended | DomainError]:
        """Return of each request the records as stored, or why none of them is.

        A record that is already there, with the same content, is answered like the first
        time. Subjects nobody knew come into being. What may stand against a request:
        RecordIdReused, RecordFromTheFuture, UnknownPurpose, NotTheirOwn, UnknownSubject;
        ContentExpired where a record was stored before, and has gone.

        Raises:
            DomainError: another transaction interfered. Nothing is stored; what stands against one of them may be no
                matter of the others, who may go by themselves.
        """
        async with self._begin(tenant) as tx:
            return await self._store(tx, group)

    async def within(self, tx: AppendTransaction, submissions: Sequence[Submission], *, by: Caller) -> Appended:
        """Do the same for one as a part of a larger transaction, which has to end when this raises."""
        [answer] = await self._store(tx, [Sent(submissions=submissions, by=by)])
        if isinstance(answer, DomainError):
            raise answer
        return answer

    async def _store(self, tx: AppendTransaction, sent: Sequence[Sent]) -> Sequence[Appended | DomainError]:
        group = Group(sent, self._clock(), self._vocabulary)
        await _look(tx, group)
        group.judge()
        if group.new:
            ensured = await tx.subjects.create(group.missing(), group.now)
            group.handles |= ensured.handles
            records = group.records()
            handles = {record.handle for record in records}
            states, added, secrets = await tx.together(
                tx.states.lock(handles, fresh=ensured.fresh), tx.records.append(records), tx.audit.secrets(handles)
            )
            if taken := {record.id for record in records} - added:
                await _take_late(tx, group, taken)
                records = group.records()
            drafts = group.happened(ensured.created)
            if records:
                events = [
                    Event(type=each.event.value, object_id=each.object_id, subject=each.subject, at=group.now)
                    for _, each in drafts
                ]
                after = await grown(tx, states, records, self._vocabulary)
                await tx.together(
                    tx.states.write(after), tx.audit.append_each(drafts, secrets=secrets), tx.outbox.add(events)
                )
        return group.answers()


async def _look(tx: AppendTransaction, group: Group) -> None:
    """Read in one round trip what there is to know before the requests are judged."""
    ids, purposes = group.ids(), group.purposes()
    asked = [tx.subjects.held(group.subjects()), tx.records.find(ids), tx.traces.of(Content.RECORD, ids)]
    if purposes:
        asked.append(tx.purposes.find(purposes))
    group.handles, group.stored, gone, *registered = await tx.together(*asked)
    group.gone, group.registered = gone.keys(), set().union(*registered)
    for handle in group.strange():
        group.former[handle] = await tx.subjects.former(handle)


async def _take_late(tx: AppendTransaction, group: Group, taken: AbstractSet[UUID]) -> None:
    """Learn what somebody stored under these ids since we looked.

    With the subjects locked it was for somebody else, or by the same request sent twice. What was stored for a request
    that is refused after all goes with the transaction, and takes a group along.
    """
    group.stored = {**group.stored, **await tx.records.find(taken)}
    group.judge()
    for refusal in group.refused.values():
        raise refusal
    if not taken <= group.stored.keys():
        raise Contended("somebody stored a record of the same id at the same moment, and it is gone")


class AppendRecords:
    """Append records with whoever else's come at the same moment."""

    def __init__(self, store: Writer) -> None:
        self._store = store

    async def __call__(self, submissions: Sequence[Submission], *, by: Caller) -> Appended:
        """Return the records as stored, one for each submission, in their order; durable.

        Raises:
            RecordIdReused, RecordFromTheFuture, UnknownPurpose, NotTheirOwn,
            UnknownSubject, ContentExpired: as `StoreRecords` says; nothing was stored.
        """
        return await self._store(Sent(submissions=submissions, by=by))


async def grown(
    tx: AppendTransaction,
    states: Mapping[Handle, State | None],
    new: Iterable[StoredRecord],
    vocabulary: Vocabulary,
) -> dict[Handle, State]:
    """Return the states of locked subjects whose histories have grown by `new`, which is stored."""
    by_handle: dict[Handle, list[StoredRecord]] = {}
    for record in new:
        by_handle.setdefault(record.handle, []).append(record)
    unreadable = [handle for handle in by_handle if states[handle] is None]
    histories = await tx.records.histories(unreadable) if unreadable else {}
    return {
        handle: fold(states[handle] or EMPTY, histories.get(handle, records), vocabulary)
        for handle, records in by_handle.items()
    }
