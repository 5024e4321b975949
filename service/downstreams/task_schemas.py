from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from service.downstreams.domain import Answer, Person, Task, TaskKind, TaskState
from service.downstreams.files import File
from service.kernel import exactly

Word = Annotated[str, exactly("[a-z][a-z_]{0,62}")]
"""A word of the table of reasons. No sentence fits, so that nobody is named in one."""


class TaskConfirm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a system did what its task says."""

    task: UUID
    """The task of the address: what is signed is the body alone."""
    outcome: Literal["confirmed"]

    def answer(self) -> Answer:
        return Answer(outcome=TaskState.CONFIRMED)


class TaskRefuse(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a system doesn't do what its task says, and why."""

    task: UUID
    """The task of the address: what is signed is the body alone."""
    outcome: Literal["refused"]
    ground: Word

    def answer(self) -> Answer:
        return Answer(outcome=TaskState.REFUSED, ground=self.ground)


class FileBring(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of what a system holds about a person, under an id of its own."""

    task: UUID
    """The task of the address: what is signed is the body alone."""
    file: UUID
    """The file of the address."""
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    """What you call it."""
    media_type: Annotated[str, exactly("[a-z0-9][a-z0-9.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,63}")]
    content: bytes
    """In base64; 16 MiB at most."""

    def plain(self) -> File:
        return File(name=self.name, media_type=self.media_type, content=self.content)


class FileView(Struct, frozen=True, kw_only=True):
    """That a file was taken."""

    id: UUID
    task: UUID
    size: int
    """Bytes of its content."""


class TaskExcuse(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a case goes on without an answer."""

    reason: Word


class TaskView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a system was told to do, and how far that got. Whom it is about is the request's to say."""

    id: UUID
    system: str
    request: UUID
    kind: TaskKind
    state: TaskState
    assigned_at: datetime
    answer_by: datetime
    """When it counts as silent."""
    attempts: int
    """How often it was taken there since the system last answered."""
    told_at: datetime | None = None
    settled_at: datetime | None = None
    ground: str | None = None
    """Why the system refused, or the officer excused."""
    fault: str | None = None
    """Why the last attempt brought nothing."""

    @classmethod
    def of(cls, task: Task) -> "TaskView":
        return cls(
            id=task.id,
            system=task.system,
            request=task.request,
            kind=task.kind,
            state=task.state,
            assigned_at=task.assigned_at,
            answer_by=task.silent_at,
            attempts=task.attempts,
            told_at=task.told_at,
            settled_at=task.settled_at,
            ground=task.ground,
            fault=task.fault,
        )


class TaskPage(Struct, frozen=True, kw_only=True):
    """Tasks, the oldest first."""

    tasks: Sequence[TaskView]


class IdentityView(Struct, frozen=True, kw_only=True):
    """One thing by which a system knows a person."""

    type: str
    value: str


class OwnTaskView(Struct, frozen=True, kw_only=True):
    """A task as its system sees it."""

    id: UUID
    request: UUID
    kind: TaskKind
    subjects: Sequence[str]
    """The person, by the tenant's own ids: several of who was merged."""
    identities: Sequence[IdentityView]
    assigned_at: datetime
    answer_by: datetime

    @classmethod
    def of(cls, task: Task, person: Person) -> "OwnTaskView":
        return cls(
            id=task.id,
            request=task.request,
            kind=task.kind,
            subjects=person.subjects,
            identities=[IdentityView(type=each.type, value=each.value) for each in person.identities],
            assigned_at=task.assigned_at,
            answer_by=task.silent_at,
        )


class OwnTaskPage(Struct, frozen=True, kw_only=True):
    """The tasks to which a system owes an answer, the oldest first."""

    tasks: Sequence[OwnTaskView]
