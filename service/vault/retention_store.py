from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Caller, Handle, TenantId
from service.vault.retention import Piece, Reached, Retained

_RETAINED: Final = text("SELECT tenant, field, days FROM vault_retained() ORDER BY tenant, field")
_EXPIRE: Final = text(
    """
    SELECT removed, held, seen, last_at, last_handle, last_label, last_version FROM vault_expire(
        :tenant, :field, :at, :limit, :dry, CAST(:after_at AS timestamptz), :handle, :label, :version,
        :entry, CAST(:request AS uuid), :actor
    )
    """
)
_NOBODY: Final = UUID(int=0)
_FIRST: Final[dict[str, Any]] = {"after_at": "-infinity", "handle": _NOBODY, "label": "", "version": 0}
_ONLY_ASKED: Final[dict[str, Any]] = {"dry": True, "entry": _NOBODY, "request": str(_NOBODY), "actor": "operator"}


class SqlRetentionStore:
    """Removes versions by the function that may, as the worker's role.

    Never commits: the transaction that built the store does.
    """

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def retained(self) -> Sequence[Retained]:
        found = await self._connection.execute(_RETAINED)
        return [Retained(tenant=TenantId(tenant), field=field, days=days) for tenant, field, days in found]

    async def expire(
        self, field: str, at: datetime, *, after: Reached | None, limit: int, entry: UUID, by: Caller
    ) -> Piece:
        trace = {"dry": False, "entry": entry, "request": by.request, "actor": by.actor}
        return await self._next(field, at, after, limit, trace)

    async def over(self, field: str, at: datetime, *, after: Reached | None, limit: int) -> Piece:
        return await self._next(field, at, after, limit, _ONLY_ASKED)

    async def _next(self, field: str, at: datetime, after: Reached | None, limit: int, trace: dict[str, Any]) -> Piece:
        place = _FIRST
        if after is not None:
            place = {"after_at": after.at, "handle": after.handle, "label": after.label, "version": after.version}
        found = await self._connection.execute(
            _EXPIRE, {"tenant": self._tenant, "field": field, "at": at, "limit": limit, **place, **trace}
        )
        removed, held, seen, at_, handle, label, version = found.one()
        last = Reached(at_, Handle(handle), label, version) if seen == limit else None
        return Piece(removed=removed, held=held, last=last)
