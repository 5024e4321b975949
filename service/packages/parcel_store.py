from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import and_, bindparam, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Caller, Handle, TenantId
from service.packages.domain import Language
from service.packages.parcels import ATTEMPTS, LEASE, UNDER_WAY, Fate, Parcel, ParcelState
from service.packages.tables import parcel as table

_WORN_OUT: Final = "whoever made this package was ended by it"
_NOBODYS: Final[Mapping[str, Any]] = {"holder": None, "beat_at": None}
_UNMADE: Final[Mapping[str, Any]] = {"maker": None, "size": None, "made_at": None, "expires_at": None, "fault": None}
_DUE: Final = text(
    """
    SELECT request.id FROM request
    WHERE request.tenant = :tenant AND request.open AND request.state = 'executing'
        AND request.right_name = ANY (:rights)
        AND NOT EXISTS (SELECT FROM parcel WHERE parcel.tenant = request.tenant AND parcel.request = request.id)
        AND NOT answers_awaited(request.tenant, request.id)
    ORDER BY request.due_at, request.id
    """
).bindparams(bindparam("rights", type_=ARRAY(TEXT)))
_HANDED_OVER: Final = text(
    """
    SELECT request.id FROM request JOIN parcel ON parcel.tenant = request.tenant AND parcel.request = request.id
    WHERE request.tenant = :tenant AND request.open AND request.state = 'executing'
        AND parcel.state = 'fetched' AND parcel.by_owner
    """
)
_OVER: Final = text(
    """
    SELECT parcel.*, parcel_fate(parcel, :now, :silent_since) AS fate FROM parcel
    WHERE parcel.tenant = :tenant AND parcel.state IN ('waiting', 'running', 'ready')
        AND parcel_fate(parcel, :now, :silent_since) IS NOT NULL
    FOR UPDATE SKIP LOCKED
    """
)
_WITH_WORK: Final = text(
    "SELECT tenant FROM parcel_tenants(:rights, :now, :silent_since) AS tenant ORDER BY tenant"
).bindparams(bindparam("rights", type_=ARRAY(TEXT)))


