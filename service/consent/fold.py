"""Records → state: what a history amounts to, whatever the order in which it arrived.

The fold never judges. A later worthless act does not hide an earlier good one,
because acts are told apart by their signature, and every signature keeps its own
latest. It forgets only what the bounds of policy data say:

*Permissions* (and everything that is no refusal): per action, channel and purpose the
newest signatures that fit, and none of their acts that is older than the last of them;
per signature with an end the newest few acts. The oldest goes first, which denies.

*Refusals* are never dropped. Per action, channel and purpose the newest signatures
stay; the rest becomes one refusal on every channel, brand and address, without an end,
dated like the newest of those it stands for.

*Attempts* are only counted: the latest few per channel.

Each of these is a function of the set of acts, and what it keeps is all that it needs
to go on. Hence the order of arrival doesn't matter, nor whether records are folded one
at a time or all at once. (The obvious bound, on the acts that outlive a newer one, is
no such function: what it dropped may matter again. That is what `State.spare` is for.)
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final

import msgspec

from service.consent.domain import Act, Received, Signature, State, StateUnreadable
from service.consent.signatures import acts_of
from service.consent.vocabulary import ANY, Vocabulary

EMPTY: Final = State()
FORMAT: Final = 1
"""Of the bytes of a state. Another format needs another number, and a rebuild."""

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(State)
_key: Final = attrgetter("key")
_FOREVER: Final = datetime.max.replace(tzinfo=UTC)

_Group = tuple[str, str, str | None]


def fold(state: State, records: Iterable[Received], vocabulary: Vocabulary) -> State:
    """Return the state of a history that has grown by `records`."""
    return fold_acts(state, [act for record in records for act in acts_of(record, vocabulary)], vocabulary)


def state_at(records: Iterable[Received], vocabulary: Vocabulary, at: datetime) -> State:
    """Return what a whole history amounts to for a question about `at`.

    Refusals count whenever they are dated (ENG-TIME-01). What else is dated later than
    `at` hides nothing that came before it, but stays visible beside it. From
    `State.newest` on this gives the same acts and attempts as the fold.
    """
    known: list[Act] = []
    later: list[Act] = []
    for record in records:
        for act in acts_of(record, vocabulary):
            waits = act.at > at and act.signature.action not in vocabulary.refusals
            (later if waits else known).append(act)
    state = fold_acts(EMPTY, known, vocabulary)
    if not later:
        return state
    beside = fold_acts(EMPTY, later, vocabulary)
    return State(acts=_sorted(state.acts + beside.acts), attempts=state.attempts, newest=beside.newest)


def encode(state: State) -> bytes:
    """Return the bytes of a state. Equal states have equal bytes."""
    return _encoder.encode(state)


def decode(encoded: bytes, *, version: int = FORMAT) -> State:
    """Return the state that `encode` wrote.

    Raises:
        StateUnreadable: the bytes are damaged, or of another format.
    """
    if version != FORMAT:
        raise StateUnreadable("a state has another format", version=version)
    try:
        return _decoder.decode(encoded)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise StateUnreadable("a state is damaged") from None


def fold_acts(state: State, acts: Sequence[Act], vocabulary: Vocabulary) -> State:
    """Add acts to a state. Only the groups they belong to are looked at again."""
    groups: dict[_Group, set[Act]] = {}
    for act in acts:
        if act.signature.action not in vocabulary.attempts:
            groups.setdefault(_group(act), set()).add(act)
    visible = _untouched(state.acts, groups)
    spare = _untouched(state.spare, groups)
    wide = {_group(act): act for act in state.acts if act.signature.widened}

    for (action, _, purpose), members in groups.items():
        newest_first = sorted(members, key=_key, reverse=True)
        if action in vocabulary.refusals:
            kept, beyond = _refusals(newest_first, vocabulary.refusals_kept)
            if beyond is not None:
                candidate, place = _widened(beyond), (action, ANY, purpose)
                wide[place] = max(candidate, wide.get(place, candidate), key=_key)
        else:
            kept = _permissions(newest_first, vocabulary.permissions_kept)
        for act, shines in _outlived(kept):
            (visible if shines else spare).append(act)

    counted = [act for act in acts if act.signature.action in vocabulary.attempts]
    dates = [act.at for act in acts if act.signature.action not in vocabulary.refusals]
    return State(
        acts=_sorted([*visible, *wide.values()]),
        spare=_sorted(spare),
        attempts=_attempts([*state.attempts, *counted], vocabulary.attempts_kept),
        newest=max(dates if state.newest is None else [*dates, state.newest], default=None),
    )


def _untouched(held: Iterable[Act], groups: dict[_Group, set[Act]]) -> list[Act]:
    """Return the acts of other groups; those of `groups` join their new members there."""
    others = []
    for act in held:
        if act.signature.widened:
            continue
        if (group := groups.get(_group(act))) is None:
            others.append(act)
        else:
            group.add(act)
    return others


def _group(act: Act) -> _Group:
    signature = act.signature
    return signature.action.value, signature.channel, signature.purpose


def _permissions(newest_first: list[Act], limit: int) -> list[Act]:
    """Keep `limit` signatures and, of those that end, `limit` acts each.

    An act goes when it is older than the newest act of the last signature that fits. To
    ask for the signature's own rank instead would bring back, after a new act of the same
    signature, what a state can't remember.
    """
    kept: list[Act] = []
    counts: dict[Signature, int] = {}
    for act in newest_first:
        count = counts.get(act.signature, 0)
        if count < (limit if act.signature.expires else 1):
            kept.append(act)
            counts[act.signature] = count + 1
        if len(counts) == limit and count == 0:
            break
    return kept


def _refusals(newest_first: list[Act], limit: int) -> tuple[list[Act], Act | None]:
    """Keep the newest act of each of the newest `limit` signatures, and return the newest of the rest.

    Refusals that end at different times count as different here, so none of them has to
    make way for another within its signature.
    """
    latest: dict[tuple[Signature, datetime | None], Act] = {}
    for act in newest_first:
        latest.setdefault((act.signature, act.expires_at), act)
    kept = list(latest.values())
    return kept[:limit], kept[limit] if len(kept) > limit else None


def _widened(act: Act) -> Act:
    signature = Signature(action=act.signature.action, channel=ANY, purpose=act.signature.purpose, widened=True)
    return Act(id=act.id, at=act.at, signature=signature)


def _outlived(newest_first: list[Act]) -> Iterator[tuple[Act, bool]]:
    """Tell of each act whether it outlives every newer one of its signature."""
    ends: dict[Signature, datetime] = {}
    for act in newest_first:
        until = ends.get(act.signature)
        own = act.expires_at or _FOREVER
        shines = until is None or own > until
        if shines:
            ends[act.signature] = own
        yield act, shines


def _attempts(attempts: list[Act], limit: int) -> tuple[Act, ...]:
    channels: dict[tuple[str, str], list[Act]] = {}
    for act in sorted(set(attempts), key=_key, reverse=True):
        kept = channels.setdefault((act.signature.action, act.signature.channel), [])
        if len(kept) < limit:
            kept.append(act)
    return _sorted([act for kept in channels.values() for act in kept])


def _sorted(acts: Iterable[Act]) -> tuple[Act, ...]:
    return tuple(sorted(acts, key=lambda act: (act.at, act.id, act.signature.channel, act.signature.widened)))
