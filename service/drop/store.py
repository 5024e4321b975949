from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.drop.domain import Added, Answerable, Broker, Counts, Found, List, Outcome, Status
from service.drop.ports import Mark
from service.kernel import Handle, TenantId

_BROKER: Final = "SELECT broker, registered_at, accessed_at FROM drop_broker WHERE tenant = :tenant"
_REGISTER: Final = """
    INSERT INTO drop_broker AS known (tenant, broker, registered_at) VALUES (:tenant, :broker, :at)
    ON CONFLICT (tenant) DO UPDATE SET broker = excluded.broker WHERE known.broker <> excluded.broker
    RETURNING broker
"""
_EVERYBODY: Final = """
    INSERT INTO drop_due (tenant, handle, at)
    SELECT DISTINCT tenant, handle, CAST(:at AS timestamptz) FROM vault_value WHERE tenant = :tenant ORDER BY 2
    ON CONFLICT (tenant, handle) DO UPDATE SET at = excluded.at
"""
_ACCESSED: Final = "UPDATE drop_broker SET accessed_at = :at WHERE tenant = :tenant"
_ONE_BY_ONE: Final = "SELECT FROM drop_broker WHERE tenant = :tenant FOR NO KEY UPDATE"
"""Of a work item and a mark that come at one moment, the later is stored when the earlier can be seen."""
_ADD: Final = """
    WITH said AS (
        SELECT DISTINCT ON (id) id, digest
        FROM unnest(CAST(:ids AS text[]), CAST(:digests AS bytea[])) AS line (id, digest) ORDER BY id, digest
    ), added AS (
        INSERT INTO drop_item (tenant, id, list, listed_on, digest, added_at)
        SELECT :tenant, id, :list, :listed_on, digest, :at FROM said ORDER BY id COLLATE "C"
        ON CONFLICT DO NOTHING RETURNING id, digest
    ), found AS (
        INSERT INTO drop_match (tenant, item, handle, at)
        SELECT :tenant, added.id, mark.handle, :at FROM added CROSS JOIN LATERAL (
            SELECT handle FROM drop_mark WHERE tenant = :tenant AND list = :list AND digest = added.digest OFFSET 0
        ) AS mark
        ON CONFLICT DO NOTHING
    )
    SELECT (SELECT count(*) FROM added), (
        SELECT count(*) FROM said CROSS JOIN LATERAL (
            SELECT list, digest, removed_at FROM drop_item WHERE tenant = :tenant AND id = said.id OFFSET 0
        ) AS item
        WHERE item.removed_at IS NULL AND (item.digest, item.list) <> (said.digest, CAST(:list AS text))
    )
"""
"""`OFFSET 0` has each looked up by itself: PostgreSQL would read the whole table while it knows little of it."""
_REMOVE: Final = """
    WITH gone AS (
        UPDATE drop_item SET removed_at = :at, digest = '' WHERE tenant = :tenant AND id = ANY(:items)
            AND removed_at IS NULL RETURNING id
    ), again AS (
        UPDATE drop_match SET followed_at = NULL FROM gone WHERE tenant = :tenant AND item = gone.id RETURNING item
    )
    SELECT count(*) FROM gone WHERE (SELECT count(*) FROM again) IS NOT NULL
"""
_DUE: Final = "SELECT handle FROM drop_due WHERE tenant = :tenant ORDER BY at, handle LIMIT :limit"
_HOLD: Final = """
    SELECT handle FROM drop_due WHERE tenant = :tenant AND handle = ANY(:handles) FOR UPDATE SKIP LOCKED
"""
_POSTPONE: Final = "UPDATE drop_due SET at = :at WHERE tenant = :tenant AND handle = ANY(:handles)"
_VALUES: Final = """
    SELECT DISTINCT handle, field, label FROM vault_value WHERE tenant = :tenant AND handle = ANY(:handles)
"""
_UNMARK: Final = "DELETE FROM drop_mark WHERE tenant = :tenant AND handle = ANY(:handles)"
_MARK: Final = """
    WITH marked AS (
        INSERT INTO drop_mark (tenant, list, digest, handle)
        SELECT :tenant, list, digest, handle
        FROM unnest(CAST(:lists AS text[]), CAST(:digests AS bytea[]), CAST(:handles AS uuid[]))
            AS new (list, digest, handle)
        ORDER BY list COLLATE "C", digest, handle
        ON CONFLICT DO NOTHING RETURNING list, digest, handle
    )
    INSERT INTO drop_match (tenant, item, handle, at)
    SELECT :tenant, item.id, marked.handle, :at FROM marked CROSS JOIN LATERAL (
        SELECT id FROM drop_item WHERE tenant = :tenant AND list = marked.list AND digest = marked.digest OFFSET 0
    ) AS item
    ON CONFLICT DO NOTHING
"""
_NOT_DUE: Final = "DELETE FROM drop_due WHERE tenant = :tenant AND handle = ANY(:handles)"
_UNFOLLOWED: Final = """
    WITH people AS (
        SELECT DISTINCT handle FROM drop_match WHERE tenant = :tenant AND followed_at IS NULL
        ORDER BY handle LIMIT :limit
    )
    SELECT found.item, found.handle, found.at, found.request, item.removed_at IS NOT NULL AS removed, (
        SELECT count(*) FROM drop_mark AS mark
        WHERE mark.tenant = :tenant AND mark.list = item.list AND mark.digest = item.digest
    ) AS people
    FROM people JOIN drop_match AS found
        ON found.tenant = :tenant AND found.handle = people.handle AND found.followed_at IS NULL
    CROSS JOIN LATERAL (
        SELECT list, digest, removed_at FROM drop_item WHERE tenant = :tenant AND id = found.item OFFSET 0
    ) AS item
    ORDER BY found.handle, found.item
"""
_REQUESTED: Final = """
    SELECT found.request FROM drop_match AS found
    JOIN drop_item AS item ON item.tenant = :tenant AND item.id = found.item AND item.removed_at IS NULL
    WHERE found.tenant = :tenant AND found.handle = :handle AND found.request IS NOT NULL ORDER BY found.at LIMIT 1
"""
_SETTLE: Final = """
    UPDATE drop_match SET shared = :shared, request = CAST(:request AS uuid)
    WHERE tenant = :tenant AND item = :item AND handle = :handle
"""
_FOLLOWED: Final = """
    UPDATE drop_match SET followed_at = :at WHERE tenant = :tenant AND handle = :handle AND item = ANY(:items)
"""
_UNMATCH: Final = "DELETE FROM drop_match WHERE tenant = :tenant AND handle = :handle AND item = ANY(:items)"
_WANTED: Final = """
    SELECT EXISTS (
        SELECT FROM drop_match AS found
        JOIN drop_item AS item ON item.tenant = :tenant AND item.id = found.item AND item.removed_at IS NULL
        WHERE found.tenant = :tenant AND found.request = :request
    )
"""
_LISTS: Final = "SELECT DISTINCT listed_on, list FROM drop_item WHERE tenant = :tenant ORDER BY 1, 2"
_ANSWERABLE: Final = """
    WITH page AS (
        SELECT id, status FROM drop_item
        WHERE tenant = :tenant AND list = :list AND listed_on = :listed_on AND removed_at IS NULL
            AND (status IS NOT NULL) = :told AND id > :after
        ORDER BY id LIMIT :limit
    )
    SELECT page.id, page.status, (
        SELECT json_agg(json_build_object(
            'followed', found.followed_at IS NOT NULL, 'shared', coalesce(found.shared, false),
            'requested', found.request IS NOT NULL,
            'state', asked.state, 'reason', asked.reason
        )) FROM drop_match AS found
        LEFT JOIN LATERAL (
            SELECT coalesce(main.state, mine.state) AS state, (
                SELECT reason FROM request_event
                WHERE tenant = :tenant AND request = coalesce(main.id, mine.id) AND move = 'refuse'
            ) AS reason
            FROM request AS mine LEFT JOIN request AS main ON main.tenant = :tenant AND main.id = mine.joins
            WHERE mine.tenant = :tenant AND mine.id = found.request
        ) AS asked ON true
        WHERE found.tenant = :tenant AND found.item = page.id
    ) AS outcomes
    FROM page ORDER BY page.id
"""
_TELL: Final = """
    UPDATE drop_item SET status = said.status, told_at = :at
    FROM unnest(CAST(:items AS text[]), CAST(:statuses AS smallint[])) AS said (id, status)
    WHERE tenant = :tenant AND drop_item.id = said.id
"""
_HOW_MANY: Final = "SELECT count(*) FROM drop_due WHERE tenant = :tenant"
_COUNTS: Final = """
    SELECT
        (SELECT count(*) FROM drop_item WHERE tenant = :tenant AND removed_at IS NULL) AS items,
        (SELECT count(*) FROM drop_item WHERE tenant = :tenant AND removed_at IS NULL AND status IS NULL) AS unanswered,
        (SELECT count(DISTINCT handle) FROM drop_match WHERE tenant = :tenant) AS people,
        (SELECT count(*) FROM drop_due WHERE tenant = :tenant) AS waiting,
        (SELECT count(*) FROM drop_match WHERE tenant = :tenant AND followed_at IS NULL) AS unfollowed
"""
_WAITING: Final = "SELECT tenant FROM drop_waiting()"


