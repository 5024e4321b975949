from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from service.audit import AuditTrail
from service.consent import Profile, RecordStore
from service.decisions import DecisionStore, Policy, PolicyData, Verdict
from service.kernel import SubjectId, TenantId
from service.subjects import SubjectStore
from service.trials.domain import Candidate, Change, Claimed, Misshapen, Plan, State, Trial


class TrialStore(Protocol):
    """The trials of one tenant. What was asked stays; how far each got moves on."""

    async def add(self, trial: UUID, plan: Plan, *, at: datetime, actor: str) -> None: ...

    async def unfinished(self) -> int:
        """Return how many trials neither ended nor failed."""
        ...

    async def find(self, trial: UUID) -> Trial | None: ...

    async def latest(self, *, before: UUID | None, limit: int) -> Sequence[Trial]:
        """Return trials, the newest first, from the one before `before` on."""
        ...

    async def claim(self, runner: UUID, now: datetime) -> Claimed | None:
        """Return the oldest trial that nobody goes on with, which is the runner's from now on."""
        ...

    async def advance(
        self, trial: UUID, runner: UUID, *, standing: bytes, done: int, total: int, now: datetime
    ) -> bool:
        """Store how far a trial got, and return whether it is still the runner's."""
        ...

    async def end(self, trial: UUID, runner: UUID, state: State, fault: str | None, now: datetime) -> bool:
        """Store that a trial is over, and return whether it was still the runner's."""
        ...

    async def release(self, trial: UUID, runner: UUID) -> None:
        """Leave a trial to whoever asks next."""
        ...

    async def add_changes(self, trial: UUID, changes: Sequence[Change]) -> None: ...

    async def changes(self, trial: UUID, *, after: UUID | None, limit: int) -> Sequence[Change]:
        """Return at most `limit` changes whose ids come after `after`, in their order."""
        ...


class Judge(Protocol):
    """A policy at work, apart from the one that answers everybody."""

    @property
    def policy(self) -> Policy: ...

    async def verdicts(self, facts: Sequence[bytes]) -> Sequence[Verdict]:
        """Return the verdict on each of `facts`.

        Raises:
            DecisionUnavailable: on one of them there is none.
        """
        ...


class Workbench(Protocol):
    """Where candidates are built. Nothing that is built here ever answers anybody else."""

    def opened(self, revision: str, candidate: Candidate) -> AbstractAsyncContextManager[Judge]:
        """Lend the policy that `candidate` would make of a revision; its overlay is a matter of the facts.

        Raises:
            CandidateRefused, TrialUnusable, RegoNotOffered: there is no such policy.
            DecisionUnavailable: the revision isn't there any more.
        """
        ...

    async def stated(self, revision: str) -> PolicyData | None:
        """Return the data that facts were stated with under a revision; nothing where it isn't there any more."""
        ...


class Shapes(Protocol):
    """What tables decisions rest on, and what each has to look like."""

    def __contains__(self, table: object) -> bool: ...

    def faults(self, table: str, document: Any) -> Iterator[Misshapen]:
        """Yield what is wrong with `document`, and never a value of it."""
        ...


class People(Protocol):
    async def profiles(self, tenant: TenantId, subjects: Sequence[SubjectId]) -> Sequence[Profile | None]:
        """Return the profile of each of `subjects`; nothing for one who is gone, or whose state can't be read."""
        ...


class TrialTransaction(Protocol):
    """What a use case about trials may touch; stored together or not at all."""

    @property
    def trials(self) -> TrialStore: ...
    @property
    def decisions(self) -> DecisionStore: ...
    @property
    def subjects(self) -> SubjectStore: ...
    @property
    def records(self) -> RecordStore: ...
    @property
    def audit(self) -> AuditTrail: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[TrialTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""

Wake = Callable[[TenantId], None]
"""Tells the runner of this process that a tenant has a trial that nobody goes on with."""
