"""Connected systems: who is told of an erasure, how it reaches them, and what they answered."""

from service.downstreams.assigning import AssignTasks, is_over, settled, told
from service.downstreams.domain import (
    LEASE,
    Fault,
    Identity,
    Person,
    TaskKind,
    TaskOutcome,
    TaskState,
    next_attempt,
)
from service.downstreams.ports import Chance, DownstreamStore, DownstreamTransaction, NotReached, Send, Together

__all__ = [
    "LEASE",
    "AssignTasks",
    "Chance",
    "DownstreamStore",
    "DownstreamTransaction",
    "Fault",
    "Identity",
    "NotReached",
    "Person",
    "Send",
    "TaskKind",
    "TaskOutcome",
    "TaskState",
    "Together",
    "is_over",
    "next_attempt",
    "settled",
    "told",
]
