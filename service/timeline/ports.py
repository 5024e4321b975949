from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from service.audit import Entry, SubjectLog
from service.consent import RecordStore
from service.decisions import DecisionStore
from service.kernel import Caller, TenantId
from service.reveals import RevealStore
from service.subjects import SubjectStore


class TimelineTransaction(Protocol):
    """What reading a timeline needs of a transaction."""

    @property
    def subject_log(self) -> SubjectLog: ...
    @property
    def subjects(self) -> SubjectStore: ...
    @property
    def records(self) -> RecordStore: ...
    @property
    def decisions(self) -> DecisionStore: ...
    @property
    def reveals(self) -> RevealStore: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[TimelineTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""


class Prove(Protocol):
    """Proves several entries against the newest checkpoint."""

    def __call__(self, entries: Sequence[Entry], *, by: Caller) -> Awaitable[Mapping[UUID, str]]:
        """Return the proofs of those that have their place in a signed tree."""
        ...
