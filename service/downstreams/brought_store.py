from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.downstreams.files import Brought
from service.downstreams.ports import Lying
from service.downstreams.tables import downstream_file
from service.kernel import Handle, TenantId

_ABOUT: Final = [downstream_file.c[name] for name in Brought.__struct_fields__]
_DROP: Final = text(
    f"""
    DELETE FROM downstream_file WHERE tenant = :tenant AND brought_over(downstream_file)
    RETURNING {", ".join(Brought.__struct_fields__)}
    """  # noqa: S608, names of columns
)
_AWAITED: Final = text("SELECT answers_awaited(:tenant, :request)")


class SqlBroughtStore:
    """Keeps the files that systems brought, sealed. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def find(self, file: UUID) -> Brought | None:
        row = downstream_file.c
        found = await self._connection.execute(select(*_ABOUT).where(row.tenant == self._tenant, row.id == file))
        known = found.one_or_none()
        return None if known is None else _brought(known)

    async def count(self, task: UUID) -> int:
        row = downstream_file.c
        counted = select(func.count()).where(row.tenant == self._tenant, row.task == task)
        return await self._connection.scalar(counted) or 0

    async def add(self, brought: Brought, about: bytes, sealed: bytes) -> bool:
        values = {name: getattr(brought, name) for name in Brought.__struct_fields__}
        new = insert(downstream_file).values(tenant=self._tenant, about=about, sealed=sealed, **values)
        added = await self._connection.execute(new.on_conflict_do_nothing().returning(downstream_file.c.id))
        return added.first() is not None

    async def of(self, request: UUID) -> Sequence[Lying]:
        row = downstream_file.c
        wanted = select(*_ABOUT, row.about).where(row.tenant == self._tenant, row.request == request)
        found = await self._connection.execute(wanted.order_by(row.id))
        return [Lying(brought=_brought(known), about=known.about) for known in found]

    async def sealed(self, file: UUID) -> bytes | None:
        row = downstream_file.c
        found: bytes | None = await self._connection.scalar(
            select(row.sealed).where(row.tenant == self._tenant, row.id == file)
        )
        return found

    async def drop_over(self) -> Sequence[Brought]:
        found = await self._connection.execute(_DROP, {"tenant": self._tenant})
        return [_brought(known) for known in found]

    async def awaited(self, request: UUID) -> bool:
        found = await self._connection.scalar(_AWAITED, {"tenant": self._tenant, "request": request})
        return bool(found)


def _brought(known: Any) -> Brought:
    row = {name: getattr(known, name) for name in Brought.__struct_fields__}
    return Brought(**{**row, "handle": Handle(row["handle"])})
