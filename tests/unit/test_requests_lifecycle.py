"""The table of moves: where a request can get, and what it can never get around."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.requests.lifecycle import (
    MOVES,
    OPEN,
    Happened,
    Move,
    MoveNotAllowed,
    Needs,
    Progress,
    State,
    VerificationNeeded,
    advanced,
    escalations,
    possible,
    progress_of,
)
from service.requests.rights import Verification

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LEVELS = st.sampled_from(list(Verification))
SUFFICIENT = st.frozensets(LEVELS, min_size=1)
ENDS = {State.CLOSED, State.REFUSED, State.WITHDRAWN}


def happened(number: int, move: Move, **more: object) -> Happened:
    return Happened(number=number, move=move, at=NOON, actor="officer", **more)  # type: ignore[arg-type]


def needs(*levels: Verification, agent: bool = False, liftable: bool = False) -> Needs:
    return Needs(sufficient=frozenset(levels or Verification), agent=agent, liftable=liftable)


class Requests(RuleBasedStateMachine):
    """Somebody tries every move in every state, with whatever proof."""

    def __init__(self) -> None:
        super().__init__()
        self.needs = needs()
        self.history: list[Happened] = []
        self.progress: Progress | None = None
        self.states: list[State] = []

    @initialize(sufficient=SUFFICIENT, agent=st.booleans(), liftable=st.booleans())
    def receive(self, sufficient: frozenset[Verification], agent: bool, liftable: bool) -> None:
        self.needs = Needs(sufficient=sufficient, agent=agent, liftable=liftable)
        self._try(Move.RECEIVE, Verification.NONE, None)

    @rule(move=st.sampled_from(list(Move)), proves=LEVELS, authority=st.sampled_from([None, "signed_permission"]))
    def move(self, move: Move, proves: Verification, authority: str | None) -> None:
        self._try(move, proves, authority)

    def _try(self, move: Move, proves: Verification, authority: str | None) -> None:
        step = happened(len(self.history) + 1, move, proves=proves, authority=authority)
        before = self.progress
        try:
            self.progress = advanced(before, step, self.needs)
        except (MoveNotAllowed, VerificationNeeded):
            return
        assert before is None or move in possible(before, self.needs)
        self.history.append(step)
        self.states.append(self.progress.state)

    @invariant()
    def nothing_is_carried_out_for_whom_nobody_knows(self) -> None:
        if State.EXECUTING in self.states:
            proofs = [step for step in self.history if step.move in {Move.VERIFY, Move.AUTHORISE}]
            shown = [step for step in proofs if step.move is Move.VERIFY]
            assert shown
            assert shown[-1].proves in self.needs.sufficient
            assert not self.needs.agent or any(step.authority for step in proofs)

    @invariant()
    def what_is_closed_was_answered(self) -> None:
        if State.CLOSED in self.states:
            assert State.ANSWERED in self.states[: self.states.index(State.CLOSED)]

    @invariant()
    def an_end_is_an_end(self) -> None:
        ended = [number for number, state in enumerate(self.states) if state in ENDS]
        if ended:
            assert set(self.states[ended[0] :]) == {self.states[ended[0]]}

    @invariant()
    def some_things_happen_once_at_most(self) -> None:
        for once in (Move.EXTEND, Move.ACKNOWLEDGE, Move.AUTHORISE, Move.ASK_FEE, Move.FEE_PAID, Move.LIFT):
            assert sum(step.move is once for step in self.history) <= 1

    @invariant()
    def a_fee_is_paid_that_was_asked_for(self) -> None:
        moves = [step.move for step in self.history]
        assert Move.FEE_PAID not in moves or Move.ASK_FEE in moves[: moves.index(Move.FEE_PAID)]

    @invariant()
    def who_joined_another_does_nothing_before_it_is_reopened(self) -> None:
        for before, step in zip(self.states, self.history[1:], strict=False):
            assert before is not State.DUPLICATE or step.move is Move.REOPEN

    @invariant()
    def the_state_is_what_happened(self) -> None:
        if self.progress is not None:
            assert progress_of(self.history, self.needs) == self.progress
            assert self.progress.version == len(self.history)


TestRequests = Requests.TestCase
TestRequests.settings = settings(max_examples=150, stateful_step_count=15, deadline=None)


def test_every_state_can_be_reached_and_every_open_one_left():
    reachable = {State.RECEIVED} | {onward for ways in MOVES.values() for onward in ways.values()}

    assert reachable == set(State)
    for state in OPEN:
        assert any(ways.get(state, state) is not state for ways in MOVES.values())


def test_the_way_of_a_request_that_is_granted():
    way = [Move.RECEIVE, Move.ASK_IDENTITY, Move.VERIFY, Move.CLARIFY, Move.CLARIFIED, Move.EXTEND, Move.EXECUTE]
    way += [Move.COMPLETE, Move.CLOSE]

    progress = progress_of([happened(number, move) for number, move in enumerate(way, 1)], needs())

    assert (progress.state, progress.extended, progress.version) == (State.CLOSED, True, 9)


def test_too_little_proof_moves_nothing():
    started = [happened(1, Move.RECEIVE)]
    weak = happened(2, Move.VERIFY, proves=Verification.SESSION)

    with pytest.raises(VerificationNeeded) as refused:
        progress_of([*started, weak], needs(Verification.HIGH))
    assert refused.value.details == {"needed": ["high"], "verified": "session"}
    with pytest.raises(VerificationNeeded, match="authority"):
        progress_of([*started, weak], needs(Verification.SESSION, agent=True))


def test_a_refused_move_is_told_with_those_that_can_follow():
    with pytest.raises(MoveNotAllowed) as refused:
        progress_of([happened(1, Move.RECEIVE), happened(2, Move.CLOSE)], needs())

    assert refused.value.details["moves"] == [
        "acknowledge", "ask-fee", "ask-identity", "extend", "join", "refuse", "verify", "withdraw",
    ]  # fmt: skip


def test_what_was_not_received_can_not_go_on():
    for history in ([], [happened(1, Move.VERIFY)], [happened(2, Move.RECEIVE)]):
        with pytest.raises(MoveNotAllowed):
            progress_of(history, needs())


def test_only_what_can_be_lifted_is_lifted_and_once():
    way = [Move.RECEIVE, Move.VERIFY, Move.EXECUTE, Move.COMPLETE, Move.LIFT]
    history = [happened(number, move) for number, move in enumerate(way, 1)]

    assert progress_of(history, needs(liftable=True)).lifted
    with pytest.raises(MoveNotAllowed):
        progress_of(history, needs())
    with pytest.raises(MoveNotAllowed):
        progress_of([*history, happened(6, Move.LIFT)], needs(liftable=True))


def test_somebody_is_told_at_half_at_four_fifths_and_at_the_end():
    assert escalations(NOON, NOON + timedelta(days=10)) == (
        (50, NOON + timedelta(days=5)),
        (80, NOON + timedelta(days=8)),
        (100, NOON + timedelta(days=10)),
    )
