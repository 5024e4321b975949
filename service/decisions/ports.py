from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from service.consent import Record
from service.decisions.asking import Engine, Judged
from service.decisions.domain import Decision
from service.kernel import Caller, Handle, TenantId


class PolicyEngine(Engine, Protocol):
    """An engine that can tell whether it would answer."""

    async def check(self) -> None:
        """Return when the engine is ready to answer.

        Raises:
            DecisionUnavailable: it doesn't answer, or has another policy.
        """
        ...


class Logged(Struct, frozen=True, kw_only=True, eq=False):
    """A decision with all that is stored of it."""

    decision: Decision
    facts: bytes
    judged: Judged
    by: Caller


class DecisionLog(Protocol):
    """Every answer that was ever given. It only grows."""

    async def append(self, logged: Logged) -> None:
        """Store the decision, what it points to and its audit entry. Durable when this returns.

        Raises:
            DecisionUnavailable: it could not be stored, so it must not be told.
        """
        ...


class Stored(Struct, frozen=True, kw_only=True):
    """A row of the log and the rows it points to."""

    id: UUID
    handle: Handle | None
    channel: str
    purpose: str
    at: datetime
    decided_at: datetime
    permit: bool
    revision: str
    facts: bytes
    verdict: bytes
    records: tuple[UUID, ...]
    retry_after: str | None
    valid_until: datetime | None
    actor: str


class DecisionStore(Protocol):
    async def find(self, decision: UUID) -> Stored | None:
        """Return the decision with this id, if this tenant has one."""
        ...

    async def verdict(self, revision: str, facts_hash: bytes) -> bytes | None:
        """Return what the policy of `revision` once answered to these facts."""
        ...


class RecordHistory(Protocol):
    async def history(self, handle: Handle) -> Sequence[Record]:
        """Return every record of a subject."""
        ...


class DecisionTransaction(Protocol):
    """What a decision use case may touch."""

    @property
    def decisions(self) -> DecisionStore: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[DecisionTransaction]]
