"""What tenants were lately asked, for those who want to know what another policy would have said."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import TenantId
from service.policies.domain import Asked, Judgement

_ASKED: Final = text("""
    SELECT DISTINCT ON (facts_hash) facts_hash, permit FROM decision
    WHERE tenant = :tenant AND decided_at >= :since
    ORDER BY facts_hash, decided_at DESC
""")
_FACTS: Final = text("SELECT hash, body FROM facts WHERE tenant = :tenant AND hash = ANY(:hashes)")
_KEEP: Final = text("""
    INSERT INTO verdict (tenant, revision, facts_hash, body)
    SELECT :tenant, :revision, decode(hash, 'hex'), body
    FROM json_to_recordset(CAST(:rows AS json)) AS row (hash text, body text)
    ORDER BY hash
    ON CONFLICT DO NOTHING
""")


class SqlRecentFacts:
    """Reads the facts behind recent decisions, and keeps verdicts on them. Never commits."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def asked(self, tenant: TenantId, since: datetime) -> Sequence[Asked]:
        rows = await self._connection.execute(_ASKED, {"tenant": tenant, "since": since})
        return [Asked(facts_hash=bytes(row.facts_hash), permit=row.permit) for row in rows]

    async def facts(self, tenant: TenantId, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        rows: Any = await self._connection.execute(_FACTS, {"tenant": tenant, "hashes": list(hashes)})
        return {bytes(row.hash): row.body.encode() for row in rows}

    async def keep(self, tenant: TenantId, revision: str, judgements: Sequence[Judgement]) -> None:
        rows = [{"hash": each.facts_hash.hex(), "body": each.body.decode()} for each in judgements]
        await self._connection.execute(
            _KEEP, {"tenant": tenant, "revision": revision, "rows": msgspec.json.encode(rows).decode()}
        )
