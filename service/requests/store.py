from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Handle, TenantId
from service.requests.case import Filter, Position, Request, Said, Standing, Via
from service.requests.lifecycle import Happened, Move, State
from service.requests.rights import Mark, Right, Verification
from service.requests.tables import request as row
from service.requests.tables import request_event as event

_PLAIN: Final = ("id", "handle", "law", "assumed", "joins", "place", "time_zone", "received_at", "entered_at")
_STANDING: Final = ("state", "version", "open", "mark", "due_on", "due_at", "acknowledge_at")


class SqlRequestStore:
    """Keeps requests and what happened to them. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def add(self, request: Request, standing: Standing, history: Sequence[Happened]) -> bool:
        stored = await self._connection.execute(
            upsert(row)
            .values(
                **{name: getattr(request, name) for name in _PLAIN},
                **msgspec.structs.asdict(standing),
                tenant=self._tenant,
                right_name=request.right,
                via=request.said.via,
                asked=msgspec.to_builtins(request.said),
            )
            .on_conflict_do_nothing()
            .returning(row.c.id)
        )
        if stored.first() is None:
            return False
        await self._connection.execute(insert(event), [self._event(request.id, one) for one in history])
        return True

    async def find(self, request: UUID, *, hold: bool = False) -> tuple[Request, Standing] | None:
        wanted = select(row).where(row.c.tenant == self._tenant, row.c.id == request)
        found = (await self._connection.execute(wanted.with_for_update() if hold else wanted)).one_or_none()
        return None if found is None else (_request(found), _standing(found))

    async def several(self, requests: Collection[UUID]) -> Mapping[UUID, Request]:
        found = await self._connection.execute(select(row).where(row.c.tenant == self._tenant, row.c.id.in_(requests)))
        return {each.id: _request(each) for each in found}

    async def histories(self, requests: Collection[UUID]) -> Mapping[UUID, Sequence[Happened]]:
        found = await self._connection.execute(
            select(event)
            .where(event.c.tenant == self._tenant, event.c.request.in_(requests))
            .order_by(event.c.request, event.c.number)
        )
        histories: dict[UUID, list[Happened]] = {request: [] for request in requests}
        for each in found:
            histories[each.request].append(_happened(each))
        return histories

    async def move(self, request: UUID, standing: Standing, happened: Happened) -> None:
        await self._connection.execute(insert(event).values(**self._event(request, happened)))
        await self._connection.execute(
            update(row)
            .where(row.c.tenant == self._tenant, row.c.id == request)
            .values(**msgspec.structs.asdict(standing))
        )

    async def of(self, handles: Collection[Handle]) -> Sequence[tuple[Request, Standing]]:
        theirs = select(row).where(row.c.tenant == self._tenant, row.c.handle.in_(handles))
        found = await self._connection.execute(theirs.order_by(row.c.received_at, row.c.id))
        return [(_request(each), _standing(each)) for each in found]

    async def open_of(
        self, handles: Collection[Handle], right: Right, law: str, via: Via, *, due_by: datetime
    ) -> UUID | None:
        found: UUID | None = await self._connection.scalar(
            select(row.c.id)
            .where(
                row.c.tenant == self._tenant,
                row.c.handle.in_(handles),
                row.c.right_name == right,
                row.c.law == law,
                row.c.via == via,
                row.c.open,
                row.c.due_at <= due_by,
            )
            .order_by(row.c.due_at, row.c.id)
            .limit(1)
        )
        return found

    async def count(
        self, handles: Collection[Handle], rights: Collection[Right], law: str, *, since: datetime, until: datetime
    ) -> int:
        counted = await self._connection.scalar(
            select(func.count())
            .select_from(row)
            .where(
                row.c.tenant == self._tenant,
                row.c.handle.in_(handles),
                row.c.right_name.in_(rights),
                row.c.law == law,
                row.c.received_at > since,
                row.c.received_at <= until,
                row.c.state.not_in((State.WITHDRAWN, State.REFUSED, State.DUPLICATE)),
            )
        )
        return counted or 0

    async def joined(self, request: UUID, *, hold: bool = False) -> Sequence[tuple[Request, Standing]]:
        wanted = (
            select(row)
            .where(row.c.tenant == self._tenant, row.c.joins == request)
            .order_by(row.c.received_at, row.c.id)
        )
        found = await self._connection.execute(wanted.with_for_update() if hold else wanted)
        return [(_request(each), _standing(each)) for each in found]

    async def marked(self, handles: Collection[Handle], mark: Mark, *, but: UUID) -> bool:
        others = select(row.c.id).where(
            row.c.tenant == self._tenant, row.c.handle.in_(handles), row.c.mark == mark, row.c.id != but
        )
        return (await self._connection.execute(others.limit(1))).first() is not None

    async def page(self, wanted: Filter, *, after: Position | None, limit: int) -> Sequence[tuple[Request, Standing]]:
        conditions = [row.c.tenant == self._tenant]
        conditions.append(row.c.open if wanted.state is None else row.c.state == wanted.state)
        if wanted.right is not None:
            conditions.append(row.c.right_name == wanted.right)
        if wanted.law is not None:
            conditions.append(row.c.law == wanted.law)
        if wanted.overdue:
            conditions.append(row.c.open)
        if wanted.due_before is not None:
            conditions.append(row.c.due_at <= wanted.due_before)
        if after is not None:
            conditions.append(tuple_(row.c.due_at, row.c.id) > (after.due_at, after.id))
        found = await self._connection.execute(
            select(row).where(*conditions).order_by(row.c.due_at, row.c.id).limit(limit)
        )
        return [(_request(each), _standing(each)) for each in found]

    def _event(self, request: UUID, happened: Happened) -> dict[str, Any]:
        return {**msgspec.structs.asdict(happened), "tenant": self._tenant, "request": request}


def _request(found: Row[Any]) -> Request:
    return Request(
        **{name: getattr(found, name) for name in _PLAIN},
        right=Right(found.right_name),
        said=msgspec.convert(found.asked, Said),
    )


def _standing(found: Row[Any]) -> Standing:
    members = {name: getattr(found, name) for name in _STANDING}
    return Standing(
        **{**members, "state": State(found.state), "mark": None if found.mark is None else Mark(found.mark)}
    )


def _happened(found: Row[Any]) -> Happened:
    return Happened(
        number=found.number,
        move=Move(found.move),
        at=found.at,
        actor=found.actor,
        reason=found.reason,
        authority=found.authority,
        proves=Verification(found.proves),
    )
