from collections.abc import Sequence

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.events.domain import Event
from service.kernel import NewId, TenantId

_ADD = text(
    """
    INSERT INTO outbox (tenant, id, type, object_id, subject, at)
    SELECT :tenant, id, type, object_id, subject, at
    FROM json_to_recordset(CAST(:events AS json))
      AS event (id uuid, type text, object_id text, subject uuid, at timestamptz)
    """
)


class SqlOutbox:
    """Adds events to the transaction of their cause: one statement, however many there are."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId, new_id: NewId) -> None:
        self._connection = connection
        self._tenant = tenant
        self._new_id = new_id

    async def add(self, events: Sequence[Event]) -> None:
        if not events:
            return
        rows = [{"id": self._new_id(), **msgspec.structs.asdict(event)} for event in events]
        await self._connection.execute(_ADD, {"tenant": self._tenant, "events": msgspec.json.encode(rows).decode()})
