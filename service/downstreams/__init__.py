"""Connected systems: who is told of an erasure, how it reaches them, and what they answered."""

from service.downstreams.answering import call_off
from service.downstreams.assigning import AssignTasks, is_over, settled, told
from service.downstreams.domain import Identity, IdentityType, Person, TaskKind, TaskOutcome, TaskState
from service.downstreams.handing import drop_brought
from service.downstreams.introducing import Introduce, Introduced
from service.downstreams.ports import DownstreamStore, DownstreamTransaction, TakingTransaction

__all__ = [
    "AssignTasks",
    "DownstreamStore",
    "DownstreamTransaction",
    "Identity",
    "IdentityType",
    "Introduce",
    "Introduced",
    "Person",
    "TakingTransaction",
    "TaskKind",
    "TaskOutcome",
    "TaskState",
    "call_off",
    "drop_brought",
    "is_over",
    "settled",
    "told",
]
