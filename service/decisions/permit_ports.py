from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from service.audit import AuditTrail
from service.decisions.permits import Kept
from service.kernel import SubjectId, TenantId


class PermitStore(Protocol):
    async def stamp(self, subject: SubjectId) -> bytes | None:
        """Return a hash of all that may end a permit of this subject by changing; ``None`` for one who is unknown."""
        ...

    async def find(self, jti: UUID) -> Kept | None:
        """Return what is kept of a permit of this tenant."""
        ...

    async def burn(self, jti: UUID, at: datetime) -> bool:
        """Use a permit up; return whether it had not been before. Of several at once one gets a yes."""
        ...

    async def ended(self, since: datetime) -> Sequence[UUID]:
        """Return the permits that expire after `since`, and since whose question anything has changed."""
        ...

    async def kids(self, since: datetime) -> Collection[str]:
        """Return by which keys permits were signed that expire after `since`."""
        ...


class PermitTransaction(Protocol):
    @property
    def permits(self) -> PermitStore: ...
    @property
    def audit(self) -> AuditTrail: ...


BeginPermits = Callable[[TenantId], AbstractAsyncContextManager[PermitTransaction]]

PublicKeys = Callable[[str], Awaitable[Sequence[tuple[str, bytes, datetime]]]]
"""Returns verifier key, public half and first instant of each key of a tenant's log and receipts."""
