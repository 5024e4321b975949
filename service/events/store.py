from collections.abc import Sequence
from typing import Final

import msgspec

from service.events.domain import Event
from service.kernel import NewId, TenantId
from service.trips import Trips

_ADD: Final = """
    INSERT INTO outbox (tenant, id, type, object_id, subject, at)
    SELECT %(tenant)s, id, type, object_id, subject, at
    FROM json_to_recordset(%(events)s::json)
      AS event (id uuid, type text, object_id text, subject uuid, at timestamptz)
"""


class SqlOutbox:
    """Adds events to the transaction of their cause: one statement, however many there are."""

    def __init__(self, ask: Trips, tenant: TenantId, new_id: NewId) -> None:
        self._ask = ask
        self._tenant = tenant
        self._new_id = new_id

    async def add(self, events: Sequence[Event]) -> None:
        if not events:
            return
        rows = [{"id": self._new_id(), **msgspec.structs.asdict(event)} for event in events]
        await self._ask(_ADD, {"tenant": self._tenant, "events": msgspec.json.encode(rows).decode()})
