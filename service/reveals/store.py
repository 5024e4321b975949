from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.consent import Channel
from service.kernel import Handle, TenantId
from service.reveals.approval import Approval
from service.reveals.domain import Revealed
from service.reveals.tables import reveal, reveal_approval
from service.reveals.token import Given, StandIn
from service.vault import Name

_ADD_TOKEN = text(
    """
    INSERT INTO vault_token (tenant, digest, handle, field, label, purpose, recipient, created_at, actor)
    VALUES (:tenant, :digest, :handle, :field, :label, :purpose, :recipient, :at, :actor)
    """
)
_TOKEN = "SELECT digest, handle, field, label, purpose, recipient FROM vault_token"  # noqa: S105
_FIND_TOKEN = text(f"{_TOKEN} WHERE tenant = :tenant AND digest = :digest AND revoked_at IS NULL")
_TOKENS_OF = text(
    """
    SELECT digest, handle, field, label, purpose, recipient, created_at, revoked_at FROM vault_token
    WHERE tenant = :tenant AND handle = ANY(CAST(string_to_array(:handles, ',') AS uuid[]))
    ORDER BY created_at, digest
    """
)
_REVOKE = text(
    """
    UPDATE vault_token SET revoked_at = coalesce(revoked_at, :at) WHERE tenant = :tenant AND digest = :digest
    RETURNING digest, handle, field, label, purpose, recipient
    """
)

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:tenant || ' ' || :actor, 0))")
_DROP_PAST = text("DELETE FROM reveal_alone WHERE tenant = :tenant AND actor = :actor AND at <= :since")
_READ_ALONE = text(
    """
    SELECT count(*), coalesce(bool_or(handle = :handle), false), min(at) FROM reveal_alone
    WHERE tenant = :tenant AND actor = :actor
    """
)
_READ_ONE_MORE = text("INSERT INTO reveal_alone (tenant, actor, handle, at) VALUES (:tenant, :actor, :handle, :at)")
_AT_ONCE: Final = 1_000


class SqlRevealStore:
    """Reads the log of reveals. `reveals/log.py` writes it, many at a time."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def several(self, reveals: Collection[UUID]) -> Mapping[UUID, Revealed]:
        wanted = select(reveal).where(reveal.c.tenant == self._tenant, reveal.c.id.in_(reveals))
        found = await self._connection.execute(wanted)
        return {row.id: msgspec.convert(row, Revealed, from_attributes=True) for row in found}

    async def of(self, handles: Collection[Handle]) -> AsyncIterator[Sequence[Revealed]]:
        row = reveal.c
        wanted = select(*(row[name] for name in Revealed.__struct_fields__)).where(
            row.tenant == self._tenant, row.handle.in_(handles)
        )
        # A cursor: the rows are sought once, and are never all here.
        ordered = wanted.order_by(row.at, row.id)
        async with self._connection.stream(ordered, execution_options={"yield_per": _AT_ONCE}) as found:
            async for part in found.partitions():
                yield [_revealed(each) for each in part]


class SqlApprovalStore:
    """Keeps approvals. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def add(self, approval: Approval) -> None:
        row = {**msgspec.structs.asdict(approval), "fields": list(approval.fields), "tenant": self._tenant}
        await self._connection.execute(insert(reveal_approval).values(row))

    async def find(self, approval: UUID, *, hold: bool = False) -> Approval | None:
        row = reveal_approval.c
        wanted = select(reveal_approval).where(row.tenant == self._tenant, row.id == approval)
        found = (await self._connection.execute(wanted.with_for_update() if hold else wanted)).one_or_none()
        return None if found is None else _approval(found)

    async def several(self, approvals: Collection[UUID]) -> Mapping[UUID, Approval]:
        row = reveal_approval.c
        wanted = select(reveal_approval).where(row.tenant == self._tenant, row.id.in_(approvals))
        return {found.id: _approval(found) for found in await self._connection.execute(wanted)}

    async def approve(self, approval: UUID, *, actor: str, at: datetime) -> None:
        await self._set(approval, approved_by=actor, approved_at=at)

    async def use(self, approval: UUID, *, at: datetime) -> None:
        await self._set(approval, used_at=at)

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Approval]:
        row = reveal_approval.c
        wanted = select(reveal_approval).where(row.tenant == self._tenant)
        if before is not None:
            wanted = wanted.where(row.id < before)
        found = await self._connection.execute(wanted.order_by(row.id.desc()).limit(limit))
        return [_approval(each) for each in found]

    async def _set(self, approval: UUID, /, **values: Any) -> None:
        row = reveal_approval.c
        await self._connection.execute(
            update(reveal_approval).where(row.tenant == self._tenant, row.id == approval).values(**values)
        )


class SqlAloneStore:
    """Keeps whom officers read alone. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def admit(self, actor: str, handle: Handle, *, most: int, since: datetime, at: datetime) -> datetime | None:
        asked = {"tenant": self._tenant, "actor": actor, "handle": handle, "since": since, "at": at}
        await self._connection.execute(_ONE_AT_A_TIME, asked)
        await self._connection.execute(_DROP_PAST, asked)
        counted, known, first = (await self._connection.execute(_READ_ALONE, asked)).one()
        if known:
            return None
        if counted >= most:
            return first or at
        await self._connection.execute(_READ_ONE_MORE, asked)
        return None


class SqlTokenStore:
    """Keeps stand-ins in the vault's table of tokens. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def add(self, stand_in: StandIn, *, actor: str, at: datetime) -> None:
        name = Name.of(stand_in.name)
        row = {**msgspec.structs.asdict(stand_in), "field": name.field, "label": name.label, "at": at, "actor": actor}
        await self._connection.execute(_ADD_TOKEN, {**row, "tenant": self._tenant})

    async def find(self, digest: bytes) -> StandIn | None:
        found = await self._connection.execute(_FIND_TOKEN, {"tenant": self._tenant, "digest": digest})
        return _stand_in(found.one_or_none())

    async def of(self, handles: Collection[Handle]) -> Sequence[Given]:
        of = {"tenant": self._tenant, "handles": ",".join(map(str, handles))}
        found = await self._connection.execute(_TOKENS_OF, of)
        return [
            Given(stand_in=stand_in, created_at=row.created_at, revoked_at=row.revoked_at)
            for row in found
            if (stand_in := _stand_in(row)) is not None
        ]

    async def revoke(self, digest: bytes, *, at: datetime) -> StandIn | None:
        found = await self._connection.execute(_REVOKE, {"tenant": self._tenant, "digest": digest, "at": at})
        return _stand_in(found.one_or_none())


def _approval(row: Row[Any]) -> Approval:
    members = {name: getattr(row, name) for name in Approval.__struct_fields__}
    return Approval(**{**members, "fields": tuple(row.fields)})


def _stand_in(row: Row[Any] | None) -> StandIn | None:
    if row is None:
        return None
    return StandIn(
        digest=bytes(row.digest),
        handle=Handle(row.handle),
        name=str(Name(row.field, row.label)),
        purpose=row.purpose,
        recipient=row.recipient,
    )


def _revealed(row: Row[Any]) -> Revealed:
    channel = None if row.channel is None else Channel(row.channel)
    return Revealed(**{name: getattr(row, name) for name in Revealed.__struct_fields__} | {"channel": channel})