class SqlDropStore:
    """Never commits: the transaction that built the store does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def broker(self) -> Broker | None:
        found = (await self._ask(_BROKER)).one_or_none()
        if found is None:
            return None
        return Broker(id=found.broker, registered_at=found.registered_at, accessed_at=found.accessed_at)

    async def register(self, broker: str, at: datetime) -> bool:
        known = await self.broker()
        changed = (await self._ask(_REGISTER, broker=broker, at=at)).first() is not None
        if known is None:
            await self._ask(_EVERYBODY, at=at)
        return changed

    async def accessed(self, at: datetime) -> None:
        await self._ask(_ACCESSED, at=at)

    async def add(self, list_: List, listed_on: date, rows: Sequence[tuple[str, bytes]], at: datetime) -> Added:
        said = {"ids": [item for item, _ in rows], "digests": [digest for _, digest in rows]}
        await self._ask(_ONE_BY_ONE)
        found = (await self._ask(_ADD, list=list_.value, listed_on=listed_on, at=at, **said)).one()
        new, contradicting = found
        return Added(new=new, known=len(rows) - new - contradicting, contradicting=contradicting)

    async def remove(self, items: Collection[str], at: datetime) -> int:
        return int((await self._ask(_REMOVE, items=list(items), at=at)).scalar_one())

    async def due(self, limit: int) -> Sequence[Handle]:
        return [Handle(handle) for (handle,) in await self._ask(_DUE, limit=limit)]

    async def hold(self, handles: Collection[Handle]) -> Sequence[Handle]:
        return [Handle(handle) for (handle,) in await self._ask(_HOLD, handles=list(handles))]

    async def postpone(self, handles: Collection[Handle], at: datetime) -> None:
        await self._ask(_POSTPONE, handles=list(handles), at=at)

    async def values(self, handles: Collection[Handle]) -> Mapping[Handle, Sequence[str]]:
        names: dict[Handle, list[str]] = {handle: [] for handle in handles}
        for handle, field, label in await self._ask(_VALUES, handles=list(handles)):
            names[Handle(handle)].append(f"{field}#{label}" if label else field)
        return names

    async def mark(self, marks: Mapping[Handle, Collection[Mark]], at: datetime) -> None:
        await self._ask(_ONE_BY_ONE)
        await self._ask(_UNMARK, handles=list(marks))
        rows = [(list_.value, digest, handle) for handle, each in marks.items() for list_, digest in each]
        lists, digests, handles = zip(*rows, strict=True) if rows else ((), (), ())
        said = {"lists": list(lists), "digests": list(digests), "handles": list(handles)}
        await self._ask(_MARK, at=at, **said)
        await self._ask(_NOT_DUE, handles=list(marks))

    async def unfollowed(self, limit: int) -> Sequence[Found]:
        return [
            Found(
                item=each.item,
                handle=Handle(each.handle),
                at=each.at,
                people=each.people,
                request=each.request,
                removed=each.removed,
            )
            for each in await self._ask(_UNFOLLOWED, limit=limit)
        ]

    async def requested(self, handle: Handle) -> UUID | None:
        found: UUID | None = (await self._ask(_REQUESTED, handle=handle)).scalar()
        return found

    async def settle(self, item: str, handle: Handle, *, shared: bool, request: UUID | None) -> None:
        await self._ask(_SETTLE, item=item, handle=handle, shared=shared, request=request)

    async def followed(self, handle: Handle, items: Collection[str], at: datetime) -> None:
        await self._ask(_FOLLOWED, handle=handle, items=list(items), at=at)

    async def unmatch(self, handle: Handle, items: Collection[str]) -> None:
        await self._ask(_UNMATCH, handle=handle, items=list(items))

    async def wanted(self, request: UUID) -> bool:
        return bool((await self._ask(_WANTED, request=request)).scalar())

    async def lists(self) -> Sequence[tuple[date, List]]:
        return [(listed_on, List(name)) for listed_on, name in await self._ask(_LISTS)]

    async def answerable(
        self, listed_on: date, list_: List, *, told: bool, after: str, limit: int
    ) -> Sequence[Answerable]:
        found = await self._ask(_ANSWERABLE, list=list_.value, listed_on=listed_on, told=told, after=after, limit=limit)
        return [
            Answerable(
                id=item,
                listed_on=listed_on,
                told=None if status is None else Status(status),
                outcomes=msgspec.convert(outcomes or [], tuple[Outcome, ...]),
            )
            for item, status, outcomes in found
        ]

    async def tell(self, statuses: Mapping[str, Status], at: datetime) -> int:
        codes = [int(status) for status in statuses.values()]
        return int((await self._ask(_TELL, items=list(statuses), statuses=codes, at=at)).rowcount)

    async def waiting(self) -> int:
        return int((await self._ask(_HOW_MANY)).scalar_one())

    async def counts(self) -> Counts:
        return Counts(**(await self._ask(_COUNTS)).mappings().one())

    async def tenants(self) -> Sequence[TenantId]:
        return [TenantId(tenant) for (tenant,) in await self._connection.execute(text(_WAITING))]

    async def _ask(self, statement: str, **said: Any) -> Any:
        return await self._connection.execute(text(statement), {"tenant": self._tenant, **said})
