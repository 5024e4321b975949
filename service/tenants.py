"""The controllers whom one installation serves. Their table belongs to no slice: every key begins with it."""

from typing import Final

from sqlalchemy import Boolean, Column, Table, false, or_, select, update
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
    Column("place", Id),
    Column("time_zone", Id),
    Column("hides_erased", Boolean, nullable=False, server_default=false()),
)
"""`place` and `time_zone` are those of the controller: the days of requests are counted there. With `hides_erased` the
ids of erased people go as well, and their keyed hashes stay."""


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

    async def put_seat(self, place: str, time_zone: str) -> bool:
        """Store where the controller is, and return whether that is news."""
        moved = await self._connection.execute(
            update(tenants)
            .where(
                tenants.c.id == self._tenant,
                or_(tenants.c.place.is_distinct_from(place), tenants.c.time_zone.is_distinct_from(time_zone)),
            )
            .values(place=place, time_zone=time_zone)
        )
        return moved.rowcount > 0

    async def seat(self) -> tuple[str, str] | None:
        """Return place and time zone of the controller; ``None`` while nobody has said them."""
        found = await self._connection.execute(
            select(tenants.c.place, tenants.c.time_zone).where(tenants.c.id == self._tenant)
        )
        said = found.one_or_none()
        return None if said is None or said.place is None else (said.place, said.time_zone)

    async def put_hiding(self, hides: bool) -> bool:
        """Store whether ids of erased people are hidden from now on, and return whether that is news."""
        moved = await self._connection.execute(
            update(tenants)
            .where(tenants.c.id == self._tenant, tenants.c.hides_erased.is_distinct_from(hides))
            .values(hides_erased=hides)
        )
        return moved.rowcount > 0

    async def known(self) -> bool:
        found = await self._connection.execute(select(tenants.c.id).where(tenants.c.id == self._tenant))
        return found.first() is not None
