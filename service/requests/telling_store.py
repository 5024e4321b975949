from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.downstreams import TaskKind
from service.kernel import TenantId
from service.requests.lifecycle import Move
from service.requests.tables import request_telling

_DUE: Final = text("SELECT tenant, request FROM request_tellings()")


class SqlTellingStore:
    """Keeps of what others are to be told. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def note(self, request: UUID, kind: TaskKind, move: Move, at: datetime) -> None:
        noted = insert(request_telling).values(tenant=self._tenant, request=request, kind=kind, move=move, at=at)
        await self._connection.execute(noted.on_conflict_do_nothing())

    async def noted(self, request: UUID, kind: TaskKind) -> bool:
        row = request_telling.c
        wanted = select(row.kind).where(row.tenant == self._tenant, row.request == request, row.kind == kind)
        return await self._connection.scalar(wanted) is not None

    async def take_back(self, request: UUID, *, but: Move) -> None:
        row = request_telling.c
        await self._connection.execute(
            delete(request_telling).where(
                row.tenant == self._tenant, row.request == request, row.told_at.is_(None), row.move != but
            )
        )

    async def waiting(self, request: UUID) -> Sequence[TaskKind]:
        row = request_telling.c
        wanted = select(row.kind).where(row.tenant == self._tenant, row.request == request, row.told_at.is_(None))
        return [TaskKind(kind) for kind in await self._connection.scalars(wanted.order_by(row.at, row.kind))]

    async def told(self, request: UUID, kind: TaskKind, at: datetime) -> None:
        row = request_telling.c
        mine = (row.tenant == self._tenant, row.request == request, row.kind == kind, row.told_at.is_(None))
        await self._connection.execute(update(request_telling).where(*mine).values(told_at=at))

    async def due(self) -> Sequence[tuple[TenantId, UUID]]:
        return [(TenantId(tenant), request) for tenant, request in await self._connection.execute(_DUE)]
