"""Two histories of one person → one: what joins that of the survivor when another subject is merged into it.

Refusals of either side win, and permissions of the other side survive only with evidence of their own. Refusals come
with their own times, so an act that one side did afterwards would answer what the other side refused. But nobody knew
then that the two are one, and a merge may open no door: such a refusal is repeated at the time of that act. The
person's own later acts on the same side answer it as ever, and so does everything that comes after the merge.

Ids are derived from those of the records that are copied, so that doing it again adds nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from msgspec import UNSET, Struct
from msgspec.structs import replace

from service.consent.domain import Act, Signature, Statement, StoredRecord
from service.consent.signatures import acts_of, effective_at
from service.consent.vocabulary import Action, RecordChannel, Vocabulary
from service.kernel import Handle, SubjectId
from service.subjects import Subject

_ERASING: Final = frozenset({Action.ERASE_REQUEST, Action.ERASED})
"""What an order that came later answers as well, and not only a permission."""


class Merged(Struct, frozen=True, kw_only=True):
    """What was settled about two subjects, and how the first one stands since."""

    subject: SubjectId
    other: SubjectId
    same: bool
    stands: Subject


def joined(
    ours: Sequence[StoredRecord],
    theirs: Sequence[StoredRecord],
    *,
    handle: Handle,
    names: Collection[SubjectId],
    objected: bool,
    at: datetime,
    vocabulary: Vocabulary,
) -> list[StoredRecord]:
    """Return the records by which `ours`, under `handle`, grow when `theirs` are merged into them at `at`.

    `names` are the ids of the two: an act of either is the person's own. `objected` says that one of the two has the
    flag of an objection. Recorded objections of the other would govern in its place, so it becomes a record.
    """
    brought = [_copied(record, handle, names) for record in theirs if survives(record, vocabulary)]
    repeated = [*_repeated(ours, brought, handle, at, vocabulary), *_repeated(brought, ours, handle, at, vocabulary)]
    if objected:
        repeated.append(_objection(handle, at))
    known = {record.id for record in ours}
    return [record for record in [*brought, *repeated] if record.id not in known]


def survives(record: StoredRecord, vocabulary: Vocabulary) -> bool:
    """Return whether a record of the side that is merged counts for the person that both are."""
    said = record.statement
    restrains = said.action in vocabulary.refusals or said.action in vocabulary.attempts
    return restrains or (said.evidence is not UNSET and bool(said.evidence))


def agreed_at(records: Iterable[StoredRecord], vocabulary: Vocabulary) -> datetime | None:
    """Return when a side last agreed to anything."""
    dates = (effective_at(record) for record in records if record.statement.action in vocabulary.permissions)
    return max(dates, default=None)


def _copied(record: StoredRecord, handle: Handle, names: Collection[SubjectId]) -> StoredRecord:
    said = record.statement
    if said.subject_ref in names:
        said = replace(said, subject_ref=None)
    return replace(record, id=_derived(record.id, handle), handle=handle, statement=said)


def _repeated(
    side: Sequence[StoredRecord], other: Sequence[StoredRecord], handle: Handle, at: datetime, vocabulary: Vocabulary
) -> Iterator[StoredRecord]:
    """Yield the refusals of one side that acts of the other would answer, at the time of the last of those."""
    answers = _answers(other, vocabulary)
    own: dict[Signature, datetime] = {}
    for act in _answers(side, vocabulary):
        own[act.signature] = max(act.at, own.get(act.signature, act.at))
    for record in side:
        action, since = record.statement.action, effective_at(record)
        if action not in vocabulary.refusals:
            continue
        # What a like act of their own has answered already, another like it answers no further.
        later = [
            act.at
            for act in answers
            if act.at > since
            and own.get(act.signature, since) <= since
            and (action in _ERASING or act.signature.action in vocabulary.permissions)
        ]
        if later:
            last = max(later)
            said = replace(record.statement, ts=last, original_ts=None)
            yield StoredRecord(
                id=_derived(record.id, handle, last.isoformat()), handle=handle, received_at=at, statement=said
            )


def _answers(records: Iterable[StoredRecord], vocabulary: Vocabulary) -> list[Act]:
    """Return the acts that refuse nothing, and are not only counted."""
    restraining = vocabulary.refusals | vocabulary.attempts
    return [
        act for record in records if record.statement.action not in restraining for act in acts_of(record, vocabulary)
    ]


def _objection(handle: Handle, at: datetime) -> StoredRecord:
    said = Statement(ts=at, channel=RecordChannel.ALL, purpose="marketing", action=Action.OBJECT)
    return StoredRecord(id=_derived(handle, handle, "objected"), handle=handle, received_at=at, statement=said)


def _derived(record: UUID, handle: Handle, *more: str) -> UUID:
    return uuid5(record, "/".join((str(handle), *more)))
