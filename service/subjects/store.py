from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Handle, NewId, SubjectId, TenantId
from service.subjects.domain import NO_FACTS, NO_FLAGS, Ensured, Flags, Subject, SubjectFacts
from service.subjects.tables import subject as row
from service.subjects.tables import subject_facts

_ENSURE: Final = text(
    """
    INSERT INTO subject (tenant, subject, handle, created_at, version, facts)
    SELECT :tenant, subject, handle, :at, 0, :facts
    FROM json_to_recordset(CAST(:rows AS json)) AS new (subject text, handle uuid)
    ORDER BY subject COLLATE "C"
    ON CONFLICT (tenant, subject) DO NOTHING
    RETURNING subject
    """
)
_HANDLES: Final = text(
    """
    SELECT subject, handle FROM subject
    WHERE tenant = :tenant AND subject = ANY(string_to_array(:subjects, ','))
    """
)
_SUBJECT: Final = select(row.c.handle, row.c.version, row.c.facts, row.c.flags)
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(SubjectFacts)
_flags: Final = msgspec.json.Decoder(Flags)
_UNKNOWN: Final = _encoder.encode(NO_FACTS)


class SqlSubjectStore:
    """Keeps `Subject` rows and every version of their facts; rows never leave this class.

    Never commits: the transaction that built the store does.
    """

    def __init__(self, connection: AsyncConnection, tenant: TenantId, new_id: NewId) -> None:
        self._connection = connection
        self._tenant = tenant
        self._new_id = new_id

    async def ensure(self, subjects: Sequence[SubjectId], at: datetime) -> Ensured:
        handles = await self._handles(subjects)
        missing = sorted({subject for subject in subjects if subject not in handles})
        if not missing:
            return Ensured(handles=handles, created=frozenset())
        # In one order everywhere: two batches with the same new subjects wait for each other and don't deadlock.
        rows = [{"subject": subject, "handle": self._new_id()} for subject in missing]
        created = await self._connection.execute(
            _ENSURE, {"tenant": self._tenant, "at": at, "facts": _UNKNOWN, "rows": _encoder.encode(rows).decode()}
        )
        names = frozenset(created.scalars())
        return Ensured(handles={**handles, **await self._handles(missing)}, created=names)

    async def _handles(self, subjects: Sequence[SubjectId]) -> dict[SubjectId, Handle]:
        # No subject id has a comma in it.
        found = await self._connection.execute(_HANDLES, {"tenant": self._tenant, "subjects": ",".join(subjects)})
        return {SubjectId(subject): Handle(handle) for subject, handle in found}

    async def handle_of(self, subject: SubjectId) -> Handle | None:
        return (await self._handles([subject])).get(subject)

    async def page(self, *, after: SubjectId | None, limit: int) -> Sequence[tuple[SubjectId, Handle]]:
        wanted = select(row.c.subject, row.c.handle).where(row.c.tenant == self._tenant)
        if after is not None:
            wanted = wanted.where(row.c.subject > after)
        found = await self._connection.execute(wanted.order_by(row.c.subject).limit(limit))
        return [(SubjectId(subject), Handle(handle)) for subject, handle in found]

    async def count(self) -> int:
        counted = await self._connection.scalar(select(func.count()).where(row.c.tenant == self._tenant))
        return int(counted or 0)

    async def names(self, handles: Collection[UUID]) -> Mapping[UUID, SubjectId]:
        found = await self._connection.execute(
            select(row.c.handle, row.c.subject).where(row.c.tenant == self._tenant, row.c.handle.in_(list(handles)))
        )
        return {handle: SubjectId(subject) for handle, subject in found}

    async def find(self, subject: SubjectId, *, as_of: datetime | None = None) -> Subject | None:
        found = await self._connection.execute(_SUBJECT.where(row.c.tenant == self._tenant, row.c.subject == subject))
        known = found.one_or_none()
        if known is None or as_of is None:
            return None if known is None else _to_subject(known)
        versions = await self._connection.execute(
            select(subject_facts.c.version, subject_facts.c.facts)
            .where(
                subject_facts.c.tenant == self._tenant,
                subject_facts.c.handle == known.handle,
                subject_facts.c.at <= as_of,
            )
            .order_by(subject_facts.c.version.desc())
            .limit(1)
        )
        then = versions.one_or_none()
        flags = _to_flags(known.flags)
        if then is None:
            return Subject(handle=known.handle, version=0, facts=NO_FACTS, flags=flags)
        return Subject(handle=known.handle, version=then.version, facts=_decoder.decode(then.facts), flags=flags)

    async def lock(self, handle: Handle) -> Subject:
        wanted = _SUBJECT.where(row.c.tenant == self._tenant, row.c.handle == handle)
        return _to_subject((await self._connection.execute(wanted.with_for_update())).one())

    async def add_version(self, handle: Handle, version: int, facts: SubjectFacts, at: datetime) -> None:
        encoded = _encoder.encode(facts)
        await self._connection.execute(
            insert(subject_facts).values(tenant=self._tenant, handle=handle, version=version, facts=encoded, at=at)
        )
        await self._connection.execute(
            update(row)
            .where(row.c.tenant == self._tenant, row.c.handle == handle)
            .values(version=version, facts=encoded)
        )

    async def set_flags(self, handle: Handle, flags: Flags) -> None:
        encoded = None if flags == NO_FLAGS else _encoder.encode(flags)
        await self._connection.execute(
            update(row).where(row.c.tenant == self._tenant, row.c.handle == handle).values(flags=encoded)
        )


def _to_subject(found: Row[Any, Any, Any, Any]) -> Subject:
    return Subject(
        handle=Handle(found.handle),
        version=found.version,
        facts=_decoder.decode(found.facts),
        flags=_to_flags(found.flags),
    )


def _to_flags(encoded: bytes | None) -> Flags:
    return NO_FLAGS if encoded is None else _flags.decode(encoded)
