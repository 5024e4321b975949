"""Who has which handle: statements of the hot paths, which go straight to PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from service.audit import Payload
from service.kernel import Handle, NewId, SubjectId, TenantId, Unavailable
from service.subjects.domain import NO_FACTS, NO_FLAGS, Ensured, Flags, payload_of_flags
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
    SELECT who.* FROM string_to_table(%(subjects)s, ',') AS asked (subject)
    CROSS JOIN LATERAL (
        SELECT subject, handle FROM subject WHERE tenant = %(tenant)s AND subject = asked.subject OFFSET 0
    ) AS who
"""
"""Here and below each is looked up by itself (ADR 0030)."""
_HELD: Final = """
    SELECT who.subject, who.handle
    FROM (
        SELECT subject FROM string_to_table(%(subjects)s, ',') AS asked (subject) ORDER BY subject COLLATE "C"
    ) AS asked
    CROSS JOIN LATERAL (
        SELECT subject, handle FROM subject WHERE tenant = %(tenant)s AND subject = asked.subject FOR KEY SHARE
    ) AS who
"""
"""Writers don't wait for each other here, and merges wait for all of them."""
_NAMES: Final = """
    SELECT who.* FROM string_to_table(%(handles)s, ',') AS asked (handle)
    CROSS JOIN LATERAL (
        SELECT handle, subject FROM subject
        WHERE tenant = %(tenant)s AND handle = asked.handle::uuid AND merged_at IS NULL OFFSET 0
    ) AS who
"""
_LEAVE: Final = """
    INSERT INTO subject_pair (tenant, one, other, about, found_at)
    SELECT %(tenant)s, one, other, decode(about, 'hex'), %(at)s
    FROM json_to_recordset(%(rows)s::json) AS new (one uuid, other uuid, about text)
    ORDER BY one, other, about
    ON CONFLICT DO NOTHING
    RETURNING one, other
"""
_FLAGS: Final = """
    SELECT flags FROM subject WHERE tenant = %(tenant)s AND handle = %(handle)s AND merged_at IS NULL
    FOR NO KEY UPDATE
"""
"""Not for the key: that would wait for those who ensured the subject, who may wait for this as well."""
_FLAG: Final = "UPDATE subject SET flags = %(flags)s WHERE tenant = %(tenant)s AND handle = %(handle)s"
_SAME: Final = """
    SELECT one, other FROM subject_pair
    WHERE tenant = %(tenant)s AND (one = %(handle)s OR other = %(handle)s) AND same
"""
_encoder: Final = msgspec.json.Encoder()
_flags: Final = msgspec.json.Decoder(Flags)
UNKNOWN: Final = _encoder.encode(NO_FACTS)


class SqlNames:
    """Knows what a tenant calls its subjects."""

    def __init__(self, ask: Trips, tenant: TenantId) -> None:
        self._ask = ask
        self._tenant = tenant

    async def names(self, handles: Collection[UUID]) -> Mapping[UUID, SubjectId]:
        wanted = ",".join(handle.hex for handle in handles)
        found = await self._ask(_NAMES, {"tenant": self._tenant, "handles": wanted})
        return {handle: SubjectId(subject) for handle, subject in found}


class SqlDirectory(SqlNames):
    """Gives handles, and doubts whose they are.

    Never commits: the transaction that built it does.
    """

    def __init__(self, ask: Trips, tenant: TenantId, new_id: NewId) -> None:
        super().__init__(ask, tenant)
        self._new_id = new_id

    async def ensure(self, subjects: Sequence[SubjectId], at: datetime) -> Ensured:
        handles = await self.held(subjects)
        missing = [subject for subject in subjects if subject not in handles]
        ensured = await self.create(missing, at)
        return Ensured(handles={**handles, **ensured.handles}, created=ensured.created, fresh=ensured.fresh)

    async def held(self, subjects: Sequence[SubjectId]) -> dict[SubjectId, Handle]:
        return await self._handles(subjects, _HELD)

    async def create(self, subjects: Sequence[SubjectId], at: datetime) -> Ensured:
        missing = sorted(set(subjects))
        if not missing:
            return Ensured(handles={}, created=frozenset(), fresh=frozenset())
        # In one order everywhere: two batches with the same new subjects wait for each other and don't deadlock.
        rows: list[dict[str, Any]] = [{"subject": subject, "handle": self._new_id()} for subject in missing]
        new = await self._ask(
            _ENSURE, {"tenant": self._tenant, "at": at, "facts": UNKNOWN, "rows": _encoder.encode(rows).decode()}
        )
        created = {SubjectId(subject): Handle(handle) for subject, handle in new}
        late = [subject for subject in missing if subject not in created]  # another was first
        handles = await self.held(late) if late else {}
        fresh = {Handle(each["handle"]) for each in rows} & {*created.values()}
        return Ensured(handles={**handles, **created}, created=frozenset(created), fresh=frozenset(fresh))

    async def _handles(self, subjects: Collection[SubjectId], query: str = _HANDLES) -> dict[SubjectId, Handle]:
        # No subject id has a comma in it.
        found = await self._ask(query, {"tenant": self._tenant, "subjects": ",".join(subjects)})
        return {SubjectId(subject): Handle(handle) for subject, handle in found}

    async def handle_of(self, subject: SubjectId) -> Handle | None:
        return (await self._handles([subject])).get(subject)

    async def former(self, handle: Handle) -> AbstractSet[Handle]:
        pairs = await self._ask(_SAME, {"tenant": self._tenant, "handle": handle})
        return {Handle(each) for pair in pairs for each in pair} - {handle}

    async def leave_unresolved(
        self, found: Collection[tuple[Handle, Handle, bytes]], at: datetime
    ) -> Mapping[Handle, Payload]:
        rows = [
            {"one": min(pair), "other": max(pair), "about": about.hex()} for *pair, about in found if pair[0] != pair[1]
        ]
        new = await self._ask(_LEAVE, {"tenant": self._tenant, "at": at, "rows": _encoder.encode(rows).decode()})
        marked = {}
        for handle in sorted({Handle(each) for pair in new for each in pair}):
            flags = await self._flags_of(handle)
            if not flags.merge_unresolved:
                flags = replace(flags, merge_unresolved=True)
                await self.set_flags(handle, flags)
                marked[handle] = payload_of_flags(handle, flags)
        return marked

    async def set_flags(self, handle: Handle, flags: Flags) -> None:
        await self._ask(_FLAG, {"tenant": self._tenant, "handle": handle, "flags": from_flags(flags)})

    async def _flags_of(self, handle: Handle) -> Flags:
        found = await self._ask(_FLAGS, {"tenant": self._tenant, "handle": handle})
        if not found:
            raise Unavailable("somebody merges them with others at this moment")
        return to_flags(found[0][0])


def to_flags(encoded: bytes | None) -> Flags:
    return NO_FLAGS if encoded is None else _flags.decode(encoded)


def from_flags(flags: Flags) -> bytes | None:
    return None if flags == NO_FLAGS else _encoder.encode(flags)
