"""What one slice asks of another: each a function over transactions, handed in by its port."""

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from service.audit import AuditEvent, Content, Member, Sought
from service.audit.tree_ports import Seek
from service.consent.imported import opened
from service.decisions.packed import placed
from service.kernel import Handle, SubjectId, TenantId
from service.transaction import Begin


def resolver(begin: Begin) -> Callable[[TenantId, SubjectId], Awaitable[Handle | None]]:
    async def resolve(tenant: TenantId, subject: SubjectId) -> Handle | None:
        async with begin(tenant) as tx:
            return await tx.subjects.handle_of(subject)

    return resolve


def sought(begin: Begin) -> Mapping[AuditEvent, Seek]:
    """Return what says by what the entry of a record or a decision is found, also if what it tells of is gone."""

    async def record(tenant: TenantId, object_id: UUID) -> Sought | None:
        async with begin(tenant) as tx:
            gone = (await tx.traces.of(Content.RECORD, [object_id])).get(object_id)
            stored = None if gone else (await tx.records.find([object_id])).get(object_id)
            at = gone.at if gone else stored.received_at if stored else None
            if at is None:
                return None
            chunk = await tx.imports.chunk_of(object_id, at)
            if chunk is None:
                return Sought(event=AuditEvent.RECORD_STORED, object_id=object_id, at=at)
            member = None
            if stored is not None:
                secret = (await tx.audit.secrets([stored.handle])).get(stored.handle)
                index, path = chunk.path(object_id)
                shown = None if secret is None else opened(stored, secret)
                member = Member(index=index, size=len(chunk.records), path=path, opened=shown)
        return Sought(event=AuditEvent.RECORD_IMPORTED, object_id=chunk.id, at=at, member=member)

    async def decision(tenant: TenantId, object_id: UUID) -> Sought | None:
        chunk, _ = placed(object_id)
        async with begin(tenant) as tx:
            if (lone := await tx.decisions.lone(object_id)) is not None:
                return lone.sought((await tx.audit.secrets([lone.whose])).get(lone.whose))
            if (went := (await tx.traces.of(Content.BATCH, [chunk])).get(chunk)) is not None:
                return Sought(event=AuditEvent.BATCH_DECIDED, object_id=chunk, at=went.at)
            gone = (await tx.traces.of(Content.DECISION, [object_id])).get(object_id)
            stored = None if gone else await tx.decisions.find(object_id)
        at = gone.at if gone else stored.decided_at if stored else None
        return None if at is None else Sought(event=AuditEvent.DECISION_MADE, object_id=object_id, at=at)

    return {AuditEvent.RECORD_STORED: record, AuditEvent.DECISION_MADE: decision}


def known_tenant(begin: Begin) -> Callable[[TenantId], Awaitable[bool]]:
    async def known(tenant: TenantId) -> bool:
        async with begin(tenant) as tx:
            return await tx.tenants.known()

    return known
