"""Which records no longer need to be kept: those that say nothing any more, and consents that were withdrawn.

A refusal is never among them, nor a restriction or an erasure: they hold as long as there is somebody whom they
protect (GDPR Art. 21(3)). What may go had stopped counting a whole period ago:

- it was replaced by a later one like it, so that the state is the same without it; or
- it is a consent, or an act of a relationship, that a refusal of the same person answered: one that stands without an
  end, for every brand and address, and covers its purpose and its channels.

Which actions these are, and which refusals answer them, policy data says (`policies/data/keeping.json`); the database
holds to the same list.

The state of what is left is folded from it, so that a rebuild says the same. It differs from the one before by the
answered acts and by nothing else, or else nothing goes: a bound of the state may never let an older permission in where
a newer one went. Without them the refusal that answered them denies as it did.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from service.consent.domain import Act, Signature, State, StoredRecord
from service.consent.fold import EMPTY, fold
from service.consent.signatures import acts_of
from service.consent.vocabulary import ANY, Vocabulary


def expendable(
    history: Sequence[StoredRecord], ended_by: datetime, vocabulary: Vocabulary
) -> tuple[frozenset[UUID], State]:
    """Return the records of one subject that had stopped counting by `ended_by`, and the state of all others."""
    before = fold(EMPTY, history, vocabulary)
    then = [record for record in history if record.received_at <= ended_by]
    old = [record for record in then if record.statement.action in vocabulary.answered_by]
    if not old:
        return frozenset(), before
    replaced = _replaced(old, then, vocabulary)
    answered = _answered(old, then, vocabulary)
    for go in (replaced | answered, replaced):
        after = fold(EMPTY, [record for record in history if record.id not in go], vocabulary)
        if _only_less(before, after, answered & go, vocabulary):
            return go, after
    return frozenset(), before


def _replaced(old: Iterable[StoredRecord], then: Sequence[StoredRecord], vocabulary: Vocabulary) -> frozenset[UUID]:
    state = fold(EMPTY, then, vocabulary)
    counting = {act.id for act in (*state.acts, *state.spare, *state.attempts)}
    return frozenset(record.id for record in old if record.id not in counting)


def _answered(old: Iterable[StoredRecord], then: Iterable[StoredRecord], vocabulary: Vocabulary) -> frozenset[UUID]:
    withdrawals = [act for record in then for act in acts_of(record, vocabulary) if _is_general(act)]
    return frozenset(
        record.id
        for record in old
        if vocabulary.answered_by[record.statement.action]
        and all(
            any(_answers(refusal, act, vocabulary) for refusal in withdrawals) for act in acts_of(record, vocabulary)
        )
    )


def _is_general(act: Act) -> bool:
    """Whether a refusal has no end and is limited to no brand, address, controller or matter."""
    said = act.signature
    plain = Signature(
        action=said.action,
        channel=said.channel,
        several=said.several,
        purpose=said.purpose,
        method=said.method,
        evidence=said.evidence,
        notice_version=said.notice_version,
        notice_shown=said.notice_shown,
        logged_in=said.logged_in,
    )
    return act.expires_at is None and said == plain


def _answers(refusal: Act, act: Act, vocabulary: Vocabulary) -> bool:
    given, said = act.signature, refusal.signature
    return (
        said.action in vocabulary.answered_by[given.action]
        and refusal.at >= act.at
        and said.purpose in (given.purpose, ANY)
        and said.channel in (given.channel, ANY)
    )


def _only_less(before: State, after: State, gone: Collection[UUID], vocabulary: Vocabulary) -> bool:
    """Whether `after` is `before` without acts of the records `gone`, none of which refuses."""
    lost = set(before.acts) - set(after.acts)
    return (
        set(after.acts) <= set(before.acts)
        and set(after.spare) <= set(before.spare)
        and all(act.id in gone and act.signature.action not in vocabulary.refusals for act in lost)
        and after.attempts == before.attempts
    )
