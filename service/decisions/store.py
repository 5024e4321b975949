from typing import Final
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.decisions.domain import Stored
from service.decisions.tables import decision, facts, verdict
from service.kernel import TenantId

_POINTS_TO_FACTS: Final = and_(facts.c.tenant == decision.c.tenant, facts.c.hash == decision.c.facts_hash)
_POINTS_TO_VERDICT: Final = and_(
    verdict.c.tenant == decision.c.tenant,
    verdict.c.revision == decision.c.revision,
    verdict.c.facts_hash == decision.c.facts_hash,
)


class SqlDecisionStore:
    """Reads the log; rows never leave this class. `decisions/log.py` writes it, many at a time."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def find(self, decision_id: UUID) -> Stored | None:
        rows = await self._connection.execute(
            select(decision, facts.c.body.label("facts"), verdict.c.body.label("verdict"))
            .join(facts, _POINTS_TO_FACTS)
            .join(verdict, _POINTS_TO_VERDICT)
            .where(decision.c.tenant == self._tenant, decision.c.id == decision_id)
        )
        row = rows.mappings().one_or_none()
        if row is None:
            return None
        members = {name: row[name] for name in Stored.__struct_fields__}
        bodies = {"facts": row["facts"].encode(), "verdict": row["verdict"].encode()}
        return Stored(**members | bodies | {"records": tuple(row["records"])})

    async def verdict(self, revision: str, facts_hash: bytes) -> bytes | None:
        body = await self._connection.scalar(
            select(verdict.c.body).where(
                verdict.c.tenant == self._tenant, verdict.c.revision == revision, verdict.c.facts_hash == facts_hash
            )
        )
        return None if body is None else str(body).encode()
