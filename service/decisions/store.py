from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Uuid, and_, any_, cast, column, func, select, table, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from service.audit import Position
from service.decisions.batch_store import SqlBatchStore
from service.decisions.domain import Stored
from service.decisions.packed import Lone, Lying
from service.decisions.ports import LogEntry, LogPlace, Made
from service.decisions.tables import decision, facts, verdict
from service.kernel import Handle, TenantId

_POINTS_TO_FACTS: Final = and_(facts.c.tenant == decision.c.tenant, facts.c.hash == decision.c.facts_hash)
_POINTS_TO_VERDICT: Final = and_(
    verdict.c.tenant == decision.c.tenant,
    verdict.c.revision == decision.c.revision,
    verdict.c.facts_hash == decision.c.facts_hash,
)

_JUDGED: Final = text(
    """
    SELECT wanted.revision, wanted.hash, asked.body, told.body
    FROM unnest(CAST(:revisions AS text[]), CAST(:hashes AS bytea[])) AS wanted (revision, hash)
    JOIN facts AS asked ON asked.tenant = :tenant AND asked.hash = wanted.hash
    JOIN verdict AS told
        ON told.tenant = :tenant AND told.revision = wanted.revision AND told.facts_hash = wanted.hash
    """
)
"""Two arrays: a list of pairs would be a thousand parameters, which take the driver longer than the answer."""

_ENTRY: Final = table(
    "audit_entry",
    *map(column, ("tenant", "event", "object_id", "at", "id")),
    column("subject", Uuid),
)
"""The log has an entry of each decision, found by person. An index of ours for the same would cost every check."""

_AT_ONCE: Final = 1_000
_MADE: Final = [name for name in Made.__struct_fields__ if name != "verdict"]


class SqlDecisionStore:
    """Reads the log; rows never leave this class. `decisions/log.py` writes it, many at a time."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant
        self._batches = SqlBatchStore(connection, tenant)

    async def find(self, decision_id: UUID) -> Stored | None:
        return (await self.several([decision_id])).get(decision_id)

    async def several(self, decisions: Collection[UUID]) -> Mapping[UUID, Stored]:
        if not decisions:
            return {}
        rows = await self._connection.execute(
            select(decision, facts.c.body.label("facts"), verdict.c.body.label("verdict"))
            .join(facts, _POINTS_TO_FACTS)
            .join(verdict, _POINTS_TO_VERDICT)
            .where(decision.c.tenant == self._tenant, _among(decisions))
        )
        found = {row["id"]: _to_stored(row) for row in rows.mappings()}
        if others := set(decisions) - found.keys():
            found |= await self._batches.several(others)
        return found

    async def batch(self, chunk: UUID) -> Lying | None:
        return await self._batches.lying(chunk)

    async def in_batches(
        self,
        handles: Collection[Handle],
        *,
        since: datetime | None,
        until: datetime | None,
        after: Position | None,
        newest_first: bool,
        limit: int,
    ) -> Sequence[Stored]:
        return await self._batches.page(
            handles, since=since, until=until, after=after, newest_first=newest_first, limit=limit
        )

    async def lone(self, decision_id: UUID) -> Lone | None:
        return await self._batches.lone(decision_id)

    async def verdict(self, revision: str, facts_hash: bytes) -> bytes | None:
        body = await self._connection.scalar(
            select(verdict.c.body).where(
                verdict.c.tenant == self._tenant, verdict.c.revision == revision, verdict.c.facts_hash == facts_hash
            )
        )
        return None if body is None else str(body).encode()

    async def between(
        self, since: datetime, until: datetime, *, after: LogPlace | None, limit: int
    ) -> Sequence[LogEntry]:
        row = decision.c
        wanted = select(row.id, row.decided_at, row.channel, row.purpose, row.revision, row.facts_hash)
        wanted = wanted.where(self._made(since, until))
        if after is not None:
            wanted = wanted.where(tuple_(row.decided_at, row.id) > tuple_(after.decided_at, after.id))
        found = await self._connection.execute(wanted.order_by(row.decided_at, row.id).limit(limit))
        return [
            LogEntry(id=id_, decided_at=at, channel=channel, purpose=purpose, revision=revision, facts_hash=facts_hash)
            for id_, at, channel, purpose, revision, facts_hash in found
        ]

    async def about(self, handles: Collection[Handle]) -> AsyncIterator[Sequence[Made]]:
        entry = _ENTRY.c
        entered = (
            select(entry.object_id)
            .where(entry.tenant == self._tenant, entry.subject.in_(handles), entry.event == "decision.made")
            .order_by(entry.at, entry.id)
        )
        # A cursor: the entries are sought once, and are never all here.
        async with self._connection.stream(entered, execution_options={"yield_per": _AT_ONCE}) as found:
            async for part in found.scalars().partitions():
                yield await self._made_of([UUID(name) for name in part])
        async for several in self._batches.about(handles):
            yield [_made_in_batch(each) for each in several]

    async def _made_of(self, decisions: Collection[UUID]) -> Sequence[Made]:
        row = decision.c
        found = await self._connection.execute(
            select(*(row[name] for name in _MADE), verdict.c.body.label("verdict"))
            .join(verdict, _POINTS_TO_VERDICT)
            .where(row.tenant == self._tenant, _among(decisions))
            .order_by(row.decided_at, row.id)
        )
        return [_to_made(each) for each in found.mappings()]

    async def count(self, since: datetime, until: datetime) -> int:
        counted = await self._connection.scalar(select(func.count()).where(self._made(since, until)))
        return int(counted or 0)

    async def judged(self, keys: Collection[tuple[str, bytes]]) -> Mapping[tuple[str, bytes], tuple[bytes, bytes]]:
        revisions, hashes = [revision for revision, _ in keys], [facts_hash for _, facts_hash in keys]
        rows = await self._connection.execute(
            _JUDGED, {"tenant": self._tenant, "revisions": revisions, "hashes": hashes}
        )
        return {(revision, key): (asked.encode(), told.encode()) for revision, key, asked, told in rows}

    def _made(self, since: datetime, until: datetime) -> ColumnElement[bool]:
        row = decision.c
        return and_(row.tenant == self._tenant, row.decided_at >= since, row.decided_at < until)


def _among(decisions: Collection[UUID]) -> ColumnElement[bool]:
    """Return which rows have one of these ids. The bounds say in which partitions PostgreSQL has to look at all."""
    ids = cast(func.string_to_array(",".join(map(str, decisions)), ","), ARRAY(Uuid))
    return and_(decision.c.id == any_(ids), decision.c.id.between(min(decisions), max(decisions)))


def _to_stored(row: RowMapping) -> Stored:
    members = {name: row[name] for name in Stored.__struct_fields__}
    bodies = {"facts": row["facts"].encode(), "verdict": row["verdict"].encode()}
    return Stored(**members | bodies | {"records": tuple(row["records"])})


def _to_made(row: RowMapping) -> Made:
    members = {name: row[name] for name in _MADE}
    return Made(**members | {"verdict": row["verdict"].encode(), "records": tuple(row["records"])})


def _made_in_batch(stored: Stored) -> Made:
    return Made(**{name: getattr(stored, name) for name in [*_MADE, "verdict"]})
