"""Connected systems: who is told of an erasure, how it reaches them, and what they answered."""

from service.downstreams.assigning import AssignTasks, is_over, settled, told
from service.downstreams.domain import Identity, IdentityType, Person, TaskKind, TaskOutcome, TaskState
from service.downstreams.introducing import Introduce, Introduced
from service.downstreams.ports import DownstreamStore, DownstreamTransaction

__all__ = [
    "AssignTasks",
    "DownstreamStore",
    "DownstreamTransaction",
    "Identity",
    "IdentityType",
    "Introduce",
    "Introduced",
    "Person",
    "TaskKind",
    "TaskOutcome",
    "TaskState",
    "is_over",
    "settled",
    "told",
]
