from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from service.audit import AuditTrail
from service.decisions import Overlay
from service.events import Outbox
from service.kernel import TenantId
from service.policies.domain import Activation, Artefacts, Asked, Judgement, Kept, Stored


class OverlayStore(Protocol):
    """The overlays of one tenant, every version."""

    async def current(self) -> Stored:
        """Return the latest version."""
        ...

    async def version(self, number: int) -> Stored | None: ...

    async def versions(self, *, before: int | None, limit: int) -> Sequence[Stored]:
        """Return what was stored, the latest first, from the one before `before` on."""
        ...

    async def add(self, version: int, overlay: Overlay, at: datetime, actor: str) -> bool:
        """Store `version`, and return whether it was free."""
        ...


class RevisionStore(Protocol):
    """Every policy that was ever added, and which of them governed when. Only the owner's role adds."""

    async def add(self, artefacts: Artefacts, at: datetime) -> bool:
        """Store a revision, and return whether it was new. What is stored stays, unless it is damaged."""
        ...

    async def find(self, revision: str) -> Artefacts | None:
        """Return a revision.

        Raises:
            RevisionDamaged
        """
        ...

    async def never_activated(self) -> Sequence[Kept]:
        """Return what came with a version and was kept, and never activated, the latest first."""
        ...

    async def activate(self, revision: str, at: datetime, actor: str) -> None:
        """Let a stored revision govern from the next read on."""
        ...

    async def activations(self) -> Sequence[Activation]:
        """Return what has governed, the latest first."""
        ...


class RecentFacts(Protocol):
    """What tenants were asked of late. Crosses tenants, so only the owner's role sees and keeps anything here."""

    async def asked(self, tenant: TenantId, since: datetime) -> Sequence[Asked]:
        """Return the facts behind the decisions made from `since` on, each once."""
        ...

    async def facts(self, tenant: TenantId, hashes: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return canonical facts by their hash."""
        ...

    async def keep(self, tenant: TenantId, revision: str, judgements: Sequence[Judgement]) -> None:
        """Keep verdicts, so that nobody has to ask for them again. What is kept already stays."""
        ...


class PolicyTransaction(Protocol):
    """What a use case about policies may touch; stored together or not at all."""

    @property
    def overlays(self) -> OverlayStore: ...
    @property
    def revisions(self) -> RevisionStore: ...
    @property
    def recent(self) -> RecentFacts: ...
    @property
    def audit(self) -> AuditTrail: ...
    @property
    def outbox(self) -> Outbox: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[PolicyTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""
