"""Connected systems: who is told of an erasure, how it reaches them, and what they answered."""

from service.downstreams.answering import call_off, call_off_copies, owed
from service.downstreams.assigning import AssignTasks, is_over, settled, told
from service.downstreams.domain import (
    LEASE,
    Fault,
    Identity,
    IdentityType,
    Person,
    TaskKind,
    TaskOutcome,
    TaskState,
    next_attempt,
)
from service.downstreams.handing import drop_brought
from service.downstreams.introducing import Introduce, Introduced
from service.downstreams.ports import (
    Chance,
    DownstreamStore,
    DownstreamTransaction,
    NotReached,
    Send,
    TakingTransaction,
    Together,
)

__all__ = [
    "LEASE",
    "AssignTasks",
    "Chance",
    "DownstreamStore",
    "DownstreamTransaction",
    "Fault",
    "Identity",
    "IdentityType",
    "Introduce",
    "Introduced",
    "NotReached",
    "Person",
    "Send",
    "TakingTransaction",
    "TaskKind",
    "TaskOutcome",
    "TaskState",
    "Together",
    "call_off",
    "call_off_copies",
    "drop_brought",
    "is_over",
    "next_attempt",
    "owed",
    "settled",
    "told",
]
