"""Connected systems: who is told of an erasure, how it reaches them, and what they answered."""

from service.downstreams.assigning import AssignTasks, is_over, settled, told
from service.downstreams.domain import Identity, Person, TaskKind, TaskOutcome, TaskState
from service.downstreams.ports import DownstreamStore, DownstreamTransaction

__all__ = [
    "AssignTasks",
    "DownstreamStore",
    "DownstreamTransaction",
    "Identity",
    "Person",
    "TaskKind",
    "TaskOutcome",
    "TaskState",
    "is_over",
    "settled",
    "told",
]
