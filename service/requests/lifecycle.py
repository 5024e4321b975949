"""The life of a request: one table of moves, and what must be so before some of them.

A request is what happened to it: its state is a fold over its moves, never a word that somebody set.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from service.kernel import DomainError, Instant
from service.requests.rights import Verification


class MoveNotAllowed(DomainError):
    """As the request stands, that can't follow. The answer names what can."""

    code = "move_not_allowed"


class VerificationNeeded(DomainError):
    """It is not sure enough who asks, or that they may ask for another."""

    code = "verification_needed"


class State(StrEnum):
    RECEIVED = "received"
    VERIFYING = "verifying"
    """Somebody was asked to show who they are."""
    ACCEPTED = "accepted"
    CLARIFYING = "clarifying"
    """Somebody was asked what they mean."""
    EXECUTING = "executing"
    ANSWERED = "answered"
    CLOSED = "closed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    DUPLICATE = "duplicate"
    """Another request for the same was open: that one goes on."""


class Move(StrEnum):
    RECEIVE = "receive"
    JOIN = "join"
    REOPEN = "reopen"
    ACKNOWLEDGE = "acknowledge"
    ASK_IDENTITY = "ask-identity"
    AUTHORISE = "authorise"
    VERIFY = "verify"
    EXTEND = "extend"
    ASK_FEE = "ask-fee"
    FEE_PAID = "fee-paid"
    CLARIFY = "clarify"
    CLARIFIED = "clarified"
    EXECUTE = "execute"
    COMPLETE = "complete"
    CLOSE = "close"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    LIFT = "lift"


S = State
FULL: Final = 100
"""Percent: all of a period."""
OPEN: Final = frozenset({S.RECEIVED, S.VERIFYING, S.ACCEPTED, S.CLARIFYING, S.EXECUTING})
"""The states in which the clock runs: nobody has answered yet."""

MOVES: Final[Mapping[Move, Mapping[State, State]]] = {
    Move.JOIN: {S.RECEIVED: S.DUPLICATE},
    Move.REOPEN: {S.DUPLICATE: S.RECEIVED},
    Move.ACKNOWLEDGE: {state: state for state in OPEN},
    Move.ASK_IDENTITY: {S.RECEIVED: S.VERIFYING},
    Move.AUTHORISE: {S.RECEIVED: S.RECEIVED, S.VERIFYING: S.VERIFYING},
    Move.VERIFY: {S.RECEIVED: S.ACCEPTED, S.VERIFYING: S.ACCEPTED},
    Move.EXTEND: {state: state for state in OPEN},
    Move.ASK_FEE: {state: state for state in OPEN - {S.EXECUTING}},
    Move.FEE_PAID: {state: state for state in OPEN},
    Move.CLARIFY: {S.ACCEPTED: S.CLARIFYING},
    Move.CLARIFIED: {S.CLARIFYING: S.ACCEPTED},
    Move.EXECUTE: {S.ACCEPTED: S.EXECUTING},
    Move.COMPLETE: {S.EXECUTING: S.ANSWERED},
    Move.CLOSE: {S.ANSWERED: S.CLOSED},
    Move.REFUSE: dict.fromkeys(OPEN, S.REFUSED),
    Move.WITHDRAW: dict.fromkeys(OPEN - {S.EXECUTING}, S.WITHDRAWN),
    Move.LIFT: {S.ANSWERED: S.ANSWERED, S.CLOSED: S.CLOSED},
}
"""Whatever is not in this table can't happen. Receipt alone comes from nowhere."""


class Happened(Struct, frozen=True, kw_only=True):
    """One move of a request. Never changed."""

    number: int
    """From 1, which is the receipt."""
    move: Move
    at: Instant
    actor: str
    reason: str | None = None
    """A word of policy data: how identity was shown, or why it is refused or takes longer."""
    authority: str | None = None
    """What an agent showed."""
    proves: Verification = Verification.NONE
    """With `verify`: how sure it is, since then, who asks."""


class Needs(Struct, frozen=True, kw_only=True):
    """What a right asks of whoever uses it."""

    sufficient: frozenset[Verification]
    agent: bool
    """Whether somebody asks for another, so that their authority has to be shown as well."""
    liftable: bool = False
    """Whether what it brings about can be lifted: a restriction."""


