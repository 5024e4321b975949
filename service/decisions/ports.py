from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec
from msgspec import Struct

from service.audit import Position, Secret, Traces
from service.consent import Profile, StoredRecord
from service.decisions.asking import Engine, Judged
from service.decisions.domain import Decision, Stored, Verdict
from service.decisions.memo import Memo
from service.decisions.permits import Permit
from service.decisions.policy import Policy
from service.kernel import Caller, Handle, SubjectId, TenantId


class PolicyEngine(Engine, Protocol):
    """An engine that can tell whether it would answer."""

    @property
    def revision(self) -> str:
        """Of its policy."""
        ...

    async def check(self) -> None:
        """Return when the engine is ready to answer.

        Raises:
            DecisionUnavailable: it doesn't answer, or has another policy.
        """
        ...


class Law(Struct, frozen=True, kw_only=True):
    """One revision of the policy at work: who judges, and what is remembered of it."""

    engine: PolicyEngine
    memo: Memo

    @property
    def policy(self) -> Policy:
        return self.memo.policy


class Laws(Protocol):
    """The revisions of the policy that can answer."""

    @property
    def shipped(self) -> Law:
        """The one that this version brings along."""
        ...

    async def of(self, revision: str | None) -> Law:
        """Return the law of a revision; the shipped one if none is named.

        Raises:
            DecisionUnavailable: it can't be loaded.
        """
        ...


class Logged(Struct, frozen=True, kw_only=True, eq=False):
    """A decision with all that is stored of it."""

    decision: Decision
    facts: bytes
    judged: Judged
    by: Caller
    secret: Secret | None = None
    """Of the subject. A decision about nobody we know is committed to under the tenant's."""
    permit: Permit | None = None
    """What is kept of the permit that goes with it."""


Issue = Callable[[Decision, Profile | None], Permit | None]
"""Returns what is to be kept of the permit that goes with a decision, if one does."""


class DecisionLog(Protocol):
    """Every answer that was ever given. It only grows."""

    async def append(self, logged: Logged) -> None:
        """Store the decision, what it points to and its audit entry. Durable when this returns.

        Raises:
            DecisionUnavailable: it could not be stored, so it must not be told.
        """
        ...


class LogEntry(Struct, frozen=True, kw_only=True):
    """A decision of the log without what it points to."""

    id: UUID
    decided_at: datetime
    channel: str
    purpose: str
    revision: str
    facts_hash: bytes


class Made(Struct, frozen=True, kw_only=True):
    """A decision about a person, with the answer of the policy and without what that was asked."""

    id: UUID
    decided_at: datetime
    at: datetime
    channel: str
    purpose: str
    permit: bool
    revision: str
    overlay_version: int
    verdict: bytes
    records: tuple[UUID, ...]
    actor: str

    @property
    def judged(self) -> Verdict:
        return msgspec.json.decode(self.verdict, type=Verdict)


class LogPlace(Struct, frozen=True):
    """A place in the log's order: time, then id."""

    decided_at: datetime
    id: UUID


class DecisionStore(Protocol):
    async def find(self, decision: UUID) -> Stored | None:
        """Return the decision with this id, if this tenant has one."""
        ...

    async def several(self, decisions: Collection[UUID]) -> Mapping[UUID, Stored]:
        """Return those of these decisions that this tenant has."""
        ...

    async def between(
        self, since: datetime, until: datetime, *, after: LogPlace | None, limit: int
    ) -> Sequence[LogEntry]:
        """Return decisions made from `since` on and before `until`, oldest first."""
        ...

    def about(self, handles: Collection[Handle]) -> AsyncIterator[Sequence[Made]]:
        """Yield all that was decided about a person, some at a time: one by one, then in batches, each oldest first."""
        ...

    async def in_batches(
        self,
        handles: Collection[Handle],
        *,
        since: datetime | None,
        until: datetime | None,
        after: Position | None,
        newest_first: bool,
        limit: int,
    ) -> Sequence[Stored]:
        """Return at most `limit` decisions of batches about a person, from `since` to before `until`, by (time, id).

        They come after a position in that order, or in the reverse one if it is `newest_first`.
        """
        ...

    async def count(self, since: datetime, until: datetime) -> int:
        """Return how many decisions were made from `since` on and before `until`."""
        ...

    async def judged(self, keys: Collection[tuple[str, bytes]]) -> Mapping[tuple[str, bytes], tuple[bytes, bytes]]:
        """Return facts and verdict for each pair of a revision and the hash of facts."""
        ...

    async def verdict(self, revision: str, facts_hash: bytes) -> bytes | None:
        """Return what the policy of `revision` once answered to these facts."""
        ...


class RecordHistory(Protocol):
    async def history(self, handle: Handle) -> Sequence[StoredRecord]:
        """Return every record of a subject."""
        ...


class Handles(Protocol):
    async def handle_of(self, subject: SubjectId) -> Handle | None:
        """Return the handle of a subject; ``None`` for one who is unknown, or was erased."""
        ...

    async def former(self, handle: Handle) -> AbstractSet[Handle]:
        """Return the handles that were merged into one: decisions from before name them."""
        ...


class DecisionTransaction(Protocol):
    """What a decision use case may touch."""

    @property
    def decisions(self) -> DecisionStore: ...
    @property
    def records(self) -> RecordHistory: ...
    @property
    def subjects(self) -> Handles: ...
    @property
    def traces(self) -> Traces: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[DecisionTransaction]]
