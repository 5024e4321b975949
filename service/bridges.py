"""What one slice asks of another: each a function over transactions, handed in by its port."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from uuid import UUID

from service.audit import AuditEvent, Content
from service.audit.tree_ports import When
from service.kernel import Handle, SubjectId, TenantId
from service.transaction import Begin


def resolver(begin: Begin) -> Callable[[TenantId, SubjectId], Awaitable[Handle | None]]:
    async def resolve(tenant: TenantId, subject: SubjectId) -> Handle | None:
        async with begin(tenant) as tx:
            return await tx.subjects.handle_of(subject)

    return resolve


def when_stored(begin: Begin) -> Mapping[AuditEvent, When]:
    """Return what says when a record or a decision was stored, whose audit entry is sought, also if it is gone."""

    async def record(tenant: TenantId, object_id: UUID) -> datetime | None:
        async with begin(tenant) as tx:
            found = (await tx.records.find([object_id])).get(object_id)
            gone = (await tx.traces.of(Content.RECORD, [object_id])).get(object_id)
        if gone is not None:
            return gone.at
        return None if found is None else found.received_at

    async def decision(tenant: TenantId, object_id: UUID) -> datetime | None:
        async with begin(tenant) as tx:
            found = await tx.decisions.find(object_id)
            gone = (await tx.traces.of(Content.DECISION, [object_id])).get(object_id)
        if gone is not None:
            return gone.at
        return None if found is None else found.decided_at

    return {AuditEvent.RECORD_STORED: record, AuditEvent.DECISION_MADE: decision}


def known_tenant(begin: Begin) -> Callable[[TenantId], Awaitable[bool]]:
    async def known(tenant: TenantId) -> bool:
        async with begin(tenant) as tx:
            return await tx.tenants.known()

    return known
