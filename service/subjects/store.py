from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import replace
from sqlalchemy import Row, Select, Uuid, bindparam, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection

from service.audit import ContentExpired
from service.kernel import Handle, NewId, SubjectId, TenantId, Unavailable
from service.subjects.domain import NO_FACTS, NO_FLAGS, Ensured, FactsVersion, Flags, Named, Subject, SubjectFacts
from service.subjects.tables import subject as row
from service.subjects.tables import subject_facts, subject_pair
from service.trips import Trips

_ENSURE: Final = """
    INSERT INTO subject (tenant, subject, handle, created_at, version, facts)
    SELECT %(tenant)s, subject, handle, %(at)s, 0, %(facts)s
    FROM json_to_recordset(%(rows)s::json) AS new (subject text, handle uuid)
    ORDER BY subject COLLATE "C"
    ON CONFLICT (tenant, subject) DO NOTHING
    RETURNING subject, handle
"""
_HANDLES: Final = """
    SELECT subject, handle FROM subject
    WHERE tenant = %(tenant)s AND subject = ANY(string_to_array(%(subjects)s, ','))
"""
_HELD: Final = f"{_HANDLES} ORDER BY subject FOR KEY SHARE"
"""Writers don't wait for each other here, and merges wait for all of them."""
_NAMES: Final = """
    SELECT handle, subject FROM subject
    WHERE tenant = %(tenant)s AND handle = ANY(string_to_array(%(handles)s, ',')::uuid[]) AND merged_at IS NULL
"""
_VERSIONS: Final = """
    SELECT handle, version, facts FROM subject_facts
    WHERE tenant = %(tenant)s AND handle = ANY(string_to_array(%(handles)s, ',')::uuid[])
    ORDER BY handle, version
"""

_MOVE_PAIRS: Final = text(
    """
    WITH gone AS (
        DELETE FROM subject_pair
        WHERE tenant = :tenant AND (one = :from OR other = :from) AND :into NOT IN (one, other)
        RETURNING CASE one WHEN :from THEN other ELSE one END AS third, about, found_at, settled_at, same
    )
    INSERT INTO subject_pair AS kept (tenant, one, other, about, found_at, settled_at, same)
    SELECT :tenant, least(:into, third), greatest(:into, third), about, found_at, settled_at, same FROM gone
    ON CONFLICT (tenant, one, other, about) DO UPDATE
    SET settled_at = coalesce(kept.settled_at, excluded.settled_at), same = coalesce(kept.same, excluded.same)
    """
).bindparams(bindparam("from", type_=Uuid), bindparam("into", type_=Uuid))
"""What was settled for one of the two is settled for the person that both are."""

_CURRENT: Final = text(
    """
    SELECT handle FROM subject WHERE tenant = :tenant AND merged_at IS NULL AND (handle = :handle OR handle IN (
        SELECT CASE one WHEN :handle THEN other ELSE one END FROM subject_pair
        WHERE tenant = :tenant AND (one = :handle OR other = :handle) AND same
    ))
    ORDER BY (handle = :handle) DESC LIMIT 1
    """
).bindparams(bindparam("handle", type_=Uuid))
"""Who was merged into others has their handle; no chain, since a merge moves the pairs along."""

_LEAVE: Final = text(
    """
    INSERT INTO subject_pair (tenant, one, other, about, found_at)
    SELECT :tenant, one, other, decode(about, 'hex'), :at
    FROM json_to_recordset(CAST(:rows AS json)) AS new (one uuid, other uuid, about text)
    ORDER BY one, other, about
    ON CONFLICT DO NOTHING
    RETURNING one, other
    """
)
_HIDE: Final = text("SELECT subject_hide(:subject, :at)")
_SUBJECT: Final = select(row.c.handle, row.c.version, row.c.facts, row.c.flags)
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(SubjectFacts)
_flags: Final = msgspec.json.Decoder(Flags)
_UNKNOWN: Final = _encoder.encode(NO_FACTS)


class SqlNames:
    """Knows what a tenant calls its subjects."""

    def __init__(self, ask: Trips, tenant: TenantId) -> None:
        self._ask = ask
        self._tenant = tenant

    async def names(self, handles: Collection[UUID]) -> Mapping[UUID, SubjectId]:
        wanted = ",".join(handle.hex for handle in handles)
        found = await self._ask(_NAMES, {"tenant": self._tenant, "handles": wanted})
        return {handle: SubjectId(subject) for handle, subject in found}


