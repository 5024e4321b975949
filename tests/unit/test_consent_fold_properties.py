"""What holds for the fold of every history, compared with the history itself."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from service.consent import EMPTY, Act, Action, Channel, Record, RecordChannel, Signature, State, fold, state_at
from service.consent.fold import decode, encode
from service.consent.signatures import acts_of
from tests.builders import NOON, VOCABULARY, a_record, a_vocabulary

TIGHT = a_vocabulary(permissions_kept=2, refusals_kept=2, attempts_kept=2)
"""Bounds that nearly every history breaks."""


def hour(number: int) -> datetime:
    return NOON + timedelta(hours=number)


LATEST = 8
instants = st.integers(0, LATEST).map(hour)
moments = st.integers(0, 20).map(hour)


def a_varied_record(**changes) -> st.SearchStrategy[Record]:
    return st.builds(
        a_record,
        **{
            "id": st.integers(0, 2**64).map(lambda number: UUID(int=number)),
            "ts": instants,
            "received_at": st.integers(4, LATEST).map(hour),
            "channel": st.sampled_from([RecordChannel.EMAIL, RecordChannel.ANY, (Channel.EMAIL, Channel.SMS)]),
            "action": st.sampled_from([Action.OPT_IN, Action.OPT_OUT, Action.PURCHASE, Action.CALL_ATTEMPT]),
            "purpose": st.sampled_from(["marketing", "all", None]),
            "method": st.sampled_from(["web_form", "pre_ticked_box"]),
            "brand": st.sampled_from([None, "A", "B"]),
            "expires_at": st.none() | st.integers(5, 16).map(hour),
            **changes,
        },
    )


def histories(strategy: st.SearchStrategy[Record], most: int) -> st.SearchStrategy[list[Record]]:
    return st.lists(strategy, max_size=most, unique_by=lambda record: record.id)


# Few signatures, many acts of each: what the bounds are about.
crowded = a_varied_record(
    channel=st.just(RecordChannel.EMAIL),
    action=st.sampled_from([Action.OPT_IN, Action.OPT_OUT]),
    purpose=st.just("marketing"),
    method=st.just("web_form"),
    brand=st.sampled_from([None, "A", "B", "C"]),
)
any_history = histories(a_varied_record(), 30) | histories(crowded, 30)
within_bounds = histories(a_varied_record(), 12) | histories(crowded, 12)


def acts(history: Iterable[Record]) -> list[Act]:
    return [act for record in history for act in acts_of(record, VOCABULARY)]


def lives(act: Act, at: datetime) -> bool:
    return act.expires_at is None or act.expires_at > at


def newest_alive(among: Iterable[Act], at: datetime) -> dict[Signature, Act]:
    """Return per signature the newest act that has not ended."""
    found: dict[Signature, Act] = {}
    for act in sorted(among, key=lambda act: act.key):
        if lives(act, at):
            found[act.signature] = act
    return found


@given(
    st.sampled_from([VOCABULARY, TIGHT]), any_history.flatmap(lambda one: st.tuples(st.just(one), st.permutations(one)))
)
@settings(max_examples=500)
def test_any_order_of_arrival_gives_the_same_state(vocabulary, orders):
    one, other = orders

    assert encode(fold(EMPTY, one, vocabulary)) == encode(fold(EMPTY, other, vocabulary))


@given(st.sampled_from([VOCABULARY, TIGHT]), any_history, st.data())
@settings(max_examples=500)
def test_folding_step_by_step_through_the_stored_bytes_equals_folding_at_once(vocabulary, history, data):
    state = EMPTY
    rest = list(history)
    while rest:
        size = data.draw(st.integers(1, 4))
        state = decode(encode(fold(state, rest[:size], vocabulary)))
        rest = rest[size:]

    assert state == fold(EMPTY, history, vocabulary)


@given(st.sampled_from([VOCABULARY, TIGHT]), any_history)
def test_folding_a_history_twice_changes_nothing(vocabulary, history):
    state = fold(EMPTY, history, vocabulary)

    assert fold(state, history[-1:], vocabulary) == state


@given(within_bounds, moments)
@settings(max_examples=2_000)
def test_the_state_answers_like_the_history(history, at):
    state = fold(EMPTY, history, VOCABULARY)
    at = max(at, state.newest or at)
    counted = [act for act in acts(history) if act.signature.action is not Action.CALL_ATTEMPT]

    assert newest_alive(state.acts, at) == newest_alive(counted, at)


@given(any_history, moments)
@settings(max_examples=1_000)
def test_a_refusal_is_never_lost(history, at):
    state = fold(EMPTY, history, TIGHT)
    held = [act for act in state.acts if act.signature.action in TIGHT.refusals]

    for refusal in acts(history):
        if refusal.signature.action in TIGHT.refusals and lives(refusal, at):
            assert any(reaches(act, refusal) and lives(act, at) and act.at >= refusal.at for act in held)


def reaches(act: Act, refusal: Act) -> bool:
    """Whether `act` says at least what `refusal` does."""
    if act.signature == refusal.signature:
        return True
    mine, other = act.signature, refusal.signature
    return mine.widened and (mine.action, mine.purpose) == (other.action, other.purpose)


@given(any_history)
def test_what_a_state_holds_was_said(history):
    said = set(acts(history))
    state = fold(EMPTY, history, TIGHT)

    assert {act for act in (*state.acts, *state.spare) if not act.signature.widened} <= said


@given(any_history)
def test_a_tie_is_never_resolved_in_favour_of_sending(history):
    """The latest refusal is always there, with its own time, so policy sees that they are equal."""
    said = [act for act in acts(history) if act.signature.action in TIGHT.refusals]
    state = fold(EMPTY, history, TIGHT)

    if said:
        latest = max(act.at for act in said)
        assert latest in {act.at for act in state.acts if act.signature.action in TIGHT.refusals}


@given(histories(a_varied_record(brand=st.integers(0, 60).map(str)), 120))
@settings(max_examples=50)
def test_a_state_is_bounded(history):
    assert_bounded(fold(EMPTY, history, VOCABULARY))
    assert_bounded(fold(EMPTY, history, TIGHT), TIGHT)


def assert_bounded(state: State, vocabulary=VOCABULARY) -> None:
    groups: dict[tuple[str, str, str | None], list[Act]] = {}
    for act in (*state.acts, *state.spare):
        if not act.signature.widened:
            groups.setdefault((act.signature.action, act.signature.channel, act.signature.purpose), []).append(act)
    for (action, _, _), held in groups.items():
        if action in vocabulary.refusals:
            assert len(held) <= vocabulary.refusals_kept
        else:
            assert len({act.signature for act in held}) <= vocabulary.permissions_kept
            assert len(held) <= vocabulary.permissions_kept**2


@given(any_history, moments)
@settings(max_examples=500)
def test_from_its_newest_act_on_the_state_is_what_the_history_says_at_any_time(history, at):
    state = fold(EMPTY, history, VOCABULARY)
    at = max(at, state.newest or at)

    assert state_at(history, VOCABULARY, at) == state


@given(within_bounds, moments)
@settings(max_examples=1_000)
def test_a_question_about_the_past_is_answered_from_what_had_happened(history, at):
    state = state_at(history, VOCABULARY, at)
    known = [
        act
        for act in acts(history)
        if act.signature.action is not Action.CALL_ATTEMPT
        and (act.at <= at or act.signature.action in VOCABULARY.refusals)
    ]
    shown = [act for act in state.acts if act.at <= at or act.signature.action in VOCABULARY.refusals]

    assert newest_alive(shown, at) == newest_alive(known, at)
    assert all(act.at <= at for act in state.attempts)
