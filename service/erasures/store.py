from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Uuid, bindparam, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from service.erasures.domain import Done, Erasure, Plan, Step
from service.erasures.tables import erasure as row
from service.erasures.tables import erasure_step as step
from service.kernel import Caller, Handle, TenantId

_HANDLES: Final = bindparam("handles", type_=ARRAY(Uuid))
_COUNTS: Final = text(
    """
    SELECT
        (SELECT count(*) FROM vault_value WHERE tenant = :tenant AND handle = ANY(:handles)) AS "values",
        (SELECT count(*) FROM vault_index WHERE tenant = :tenant AND handle = ANY(:handles)) AS index_entries,
        (SELECT count(*) FROM vault_token WHERE tenant = :tenant AND handle = ANY(:handles)) AS tokens,
        (SELECT count(*) FROM record WHERE tenant = :tenant AND handle = ANY(:handles)) AS records,
        (SELECT count(*) FROM subject_facts WHERE tenant = :tenant AND handle = ANY(:handles)) AS facts,
        (SELECT count(*) FROM subject WHERE tenant = :tenant AND handle = ANY(:handles)) AS subject_ids
    """
).bindparams(_HANDLES)
_LEFT: Final = text(
    """
    SELECT
        (SELECT count(*) FROM unnest(:handles) AS whose WHERE NOT EXISTS (
            SELECT FROM vault_subject_key
            WHERE tenant = :tenant AND handle = whose AND destroyed_at IS NOT NULL AND wrapped = ''
        )) AS keys,
        (SELECT count(*) FROM commitment_secret WHERE tenant = :tenant AND handle = ANY(:handles)) AS secrets,
        (SELECT count(*) FROM vault_index WHERE tenant = :tenant AND handle = ANY(:handles)) AS index_entries,
        (SELECT count(*) FROM vault_token WHERE tenant = :tenant AND handle = ANY(:handles)) AS tokens,
        (SELECT count(*) FROM drop_mark WHERE tenant = :tenant AND handle = ANY(:handles)) AS drop_marks,
        (SELECT count(*) FROM subject_facts WHERE tenant = :tenant AND handle = ANY(:handles)) AS facts,
        (SELECT count(*) FROM consent_state WHERE tenant = :tenant AND handle = ANY(:handles)) AS states,
        (SELECT count(*) FROM subject WHERE tenant = :tenant AND handle = ANY(:handles)) AS subject_ids,
        (SELECT count(*) FROM subject_pair
            WHERE tenant = :tenant AND (one = ANY(:handles) OR other = ANY(:handles))) AS pairs
    """
).bindparams(_HANDLES)
_HIDES: Final = text("SELECT hides_erased FROM tenant WHERE id = :tenant")
_DUE: Final = text("SELECT tenant, request FROM erasures_due()")
_REDUCE: Final = text(
    """
    SELECT held FROM erasure_reduce(
        :tenant, :erasure, :keep, CAST(:until AS timestamptz), :at, :entries, CAST(:request AS uuid), :actor
    )
    """
).bindparams(bindparam("keep", type_=ARRAY(Uuid)), bindparam("entries", type_=ARRAY(Uuid)))
_ORDER: Final = list(Step)


class SqlErasureStore:
    """Never commits: the transaction that built the store does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def add(self, erasure: Erasure) -> None:
        await self._connection.execute(
            insert(row).values(
                tenant=self._tenant,
                request=erasure.request,
                handle=erasure.handle,
                handles=list(erasure.handles),
                plan=msgspec.json.encode(erasure.plan),
                begun_at=erasure.begun_at,
            )
        )

    async def find(self, request: UUID, *, hold: bool = False) -> Erasure | None:
        wanted = select(row).where(row.c.tenant == self._tenant, row.c.request == request)
        found = (await self._connection.execute(wanted.with_for_update() if hold else wanted)).one_or_none()
        if found is None:
            return None
        return Erasure(
            request=found.request,
            handle=Handle(found.handle),
            handles=tuple(Handle(each) for each in found.handles),
            plan=msgspec.json.decode(found.plan, type=Plan),
            begun_at=found.begun_at,
            ended_at=found.ended_at,
            certificate=found.certificate,
        )

    async def widen(self, request: UUID, handles: Sequence[Handle]) -> None:
        await self._changed(request, handles=list(handles))

    async def done(self, request: UUID) -> Sequence[Done]:
        wanted = select(step.c.step, step.c.at, step.c.told).where(
            step.c.tenant == self._tenant, step.c.request == request
        )
        found = [
            Done(step=Step(name), at=at, told=msgspec.json.decode(told, type=dict[str, int]))
            for name, at, told in await self._connection.execute(wanted)
        ]
        return sorted(found, key=lambda one: _ORDER.index(one.step))

    async def note(self, request: UUID, done: Done) -> None:
        told = msgspec.json.encode(done.told, order="sorted")
        await self._connection.execute(
            insert(step).values(tenant=self._tenant, request=request, step=done.step, at=done.at, told=told)
        )

    async def certify(self, request: UUID, content: bytes, at: datetime) -> None:
        await self._changed(request, certificate=content, ended_at=at)

    async def destroyed(self, request: UUID) -> bool:
        return any(one.step is Step.FORGOTTEN for one in await self.done(request))

    async def certified(self, request: UUID) -> bool:
        found = await self.find(request)
        return found is not None and found.ended_at is not None

    async def counts(self, handles: Collection[Handle]) -> Mapping[str, int]:
        return await self._counted(_COUNTS, handles)

    async def left(self, handles: Collection[Handle]) -> Mapping[str, int]:
        return {what: count for what, count in (await self._counted(_LEFT, handles)).items() if count}

    async def hides(self) -> bool:
        return bool(await self._connection.scalar(_HIDES, {"tenant": self._tenant}))

    async def due(self) -> Sequence[tuple[TenantId, UUID]]:
        return [(TenantId(tenant), request) for tenant, request in await self._connection.execute(_DUE)]

    async def reduce(
        self,
        request: UUID,
        keep: Collection[UUID],
        until: datetime | None,
        at: datetime,
        *,
        entries: Sequence[UUID],
        by: Caller,
    ) -> bool:
        held = await self._connection.scalar(
            _REDUCE,
            {
                "tenant": self._tenant,
                "erasure": request,
                "keep": list(keep),
                "until": until,
                "at": at,
                "entries": list(entries),
                "request": by.request,
                "actor": by.actor,
            },
        )
        return not held

    async def _counted(self, counting: Any, handles: Collection[Handle]) -> Mapping[str, int]:
        found = await self._connection.execute(counting, {"tenant": self._tenant, "handles": list(handles)})
        return {what: int(count) for what, count in found.mappings().one().items()}

    async def _changed(self, request: UUID, **values: Any) -> None:
        await self._connection.execute(
            update(row).where(row.c.tenant == self._tenant, row.c.request == request).values(**values)
        )