class SqlParcelStore:
    """Keeps which packages wait to be fetched. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def find(self, request: UUID, *, hold: bool = False) -> Parcel | None:
        wanted = select(table).where(table.c.tenant == self._tenant, table.c.request == request)
        found = await self._connection.execute(wanted.with_for_update() if hold else wanted)
        known = found.mappings().one_or_none()
        return None if known is None else _parcel(known)

    async def put(
        self, request: UUID, id: UUID, handle: Handle, language: Language, *, at: datetime, by: Caller
    ) -> None:
        fresh = {"id": id, "handle": handle, "language": language, "asked_at": at}
        fresh |= {
            "actor": by.actor,
            "call": by.request,
            "state": ParcelState.WAITING,
            "attempts": 0,
            "by_owner": False,
            **_NOBODYS,
            **_UNMADE,
        }
        stored = upsert(table).values(tenant=self._tenant, request=request, **fresh)
        key = [table.c.tenant, table.c.request]
        await self._connection.execute(stored.on_conflict_do_update(index_elements=key, set_=fresh))

    async def due(self, rights: Collection[str]) -> Sequence[UUID]:
        found = await self._connection.scalars(_DUE, {"tenant": self._tenant, "rights": list(rights)})
        return list(found)

    async def claim(self, holder: UUID, now: datetime) -> Parcel | None:
        row = table.c
        forgotten = and_(row.state == ParcelState.RUNNING, row.beat_at <= now - LEASE)
        while True:
            found = await self._connection.execute(
                select(table)
                .where(row.tenant == self._tenant, or_(row.state == ParcelState.WAITING, forgotten))
                .order_by(row.asked_at, row.request)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            known = found.mappings().one_or_none()
            if known is None:
                return None
            oldest = _parcel(known)
            if oldest.attempts < ATTEMPTS:
                break
            await self._set(oldest, state=ParcelState.FAILED, fault=_WORN_OUT, **_NOBODYS)
        began = {"holder": holder, "maker": holder, "beat_at": now, "attempts": oldest.attempts + 1}
        await self._set(oldest, state=ParcelState.RUNNING, **began)
        return _parcel({**known, "state": ParcelState.RUNNING, **began})

    async def take(self, parcel: Parcel, holder: UUID, *, now: datetime, expires_at: datetime) -> Parcel | None:
        row = table.c
        free = or_(row.holder.is_(None), row.beat_at <= now - LEASE)
        taken = {"holder": holder, "beat_at": now, "expires_at": expires_at}
        if not await self._set(parcel, row.state == ParcelState.READY, free, **taken):
            return None
        return replace(parcel, **taken)

    async def beat(self, parcel: Parcel, now: datetime) -> bool:
        return await self._set(parcel, table.c.holder == parcel.holder, beat_at=now)

    async def release(self, parcel: Parcel) -> None:
        row, unmade = table.c, {"state": ParcelState.WAITING, "attempts": table.c.attempts - 1}
        ours = row.holder == parcel.holder
        await self._set(parcel, ours, row.state == ParcelState.READY, **_NOBODYS)
        await self._set(parcel, ours, row.state == ParcelState.RUNNING, **unmade, **_NOBODYS)

    async def end(self, parcel: Parcel, *, size: int, made_at: datetime, expires_at: datetime) -> bool:
        made = {"state": ParcelState.READY, "size": size, "made_at": made_at, "expires_at": expires_at}
        ours = table.c.holder == parcel.holder, table.c.state == ParcelState.RUNNING
        return await self._set(parcel, *ours, **made, **_NOBODYS)

    async def fail(self, parcel: Parcel, fault: str) -> None:
        ours = table.c.holder == parcel.holder, table.c.state == ParcelState.RUNNING
        await self._set(parcel, *ours, state=ParcelState.FAILED, fault=fault, **_NOBODYS)

    async def fetched(self, parcel: Parcel, *, by_owner: bool) -> bool:
        ours = table.c.holder == parcel.holder, table.c.state == ParcelState.READY
        return await self._set(parcel, *ours, state=ParcelState.FETCHED, by_owner=by_owner, **_NOBODYS)

    async def settle(self, parcel: Parcel, state: ParcelState) -> None:
        await self._set(parcel, state=state, **_NOBODYS)

    async def over(self, now: datetime) -> Sequence[tuple[Parcel, Fate]]:
        of = {"tenant": self._tenant, "now": now, "silent_since": now - LEASE}
        found = await self._connection.execute(_OVER, of)
        return [(_parcel(known), Fate(known["fate"])) for known in found.mappings()]

    async def handed_over(self) -> Sequence[UUID]:
        return list(await self._connection.scalars(_HANDED_OVER, {"tenant": self._tenant}))

    async def lying(self) -> Collection[str]:
        row = table.c
        found = await self._connection.execute(
            select(table).where(row.tenant == self._tenant, row.state.in_(UNDER_WAY))
        )
        return {_parcel(known).file for known in found.mappings()}

    async def with_work(self, rights: Collection[str], now: datetime) -> Sequence[TenantId]:
        of = {"rights": list(rights), "now": now, "silent_since": now - LEASE}
        return [TenantId(tenant) for tenant in await self._connection.scalars(_WITH_WORK, of)]

    async def _set(self, parcel: Parcel, *conditions: Any, **values: Any) -> bool:
        """Change a package, if it is still the one that was asked for then; return whether it was."""
        row = table.c
        changed = update(table).where(
            row.tenant == self._tenant, row.request == parcel.request, row.id == parcel.id, *conditions
        )
        found = await self._connection.execute(changed.values(**values).returning(row.id))
        return found.first() is not None


def _parcel(known: Mapping[Any, Any]) -> Parcel:
    members = {name: known[name] for name in Parcel.__struct_fields__}
    return Parcel(**members | {"state": ParcelState(known["state"]), "language": Language(known["language"])})