class Progress(Struct, frozen=True, kw_only=True):
    """How far a request is."""

    state: State
    version: int
    """The number of its moves."""
    verified: Verification = Verification.NONE
    authorised: bool = False
    acknowledged: bool = False
    fee_asked: bool = False
    fee_paid: bool = False
    extended: bool = False
    lifted: bool = False


def advanced(progress: Progress | None, happened: Happened, needs: Needs) -> Progress:
    """Return how far a request is after one more move.

    Raises:
        MoveNotAllowed, VerificationNeeded: it stays where it is.
    """
    if progress is None:
        if happened.move is not Move.RECEIVE or happened.number != 1:
            raise MoveNotAllowed("a request begins with its receipt")
        return Progress(state=State.RECEIVED, version=1)
    onward = MOVES.get(happened.move, {}).get(progress.state)
    if onward is None or happened.number != progress.version + 1 or not _sensible(progress, happened.move, needs):
        raise MoveNotAllowed(f"it is {progress.state}", state=progress.state, moves=sorted(possible(progress, needs)))
    if happened.move is Move.AUTHORISE and happened.authority is None:
        raise VerificationNeeded("an agent has to show their authority", pointers=["/authority"])
    if happened.move in {Move.AUTHORISE, Move.VERIFY} and happened.authority is not None:
        progress = replace(progress, authorised=True)
    if happened.move is Move.VERIFY:
        progress = replace(progress, verified=happened.proves)
        check_proven(progress, needs)
    elif happened.move is Move.EXECUTE:
        check_proven(progress, needs)
    return replace(
        progress,
        state=onward,
        version=happened.number,
        acknowledged=progress.acknowledged or happened.move is Move.ACKNOWLEDGE,
        fee_asked=progress.fee_asked or happened.move is Move.ASK_FEE,
        fee_paid=progress.fee_paid or happened.move is Move.FEE_PAID,
        extended=progress.extended or happened.move is Move.EXTEND,
        lifted=progress.lifted or happened.move is Move.LIFT,
    )


def check_proven(progress: Progress, needs: Needs) -> None:
    """Refuse to go on with a request of which nobody knows well enough whose it is.

    Raises:
        VerificationNeeded
    """
    if progress.verified not in needs.sufficient:
        raise VerificationNeeded(
            "this right needs more", pointers=["/reason"], needed=sorted(needs.sufficient), verified=progress.verified
        )
    if needs.agent and not progress.authorised:
        raise VerificationNeeded("an agent has to show their authority", pointers=["/authority"])


def possible(progress: Progress, needs: Needs) -> frozenset[Move]:
    """Return the moves of the table that can follow."""
    return frozenset(
        move for move, ways in MOVES.items() if progress.state in ways and _sensible(progress, move, needs)
    )


def progress_of(history: Iterable[Happened], needs: Needs) -> Progress:
    """Return how far a request is after all that happened, oldest first.

    Raises:
        MoveNotAllowed, VerificationNeeded: it can't have happened like that.
    """
    progress: Progress | None = None
    for happened in history:
        progress = advanced(progress, happened, needs)
    if progress is None:
        raise MoveNotAllowed("nothing happened")
    return progress


def _sensible(progress: Progress, move: Move, needs: Needs) -> bool:
    """Return whether a move that the table allows makes sense: most of those that leave the state do so once."""
    match move:
        case Move.EXTEND:
            return not progress.extended
        case Move.ACKNOWLEDGE:
            return not progress.acknowledged
        case Move.AUTHORISE:
            return needs.agent and not progress.authorised
        case Move.ASK_FEE:
            return not progress.fee_asked
        case Move.FEE_PAID:
            return progress.fee_asked and not progress.fee_paid
        case Move.LIFT:
            return needs.liftable and not progress.lifted
        case _:
            return True


def escalations(received_at: datetime, due_at: datetime) -> tuple[tuple[int, datetime], ...]:
    """Return the shares of a period, in percent, at which somebody is told, and when those are over."""
    whole = due_at - received_at
    return tuple((share, received_at + whole * share / FULL) for share in (50, 80, FULL))


def elapsed(received_at: datetime, due_at: datetime, now: datetime) -> int:
    """Return the last of these shares that is over, in percent; 0 before the first."""
    return max((share for share, over in escalations(received_at, due_at) if now >= over), default=0)
