from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.consent.domain import State, Statement, StoredRecord
from service.consent.fold import FORMAT, encode
from service.kernel import Caller, Handle, TenantId

_HISTORIES: Final = text(
    "SELECT handle, id, received_at, statement FROM record_histories(:tenant, :ended_by, :after, :limit)"
)
_EXPIRE: Final = text(
    """
    SELECT removed, held FROM record_expire(
        :tenant, :handle, :history, CAST(string_to_array(:gone, ',') AS uuid[]), :left, CAST(:format AS smallint),
        :ended_by, :dry, :entry, CAST(:request AS uuid), :actor
    )
    """
)
_statement: Final = msgspec.json.Decoder(Statement)


class SqlOldRecordStore:
    """Removes records by the function that may, as the worker's role.

    Never commits: the transaction that built the store does.
    """

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def histories(
        self, ended_by: datetime, *, after: Handle, limit: int
    ) -> Sequence[tuple[Handle, Sequence[StoredRecord]]]:
        rows = await self._connection.execute(
            _HISTORIES, {"tenant": self._tenant, "ended_by": ended_by, "after": after, "limit": limit}
        )
        records = [
            StoredRecord(
                id=id_,
                handle=Handle(handle),
                received_at=received_at.astimezone(UTC),
                statement=_statement.decode(statement),
            )
            for handle, id_, received_at, statement in rows
        ]
        return [(handle, list(theirs)) for handle, theirs in groupby(records, key=lambda record: record.handle)]

    async def expire(
        self,
        handle: Handle,
        history: int,
        gone: Collection[UUID],
        left: State,
        ended_by: datetime,
        *,
        dry: bool,
        entry: UUID,
        by: Caller,
    ) -> tuple[int, int]:
        told = {
            "tenant": self._tenant,
            "handle": handle,
            "history": history,
            "gone": ",".join(map(str, gone)),
            "left": encode(left),
            "format": FORMAT,
            "ended_by": ended_by,
            "dry": dry,
            "entry": entry,
            "request": by.request,
            "actor": by.actor,
        }
        removed, held = (await self._connection.execute(_EXPIRE, told)).one()
        return removed, held
