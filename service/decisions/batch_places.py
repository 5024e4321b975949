"""Where chunks name somebody, by the index that the worker builds over them and through those that it has not yet.

A run of the index is some chunks of a tenant, whose decisions are numbered through from 0. Each that is about somebody
has 6 bytes in it: the last 3 of the handle, and its number. They lie in parts, one for all whose handles have the same
first bits of their last 32, which are random; the part's `bucket` is these bits behind a 1, and their number, up to
`DEEPEST`, is for whoever makes the run to choose. What the index says is looked up in the chunk, so it can be too much.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.decisions.packed import WIDTH, decision_id, found_in
from service.kernel import Handle, TenantId

DEEPEST: Final = 12
AT_ONCE: Final = 50
"""Chunks that are looked through together: some fifty milliseconds."""
FIRST: Final = datetime.min.replace(tzinfo=UTC)
LAST: Final = datetime.max.replace(tzinfo=UTC)

_PLACES: Final = text(
    """
    WITH noted AS (
        SELECT part.run, sought.whose, CAST(CAST('x' || encode(
            substring(part.body FROM place + 3 FOR 3), 'hex') AS bit(24)) AS integer) AS number
        FROM unnest(CAST(:buckets AS integer[]), CAST(:handles AS bytea[])) AS sought (bucket, whose)
        JOIN batch_index AS part ON part.tenant = :tenant AND part.bucket = sought.bucket
        CROSS JOIN LATERAL generate_series(1, length(part.body), 6) AS place
        WHERE position(substring(whose FROM 14) IN part.body) > 0
            AND substring(part.body FROM place FOR 3) = substring(whose FROM 14)
    ), lying AS MATERIALIZED (
        SELECT chunk.batch, noted.number - chunk.first AS place, noted.whose
        FROM noted CROSS JOIN LATERAL (
            SELECT batch, first FROM batch_run
            WHERE tenant = :tenant AND run = noted.run AND first <= noted.number ORDER BY first DESC LIMIT 1
        ) AS chunk
        UNION ALL SELECT batch, NULL, NULL FROM batch_run WHERE tenant = :tenant AND run IS NULL
    )
    SELECT batch.at, batch.id, lying.place
    FROM lying JOIN batch ON batch.tenant = :tenant AND batch.id = lying.batch
    WHERE batch.at >= CAST(:since AS timestamptz) AND batch.at <= CAST(:until AS timestamptz)
        AND (place IS NULL OR substring(batch.body FROM place * :width + 1 FOR 16) = lying.whose)
    """
)
"""One statement: while it runs no chunk goes from those that wait to the index, or back."""
_HOLDING: Final = text(
    """
    SELECT at, id, body FROM batch
    WHERE tenant = :tenant AND id = ANY(CAST(:chunks AS uuid[])) AND EXISTS (
        SELECT FROM unnest(CAST(:handles AS bytea[])) AS whose WHERE position(whose IN body) > 0
    )
    """
)

Place = tuple[datetime, UUID]
"""When, and the id: of a decision, or of a chunk, which comes before its decisions."""


class Places(Struct, frozen=True, kw_only=True):
    """What is known of where somebody's decisions are."""

    known: Sequence[Place]
    """Decisions that the index has."""
    unindexed: Sequence[Place]
    """Chunks that may have more."""


class SqlBatchPlaces:
    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def of(self, handles: Collection[Handle], since: datetime = FIRST, until: datetime = LAST) -> Places:
        """Return what is known of decisions about a person between two instants, both included."""
        sought = [(bucket, handle.bytes) for handle in handles for bucket in _buckets(handle)]
        about = {
            "tenant": self._tenant,
            "width": WIDTH,
            "buckets": [bucket for bucket, _ in sought],
            "handles": [handle for _, handle in sought],
            "since": since,
            "until": until,
        }
        known, unindexed = [], []
        for at, chunk, place in await self._connection.execute(_PLACES, about):
            if place is None:
                unindexed.append((at, chunk))
            else:
                known.append((at, decision_id(chunk, place)))
        return Places(known=known, unindexed=unindexed)

    async def through(self, handles: Collection[Handle], chunks: Sequence[Place]) -> Sequence[Place]:
        """Return the decisions about a person in these chunks, which are looked through."""
        whose = [handle.bytes for handle in handles]
        about = {"tenant": self._tenant, "chunks": [id_ for _, id_ in chunks], "handles": whose}
        holding = await self._connection.execute(_HOLDING, about)
        return [(row.at, decision_id(row.id, place)) for row in holding for place in found_in(row.body, whose)]


def _buckets(handle: Handle) -> Sequence[int]:
    """Return which parts may note this handle, by how many bits they have in common."""
    last = handle.int & 0xFFFF_FFFF
    return [1 << depth | last >> 32 - depth for depth in range(DEEPEST + 1)]
