from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Handle

_DROP: Final = text("SELECT * FROM vault_drop_proofs(:handle, string_to_array(:ids, ','))")


class SqlProofs:
    """Removes proofs by the function that may. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def drop(self, handle: Handle, ids: Collection[UUID]) -> Collection[UUID]:
        if not ids:
            return []
        asked = {"handle": handle, "ids": ",".join(sorted(each.hex for each in ids))}
        return {UUID(each) for each in await self._connection.scalars(_DROP, asked)}
