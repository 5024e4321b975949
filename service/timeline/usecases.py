from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from service.audit import AuditEvent, Entry, Position
from service.consent import StoredRecord
from service.decisions import LoggedDecision, Verdict, placed
from service.kernel import Caller
from service.reveals import Revealed
from service.subjects import UnknownSubject
from service.timeline.domain import (
    Item,
    Question,
    Timeline,
    actor_for_themselves,
    events_of,
    in_words,
    kind_of,
    listed,
)
from service.timeline.ports import Begin, Prove, TimelineTransaction

_verdict: Final = msgspec.json.Decoder(Verdict)


class ReadTimeline:
    """Show what happened to one person, a page at a time.

    Pages go by (time, id) of the audit entries: of each name that a merged person had the entries of one page are
    read from an index, and what they tell of by id. A long history costs no more than a short one. Entries of batches
    name nobody: their decisions are found by an index over the chunks.
    """

    def __init__(self, begin: Begin, prove: Prove) -> None:
        self._begin = begin
        self._prove = prove

    async def __call__(self, question: Question, *, after: Position | None, limit: int, by: Caller) -> Timeline:
        """Return at most `limit` items after a position. With their own token people see what is theirs to know.

        Raises:
            UnknownSubject: nobody has this name, or they were erased.
        """
        own = by.subject is not None
        async with self._begin(by.tenant) as tx:
            events = events_of(question.kind, own=own)
            handle = await tx.subjects.handle_of(question.subject)
            if handle is None:
                raise UnknownSubject("no such subject")
            handles = {handle, *await tx.subjects.former(handle)}
            newest_first = question.order == "newest"
            entries = await tx.subject_log.about(
                handles,
                events,
                since=question.since,
                until=question.until,
                after=after,
                newest_first=newest_first,
                limit=limit + 1,
            )
            batched: Sequence[LoggedDecision] = ()
            if AuditEvent.BATCH_DECIDED in events:
                batched = await tx.decisions.in_batches(
                    handles,
                    since=question.since,
                    until=question.until,
                    after=after,
                    newest_first=newest_first,
                    limit=limit + 1,
                )
            places = sorted(
                [Position(each.at, each.id) for each in entries]
                + [Position(each.decided_at, each.id) for each in batched],
                key=lambda place: (place.at, place.id),
                reverse=newest_first,
            )
            shown = places[:limit]
            among = {place.id for place in shown}
            entries = [each for each in entries if each.id in among]
            batched = [each for each in batched if each.id in among]
            told = await _told(tx, entries)
            chunks = {placed(each.id)[0]: each.decided_at for each in batched}
            shared = await tx.subject_log.of_batches(chunks) if chunks else {}
        by_place = {each.id: _item(each, told.get(each.object_id), own=own) for each in entries}
        by_place |= {each.id: _in_batch(each, shared[placed(each.id)[0]]) for each in batched}
        if question.proofs:
            # a proof holds the whole entry, with who did it
            provable = [entry for entry in entries if by_place[entry.id].actor is not None]
            proofs = await self._prove(provable, by=by)
            by_place |= {entry: replace(by_place[entry], proof=proof) for entry, proof in proofs.items()}
        return Timeline(items=[by_place[place.id] for place in shown], next=shown[-1] if len(places) > limit else None)


async def _told(tx: TimelineTransaction, entries: Sequence[Entry]) -> Mapping[str, Any]:
    """Return what entries tell of, as far as it is still there, by the id of the object."""

    def named(event: AuditEvent) -> list[UUID]:
        return [UUID(entry.object_id) for entry in entries if entry.event is event]

    told: dict[str, Any] = {}
    if records := named(AuditEvent.RECORD_STORED):
        told |= {str(id_): record for id_, record in (await tx.records.find(records)).items()}
    if decisions := named(AuditEvent.DECISION_MADE):
        told |= {str(id_): decision for id_, decision in (await tx.decisions.several(decisions)).items()}
    if reveals := named(AuditEvent.VAULT_REVEALED):
        told |= {str(id_): reveal for id_, reveal in (await tx.reveals.several(reveals)).items()}
    return told


_WITH_CONTENT: Final = frozenset({AuditEvent.RECORD_STORED, AuditEvent.DECISION_MADE, AuditEvent.VAULT_REVEALED})


def _item(entry: Entry, told: Any, *, own: bool) -> Item:
    item = Item(
        kind=kind_of(entry.event),
        at=entry.at,
        id=entry.object_id,
        event=entry.event,
        entry=entry.id,
        what=in_words(entry.event),
        actor=actor_for_themselves(entry) if own else entry.actor,
    )
    match told:
        case StoredRecord():
            return _of_record(item, told)
        case LoggedDecision():
            return _of_decision(item, told)
        case Revealed():
            return _of_reveal(item, told)
    if entry.event not in _WITH_CONTENT:
        return item
    return replace(item, gone=True, what=f"{item.what}; what it said was kept until its period ended")


def _in_batch(decision: LoggedDecision, entry: UUID) -> Item:
    item = Item(
        kind=kind_of(AuditEvent.BATCH_DECIDED),
        at=decision.decided_at,
        id=str(decision.id),
        event=AuditEvent.BATCH_DECIDED,
        entry=entry,
        what=in_words(AuditEvent.BATCH_DECIDED),
        actor=decision.actor,
    )
    return _of_decision(item, decision)


def _of_record(item: Item, record: StoredRecord) -> Item:
    said = record.statement
    channels = said.channel if isinstance(said.channel, tuple) else (said.channel,)
    about = "" if said.purpose is None else f" for {said.purpose}"
    return replace(
        item,
        what=f"recorded {said.action}{about} by {listed(channels)}",
        purpose=said.purpose,
        channels=tuple(channel.value for channel in channels),
        action=said.action.value,
        acted_at=said.happened_at,
    )


def _of_decision(item: Item, decision: LoggedDecision) -> Item:
    rules = tuple(cited.rule for cited in _verdict.decode(decision.verdict).reasons)
    answer = "permitted" if decision.permit else "denied"
    return replace(
        item,
        what=f"{answer} {decision.purpose} by {decision.channel}: {listed(rules)}",
        purpose=decision.purpose,
        channels=(decision.channel,),
        permit=decision.permit,
        rules=rules,
    )


def _of_reveal(item: Item, reveal: Revealed) -> Item:
    masked = f", and masked {listed(sorted(reveal.masked))}" if reveal.masked else ""
    return replace(
        item,
        what=f"revealed {listed(sorted(reveal.fields))}{masked} for {reveal.purpose}",
        purpose=reveal.purpose,
        channels=() if reveal.channel is None else (reveal.channel.value,),
        fields=tuple(sorted(reveal.fields)),
        masked=tuple(sorted(reveal.masked)),
        decision=reveal.decision,
    )
