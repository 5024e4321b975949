from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Handle, TenantId
from service.requests.identity import DAY, Challenge, Spent
from service.requests.letters import Written
from service.requests.tables import request_challenge, request_letter


class SqlChallengeStore:
    """Keeps what is kept while people show who they are. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def find(self, request: UUID) -> Challenge | None:
        row = request_challenge.c
        wanted = select(request_challenge).where(row.tenant == self._tenant, row.request == request)
        found = (await self._connection.execute(wanted)).one_or_none()
        return None if found is None else msgspec.convert(found, Challenge, from_attributes=True)

    async def put(self, challenge: Challenge) -> None:
        """Store it; what is over and counts for nothing any more goes."""
        row = request_challenge.c
        await self._connection.execute(
            delete(request_challenge).where(
                row.tenant == self._tenant,
                row.handle == challenge.handle,
                row.mark.is_(None),
                row.since <= challenge.since - DAY,
            )
        )
        values = {**msgspec.structs.asdict(challenge), "tenant": self._tenant}
        await self._connection.execute(
            insert(request_challenge)
            .values(values)
            .on_conflict_do_update(index_elements=["tenant", "request"], set_=values)
        )

    async def spent(self, handle: Handle, since: datetime) -> Spent:
        row = request_challenge.c
        found = await self._connection.execute(
            select(
                func.coalesce(func.sum(row.codes), 0).label("codes"),
                func.coalesce(func.sum(row.mistakes), 0).label("mistakes"),
                func.min(row.since).label("since"),
            ).where(row.tenant == self._tenant, row.handle == handle, row.since > since)
        )
        return msgspec.convert(found.one(), Spent, from_attributes=True)

    async def forget(self, request: UUID) -> None:
        row = request_challenge.c
        await self._connection.execute(
            update(request_challenge)
            .where(row.tenant == self._tenant, row.request == request)
            .values(method=None, mark=None, expires_at=None, tries=0)
        )


class SqlLetterStore:
    """Notes what was written about requests. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def of(self, request: UUID) -> Sequence[Written]:
        row = request_letter.c
        wanted = select(request_letter).where(row.tenant == self._tenant, row.request == request)
        found = await self._connection.execute(wanted.order_by(row.at, row.id))
        return [msgspec.convert(each, Written, from_attributes=True) for each in found]

    async def add(self, written: Written) -> bool:
        added = await self._connection.execute(
            insert(request_letter)
            .values({**msgspec.structs.asdict(written), "tenant": self._tenant})
            .on_conflict_do_nothing()
            .returning(request_letter.c.id)
        )
        return added.first() is not None
