from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, Select, Uuid, bindparam, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.audit import NOBODYS, ContentExpired
from service.kernel import Contended, Handle, NewId, SubjectId, TenantId, Unavailable
from service.subjects.directory import UNKNOWN, SqlDirectory, from_flags, to_flags
from service.subjects.domain import NO_FACTS, FactsVersion, Flags, Named, Subject, SubjectFacts
from service.subjects.tables import subject as row
from service.subjects.tables import subject_facts, subject_pair
from service.trips import Trips

_VERSIONS: Final = """
    SELECT theirs.* FROM string_to_table(%(handles)s, ',') AS asked (handle)
    CROSS JOIN LATERAL (
        SELECT handle, version, facts FROM subject_facts
        WHERE tenant = %(tenant)s AND handle = asked.handle::uuid ORDER BY version
    ) AS theirs
"""
"""Here and below each is looked up by itself (ADR 0030)."""
_STANDING: Final = """
    SELECT who.handle, who.version, who.facts, who.flags
    FROM string_to_table(%(handles)s, ',') AS whose (handle)
    CROSS JOIN LATERAL (
        SELECT handle, version, facts, flags FROM subject
        WHERE tenant = %(tenant)s AND handle = whose.handle::uuid OFFSET 0
    ) AS who
"""
_EVERYBODY: Final = """
    (SELECT DISTINCT handle FROM subject WHERE tenant = %(tenant)s
        AND handle > %(after)s ORDER BY handle LIMIT %(limit)s)
    UNION
    (SELECT DISTINCT handle FROM subject_facts WHERE tenant = %(tenant)s
        AND handle > %(after)s ORDER BY handle LIMIT %(limit)s)
    ORDER BY handle LIMIT %(limit)s
"""
_MERGES: Final = """
    SELECT whose.handle, pair.settled_at
    FROM unnest(string_to_array(%(handles)s, ',')::uuid[]) AS whose (handle)
    JOIN subject_pair AS pair ON pair.tenant = %(tenant)s AND pair.same AND whose.handle IN (pair.one, pair.other)
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

_HIDE: Final = text("SELECT subject_hide(:subject, :at)")
_SUBJECT: Final = select(row.c.handle, row.c.version, row.c.facts, row.c.flags)
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(SubjectFacts)


class SqlSubjectStore(SqlDirectory):
    """Keeps `Subject` rows and every version of their facts; rows never leave this class.

    Never commits: the transaction that built the store does.
    """

    def __init__(self, connection: AsyncConnection, ask: Trips, tenant: TenantId, new_id: NewId) -> None:
        super().__init__(ask, tenant, new_id)
        self._connection = connection

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
        flags = to_flags(known.flags)
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
        if (found := await self._locked(handle)) is None:
            raise Contended("somebody was merged or erased at this moment; asking again is safe")
        return found

    async def lock_current(self, handle: Handle) -> Subject | None:
        while (current := await self.current(handle)) is not None:
            if (found := await self._locked(current)) is not None:
                return found
        return None

    async def _locked(self, handle: Handle) -> Subject | None:
        wanted = _SUBJECT.where(row.c.tenant == self._tenant, row.c.handle == handle, row.c.merged_at.is_(None))
        # Not for the key: that would wait for those who ensured the subject, who may wait for this as well.
        found = (await self._connection.execute(wanted.with_for_update(key_share=True))).one_or_none()
        return None if found is None else _to_subject(found)

    async def versions(self, handles: Collection[Handle]) -> Mapping[Handle, Sequence[tuple[int, SubjectFacts]]]:
        wanted = ",".join(handle.hex for handle in {*handles})
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

    async def handles(self, *, after: Handle | None, limit: int) -> Sequence[Handle]:
        wanted = {"tenant": self._tenant, "after": after or NOBODYS, "limit": limit}
        return [Handle(handle) for (handle,) in await self._ask(_EVERYBODY, wanted)]

    async def standing(self, handles: Collection[Handle]) -> Sequence[Subject]:
        wanted = ",".join(handle.hex for handle in {*handles})
        found = await self._ask(_STANDING, {"tenant": self._tenant, "handles": wanted})
        return [_subject(*each) for each in found]

    async def merges(self, handles: Collection[Handle]) -> Mapping[Handle, Sequence[datetime]]:
        wanted = ",".join(handle.hex for handle in handles)
        found: dict[Handle, list[datetime]] = {}
        for handle, at in await self._ask(_MERGES, {"tenant": self._tenant, "handles": wanted}):
            found.setdefault(Handle(handle), []).append(at)
        return found

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
                flags=from_flags(into.flags),
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

    async def part(self, fresh: Mapping[SubjectId, Handle], flags: Flags) -> None:
        for subject, handle in fresh.items():
            await self._connection.execute(
                update(row)
                .where(row.c.tenant == self._tenant, row.c.subject == subject)
                .values(handle=handle, merged_at=None, version=0, facts=UNKNOWN, flags=from_flags(flags))
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
    return _subject(found.handle, found.version, found.facts, found.flags)


def _subject(handle: UUID, version: int, facts: bytes, flags: bytes | None) -> Subject:
    return Subject(handle=Handle(handle), version=version, facts=_decoder.decode(facts), flags=to_flags(flags))