class SqlSubjectStore(SqlNames):
    """Keeps `Subject` rows and every version of their facts; rows never leave this class.

    Never commits: the transaction that built the store does.
    """

    def __init__(self, connection: AsyncConnection, ask: Trips, tenant: TenantId, new_id: NewId) -> None:
        super().__init__(ask, tenant)
        self._connection = connection
        self._new_id = new_id

    async def ensure(self, subjects: Sequence[SubjectId], at: datetime) -> Ensured:
        handles = await self._handles(subjects, _HELD)
        missing = sorted({subject for subject in subjects if subject not in handles})
        if not missing:
            return Ensured(handles=handles, created=frozenset())
        # In one order everywhere: two batches with the same new subjects wait for each other and don't deadlock.
        rows = [{"subject": subject, "handle": self._new_id()} for subject in missing]
        new = await self._ask(
            _ENSURE, {"tenant": self._tenant, "at": at, "facts": _UNKNOWN, "rows": _encoder.encode(rows).decode()}
        )
        created = {SubjectId(subject): Handle(handle) for subject, handle in new}
        if late := [subject for subject in missing if subject not in created]:  # another was first
            handles |= await self._handles(late, _HELD)
        return Ensured(handles={**handles, **created}, created=frozenset(created))

    async def _handles(self, subjects: Collection[SubjectId], query: str = _HANDLES) -> dict[SubjectId, Handle]:
        # No subject id has a comma in it.
        found = await self._ask(query, {"tenant": self._tenant, "subjects": ",".join(subjects)})
        return {SubjectId(subject): Handle(handle) for subject, handle in found}

    async def handle_of(self, subject: SubjectId) -> Handle | None:
        return (await self._handles([subject])).get(subject)

    async def page(self, *, after: SubjectId | None, limit: int) -> Sequence[tuple[SubjectId, Handle]]:
        wanted = select(row.c.subject, row.c.handle).where(row.c.tenant == self._tenant, row.c.merged_at.is_(None))
        if after is not None:
            wanted = wanted.where(row.c.subject > after)
        found = await self._connection.execute(wanted.order_by(row.c.subject).limit(limit))
        return [(SubjectId(subject), Handle(handle)) for subject, handle in found]

    async def count(self) -> int:
        everybody = select(func.count()).where(row.c.tenant == self._tenant, row.c.merged_at.is_(None))
        counted = await self._connection.scalar(everybody)
        return int(counted or 0)

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
            await self._refuse_what_went(known.handle)
            return Subject(handle=known.handle, version=0, facts=NO_FACTS, flags=flags)
        return Subject(handle=known.handle, version=then.version, facts=_decoder.decode(then.facts), flags=flags)

    async def _refuse_what_went(self, handle: Handle) -> None:
        """Nothing is known of a time before the first version, unless that isn't the first there was."""
        oldest = select(func.min(subject_facts.c.version)).where(
            subject_facts.c.tenant == self._tenant, subject_facts.c.handle == handle
        )
        if (await self._connection.scalar(oldest) or 1) > 1:
            raise ContentExpired("what was known then was kept until its period ended")

    async def lock(self, handle: Handle) -> Subject:
        wanted = _SUBJECT.where(row.c.tenant == self._tenant, row.c.handle == handle, row.c.merged_at.is_(None))
        # Not for the key: that would wait for those who ensured the subject, who may wait for this as well.
        return _to_subject((await self._connection.execute(wanted.with_for_update(key_share=True))).one())

    async def versions(self, handles: Collection[Handle]) -> Mapping[Handle, Sequence[tuple[int, SubjectFacts]]]:
        wanted = ",".join(handle.hex for handle in handles)
        found: dict[Handle, list[tuple[int, SubjectFacts]]] = {}
        for handle, version, facts in await self._ask(_VERSIONS, {"tenant": self._tenant, "handles": wanted}):
            found.setdefault(Handle(handle), []).append((version, _decoder.decode(facts)))
        return found

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

    async def dated_versions(self, handle: Handle) -> Sequence[FactsVersion]:
        column = subject_facts.c
        found = await self._connection.execute(
            select(column.version, column.at, column.facts)
            .where(column.tenant == self._tenant, column.handle == handle)
            .order_by(column.version)
        )
        return [FactsVersion(version=version, at=at, facts=_decoder.decode(facts)) for version, at, facts in found]

    async def set_flags(self, handle: Handle, flags: Flags) -> None:
        await self._connection.execute(
            update(row).where(row.c.tenant == self._tenant, row.c.handle == handle).values(flags=_from_flags(flags))
        )

    async def former(self, handle: Handle) -> AbstractSet[Handle]:
        found = await self._connection.execute(self._pairs_of(handle).where(subject_pair.c.same.is_(True)))
        return {Handle(each) for pair in found for each in pair} - {handle}

    async def current(self, handle: Handle) -> Handle | None:
        found = await self._connection.execute(_CURRENT, {"tenant": self._tenant, "handle": handle})
        now = found.scalar_one_or_none()
        return None if now is None else Handle(now)

    async def hold(self, subjects: Collection[SubjectId]) -> Mapping[SubjectId, Named]:
        handles = await self._handles(subjects)
        columns = (row.c.subject, row.c.handle, row.c.version, row.c.facts, row.c.flags, row.c.merged_at)
        found = await self._connection.execute(
            select(*columns)
            .where(row.c.tenant == self._tenant, row.c.handle.in_(set(handles.values())))
            .order_by(row.c.subject)
            .with_for_update()
        )
        held = {
            SubjectId(each.subject): Named(subject=_to_subject(each), alias=each.merged_at is not None)
            for each in found
        }
        if handles != await self._handles(subjects) or not handles.keys() <= held.keys():
            raise Unavailable("somebody merges them with others at this moment")
        return {subject: held[subject] for subject in handles}

    async def aliases(self, handle: Handle) -> AbstractSet[SubjectId]:
        found = await self._connection.execute(
            select(row.c.subject).where(row.c.tenant == self._tenant, row.c.handle == handle)
        )
        return {SubjectId(subject) for subject in found.scalars()}

    async def merge(self, other: Handle, into: Subject, at: datetime) -> None:
        await self._connection.execute(
            update(row)
            .where(row.c.tenant == self._tenant, row.c.handle == other)
            .values(
                handle=into.handle,
                merged_at=func.coalesce(row.c.merged_at, at),
                version=into.version,
                facts=_encoder.encode(into.facts),
                flags=_from_flags(into.flags),
            )
        )
        await self._connection.execute(_MOVE_PAIRS, {"tenant": self._tenant, "from": other, "into": into.handle})

    async def settle(self, one: Handle, other: Handle, at: datetime, *, same: bool) -> bool:
        pair = sorted((one, other))
        news = await self._connection.execute(
            update(subject_pair)
            .where(
                subject_pair.c.tenant == self._tenant,
                subject_pair.c.one == pair[0],
                subject_pair.c.other == pair[1],
                subject_pair.c.same.is_distinct_from(same),
            )
            .values(settled_at=at, same=same)
        )
        noted = await self._connection.execute(
            upsert(subject_pair)
            .values(tenant=self._tenant, one=pair[0], other=pair[1], about=b"", found_at=at, settled_at=at, same=same)
            .on_conflict_do_nothing()
            .returning(subject_pair.c.about)
        )
        return noted.first() is not None or news.rowcount > 0

    async def leave_unresolved(
        self, found: Collection[tuple[Handle, Handle, bytes]], at: datetime
    ) -> AbstractSet[Handle]:
        rows = [
            {"one": min(pair), "other": max(pair), "about": about.hex()} for *pair, about in found if pair[0] != pair[1]
        ]
        new = await self._connection.execute(
            _LEAVE, {"tenant": self._tenant, "at": at, "rows": _encoder.encode(rows).decode()}
        )
        marked = set()
        for handle in sorted({Handle(each) for pair in new for each in pair}):
            flags = await self._flags_of(handle)
            if not flags.merge_unresolved:
                await self.set_flags(handle, replace(flags, merge_unresolved=True))
                marked.add(handle)
        return marked

    async def _flags_of(self, handle: Handle) -> Flags:
        try:
            return (await self.lock(handle)).flags
        except NoResultFound as error:
            raise Unavailable("somebody merges them with others at this moment") from error

    async def part(self, fresh: Mapping[SubjectId, Handle], flags: Flags) -> None:
        for subject, handle in fresh.items():
            await self._connection.execute(
                update(row)
                .where(row.c.tenant == self._tenant, row.c.subject == subject)
                .values(handle=handle, merged_at=None, version=0, facts=_UNKNOWN, flags=_from_flags(flags))
            )

    async def hide(self, subject: SubjectId, at: datetime) -> None:
        await self._connection.execute(_HIDE, {"subject": subject, "at": at})

    async def drop_pairs(self, handles: Collection[Handle]) -> None:
        await self._connection.execute(
            delete(subject_pair).where(
                subject_pair.c.tenant == self._tenant,
                or_(subject_pair.c.one.in_(handles), subject_pair.c.other.in_(handles)),
            )
        )

    async def unsettled(self, handle: Handle) -> bool:
        open_ = self._pairs_of(handle).where(subject_pair.c.settled_at.is_(None)).limit(1)
        return (await self._connection.execute(open_)).first() is not None

    def _pairs_of(self, handle: Handle) -> Select[Any, Any]:
        return select(subject_pair.c.one, subject_pair.c.other).where(
            subject_pair.c.tenant == self._tenant, or_(subject_pair.c.one == handle, subject_pair.c.other == handle)
        )


def _to_subject(found: Row[*tuple[Any, ...]]) -> Subject:
    return Subject(
        handle=Handle(found.handle),
        version=found.version,
        facts=_decoder.decode(found.facts),
        flags=_to_flags(found.flags),
    )


def _to_flags(encoded: bytes | None) -> Flags:
    return NO_FLAGS if encoded is None else _flags.decode(encoded)


def _from_flags(flags: Flags) -> bytes | None:
    return None if flags == NO_FLAGS else _encoder.encode(flags)
