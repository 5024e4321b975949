"""Settle whether two subjects are one person."""

from collections.abc import Mapping

from msgspec.structs import replace

from service.audit import AuditEvent, Draft, Payload
from service.consent.committed import stored_record
from service.consent.fold import EMPTY, fold
from service.consent.ports import BeginMerge, MergeTransaction
from service.consent.union import Merged, agreed_at, joined, survives
from service.consent.vocabulary import Vocabulary
from service.events import Event
from service.kernel import Caller, Clock, Handle, SubjectId
from service.subjects import (
    AlreadyMerged,
    Choice,
    Flags,
    Known,
    MergeWithItself,
    Named,
    Subject,
    UnknownSubject,
    flagged,
    payload_of_merge,
    stored,
    unite_facts,
    unite_flags,
)
from service.vault import MoveValues, SubjectErased, TenantKey


class SettleMerge:
    """Merge two subjects, or note that they are two."""

    def __init__(self, begin: BeginMerge, move_values: MoveValues, clock: Clock, vocabulary: Vocabulary) -> None:
        self._begin = begin
        self._move_values = move_values
        self._clock = clock
        self._vocabulary = vocabulary

    async def __call__(
        self, subject: SubjectId, other: SubjectId, *, same: bool, facts: Choice | None, by: Caller
    ) -> Merged:
        """Let `other` be another name of `subject` from now on, or keep them apart; doing it again changes nothing.

        Raises:
            UnknownSubject, SubjectErased, AlreadyMerged, MergeWithItself, MergeContradictory: nothing was changed.
            RingUnavailable, Unreadable, Unavailable: likewise.
        """
        if subject == other:
            raise MergeWithItself("these are two times the same", pointers=["/with"])
        tenant_key = await self._move_values.tenant_key(by.tenant) if same else None
        async with self._begin(by.tenant) as tx:
            held = await tx.subjects.hold([subject, other])
            survivor, merged = _known(held, subject, other)
            if survivor.subject.handle == merged.subject.handle:
                if not same:
                    raise AlreadyMerged("the two were merged, which can't be undone", pointers=["/with"])
                return Merged(subject=subject, other=other, same=True, stands=survivor.subject)
            await _refuse(tx, survivor, merged)
            if tenant_key is None:
                stands = await self._tell_apart(tx, survivor.subject, merged.subject, by)
            else:
                stands = await self._merge(tx, survivor.subject, merged.subject, facts, tenant_key, by)
        return Merged(subject=subject, other=other, same=same, stands=stands)

    async def _tell_apart(self, tx: MergeTransaction, one: Subject, other: Subject, by: Caller) -> Subject:
        if await tx.subjects.settle(one.handle, other.handle, self._clock(), same=False):
            await self._tell(tx, AuditEvent.SUBJECT_TOLD_APART, other.handle, one.handle, by)
        stands = await _with_doubt(tx, one, one.flags, by)
        await _with_doubt(tx, other, other.flags, by)
        return stands

    async def _merge(
        self,
        tx: MergeTransaction,
        survivor: Subject,
        other: Subject,
        choice: Choice | None,
        tenant_key: TenantKey,
        by: Caller,
    ) -> Subject:
        now = self._clock()
        states = await tx.states.lock([survivor.handle, other.handle])
        ours = await tx.records.history(survivor.handle)
        theirs = [record for record in await tx.records.history(other.handle) if survives(record, self._vocabulary)]
        mine = Known(facts=survivor.facts, flags=survivor.flags, agreed_at=agreed_at(ours, self._vocabulary))
        yours = Known(facts=other.facts, flags=other.flags, agreed_at=agreed_at(theirs, self._vocabulary))
        facts, flags = unite_facts(mine, yours, choice, now), unite_flags(mine, yours)

        more = joined(
            ours,
            theirs,
            handle=survivor.handle,
            names=await tx.subjects.aliases(survivor.handle) | await tx.subjects.aliases(other.handle),
            objected=bool(flags.objected),
            at=now,
            vocabulary=self._vocabulary,
        )
        await tx.records.append(more)
        drafts = [stored_record(record) for record in more]
        folded = fold(EMPTY, [*ours, *more], self._vocabulary)
        if folded != states[survivor.handle]:
            await tx.states.write({survivor.handle: folded})

        stands = survivor
        if facts != survivor.facts:
            stands = replace(survivor, version=survivor.version + 1, facts=facts)
            await tx.subjects.add_version(stands.handle, stands.version, facts, now)
            drafts.append(stored(stands.handle, stands.version, facts))
        await tx.subjects.merge(other.handle, stands, now)
        await tx.subjects.settle(survivor.handle, other.handle, now, same=True)
        await tx.audit.append_many(drafts, by=by)
        stands = await _with_doubt(tx, stands, flags, by)
        await self._move_values(tx, tenant_key, source=other.handle, target=survivor.handle, at=now)
        settled = payload_of_merge(survivor.handle, other.handle, now)
        await self._tell(tx, AuditEvent.SUBJECT_MERGED, other.handle, survivor.handle, by, settled)
        return stands

    async def _tell(
        self,
        tx: MergeTransaction,
        event: AuditEvent,
        other: Handle,
        subject: Handle,
        by: Caller,
        payload: Payload | None = None,
    ) -> None:
        draft = Draft(event=event, object_id=str(other), subject=subject, payload=payload)
        await tx.audit.append_many([draft], by=by)
        await tx.outbox.add([Event(type=event.value, object_id=str(other), subject=subject, at=self._clock())])


def _known(held: Mapping[SubjectId, Named], subject: SubjectId, other: SubjectId) -> tuple[Named, Named]:
    for name, pointers in ((subject, []), (other, ["/with"])):
        if name not in held:
            raise UnknownSubject("no such subject", pointers=pointers)
    return held[subject], held[other]


async def _refuse(tx: MergeTransaction, survivor: Named, merged: Named) -> None:
    for named, pointers in ((survivor, []), (merged, ["/with"])):
        if named.alias:
            raise AlreadyMerged("this is another name of somebody else since a merge", pointers=pointers)
    keys = await tx.keys.subject_keys([survivor.subject.handle, merged.subject.handle])
    for named in (survivor, merged):
        key = keys.get(named.subject.handle)
        if named.subject.flags.erased or (key is not None and key.destroyed):
            raise SubjectErased("one of the two was erased")


async def _with_doubt(tx: MergeTransaction, subject: Subject, flags: Flags, by: Caller) -> Subject:
    """Give a held subject its flags, and the one of a doubt who it is as long as there is any."""
    flags = replace(flags, merge_unresolved=True if await tx.subjects.unsettled(subject.handle) else None)
    if flags != subject.flags:
        await tx.subjects.set_flags(subject.handle, flags)
        await tx.audit.append_many([flagged(subject.handle, flags)], by=by)
    return replace(subject, flags=flags)
