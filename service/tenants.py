"""The controllers whom one installation serves. Their table belongs to no slice: every key begins with it."""

from typing import Final

from sqlalchemy import Column, Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db import Id, UtcDateTime, metadata
from service.kernel import Clock, TenantId

NOBODY: Final = TenantId("")
"""No tenant's name, for what is the same for all of them: the law, the root key."""

tenants = Table(
    "tenant",
    metadata,
    Column("id", Id, primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
)


class SqlTenants:
    """Adds the transaction's own tenant. Only the owner's role may; the application looks."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId, clock: Clock) -> None:
        self._connection = connection
        self._tenant = tenant
        self._clock = clock

    async def add(self) -> bool:
        """Store the tenant and return whether it was new."""
        added = await self._connection.execute(
            insert(tenants)
            .values(id=self._tenant, created_at=self._clock())
            .on_conflict_do_nothing()
            .returning(tenants.c.id)
        )
        return added.first() is not None

    async def known(self) -> bool:
        found = await self._connection.execute(select(tenants.c.id).where(tenants.c.id == self._tenant))
        return found.first() is not None
