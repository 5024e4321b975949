"""What systems are told, and what they say to it, in the bodies of messages."""

from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from service.downstreams.domain import Answer, Identity, Person, Task, TaskKind, TaskState
from service.kernel import Instant, SubjectId

TYPE: Final = "task.assigned"


class _Told(Struct, frozen=True, kw_only=True):
    task: UUID
    request: UUID
    kind: TaskKind
    subjects: tuple[SubjectId, ...]
    identities: tuple[Identity, ...]
    answer_by: Instant


class _Message(Struct, frozen=True, kw_only=True):
    type: str
    timestamp: Instant
    data: _Told


class _Said(Struct, frozen=True, kw_only=True):
    task: UUID
    outcome: Literal["confirmed", "refused"]
    ground: str | None = None


def body_of(task: Task, person: Person) -> bytes:
    """Return the message that tells a task: the same bytes at each attempt of a round."""
    told = _Told(
        task=task.id,
        request=task.request,
        kind=task.kind,
        subjects=person.subjects,
        identities=person.identities,
        answer_by=task.silent_at,
    )
    return msgspec.json.encode(_Message(type=TYPE, timestamp=task.assigned_at, data=told))


def said_in(body: bytes, task: Task) -> Answer | None:
    """Return the answer that the body of a success holds. Most hold none: the system says so later."""
    try:
        said = msgspec.json.decode(body, type=_Said)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if said.task != task.id or (said.outcome == "refused") is (said.ground is None):
        return None
    return Answer(outcome=TaskState(said.outcome), ground=said.ground)
